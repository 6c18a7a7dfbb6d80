#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include <sherd/pgtypes/oid.hpp>
#include <sherd/pgtypes/value.hpp>

#include "value_decode.hpp"

namespace sherd::pgtypes {

/// What is known of a type. A decoder that is missing means: not in this format.
struct Comparator::TypeRow {
  Oid type;
  std::string_view name;
  Rule rule;
  Decode text;
  Decode binary;
  Decode collated = nullptr;   // text types: under an order that is not that of bytes
  std::string_view hint = {};  // how to get a text form that can be read
};

namespace {

constexpr Oid kMacaddr8 = 774;
constexpr std::string_view kIsoHint = "SET datestyle = 'ISO'";
constexpr std::string_view kIntervalHint = "SET intervalstyle = 'postgres'";
constexpr std::string_view kHexHint = "SET bytea_output = 'hex'";
constexpr std::string_view kBinaryHint =
    "ask for the binary format, or let the rows come from one shard";

/// Names of types that have no row below, for messages only.
struct NamedType {
  Oid type;
  std::string_view name;
};

constexpr std::array kNamed = {
    NamedType{oid::kJson, "json"},
    NamedType{oid::kJsonb, "jsonb"},
    NamedType{oid::kInt2Array, "smallint[]"},
    NamedType{oid::kInt4Array, "integer[]"},
    NamedType{oid::kInt8Array, "bigint[]"},
    NamedType{oid::kTextArray, "text[]"},
    NamedType{oid::kVarcharArray, "character varying[]"},
    NamedType{oid::kUuidArray, "uuid[]"},
    NamedType{142, "xml"},
    NamedType{600, "point"},
};

}  // namespace

/// The table of types; a lookup walks it once per column of a statement.
struct Rows {
  using Row = Comparator::TypeRow;
  using Rule = Comparator::Rule;
  static const Row* find(Oid type) noexcept;
};

const Comparator::TypeRow* Rows::find(Oid type) noexcept {
  using namespace decode;
  using enum Comparator::Rule;
  static constexpr std::array kRows = {
      Row{oid::kBool, "boolean", kFixed, bool_text, bool_binary},
      Row{oid::kInt2, "smallint", kFixed, integer_text, int2_binary},
      Row{oid::kInt4, "integer", kFixed, integer_text, int4_binary},
      Row{oid::kInt8, "bigint", kFixed, integer_text, int8_binary},
      Row{oid::kOid, "oid", kFixed, integer_text, oid_binary},
      Row{oid::kFloat4, "real", kFixed, float4_text, float4_binary},
      Row{oid::kFloat8, "double precision", kFixed, float8_text, float8_binary},
      Row{oid::kNumeric, "numeric", kNumber, numeric_text, numeric_binary},
      Row{oid::kText, "text", kText, bytes, bytes, collated},
      Row{oid::kVarchar, "character varying", kText, bytes, bytes, collated},
      Row{oid::kName, "name", kText, bytes, bytes, collated},
      Row{oid::kBpchar, "character", kText, blank_padded, blank_padded, collated_blank_padded},
      Row{oid::kChar, "\"char\"", kFixed, char_text, char_binary},
      Row{oid::kBytea, "bytea", kBytes, bytea_text, bytes, nullptr, kHexHint},
      Row{oid::kBit, "bit", kBytes, bits_text, bits_binary},
      Row{oid::kVarbit, "bit varying", kBytes, bits_text, bits_binary},
      Row{oid::kUuid, "uuid", kFixed, uuid_text, uuid_binary},
      Row{oid::kDate, "date", kFixed, date_text, date_binary, nullptr, kIsoHint},
      Row{oid::kTimestamp, "timestamp without time zone", kFixed, timestamp_text, int8_binary,
          nullptr, kIsoHint},
      Row{oid::kTimestamptz, "timestamp with time zone", kFixed, timestamptz_text, int8_binary,
          nullptr, kIsoHint},
      Row{oid::kTime, "time without time zone", kFixed, time_text, int8_binary},
      Row{oid::kTimetz, "time with time zone", kFixed, timetz_text, timetz_binary},
      Row{oid::kInterval, "interval", kFixed, interval_text, interval_binary, nullptr, kIntervalHint
      },
      Row{oid::kMoney, "money", kFixed, nullptr, int8_binary},
      Row{oid::kMacaddr, "macaddr", kBytes, hex_pairs_text, macaddr_binary},
      Row{kMacaddr8, "macaddr8", kBytes, hex_pairs_text, macaddr8_binary},
      Row{oid::kInet, "inet", kNetwork, nullptr, network_binary},
      Row{oid::kCidr, "cidr", kNetwork, nullptr, network_binary},
  };
  const auto row = std::ranges::find(kRows, type, &Row::type);
  return row == kRows.end() ? nullptr : &*row;
}

namespace {

std::strong_ordering compare_bytes(const Ordinal& a, const Ordinal& b) noexcept {
  const std::size_t common = std::min(a.size, b.size);
  const int order = common == 0 ? 0 : std::memcmp(a.data, b.data, common);
  return order != 0 ? order <=> 0 : a.size <=> b.size;
}

/// Compares the first `count` bits.
int compare_bits(const std::byte* a, const std::byte* b, std::size_t count) noexcept {
  const std::size_t whole = count / 8;
  if (const int order = std::memcmp(a, b, whole); order != 0 || count % 8 == 0) {
    return order;
  }
  const auto shift = static_cast<int>(8 - count % 8);
  return (std::to_integer<int>(a[whole]) >> shift) - (std::to_integer<int>(b[whole]) >> shift);
}

/// Of one family: by the bits both prefixes have, the shorter prefix first, then by the whole
/// address.
std::strong_ordering compare_networks(const Ordinal& a, const Ordinal& b) noexcept {
  if (const int order = compare_bits(a.data, b.data, std::min(a.low, b.low)); order != 0) {
    return order <=> 0;
  }
  return a.low != b.low ? a.low <=> b.low : compare_bytes(a, b);
}

Result<const Comparator::TypeRow*> find_row(Oid type, std::int16_t format) {
  const Comparator::TypeRow* const row = Rows::find(type);
  if (row == nullptr) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("values of {} cannot be compared outside the server", type_name(type)),
        "cast to a type whose order is known, such as text COLLATE \"C\", or let the rows come "
        "from one shard"
    );
  }
  const bool known = format == kTextFormat ? row->text != nullptr
                                           : format == kBinaryFormat && row->binary != nullptr;
  if (!known) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "values of {} in format {} cannot be compared outside the server", row->name, format
        ),
        std::string(kBinaryHint)
    );
  }
  return row;
}

}  // namespace

