#pragma once

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/wire/message.hpp>
#include <sherd/wire/view.hpp>

/// What the decoders of both sides share. Private to the module.
namespace sherd::wire {

/// kProtocolViolation about a body that is too short, too long or inconsistent.
[[nodiscard]] inline std::unexpected<Error> malformed(std::string_view message) {
  return fail(ErrorCode::kProtocolViolation, fmt::format("malformed {} message", message));
}

/// A count, then as many integers. Asks nothing: the caller looks at reader.ok().
template <std::integral T>
[[nodiscard]] IntegerList<T> read_list(ByteReader& reader) noexcept {
  const auto count = reader.read<std::uint16_t>();
  return IntegerList<T>(reader.read_bytes(count * sizeof(T)));
}

[[nodiscard]] inline bool is_format(std::int16_t code) noexcept {
  return code == 0 || code == 1;
}

[[nodiscard]] inline bool are_formats(const IntegerList<std::int16_t>& codes) noexcept {
  for (const std::int16_t code : codes) {
    if (!is_format(code)) {
      return false;
    }
  }
  return true;
}

}  // namespace sherd::wire
