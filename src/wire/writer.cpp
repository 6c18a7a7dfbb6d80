#include "writer.hpp"

#include <limits>

#include <fmt/format.h>

namespace sherd::wire {

Result<> check_cstring(std::string_view text, std::string_view what) {
  if (text.size() > kMaxMessageBytes) {
    return fail(
        ErrorCode::kProgramLimit,
        fmt::format("{} of {} bytes, limit {}", what, text.size(), kMaxMessageBytes)
    );
  }
  if (text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::kProtocolViolation, fmt::format("{} holds a zero byte", what));
  }
  return {};
}

Result<> check_count(std::size_t count, std::string_view what) {
  constexpr std::size_t kMost = std::numeric_limits<std::uint16_t>::max();
  if (count > kMost) {
    return fail(
        ErrorCode::kProgramLimit, fmt::format("{} {} in one message, limit {}", count, what, kMost)
    );
  }
  return {};
}

template <class Type>
Result<> open_message(std::string& out, Type type, std::uint64_t body_bytes) {
  if (body_bytes > kMaxMessageBytes - kLengthBytes) [[unlikely]] {
    return fail(
        ErrorCode::kProgramLimit, fmt::format(
                                      "a message of {} bytes would have to be sent, limit {}",
                                      body_bytes + kLengthBytes, kMaxMessageBytes
                                  )
    );
  }
  out.reserve(out.size() + kHeaderBytes + body_bytes);
  open_small_message(out, type, static_cast<std::uint32_t>(body_bytes));
  return {};
}
template Result<> open_message(std::string&, FrontendType, std::uint64_t);
template Result<> open_message(std::string&, BackendType, std::uint64_t);

std::uint64_t bytes_of(std::span<const Value> values) noexcept {
  std::uint64_t bytes = sizeof(std::uint16_t) + values.size() * sizeof(std::int32_t);
  for (const Value& value : values) {
    bytes += value ? value->size() : 0;
  }
  return bytes;
}

void append_values(std::string& out, std::span<const Value> values) {
  append_be(out, static_cast<std::uint16_t>(values.size()));
  for (const Value& value : values) {
    if (!value) {
      append_be<std::int32_t>(out, -1);
      continue;
    }
    append_be(out, static_cast<std::int32_t>(value->size()));
    append_bytes(out, *value);
  }
}

void append_list(std::string& out, std::span<const Format> formats) {
  append_be(out, static_cast<std::uint16_t>(formats.size()));
  for (const Format format : formats) {
    append_be(out, static_cast<std::int16_t>(format));
  }
}

void append_list(std::string& out, std::span<const Oid> types) {
  append_be(out, static_cast<std::uint16_t>(types.size()));
  for (const Oid type : types) {
    append_be(out, type);
  }
}

}  // namespace sherd::wire
