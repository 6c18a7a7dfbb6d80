#include "target_list.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/pgtypes/oid.hpp>

namespace sherd::plan {
namespace {

std::string qualified(const sql::Relation& relation, std::string_view column) {
  return fmt::format("{}.{}", quote_identifier(relation.visible_name()), quote_identifier(column));
}

bool names_are_unique(const sql::Block& block) {
  std::set<std::string_view> names;
  return std::ranges::all_of(block.relations, [&](const sql::Relation& relation) {
    return names.insert(relation.visible_name()).second;
  });
}

std::optional<std::uint64_t> integer_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool good = error == std::errc{} && end == text.data() + text.size() && value <= INT64_MAX;
  return good ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> binary_integer(Bytes bytes) {
  std::int64_t value = -1;
  switch (bytes.size()) {
    case 2:
      value = load_be<std::int16_t>(bytes.data());
      break;
    case 4:
      value = load_be<std::int32_t>(bytes.data());
      break;
    case 8:
      value = load_be<std::int64_t>(bytes.data());
      break;
    default:
      break;
  }
  return value < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(value));
}

std::unexpected<Error> refuse_bound(std::string_view clause) {
  return refuse(
      fmt::format("{} over several shards must be an integer that is not negative", clause),
      "write it as a plain number or pass it as a bigint parameter"
  );
}

/// NULL is no limit, and so is a value that Bind has yet to bring.
Result<> read_parameter(
    const Input& input, std::uint32_t number, std::string_view clause, Bound& bound
) {
  const Parameters& given = input.parameters;
  const std::size_t i = number - 1;
  const Oid type = i < given.types.size() ? given.types[i] : 0;
  if (type != 0 && type != oid::kUnknown && family_of(type) != Family::kInteger) {
    return refuse_bound(clause);
  }
  if (!given.known) {
    return {};
  }
  if (i >= given.values.size()) {
    return fail(ErrorCode::kProtocolViolation, fmt::format("there is no parameter ${}", number));
  }
  if (!given.values[i]) {
    return {};
  }
  const std::size_t count = given.formats.size();
  const bool binary = count == 1 ? given.formats[0] == 1 : i < count && given.formats[i] == 1;
  bound.value = binary ? binary_integer(*given.values[i]) : integer_of(as_text(*given.values[i]));
  if (!bound.value) {
    return refuse_bound(clause);
  }
  return {};
}

}  // namespace

Result<> TargetList::expand() {
  for (const sql::Target& target : scope_.block(0).targets) {
    if (target.form == sql::Target::Form::kStar) {
      SHERD_TRY_VOID(expand_star(target));
      continue;
    }
    if (target.expression.empty()) {
      return refuse("the select list is not understood", "write it in a simpler way");
    }
    ShardColumn column{.name = target.name, .target = &target};
    column.expression = input_.piece(target.expression);
    column.text = target.has_alias
                      ? fmt::format("{} AS {}", column.expression, quote_identifier(target.name))
                      : column.expression;
    if (target.form == sql::Target::Form::kColumn) {
      column.source = scope_.resolve_here(0, target.column);
    }
    column.collation = column.source ? std::string(scope_.collation_of(*column.source))
                                     : collation_of(target.facts, column.expression);
    columns_.push_back(std::move(column));
  }
  visible_ = static_cast<std::uint32_t>(columns_.size());
  return {};
}

