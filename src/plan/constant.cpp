#include "constant.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <sherd/pgtypes/oid.hpp>

namespace sherd::plan {
namespace {

using pgtypes::Key;
using pgtypes::KeyType;
using sql::Literal;
using sql::Operand;

struct FamilyName {
  std::string_view name;
  Family family;
  Oid oid;
};

// Casts that keep a value of the family what it is, as the grammar names them.
constexpr std::array kCasts = {
    FamilyName{"int2", Family::kInteger, oid::kInt2},
    FamilyName{"smallint", Family::kInteger, oid::kInt2},
    FamilyName{"int4", Family::kInteger, oid::kInt4},
    FamilyName{"int8", Family::kInteger, oid::kInt8},
    FamilyName{"text", Family::kText, oid::kText},
    FamilyName{"varchar", Family::kText, oid::kVarchar},
    FamilyName{"uuid", Family::kUuid, oid::kUuid},
    FamilyName{"date", Family::kDate, oid::kDate},
    FamilyName{"timestamp", Family::kTimestamp, oid::kTimestamp},
    FamilyName{"timestamptz", Family::kTimestamptz, oid::kTimestamptz},
    FamilyName{"numeric", Family::kNumeric, oid::kNumeric},
};

const FamilyName* cast_named(std::string_view name) noexcept {
  const auto found = std::ranges::find(kCasts, name, &FamilyName::name);
  return found == kCasts.end() ? nullptr : &*found;
}

struct ArrayName {
  Oid array;
  Family family;
};
constexpr std::array kArrays = {
    ArrayName{oid::kInt2Array, Family::kInteger}, ArrayName{oid::kInt4Array, Family::kInteger},
    ArrayName{oid::kInt8Array, Family::kInteger}, ArrayName{oid::kTextArray, Family::kText},
    ArrayName{oid::kVarcharArray, Family::kText}, ArrayName{oid::kUuidArray, Family::kUuid},
};

bool fits(Oid type, std::int64_t value) noexcept {
  switch (type) {
    case oid::kInt2:
      return value >= INT16_MIN && value <= INT16_MAX;
    case oid::kInt4:
      return value >= INT32_MIN && value <= INT32_MAX;
    default:
      return true;
  }
}

/// An integer as the lexer takes it. Past bigint it is numeric: still exact, and equal to no
/// integer key.
Constant integer_constant(std::string_view text, bool negated, Oid type) {
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), magnitude);
  if (end != text.data() + text.size()) {
    return {};
  }
  constexpr auto kMost = static_cast<std::uint64_t>(INT64_MAX);
  if (error != std::errc{} || magnitude > kMost + (negated ? 1 : 0)) {
    return {.kind = Constant::Kind::kNone};
  }
  const auto value = static_cast<std::int64_t>(negated ? ~magnitude + 1 : magnitude);
  if (!fits(type, value)) {
    return {.kind = Constant::Kind::kNone};
  }
  return {.kind = Constant::Kind::kKey, .key = pgtypes::integer_key(KeyType::kInt8, value)};
}

Result<Constant> from_text(KeyType type, std::string_view text, std::string& scratch) {
  SHERD_TRY(const Key key, pgtypes::key_from_text(type, text, scratch));
  return Constant{.kind = Constant::Kind::kKey, .key = key};
}

/// As from_text, of a text that nobody else keeps.
Result<Constant> from_owned(KeyType type, std::string value, std::string& scratch) {
  std::string made;
  scratch = std::move(value);
  SHERD_TRY(Constant found, from_text(type, scratch, made));
  const std::string_view text = found.key.text;
  if (!made.empty() && text.data() >= made.data() && text.data() < made.data() + made.size()) {
    const auto offset = static_cast<std::size_t>(text.data() - made.data());
    scratch = std::move(made);
    found.key.text = std::string_view(scratch).substr(offset, text.size());
  }
  return found;
}

