#include "scalar.hpp"

#include <bit>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include <sherd/pgtypes/oid.hpp>

namespace sherd::merge {
namespace {

using pgtypes::kTextFormat;
using pgtypes::Numeric;

std::unexpected<Error> malformed(Oid type) {
  return fail(
      ErrorCode::kProtocolViolation,
      fmt::format("malformed value of {} from a shard", pgtypes::type_name(type))
  );
}

std::size_t width_of(Oid type) {
  switch (type) {
    case oid::kBool:
      return 1;
    case oid::kInt2:
      return 2;
    case oid::kInt4:
      return 4;
    default:
      return 8;
  }
}

Result<std::int64_t> integer_from_text(std::string_view text, Oid type) {
  if (type == oid::kBool) {
    return text == "t" || text == "f" ? Result<std::int64_t>(text == "t" ? 1 : 0) : malformed(type);
  }
  std::int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) {
    return malformed(type);
  }
  return value;
}

}  // namespace

Result<std::int64_t> read_integer(Bytes value, Oid type, std::int16_t format) {
  if (format == kTextFormat) {
    return integer_from_text(as_text(value), type);
  }
  if (value.size() != width_of(type)) {
    return malformed(type);
  }
  switch (value.size()) {
    case 1:
      return load_be<std::uint8_t>(value.data()) != 0 ? 1 : 0;
    case 2:
      return load_be<std::int16_t>(value.data());
    case 4:
      return load_be<std::int32_t>(value.data());
    default:
      return load_be<std::int64_t>(value.data());
  }
}

Result<std::int64_t> read_count(const Field& field, std::int16_t format) {
  return field.is_null() ? Result<std::int64_t>(0)
                         : read_integer(field.bytes(), oid::kInt8, format);
}

Result<double> read_float8(Bytes value, std::int16_t format) {
  double number = 0;
  if (format == kTextFormat) {
    return pgtypes::parse_float8(as_text(value), number) ? Result<double>(number)
                                                         : malformed(oid::kFloat8);
  }
  if (value.size() != sizeof number) {
    return malformed(oid::kFloat8);
  }
  return std::bit_cast<double>(load_be<std::uint64_t>(value.data()));
}

Result<float> read_float4(Bytes value, std::int16_t format) {
  float number = 0;
  if (format == kTextFormat) {
    return pgtypes::parse_float4(as_text(value), number) ? Result<float>(number)
                                                         : malformed(oid::kFloat4);
  }
  if (value.size() != sizeof number) {
    return malformed(oid::kFloat4);
  }
  return std::bit_cast<float>(load_be<std::uint32_t>(value.data()));
}

Result<Numeric> read_numeric(Bytes value, Oid type, std::int16_t format) {
  if (type == oid::kInt8) {
    SHERD_TRY(const std::int64_t integer, read_integer(value, type, format));
    return Numeric(integer);
  }
  return format == kTextFormat ? Numeric::from_text(as_text(value)) : Numeric::from_binary(value);
}

void append_integer(std::int64_t value, Oid type, std::int16_t format, std::string& out) {
  if (format == kTextFormat) {
    if (type == oid::kBool) {
      out += value != 0 ? 't' : 'f';
    } else {
      fmt::format_to(std::back_inserter(out), "{}", value);
    }
    return;
  }
  switch (width_of(type)) {
    case 1:
      out += static_cast<char>(value);
      break;
    case 2:
      append_be(out, static_cast<std::int16_t>(value));
      break;
    case 4:
      append_be(out, static_cast<std::int32_t>(value));
      break;
    default:
      append_be(out, value);
      break;
  }
}

void append_float8(
    double value, std::int16_t format, const pgtypes::TextSettings& settings, std::string& out
) {
  if (format == kTextFormat) {
    pgtypes::append_float8_text(value, settings, out);
  } else {
    append_be(out, std::bit_cast<std::uint64_t>(value));
  }
}

void append_float4(
    float value, std::int16_t format, const pgtypes::TextSettings& settings, std::string& out
) {
  if (format == kTextFormat) {
    pgtypes::append_float4_text(value, settings, out);
  } else {
    append_be(out, std::bit_cast<std::uint32_t>(value));
  }
}

void append_numeric(const Numeric& value, std::int16_t format, std::string& out) {
  if (format == kTextFormat) {
    value.append_text(out);
  } else {
    value.append_binary(out);
  }
}

}  // namespace sherd::merge
