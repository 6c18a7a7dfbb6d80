#include "sort_key.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include <sherd/pgtypes/oid.hpp>

namespace sherd::merge {
namespace {

using pgtypes::Collation;
using pgtypes::Comparator;

bool is_collatable(Oid type) {
  return type == oid::kText || type == oid::kVarchar || type == oid::kBpchar || type == oid::kName;
}

/// Floats that were rounded for display are equal where the values are not.
Result<> check_float_digits(const ShardColumn& column, const MergeOptions& options) {
  const bool is_float = column.type == oid::kFloat4 || column.type == oid::kFloat8;
  if (!is_float || column.format != pgtypes::kTextFormat || options.text.extra_float_digits > 0) {
    return {};
  }
  return fail(
      ErrorCode::kUnsupported,
      fmt::format(
          "rounded values of {} cannot be compared outside the server",
          pgtypes::type_name(column.type)
      ),
      "SET extra_float_digits = 1"
  );
}

const pgtypes::CollationSet& collations_of(const MergeOptions& options) {
  static const pgtypes::CollationSet kNone;
  return options.collations != nullptr ? *options.collations : kNone;
}

std::unexpected<Error> misfit() {
  return fail(ErrorCode::kInternal, "merge recipe sorts by a column that is not there");
}

}  // namespace

std::string_view collation_of(const Recipe& recipe, std::size_t column) {
  return column < recipe.collations.size() ? std::string_view(recipe.collations[column])
                                           : std::string_view{};
}

Result<Comparator> make_order(
    const ShardColumn& column, std::string_view collation, const MergeOptions& options
) {
  SHERD_TRY_VOID(check_float_digits(column, options));
  if (!is_collatable(column.type)) {
    return pgtypes::make_comparator(column.type, column.format, nullptr);
  }
  if (column.type == oid::kName && collation.empty()) {
    collation = "C";  // the type's own, whatever the database's default
  }
  if (!options.text_in_server_encoding) {
    return fail(
        ErrorCode::kUnsupported,
        "text in another encoding than the database's cannot be ordered here",
        "SET client_encoding to the database's encoding"
    );
  }
  SHERD_TRY(const Collation* const order, collations_of(options).find(collation));
  return pgtypes::make_comparator(column.type, column.format, order);
}

Result<Comparator> make_equality(
    const ShardColumn& column, std::string_view collation, const MergeOptions& options
) {
  SHERD_TRY_VOID(check_float_digits(column, options));
  if (is_collatable(column.type) && !collations_of(options).is_deterministic(collation)) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("text under collation \"{}\" cannot be grouped outside the server", collation),
        "add COLLATE \"C\""
    );
  }
  return pgtypes::make_equality(column.type, column.format);
}

Result<SortOrder> SortOrder::create(
    const Recipe& recipe, std::span<const ShardColumn> columns,
    std::span<const OutputColumn> outputs, const MergeOptions& options
) {
  SortOrder made;
  for (const SortKey& key : recipe.order) {
    std::size_t column = key.output;
    bool from_output = false;
    if (key.on_output && !recipe.outputs.empty()) {
      if (key.output >= recipe.outputs.size() || key.output >= outputs.size()) {
        return misfit();
      }
      from_output = recipe.outputs[key.output].kind == Output::Kind::kAverage;
      column = from_output ? key.output : recipe.outputs[key.output].column;
    }
    if (!from_output && column >= columns.size()) {
      return misfit();
    }
    const ShardColumn sorted =
        from_output ? ShardColumn{.type = outputs[column].type, .format = outputs[column].format}
                    : columns[column];
    const std::string_view own = from_output ? std::string_view{} : collation_of(recipe, column);
    SHERD_TRY(
        const Comparator comparator,
        make_order(sorted, key.collation.empty() ? own : std::string_view(key.collation), options)
    );
    made.keys_.push_back({comparator, column, from_output, key.descending, key.nulls_first});
    made.needs_output_ = made.needs_output_ || from_output;
    made.columns_needed_ = std::max(made.columns_needed_, from_output ? 0 : column + 1);
  }
  return made;
}

Result<> SortOrder::decode(const RowView& row, const RowView& output, SortValue* values) const {
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const Key& key = keys_[i];
    const Field& field = key.from_output ? output[key.column] : row[key.column];
    values[i].null = field.is_null();
    if (!field.is_null() && !key.comparator.decode(field.bytes(), values[i].ordinal)) {
      return fail(key.comparator.undecodable(field.bytes()));
    }
  }
  return {};
}

Result<> RowEquality::key_of(const RowView& row, std::string& out) const {
  out.clear();
  for (const Column& column : columns_) {
    const Field& field = row[column.column];
    out += field.is_null() ? '\0' : '\1';
    if (field.is_null()) {
      continue;
    }
    pgtypes::Ordinal value;
    if (!column.equality.decode(field.bytes(), value)) {
      return fail(column.equality.undecodable(field.bytes()));
    }
    column.equality.append_canonical(value, out);
  }
  return {};
}

}  // namespace sherd::merge
