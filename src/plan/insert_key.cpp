#include "insert_key.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sherd::plan {
namespace {

using sql::Operand;
using topology::Column;

std::unexpected<Error> null_key(const Named& target) {
  return fail(
      ErrorCode::kNullKey,
      fmt::format(
          "null value in column \"{}\" of distributed table \"{}\"", target.table->key_column,
          target.table->name
      ),
      "give every row a shard key"
  );
}

std::unexpected<Error> unknown_key(const Named& target) {
  return refuse(
      fmt::format("the shard key \"{}\" of a row is not known here", target.table->key_column),
      fmt::format(
          "give \"{}\" as a plain value or a parameter of its own type", target.table->key_column
      )
  );
}

/// The value of a default that is a literal, in quotes or not, with casts behind it: '5'::bigint,
/// 0, 'abc'::text.
std::optional<std::string> literal_default(std::string_view text) {
  const std::size_t cast = text.rfind("::");
  if (!text.empty() && text.front() == '\'') {
    const std::size_t end = text.find('\'', 1);
    const bool plain = end != std::string_view::npos
                       && text.find_first_of("'\\", end + 1) == std::string_view::npos
                       && text.find('(', end) == std::string_view::npos
                       && text.substr(1, end - 1).find('\\') == std::string_view::npos
                       && (end + 1 == text.size() || cast == end + 1);
    return plain ? std::optional(std::string(text.substr(1, end - 1))) : std::nullopt;
  }
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  const bool integer =
      !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  return integer ? std::optional(std::string(text)) : std::nullopt;
}

Result<ShardId> owner_of(const Named& target, const pgtypes::Key& key) {
  std::string scratch;
  const pgtypes::Key stored = pgtypes::stored_key(key, target.key_column()->typmod, scratch);
  if (const auto owner = target.group->placement->try_owner(stored)) [[likely]] {
    return *owner;
  }
  return target.group->placement->owner(stored);
}

Result<ShardId> shard_of_default(const Named& target) {
  const Column& key = *target.key_column();
  if (takes_sequence(key) || key.generated) {
    return refuse(
        fmt::format("the shard key \"{}\" takes its value from the server", key.name),
        fmt::format("give \"{}\" in every row", key.name)
    );
  }
  if (key.default_expression.empty()) {
    return null_key(target);
  }
  const auto text = literal_default(key.default_expression);
  const auto type = pgtypes::key_type_of(key.type);
  if (!text || !type) {
    return refuse(
        fmt::format("the default of the shard key \"{}\" is not a plain value", key.name),
        fmt::format("give \"{}\" in every row", key.name)
    );
  }
  std::string scratch;
  SHERD_TRY(const pgtypes::Key value, pgtypes::key_from_text(*type, *text, scratch));
  return owner_of(target, value);
}

Result<> check_conflict(const sql::Insert& insert, const Named& target) {
  if (!insert.has_on_conflict) {
    return {};
  }
  const std::string& key = target.table->key_column;
  if (std::ranges::find(insert.conflict_set_columns, key) != insert.conflict_set_columns.end()) {
    return refuse(
        fmt::format("ON CONFLICT DO UPDATE cannot set the shard key \"{}\"", key),
        "leave the shard key out of SET"
    );
  }
  for (const topology::UniqueConstraint& constraint : target.info->unique) {
    if (std::ranges::find(constraint.columns, key) == constraint.columns.end()) {
      return refuse(
          fmt::format(
              "ON CONFLICT cannot see conflicts on other shards under the constraint \"{}\"",
              constraint.name
          ),
          fmt::format("make \"{}\" part of the constraint", key)
      );
    }
  }
  return {};
}

}  // namespace

std::optional<std::size_t> InsertColumns::position(const Column& column) const {
  if (insert_.has_column_list) {
    const auto found = std::ranges::find(insert_.columns, column.name);
    return found == insert_.columns.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(found - insert_.columns.begin()));
  }
  return static_cast<std::size_t>(&column - info_.columns.data());
}

bool InsertColumns::is_given(const Column& column) const {
  const auto at = position(column);
  if (!at || insert_.source == sql::Insert::Source::kDefaultValues) {
    return false;
  }
  // Of INSERT … SELECT without a list the number of columns is not known: take the first ones as
  // given only by a list.
  return insert_.source == sql::Insert::Source::kSelect
             ? insert_.has_column_list
             : std::ranges::all_of(insert_.rows, [&](const sql::InsertRow& row) {
                 return *at < row.values.size() && row.values[*at].kind != Operand::Kind::kDefault;
               });
}

const Operand* key_operand(
    const InsertColumns& columns, const Column& key, const sql::InsertRow& row
) {
  const auto at = columns.position(key);
  const bool given =
      at && *at < row.values.size() && row.values[*at].kind != Operand::Kind::kDefault;
  return given ? &row.values[*at] : nullptr;
}

Result<ShardId> shard_of_row(
    const Input& input, const Named& target, const Operand* operand, std::string& scratch
) {
  const Column& key = *target.key_column();
  if (operand == nullptr) {
    return shard_of_default(target);
  }
  KeyColumn column = key_column_of(key.type);
  column.type =
      pgtypes::key_type_of(key.type).value_or(column.type);  // varchar(n) may cut what it stores
  const bool certain = operand->kind != Operand::Kind::kParameter
                       || is_declared(input.parameters, operand->number)
                       || input.mentions(operand->number) <= 1;
  SHERD_TRY(
      const Constant value,
      constant_of(input.literals, input.parameters, *operand, column, certain, scratch)
  );
  switch (value.kind) {
    case Constant::Kind::kKey:
      return owner_of(target, value.key);
    case Constant::Kind::kNull:
      return null_key(target);
    case Constant::Kind::kNone:
      return fail(
          ErrorCode::kOutOfRange,
          fmt::format("{} out of range", key.type_name.empty() ? "value" : key.type_name)
      );
    case Constant::Kind::kUnknown:
      break;
  }
  return unknown_key(target);
}

Result<> check_insert(const Input& input, const sql::Insert& insert, const Named& target) {
  if (target.key_column() == nullptr) {
    return fail(
        ErrorCode::kUndefinedTable,
        fmt::format("relation \"{}\" is not known to the shards", target.table->name)
    );
  }
  if (target.info->has_rules) {
    return refuse(
        fmt::format("\"{}\" has rules, which rewrite what is inserted", target.table->name),
        "drop the rules"
    );
  }
  if (insert.has_overriding) {
    return refuse("OVERRIDING is not supported for distributed tables yet", "leave OVERRIDING out");
  }
  SHERD_TRY_VOID(check_home_functions(input.statement));
  SHERD_TRY_VOID(check_conflict(insert, target));
  const InsertColumns columns(insert, *target.info);
  const bool one_shard = input.topology().shards.size() == 1;
  return check_defaults(*target.info, false, [&](const Column& column) {
    return one_shard || column.name == target.table->key_column || columns.is_given(column);
  });
}

}  // namespace sherd::plan
