#include "values.hpp"

#include <array>
#include <charconv>
#include <cstdint>
#include <span>

#include <fmt/format.h>

namespace sherd::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first, as to_text wants them.
constexpr std::array kTimeUnits = {
    Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000}, Unit{"ms", 1}
};
constexpr std::array kSizeUnits = {
    Unit{"TiB", 1ULL << 40}, Unit{"GiB", 1ULL << 30}, Unit{"MiB", 1ULL << 20},
    Unit{"KiB", 1ULL << 10}, Unit{"B", 1}
};
constexpr std::uint64_t kMaxMilliseconds = 10'000ULL * 86'400'000;
constexpr std::uint64_t kMaxSize = 1ULL << 50;

std::optional<std::uint64_t> from_text(
    std::string_view text, std::span<const Unit> units, std::uint64_t limit
) {
  std::uint64_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem != std::errc{}) {
    return std::nullopt;
  }
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.empty() && count == 0) {
    return 0;
  }
  for (const Unit& known : units) {
    if (unit == known.name && count <= limit / known.factor) {
      return count * known.factor;
    }
  }
  return std::nullopt;
}

std::string in_largest_unit(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return fmt::format("{}{}", value / unit.factor, unit.name);
    }
  }
  return "0";
}

}  // namespace

std::optional<Milliseconds> duration_from_text(std::string_view text) {
  const auto count = from_text(text, kTimeUnits, kMaxMilliseconds);
  return count ? std::optional(Milliseconds(static_cast<std::int64_t>(*count))) : std::nullopt;
}

std::string to_text(Milliseconds duration) {
  return in_largest_unit(static_cast<std::uint64_t>(duration.count()), kTimeUnits);
}

std::optional<Size> size_from_text(std::string_view text) {
  const auto count = from_text(text, kSizeUnits, kMaxSize);
  return count ? std::optional(Size{*count}) : std::nullopt;
}

std::string to_text(Size size) {
  return in_largest_unit(size.bytes, kSizeUnits);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

}  // namespace sherd::config
