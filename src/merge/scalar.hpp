#pragma once

#include <cstdint>
#include <string>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/pgtypes/numeric.hpp>
#include <sherd/pgtypes/value.hpp>

#include "row.hpp"

// The few scalars that a merge computes with, out of and into either wire format. A malformed one
// is kProtocolViolation.

namespace sherd::merge {

/// bool, int2, int4, int8, money.
[[nodiscard]] Result<std::int64_t> read_integer(Bytes value, Oid type, std::int16_t format);
/// A bigint count; NULL counts nothing.
[[nodiscard]] Result<std::int64_t> read_count(const Field& field, std::int16_t format);
[[nodiscard]] Result<double> read_float8(Bytes value, std::int16_t format);
[[nodiscard]] Result<float> read_float4(Bytes value, std::int16_t format);
/// numeric or int8.
[[nodiscard]] Result<pgtypes::Numeric> read_numeric(Bytes value, Oid type, std::int16_t format);

void append_integer(std::int64_t value, Oid type, std::int16_t format, std::string& out);
void append_float8(
    double value, std::int16_t format, const pgtypes::TextSettings& settings, std::string& out
);
void append_float4(
    float value, std::int16_t format, const pgtypes::TextSettings& settings, std::string& out
);
void append_numeric(const pgtypes::Numeric& value, std::int16_t format, std::string& out);

}  // namespace sherd::merge