Result<> TargetList::expand_star(const sql::Target& target) {
  const sql::Block& block = scope_.block(0);
  const auto unclear = [] {
    return refuse(
        "the columns of * are not known here", "name the columns that you want, instead of *"
    );
  };
  const bool merges = std::ranges::any_of(block.join_nodes, [](const sql::JoinNode& node) {
    return node.natural || !node.using_columns.empty() || !node.alias.empty()
           || !node.using_alias.empty();
  });
  if (!names_are_unique(block) || (merges && target.column.qualifier.empty())) {
    return unclear();
  }
  bool found = false;
  for (std::uint32_t i = 0; i < block.relations.size(); ++i) {
    const sql::Relation& relation = block.relations[i];
    if (!target.column.qualifier.empty() && relation.visible_name() != target.column.qualifier) {
      continue;
    }
    const auto columns = scope_.columns(0, i);
    if (!columns) {
      return unclear();
    }
    for (std::uint32_t c = 0; c < columns->size(); ++c) {
      const std::string& name = (*columns)[c].name;
      const auto same_name = std::ranges::count(*columns, name, &OutColumn::name);
      if (name.empty() || same_name != 1) {
        return unclear();
      }
      const ColumnId id{0, i, c};
      columns_.push_back(
          {.text = qualified(relation, name),
           .name = name,
           .expression = qualified(relation, name),
           .source = id,
           .collation = std::string(scope_.collation_of(id))}
      );
    }
    found = true;
  }
  return found ? Result<>{} : unclear();
}

std::uint32_t TargetList::add_hidden(const std::string& expression, std::string collation) {
  const auto index = static_cast<std::uint32_t>(columns_.size());
  // The name must meet no name that ORDER BY or GROUP BY may mean.
  columns_.push_back(
      {.text = fmt::format("{} AS \"sherd hidden {}\"", expression, index),
       .expression = expression,
       .collation = std::move(collation)}
  );
  return index;
}

std::string TargetList::text() const {
  std::string text;
  for (const ShardColumn& column : columns_) {
    // A line of its own: a comment at the end of an expression must not swallow the next.
    text += text.empty() ? " " : "\n, ";
    text += column.text;
  }
  return text + "\n";
}

std::vector<std::string> TargetList::collations() const {
  std::vector<std::string> all;
  for (const ShardColumn& column : columns_) {
    all.push_back(column.collation);
  }
  return all;
}

std::string TargetList::collation_of(const sql::ExpressionFacts& facts, std::string_view text)
    const {
  if (to_lower(text).find("collate") != std::string::npos || !facts.subqueries.empty()) {
    return std::string(kUnknownCollation);
  }
  // The default gives way to any other; two others contradict each other.
  std::string found = "default";
  for (const sql::ColumnRef& column : facts.columns) {
    const auto id = scope_.resolve_here(0, column);
    const std::string_view collation = id ? scope_.collation_of(*id) : kUnknownCollation;
    if (collation.empty() || collation == "default" || collation == found) {
      continue;
    }
    if (collation == kUnknownCollation || found != "default") {
      return std::string(kUnknownCollation);
    }
    found = collation;
  }
  return found;
}

Result<std::optional<std::uint32_t>> TargetList::find_name(const std::string& name) const {
  std::optional<std::uint32_t> found;
  for (std::uint32_t i = 0; i < visible_; ++i) {
    if (columns_[i].name.empty()) {
      return refuse(
          "the name of an output column is not known", "give each output column a name with AS"
      );
    }
    if (columns_[i].name != name) {
      continue;
    }
    if (found && !(columns_[*found].source && columns_[*found].source == columns_[i].source)) {
      return refuse(
          fmt::format("\"{}\" is the name of several output columns", name),
          "give each another name with AS"
      );
    }
    found = found ? found : i;
  }
  return found;
}

std::optional<std::uint32_t> TargetList::find_source(ColumnId source) const {
  for (std::uint32_t i = 0; i < visible_; ++i) {
    if (columns_[i].source == source) {
      return i;
    }
  }
  return std::nullopt;
}

std::optional<std::uint32_t> TargetList::find_expression(std::string_view text) const {
  for (std::uint32_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].expression == text) {
      return i;
    }
  }
  return std::nullopt;
}

Result<std::optional<std::uint32_t>> TargetList::find_ordinal(std::uint32_t ordinal) const {
  if (ordinal == 0 || ordinal > visible_) {
    return refuse(
        fmt::format("position {} is not in the select list", ordinal),
        "use the number or the name of an output column"
    );
  }
  return std::optional(ordinal - 1);
}