Result<Constant> literal_constant(
    const Literal& literal, const Operand& operand, KeyColumn column, std::string& scratch
) {
  const Family family = family_of(column.oid);
  if (!operand.cast.empty() && !is_own_cast(operand.cast, family)) {
    return Constant{};
  }
  switch (literal.kind) {
    case Literal::Kind::kInteger:
      if (family == Family::kInteger) {
        const Constant found = integer_constant(literal.raw, operand.negated, column.oid);
        // A cast of a value that is too great is an error, not a value.
        return found.kind == Constant::Kind::kNone && !operand.cast.empty() ? Constant{} : found;
      }
      [[fallthrough]];
    case Literal::Kind::kFloat:
      if (family != Family::kNumeric || !operand.cast.empty()) {
        return Constant{};
      }
      return from_owned(
          column.type, (operand.negated ? "-" : "") + std::string(literal.raw), scratch
      );
    case Literal::Kind::kString: {
      if (operand.negated) {
        return Constant{};
      }
      if (!literal.has_escapes && !literal.is_escape_string) {
        return from_text(column.type, literal.raw, scratch);
      }
      std::string decoded;
      SHERD_TRY(const std::string_view value, sql::decode(literal, decoded));
      return from_owned(column.type, std::string(value), scratch);
    }
    case Literal::Kind::kBitString:
      return Constant{};
  }
  return Constant{};
}

struct Value {
  Bytes bytes{};
  bool binary = false;
  bool null = false;
  Oid type = 0;  // declared; 0: none
};

std::optional<Value> parameter_value(const Parameters& parameters, std::uint32_t number) {
  if (!parameters.known || number == 0 || number > parameters.values.size()) {
    return std::nullopt;
  }
  const std::size_t i = number - 1;
  Value value;
  value.type = i < parameters.types.size() ? parameters.types[i] : 0;
  value.type = value.type == oid::kUnknown ? 0 : value.type;
  if (!parameters.values[i]) {
    value.null = true;
    return value;
  }
  value.bytes = *parameters.values[i];
  if (parameters.formats.size() == 1) {
    value.binary = parameters.formats[0] == 1;
  } else if (i < parameters.formats.size()) {
    value.binary = parameters.formats[i] == 1;
  }
  return value;
}

Result<Constant> parameter_constant(
    const Value& value, const Operand& operand, KeyColumn column, bool certain, std::string& scratch
) {
  const Family family = family_of(column.oid);
  if (value.null) {
    return Constant{.kind = Constant::Kind::kNull};
  }
  if (!operand.cast.empty() && !is_own_cast(operand.cast, family)) {
    return Constant{};
  }
  const bool own = family_of(value.type) == family && family != Family::kNone;
  const bool inferred = value.type == 0 && certain;
  // text::bigint and text::uuid read the text just as the input function does.
  const bool read_from_text = !operand.cast.empty() && family_of(value.type) == Family::kText
                              && (family == Family::kInteger || family == Family::kUuid);
  if (!own && !inferred && !read_from_text) {
    return Constant{};
  }
  if (!value.binary || read_from_text) {
    return from_text(column.type, as_text(value.bytes), scratch);
  }
  const FamilyName* const cast = operand.cast.empty() ? nullptr : cast_named(operand.cast.name);
  const Oid wire = value.type != 0 ? value.type : cast != nullptr ? cast->oid : column.oid;
  SHERD_TRY(const Key key, pgtypes::key_from_binary(column.type, wire, value.bytes, scratch));
  return Constant{.kind = Constant::Kind::kKey, .key = key};
}

/// One element of '{a,"b,c",NULL}'. @return false where the text is no plain one-dimensional array.
bool next_element(std::string_view& rest, std::string& element, bool& null) {
  element.clear();
  null = false;
  if (!rest.empty() && rest.front() == '"') {
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
      i += rest[i] == '\\' ? 1 : 0;
      if (i < rest.size()) {
        element += rest[i];
      }
    }
    if (i >= rest.size()) {
      return false;
    }
    rest.remove_prefix(i + 1);
  } else {
    const std::size_t end = rest.find_first_of(",{}\"\\ \t\n\r\v\f");
    if (end == std::string_view::npos || end == 0 || (rest[end] != ',' && rest[end] != '}')) {
      return false;
    }
    element.assign(rest.substr(0, end));
    null = element.size() == 4 && (element[0] == 'N' || element[0] == 'n')
           && (element[1] == 'U' || element[1] == 'u') && (element[2] == 'L' || element[2] == 'l')
           && (element[3] == 'L' || element[3] == 'l');
    rest.remove_prefix(end);
  }
  return !rest.empty() && (rest.front() == ',' || rest == "}");
}

