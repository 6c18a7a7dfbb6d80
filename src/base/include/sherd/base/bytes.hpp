#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sherd {

using Bytes = std::span<const std::byte>;

[[nodiscard]] inline Bytes as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <std::integral T>
[[nodiscard]] inline T load_be(const std::byte* from) noexcept {
  std::make_unsigned_t<T> value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (sizeof(T) > 1) {
    value = std::byteswap(value);  // every machine we run on is little-endian
  }
  return static_cast<T>(value);
}
static_assert(std::endian::native == std::endian::little);

/// Reads network-order values from borrowed bytes. After a short read every further read fails, so
/// a caller may read everything and ask ok() once.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) noexcept : rest_(bytes) {}

  template <std::integral T>
  [[nodiscard]] T read() noexcept {
    if (!need(sizeof(T))) {
      return T{};
    }
    const T value = load_be<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  /// `size` bytes, borrowed.
  [[nodiscard]] Bytes read_bytes(std::size_t size) noexcept {
    if (!need(size)) {
      return {};
    }
    const Bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  /// Text up to a terminating NUL, which is consumed.
  [[nodiscard]] std::string_view read_cstring() noexcept {
    const std::string_view text = as_text(rest_);
    const auto end = ok_ ? text.find('\0') : std::string_view::npos;
    if (end == std::string_view::npos) {
      ok_ = false;
      return {};
    }
    rest_ = rest_.subspan(end + 1);
    return text.substr(0, end);
  }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return rest_.size(); }
  /// Everything was read, and nothing was missing.
  [[nodiscard]] bool finished() const noexcept { return ok_ && rest_.empty(); }

 private:
  [[nodiscard]] bool need(std::size_t size) noexcept {
    ok_ = ok_ && rest_.size() >= size;
    return ok_;
  }

  Bytes rest_;
  bool ok_ = true;
};

template <std::integral T>
inline void append_be(std::string& out, T value) {
  auto raw = static_cast<std::make_unsigned_t<T>>(value);
  if constexpr (sizeof(T) > 1) {
    raw = std::byteswap(raw);
  }
  out.append(reinterpret_cast<const char*>(&raw), sizeof raw);
}

}  // namespace sherd