// ORDER BY: a bare name is an output column's if there is one, else an input column's.
Result<std::optional<std::uint32_t>> TargetList::find(const sql::SortItem& item) const {
  switch (item.form) {
    case sql::SortItem::Form::kOrdinal:
      return find_ordinal(item.ordinal);
    case sql::SortItem::Form::kColumn: {
      if (item.column.qualifier.empty() && !item.has_collation) {
        SHERD_TRY(const auto named, find_name(item.column.name));
        if (named) {
          return named;
        }
      }
      const auto source = scope_.resolve_here(0, item.column);
      return source ? find_source(*source) : std::nullopt;
    }
    case sql::SortItem::Form::kExpression:
      return find_expression(input_.piece(item.expression));
  }
  return std::nullopt;
}

// GROUP BY: a bare name is an input column's if there is one, else an output column's.
Result<std::optional<std::uint32_t>> TargetList::find(const sql::GroupItem& item) const {
  switch (item.form) {
    case sql::GroupItem::Form::kOrdinal:
      return find_ordinal(item.ordinal);
    case sql::GroupItem::Form::kColumn: {
      if (const auto source = scope_.resolve_here(0, item.column)) {
        return find_source(*source);
      }
      if (!item.column.qualifier.empty()) {
        return std::nullopt;
      }
      return refuse(
          fmt::format(
              "GROUP BY \"{}\" may be a column of a table or of the output", item.column.name
          ),
          "write the expression or its position instead of the name"
      );
    }
    case sql::GroupItem::Form::kExpression:
      return find_expression(input_.piece(item.expression));
    case sql::GroupItem::Form::kGroupingSet:
      break;
  }
  return refuse(
      "GROUPING SETS over several shards are not supported yet", "group by one set at a time"
  );
}

Result<Bound> bound_of(const Input& input, const sql::Operand& operand, std::string_view clause) {
  Bound bound;
  switch (operand.kind) {
    case sql::Operand::Kind::kNull:
      return bound;
    case sql::Operand::Kind::kLiteral: {
      if (operand.number >= input.literals.size()) {
        bound.present = true;  // before the values are there
        bound.text = "NULL";
        return bound;
      }
      const sql::Literal& literal = input.literals[operand.number];
      bound.value = integer_of(literal.raw);
      if (literal.kind != sql::Literal::Kind::kInteger || operand.negated || !bound.value
          || !(operand.cast.empty() || is_own_cast(operand.cast, Family::kInteger))) {
        return refuse_bound(clause);
      }
      bound.present = true;
      bound.text = literal.raw;
      return bound;
    }
    case sql::Operand::Kind::kParameter:
      if (!(operand.cast.empty() || is_own_cast(operand.cast, Family::kInteger))) {
        return refuse_bound(clause);
      }
      SHERD_TRY_VOID(read_parameter(input, operand.number, clause, bound));
      bound.present = true;
      bound.has_parameter = true;
      bound.text = fmt::format("(${})::bigint", operand.number);
      return bound;
    default:
      return refuse_bound(clause);
  }
}

std::string pushed_limit(const Bound& limit, const Bound& offset) {
  constexpr std::uint64_t kMost = INT64_MAX;
  const std::uint64_t skipped = offset.value.value_or(0);
  if (!limit.present || (limit.value && *limit.value > kMost - skipped)) {
    return idle_limit(limit, offset);
  }
  if (!limit.has_parameter && !offset.has_parameter) {
    return limit.value ? fmt::format(" LIMIT {}", *limit.value + skipped) : "";
  }
  // NULL in either makes the sum NULL: no limit, which is never too little.
  return offset.present ? fmt::format(" LIMIT {} + {}", limit.text, offset.text)
                        : fmt::format(" LIMIT {}", limit.text);
}

std::string idle_limit(const Bound& limit, const Bound& offset) {
  std::string nothing;
  for (const Bound* bound : {&limit, &offset}) {
    if (bound->has_parameter) {
      nothing += fmt::format(
          "{}NULLIF({}, {})", nothing.empty() ? " LIMIT " : " + ", bound->text, bound->text
      );
    }
  }
  return nothing;
}

}  // namespace sherd::plan