std::optional<std::vector<pgtypes::OwnedKey>> text_array(std::string_view text, KeyType type) {
  std::vector<pgtypes::OwnedKey> keys;
  if (text == "{}") {
    return keys;
  }
  if (text.size() < 3 || text.front() != '{' || text.back() != '}') {
    return std::nullopt;
  }
  std::string_view rest = text.substr(1);
  std::string element;
  std::string scratch;
  while (true) {
    bool null = false;
    if (!next_element(rest, element, null)) {
      return std::nullopt;
    }
    if (!null) {
      const auto key = pgtypes::key_from_text(type, element, scratch);
      if (!key) {
        return std::nullopt;
      }
      keys.emplace_back(*key);
    }
    if (rest == "}") {
      return keys;
    }
    rest.remove_prefix(1);  // the comma
  }
}

/// array_send: dimensions, a flag, the element type; per dimension size and lower bound; then
/// length and bytes each.
std::optional<std::vector<pgtypes::OwnedKey>> binary_array(Bytes bytes, KeyColumn column) {
  ByteReader reader(bytes);
  const auto dimensions = reader.read<std::int32_t>();
  static_cast<void>(reader.read<std::int32_t>());
  const auto element = reader.read<std::uint32_t>();
  if (!reader.ok() || dimensions < 0 || dimensions > 1
      || family_of(element) != family_of(column.oid)) {
    return std::nullopt;
  }
  std::vector<pgtypes::OwnedKey> keys;
  if (dimensions == 0) {
    return reader.finished() ? std::optional(keys) : std::nullopt;
  }
  const auto count = reader.read<std::int32_t>();
  static_cast<void>(reader.read<std::int32_t>());
  std::string scratch;
  for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
    const auto size = reader.read<std::int32_t>();
    if (size < 0) {
      continue;
    }
    const Bytes value = reader.read_bytes(static_cast<std::size_t>(size));
    const auto key = pgtypes::key_from_binary(column.type, element, value, scratch);
    if (!reader.ok() || !key) {
      return std::nullopt;
    }
    keys.emplace_back(*key);
  }
  return reader.finished() ? std::optional(std::move(keys)) : std::nullopt;
}

bool is_own_array(Oid type, Family family) noexcept {
  return std::ranges::any_of(kArrays, [&](ArrayName a) {
    return a.array == type && a.family == family;
  });
}

/// Counts uses of a parameter whose type can only be of one family.
class UseCounter {
 public:
  UseCounter(const Scope& scope, std::uint32_t number, Family family)
      : scope_(scope), number_(number), family_(family) {}

  [[nodiscard]] std::size_t count(BlockId block, const sql::Predicate& predicate) const {
    std::size_t uses = 0;
    for (const sql::Predicate& child : predicate.children) {
      uses += count(block, child);
    }
    uses += count_pair(block, predicate.left, predicate.right)
            + count_pair(block, predicate.right, predicate.left);
    for (const Operand& item : predicate.list) {
      uses += count_pair(block, predicate.left, item);
    }
    return uses;
  }

 private:
  [[nodiscard]] std::size_t count_pair(BlockId block, const Operand& column, const Operand& value)
      const {
    if (value.kind != Operand::Kind::kParameter || value.number != number_) {
      return 0;
    }
    if (!value.cast.empty()) {
      return is_own_cast(value.cast, family_) ? 1 : 0;
    }
    if (column.kind != Operand::Kind::kColumn) {
      return 0;
    }
    const auto id = scope_.resolve(block, column.column);
    return id && family_of(scope_.type_of(*id)) == family_ ? 1 : 0;
  }

  const Scope& scope_;
  std::uint32_t number_;
  Family family_;
};

}  // namespace

