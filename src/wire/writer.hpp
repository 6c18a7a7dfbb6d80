#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/wire/build.hpp>
#include <sherd/wire/message.hpp>

/// Pieces of which the builders are made. Private to the module.
namespace sherd::wire {

/// What a label keeps: the text up to its first NUL, and no more than kMaxLabelBytes.
[[nodiscard]] inline std::string_view label(std::string_view text) noexcept {
  return text.substr(0, std::min(text.find('\0'), kMaxLabelBytes));
}

inline void append_bytes(std::string& out, Bytes bytes) {
  out.append(as_text(bytes));
}

inline void append_cstring(std::string& out, std::string_view text) {
  out.append(text);
  out.push_back('\0');
}

/// Refuses a text that would end, for the receiver, before its end.
[[nodiscard]] Result<> check_cstring(std::string_view text, std::string_view what);
[[nodiscard]] Result<> check_count(std::size_t count, std::string_view what);

/// Writes the header of a message with a body of `body_bytes`, or fails with `out` untouched.
/// The caller appends exactly so many bytes.
template <class Type>
[[nodiscard]] Result<> open_message(std::string& out, Type type, std::uint64_t body_bytes);
extern template Result<> open_message(std::string&, FrontendType, std::uint64_t);
extern template Result<> open_message(std::string&, BackendType, std::uint64_t);

/// The same for bodies that are known to be small.
template <class Type>
void open_small_message(std::string& out, Type type, std::uint32_t body_bytes) {
  out.push_back(letter(type));
  append_be<std::uint32_t>(out, body_bytes + static_cast<std::uint32_t>(kLengthBytes));
}

/// Bytes that append_values() writes, its count included.
[[nodiscard]] std::uint64_t bytes_of(std::span<const Value> values) noexcept;
void append_values(std::string& out, std::span<const Value> values);

template <class Item>
[[nodiscard]] std::uint64_t bytes_of_list(std::span<const Item> items) noexcept {
  return sizeof(std::uint16_t) + items.size() * sizeof(Item);
}
void append_list(std::string& out, std::span<const Format> formats);
void append_list(std::string& out, std::span<const Oid> types);

}  // namespace sherd::wire
