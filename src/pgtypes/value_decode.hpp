#pragma once

#include <cstdint>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/pgtypes/value.hpp>

// One decoder per type and format: bytes of the wire to an Ordinal. Each returns false for what is
// no value of its type or does not tell its meaning; none allocates.

namespace sherd::pgtypes::decode {

bool bool_text(Bytes value, Ordinal& out) noexcept;
bool bool_binary(Bytes value, Ordinal& out) noexcept;
bool char_text(Bytes value, Ordinal& out) noexcept;
bool char_binary(Bytes value, Ordinal& out) noexcept;
bool integer_text(Bytes value, Ordinal& out) noexcept;  // int2, int4, int8, oid
bool int2_binary(Bytes value, Ordinal& out) noexcept;
bool int4_binary(Bytes value, Ordinal& out) noexcept;
bool int8_binary(Bytes value, Ordinal& out) noexcept;  // money too
bool oid_binary(Bytes value, Ordinal& out) noexcept;
bool float4_text(Bytes value, Ordinal& out) noexcept;
bool float4_binary(Bytes value, Ordinal& out) noexcept;
bool float8_text(Bytes value, Ordinal& out) noexcept;
bool float8_binary(Bytes value, Ordinal& out) noexcept;
/// high: sign, class and exponent; data: digits without zeros at either end.
bool numeric_text(Bytes value, Ordinal& out) noexcept;
bool numeric_binary(Bytes value, Ordinal& out) noexcept;
/// high: the first eight bytes, so that most comparisons end there.
bool bytes(Bytes value, Ordinal& out) noexcept;
bool blank_padded(Bytes value, Ordinal& out) noexcept;
/// Without the first bytes in `high`: for an order that is not that of bytes.
bool collated(Bytes value, Ordinal& out) noexcept;
bool collated_blank_padded(Bytes value, Ordinal& out) noexcept;
bool bytea_text(Bytes value, Ordinal& out) noexcept;  // hex digits sort as the bytes they stand for
bool bits_text(Bytes value, Ordinal& out) noexcept;
bool bits_binary(Bytes value, Ordinal& out) noexcept;
bool uuid_text(Bytes value, Ordinal& out) noexcept;
bool uuid_binary(Bytes value, Ordinal& out) noexcept;
bool macaddr_binary(Bytes value, Ordinal& out) noexcept;
bool macaddr8_binary(Bytes value, Ordinal& out) noexcept;
bool hex_pairs_text(Bytes value, Ordinal& out) noexcept;  // macaddr, macaddr8
bool network_binary(
    Bytes value, Ordinal& out
) noexcept;  // high: family, low: prefix length, data: address
bool date_text(Bytes value, Ordinal& out) noexcept;
bool date_binary(Bytes value, Ordinal& out) noexcept;
bool timestamp_text(Bytes value, Ordinal& out) noexcept;
bool timestamptz_text(Bytes value, Ordinal& out) noexcept;
bool time_text(Bytes value, Ordinal& out) noexcept;
bool timetz_text(Bytes value, Ordinal& out) noexcept;
bool timetz_binary(Bytes value, Ordinal& out) noexcept;
bool interval_text(Bytes value, Ordinal& out) noexcept;
bool interval_binary(Bytes value, Ordinal& out) noexcept;

}  // namespace sherd::pgtypes::decode