std::strong_ordering Comparator::compare_rest(const Ordinal& a, const Ordinal& b) const noexcept {
  switch (rule_) {
    case Rule::kFixed:
      return a.low <=> b.low;
    case Rule::kBytes: {
      const auto order = compare_bytes(a, b);
      return order != 0 ? order : a.low <=> b.low;  // bits: the shorter first
    }
    case Rule::kNumber:
      return a.high < 0 ? compare_bytes(b, a) : compare_bytes(a, b);
    case Rule::kText:
      return collation_->compare(as_text({a.data, a.size}), as_text({b.data, b.size}));
    case Rule::kNetwork:
      return compare_networks(a, b);
  }
  return std::strong_ordering::equal;
}

Error Comparator::undecodable(Bytes value) const {
  constexpr std::size_t kShown = 64;
  const bool text = decode_ == row_->text;
  Error error{
      .code = ErrorCode::kUnsupported,
      .message = text ? fmt::format(
                            "value \"{}\" of {} cannot be compared outside the server",
                            as_text(value.first(std::min(value.size(), kShown))), row_->name
                        )
                      : fmt::format("malformed binary value of {}", row_->name),
  };
  error.hint = row_->hint;
  return error;
}

Result<std::strong_ordering> Comparator::compare_values(Bytes a, Bytes b) const {
  Ordinal left;
  Ordinal right;
  if (!decode(a, left)) {
    return fail(undecodable(a));
  }
  if (!decode(b, right)) {
    return fail(undecodable(b));
  }
  return compare(left, right);
}

void Comparator::append_canonical(const Ordinal& value, std::string& out) const {
  append_be(out, value.high);
  append_be(out, value.low);
  if (rule_ != Rule::kFixed) {
    append_be(out, static_cast<std::uint64_t>(value.size));
    out.append(as_text({value.data, value.size}));
  }
}

Result<Comparator> make_comparator(Oid type, std::int16_t format, const Collation* collation) {
  SHERD_TRY(const Comparator::TypeRow* const row, find_row(type, format));
  const auto decode = format == kTextFormat ? row->text : row->binary;
  if (row->rule != Comparator::Rule::kText) {
    return Comparator(*row, row->rule, decode, nullptr);
  }
  if (collation == nullptr) {
    return fail(
        ErrorCode::kUnsupported, fmt::format("order of {} needs a collation", row->name),
        "add COLLATE \"C\""
    );
  }
  if (collation->is_bytes()) {
    return Comparator(*row, Comparator::Rule::kBytes, decode, nullptr);
  }
  return Comparator(*row, row->rule, row->collated, collation);
}

Result<Comparator> make_equality(Oid type, std::int16_t format) {
  return make_comparator(type, format, &Collation::bytes());
}

Result<> append_canonical(Oid type, std::int16_t format, Bytes value, std::string& out) {
  SHERD_TRY(const Comparator equality, make_equality(type, format));
  Ordinal ordinal;
  if (!equality.decode(value, ordinal)) {
    return fail(equality.undecodable(value));
  }
  equality.append_canonical(ordinal, out);
  return {};
}

std::string type_name(Oid type) {
  if (const Comparator::TypeRow* const row = Rows::find(type); row != nullptr) {
    return std::string(row->name);
  }
  const auto named = std::ranges::find(kNamed, type, &NamedType::type);
  return named != kNamed.end() ? std::string(named->name) : fmt::format("type {}", type);
}

}  // namespace sherd::pgtypes
