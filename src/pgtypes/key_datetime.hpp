#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <sherd/base/error.hpp>
#include <sherd/pgtypes/key.hpp>

// Dates and timestamps as keys: ISO 8601 forms only, whose meaning no setting of the session can
// change.

namespace sherd::pgtypes {

/// Days or microseconds since 2000-01-01 (proleptic Gregorian); ±infinity is the least and the
/// greatest int64.
/// @param type  kDate, kTimestamp or kTimestamptz. For kTimestamp an offset in the text is ignored,
/// as the server
///              does; for kTimestamptz there must be one.
[[nodiscard]] Result<std::int64_t> datetime_from_text(KeyType type, std::string_view text);
/// Refuses what the server's receive functions refuse. Date infinities are int32 on the wire: widen
/// before.
[[nodiscard]] Result<std::int64_t> checked_datetime(KeyType type, std::int64_t value);
/// ISO text; timestamptz in UTC with "+00".
void append_datetime(KeyType type, std::int64_t value, std::string& out);
/// Rounds to `precision` decimals of a second as the server does, 0..6.
[[nodiscard]] std::int64_t round_timestamp(std::int64_t value, std::int32_t precision) noexcept;

}  // namespace sherd::pgtypes