KeyColumn key_column_of(Oid type) noexcept {
  const auto own = pgtypes::key_type_of(type).value_or(KeyType::kInt8);
  const KeyType wide = pgtypes::is_integer(own) ? KeyType::kInt8
                       : pgtypes::is_text(own)  ? KeyType::kText
                                                : own;
  return {.type = wide, .oid = type};
}

bool is_own_cast(const sql::TypeName& cast, Family family) noexcept {
  if (!cast.schema.empty() || cast.is_array || cast.has_modifier) {
    return false;
  }
  const FamilyName* const found = cast_named(cast.name);
  return found != nullptr && found->family == family;
}

std::vector<std::uint32_t> count_mentions(std::string_view text, std::uint32_t highest) {
  std::vector<std::uint32_t> counts(highest + 1);
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
    std::uint32_t number = 0;
    const char* const begin = text.data() + at + 1;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
    if (error == std::errc{} && end != begin && number <= highest) {
      ++counts[number];
    }
  }
  return counts;
}

namespace {

Result<Constant> any_constant(
    std::span<const Literal> literals, const Parameters& parameters, const Operand& operand,
    KeyColumn column, bool certain, std::string& scratch
) {
  switch (operand.kind) {
    case Operand::Kind::kNull:
      return Constant{.kind = Constant::Kind::kNull};
    case Operand::Kind::kLiteral:
      return operand.number < literals.size()
                 ? literal_constant(literals[operand.number], operand, column, scratch)
                 : Constant{};
    case Operand::Kind::kParameter: {
      const auto value = parameter_value(parameters, operand.number);
      return value ? parameter_constant(*value, operand, column, certain, scratch) : Constant{};
    }
    default:
      return Constant{};
  }
}

bool is_ascii(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

Result<Constant> constant_of(
    std::span<const Literal> literals, const Parameters& parameters, const Operand& operand,
    KeyColumn column, bool certain, std::string& scratch
) {
  auto found = any_constant(literals, parameters, operand, column, certain, scratch);
  // Text in another encoding has other bytes than those that the server stores and hashes.
  if (found && !parameters.text_is_utf8 && !is_ascii(found->key.text)) [[unlikely]] {
    return Constant{};
  }
  return found;
}

std::optional<std::vector<pgtypes::OwnedKey>> array_of(
    const Input& input, const Operand& operand, KeyColumn column, bool certain
) {
  const Family family = family_of(column.oid);
  if (family == Family::kText && !input.parameters.text_is_utf8) {
    return std::nullopt;
  }
  if (!operand.cast.empty()) {
    sql::TypeName element = operand.cast;
    element.is_array = false;
    if (!operand.cast.is_array || !is_own_cast(element, family)) {
      return std::nullopt;
    }
  }
  if (operand.kind == Operand::Kind::kLiteral && operand.number < input.literals.size()) {
    const Literal& literal = input.literals[operand.number];
    std::string decoded;
    if (literal.kind != Literal::Kind::kString || operand.negated) {
      return std::nullopt;
    }
    const auto text = sql::decode(literal, decoded);
    return text ? text_array(*text, column.type) : std::nullopt;
  }
  if (operand.kind != Operand::Kind::kParameter) {
    return std::nullopt;
  }
  const auto value = parameter_value(input.parameters, operand.number);
  if (!value || value->null || (value->type == 0 ? !certain : !is_own_array(value->type, family))) {
    return std::nullopt;
  }
  return value->binary ? binary_array(value->bytes, column)
                       : text_array(as_text(value->bytes), column.type);
}

bool has_certain_type(const Input& input, const Scope& scope, std::uint32_t number, Family family) {
  const sql::Statement& statement = input.statement;
  const std::size_t mentions = input.mentions(number);
  if (mentions <= 1) {
    return true;
  }
  const UseCounter counter(scope, number, family);
  std::size_t uses = 0;
  for (BlockId b = 0; b < statement.blocks.size(); ++b) {
    uses += counter.count(b, statement.blocks[b].where);
    for (const sql::JoinNode& node : statement.blocks[b].join_nodes) {
      uses += counter.count(b, node.on);
    }
  }
  return uses == mentions;
}

}  // namespace sherd::plan
