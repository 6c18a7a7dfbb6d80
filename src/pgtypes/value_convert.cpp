#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include <fmt/format.h>

#include <sherd/pgtypes/numeric.hpp>
#include <sherd/pgtypes/oid.hpp>
#include <sherd/pgtypes/value.hpp>

#include "value_decode.hpp"

// Values from one wire format to the other, as the server's output and send functions write them.

namespace sherd::pgtypes {
namespace {

using Convert = bool (*)(Bytes, const TextSettings&, std::string&);

bool same(Bytes value, const TextSettings&, std::string& out) {
  out.append(as_text(value));
  return true;
}

bool bool_to_text(Bytes value, const TextSettings&, std::string& out) {
  Ordinal number;
  const bool ok = decode::bool_binary(value, number);
  out += number.high != 0 ? 't' : 'f';
  return ok;
}

bool bool_to_binary(Bytes value, const TextSettings&, std::string& out) {
  Ordinal number;
  const bool ok = decode::bool_text(value, number);
  out += static_cast<char>(number.high);
  return ok;
}

template <class T>
bool integer_to_text(Bytes value, const TextSettings&, std::string& out) {
  if (value.size() != sizeof(T)) {
    return false;
  }
  fmt::format_to(std::back_inserter(out), "{}", load_be<T>(value.data()));
  return true;
}

template <class T>
bool integer_to_binary(Bytes value, const TextSettings&, std::string& out) {
  const std::string_view text = as_text(value);
  T number{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  append_be(out, number);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

bool float8_to_text(Bytes value, const TextSettings& settings, std::string& out) {
  if (value.size() != sizeof(double)) {
    return false;
  }
  append_float8_text(std::bit_cast<double>(load_be<std::uint64_t>(value.data())), settings, out);
  return true;
}

bool float8_to_binary(Bytes value, const TextSettings&, std::string& out) {
  double number = 0;
  const bool ok = parse_float8(as_text(value), number);
  append_be(out, std::bit_cast<std::uint64_t>(number));
  return ok;
}

bool float4_to_text(Bytes value, const TextSettings& settings, std::string& out) {
  if (value.size() != sizeof(float)) {
    return false;
  }
  append_float4_text(std::bit_cast<float>(load_be<std::uint32_t>(value.data())), settings, out);
  return true;
}

bool float4_to_binary(Bytes value, const TextSettings&, std::string& out) {
  float number = 0;
  const bool ok = parse_float4(as_text(value), number);
  append_be(out, std::bit_cast<std::uint32_t>(number));
  return ok;
}

bool numeric_to_text(Bytes value, const TextSettings&, std::string& out) {
  const Result<Numeric> number = Numeric::from_binary(value);
  if (number) {
    number->append_text(out);
  }
  return number.has_value();
}

bool numeric_to_binary(Bytes value, const TextSettings&, std::string& out) {
  const Result<Numeric> number = Numeric::from_text(as_text(value));
  if (number) {
    number->append_binary(out);
  }
  return number.has_value();
}

constexpr std::string_view kHex = "0123456789abcdef";

void append_hex(Bytes value, std::string& out) {
  for (const std::byte b : value) {
    out += kHex[std::to_integer<std::size_t>(b >> 4)];
    out += kHex[std::to_integer<std::size_t>(b & std::byte{15})];
  }
}

bool bytea_to_text(Bytes value, const TextSettings&, std::string& out) {
  out += "\\x";
  append_hex(value, out);
  return true;
}

bool bytea_to_binary(Bytes value, const TextSettings&, std::string& out) {
  const std::string_view text = as_text(value);
  if (!text.starts_with("\\x") || text.size() % 2 != 0) {
    return false;
  }
  for (std::size_t i = 2; i < text.size(); i += 2) {
    const auto high = kHex.find(text[i]);
    const auto low = kHex.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      return false;
    }
    out += static_cast<char>(high << 4 | low);
  }
  return true;
}

bool uuid_to_text(Bytes value, const TextSettings&, std::string& out) {
  if (value.size() != 16) {
    return false;
  }
  constexpr std::array<std::size_t, 5> kRuns = {4, 2, 2, 2, 6};
  for (const std::size_t run : kRuns) {
    append_hex(value.first(run), out);
    value = value.subspan(run);
    out += value.empty() ? "" : "-";
  }
  return true;
}

bool uuid_to_binary(Bytes value, const TextSettings&, std::string& out) {
  Ordinal number;
  if (!decode::uuid_text(value, number)) {
    return false;
  }
  append_be(out, static_cast<std::uint64_t>(number.high) ^ (std::uint64_t{1} << 63));
  append_be(out, number.low);
  return true;
}

struct Conversion {
  Oid type;
  Convert to_text;
  Convert to_binary;
};

constexpr std::array kConversions = {
    Conversion{oid::kBool, bool_to_text, bool_to_binary},
    Conversion{oid::kInt2, integer_to_text<std::int16_t>, integer_to_binary<std::int16_t>},
    Conversion{oid::kInt4, integer_to_text<std::int32_t>, integer_to_binary<std::int32_t>},
    Conversion{oid::kInt8, integer_to_text<std::int64_t>, integer_to_binary<std::int64_t>},
    Conversion{oid::kOid, integer_to_text<std::uint32_t>, integer_to_binary<std::uint32_t>},
    Conversion{oid::kFloat4, float4_to_text, float4_to_binary},
    Conversion{oid::kFloat8, float8_to_text, float8_to_binary},
    Conversion{oid::kNumeric, numeric_to_text, numeric_to_binary},
    Conversion{oid::kText, same, same},
    Conversion{oid::kVarchar, same, same},
    Conversion{oid::kBpchar, same, same},
    Conversion{oid::kName, same, same},
    Conversion{oid::kUnknown, same, same},
    Conversion{oid::kBytea, bytea_to_text, bytea_to_binary},
    Conversion{oid::kUuid, uuid_to_text, uuid_to_binary},
};

const Conversion* find_conversion(Oid type) {
  const auto row = std::ranges::find(kConversions, type, &Conversion::type);
  return row == kConversions.end() ? nullptr : &*row;
}

bool is_format(std::int16_t format) {
  return format == kTextFormat || format == kBinaryFormat;
}

}  // namespace

bool is_convertible(Oid type, std::int16_t from, std::int16_t to) noexcept {
  return from == to || (is_format(from) && is_format(to) && find_conversion(type) != nullptr);
}

Result<> convert(
    Oid type, std::int16_t from, std::int16_t to, Bytes value, const TextSettings& settings,
    std::string& out
) {
  if (from == to) {
    out.append(as_text(value));
    return {};
  }
  const Conversion* const row = find_conversion(type);
  if (row == nullptr || !is_format(from) || !is_format(to)) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("{} cannot be brought from format {} to format {}", type_name(type), from, to)
    );
  }
  if (to == kTextFormat ? row->to_text(value, settings, out)
                        : row->to_binary(value, settings, out)) {
    return {};
  }
  return fail(
      from == kTextFormat ? ErrorCode::kInvalidText : ErrorCode::kInvalidBinary,
      fmt::format("malformed value of {} from a shard", type_name(type))
  );
}

}  // namespace sherd::pgtypes
