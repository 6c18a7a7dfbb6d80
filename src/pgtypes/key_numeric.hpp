#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>

// Numeric keys: one canonical decimal text per value, "0", "-12.5", "NaN", "Infinity", "-Infinity";
// no exponent, no zeros that say nothing, no negative zero.

namespace sherd::pgtypes {

/// @return the canonical text, borrowed from `text` where it is canonical already, else from
/// `scratch`.
[[nodiscard]] Result<std::string_view> numeric_from_text(
    std::string_view text, std::string& scratch
);
/// From the wire form (numeric_send): counts and weight, sign, scale, digits base 10000.
[[nodiscard]] Result<std::string_view> numeric_from_binary(Bytes value, std::string& scratch);
/// Order of two canonical texts as the server sorts them: NaN last, infinities outside all else.
[[nodiscard]] std::strong_ordering compare_numeric(std::string_view a, std::string_view b) noexcept;
/// Rounds a canonical text half away from zero as numeric(p, s) with `typmod` does; as it is if it
/// is too big for it.
[[nodiscard]] std::string_view round_numeric(
    std::string_view canonical, std::int32_t typmod, std::string& scratch
);

}  // namespace sherd::pgtypes
