#include <array>
#include <utility>

#include <sherd/sql/print.hpp>

#include "printer.hpp"

namespace sherd::sql {
namespace {

constexpr std::array kCompareNames{"=", "<", "<=", ">", ">="};
constexpr std::array kJoinNames{"inner", "left", "right", "full", "cross"};
constexpr std::array kSetNames{"", "union", "union all", "intersect", "except"};

template <class Enum>
std::size_t at(Enum value) noexcept {
  return static_cast<std::size_t>(std::to_underlying(value));
}

std::string column_name(const ColumnRef& column) {
  std::string name;
  for (const std::string* part : {&column.schema, &column.qualifier}) {
    if (!part->empty()) {
      (name += *part) += '.';
    }
  }
  return name += column.name;
}

std::string type_text(const TypeName& type) {
  return fmt::format(
      "{}{}{}{}{}", type.schema, type.schema.empty() ? "" : ".", type.name,
      type.has_modifier ? "(…)" : "", type.is_array ? "[]" : ""
  );
}

}  // namespace

class Printer::Indented {
 public:
  explicit Indented(Printer& printer) noexcept : printer_(printer) { ++printer_.indent_; }
  ~Indented() { --printer_.indent_; }
  Indented(const Indented&) = delete;
  Indented& operator=(const Indented&) = delete;

 private:
  Printer& printer_;
};

std::string to_text(const Statement& statement, PrintSpans spans) {
  return Printer(statement, spans).run();
}

std::string Printer::run() {
  std::visit([this](const auto& alternative) { body(alternative); }, statement_.body);
  const Indented inside(*this);
  for (const CteName& cte : statement_.ctes) {
    line("cte {} = block {}", cte.name, cte.block);
  }
  flag("recursive", statement_.has_recursive_cte);
  if (statement_.parameter_count > 0) {
    line("parameters {}", statement_.parameter_count);
  }
  flag("unknown-node", statement_.has_unknown_node);
  const bool is_query = statement_.body.index() <= 4;
  flag("literal-dependent", is_query && statement_.literal_dependent);
  for (std::uint32_t i = 0; i < statement_.blocks.size(); ++i) {
    block(i);
  }
  return std::move(text_);
}

void Printer::span(std::string_view label, Span span) {
  if (spans_ == PrintSpans::kAsText && !span.empty()) {
    line("{} <{}>", label, span.of(statement_.text));
  }
}

void Printer::flag(std::string_view label, bool value) {
  if (value) {
    line("{}", label);
  }
}

void Printer::named(std::string_view label, std::string_view value) {
  if (!value.empty()) {
    line("{} {}", label, value);
  }
}

void Printer::names(std::string_view label, const std::vector<std::string>& values) {
  if (!values.empty()) {
    line("{} ({})", label, fmt::join(values, ", "));
  }
}

std::string Printer::describe(const Operand& operand) const {
  std::string text;
  switch (operand.kind) {
    case Operand::Kind::kOpaque:
      text = "?";
      break;
    case Operand::Kind::kColumn:
      text = column_name(operand.column);
      break;
    case Operand::Kind::kParameter:
      text = fmt::format("${}", operand.number);
      break;
    case Operand::Kind::kLiteral:
      text = fmt::format("{}#{}", operand.negated ? "-" : "", operand.number);
      break;
    case Operand::Kind::kNull:
      text = "NULL";
      break;
    case Operand::Kind::kTrue:
      text = "TRUE";
      break;
    case Operand::Kind::kFalse:
      text = "FALSE";
      break;
    case Operand::Kind::kDefault:
      text = "DEFAULT";
      break;
  }
  if (!operand.cast.empty()) {
    text += "::" + type_text(operand.cast);
  }
  if (spans_ == PrintSpans::kAsText && !operand.span.empty()) {
    text += fmt::format(" <{}>", operand.span.of(statement_.text));
  }
  return text;
}

void Printer::operand(std::string_view label, const Operand& operand) {
  line("{} {}", label, describe(operand));
}

void Printer::predicate(std::string_view label, const Predicate& predicate) {
  using Kind = Predicate::Kind;
  switch (predicate.kind) {
    case Kind::kOpaque:
      line("{} opaque", label);
      return;
    case Kind::kAnd:
    case Kind::kOr: {
      line("{} {}", label, predicate.kind == Kind::kAnd ? "and" : "or");
      const Indented inside(*this);
      for (const Predicate& child : predicate.children) {
        this->predicate("-", child);
      }
      return;
    }
    case Kind::kCompare:
      line(
          "{} {} {} {}", label, describe(predicate.left), kCompareNames.at(at(predicate.op)),
          describe(predicate.right)
      );
      return;
    case Kind::kNotDistinct:
      line(
          "{} {} not distinct from {}", label, describe(predicate.left), describe(predicate.right)
      );
      return;
    case Kind::kIn: {
      line("{} {} in", label, describe(predicate.left));
      const Indented inside(*this);
      for (const Operand& item : predicate.list) {
        operand("-", item);
      }
      return;
    }
    case Kind::kAnyArray:
      line("{} {} = any {}", label, describe(predicate.left), describe(predicate.right));
      return;
    case Kind::kInSubquery:
      line("{} {} in block {}", label, describe(predicate.left), predicate.block);
      return;
    case Kind::kIsNull:
      line("{} {} is null", label, describe(predicate.left));
      return;
    case Kind::kConstant:
      line("{} {}", label, predicate.value);
      return;
  }
}

void Printer::facts(const ExpressionFacts& facts) {
  const Indented inside(*this);
  if (!facts.columns.empty()) {
    std::string columns;
    for (const ColumnRef& column : facts.columns) {
      columns += " " + column_name(column);
    }
    line("columns{}", columns);
  }
  for (const FunctionCall& call : facts.functions) {
    function(call);
  }
  if (!facts.subqueries.empty()) {
    line("subqueries {}", fmt::join(facts.subqueries, " "));
  }
  flag("has-parameter", facts.has_parameter);
  flag("qualified-operator", facts.has_operator_qualified);
}

void Printer::function(const FunctionCall& call) {
  std::string flags;
  const auto add = [&flags](bool on, std::string_view name) {
    if (on) {
      (flags += ' ') += name;
    }
  };
  add(call.is_window, "window");
  add(call.is_star, "star");
  add(call.distinct, "distinct");
  add(call.has_filter, "filter");
  add(call.has_order, "order");
  add(call.within_group, "within-group");
  add(call.variadic, "variadic");
  add(call.nested_in_function, "nested");
  line(
      "function {}{}{}/{}{}", call.schema, call.schema.empty() ? "" : ".", call.name,
      call.argument_count, flags
  );
  const Indented inside(*this);
  if (call.argument_count > 0) {
    operand("argument", call.argument);
  }
  span("call", call.span);
  span("arguments", call.arguments);
  span("filter", call.filter);
}

void Printer::relation(std::string_view label, const Relation& relation) {
  constexpr std::array kKinds{"table", "subquery", "function", "cte", "other"};
  std::string text = fmt::format(
      "{} {} {}{}{}", label, kKinds.at(at(relation.kind)), relation.schema,
      relation.schema.empty() ? "" : ".", relation.name
  );
  if (!relation.alias.empty()) {
    text += " as " + relation.alias;
  }
  if (!relation.column_aliases.empty()) {
    text += fmt::format(" ({})", fmt::join(relation.column_aliases, ", "));
  }
  text += relation.only ? " only" : "";
  text += relation.lateral ? " lateral" : "";
  text += relation.tablesample ? " tablesample" : "";
  if (relation.kind == Relation::Kind::kSubquery || relation.kind == Relation::Kind::kCte) {
    text += fmt::format(" block {}", relation.block);
  }
  line("{}", text);
  const Indented inside(*this);
  span("name", relation.name_span);
  facts(relation.facts);
}

void Printer::relations(std::string_view label, const std::vector<Relation>& relations) {
  for (const Relation& item : relations) {
    relation(label, item);
  }
}

void Printer::join(const Block& block, std::uint32_t index) {
  const JoinNode& node = block.join_nodes[index];
  if (node.is_leaf) {
    line("relation {}", node.relation);
    return;
  }
  line(
      "join {}{}{}{}", kJoinNames.at(at(node.kind)), node.natural ? " natural" : "",
      node.alias.empty() ? "" : " as ", node.alias
  );
  const Indented inside(*this);
  names("using", node.using_columns);
  named("using-alias", node.using_alias);
  if (node.on.kind != Predicate::Kind::kOpaque || !node.on_facts.columns.empty()) {
    predicate("on", node.on);
  }
  facts(node.on_facts);
  join(block, node.left);
  join(block, node.right);
}

void Printer::target(const Target& target) {
  constexpr std::array kForms{"column", "star", "function", "expression"};
  line(
      "target {} \"{}\"{}{}{}", kForms.at(at(target.form)), target.name,
      target.has_alias ? " alias" : "", target.column.name.empty() ? "" : " ",
      column_name(target.column)
  );
  const Indented inside(*this);
  span("expression", target.expression);
  if (target.operand.kind != Operand::Kind::kOpaque
      && target.operand.kind != Operand::Kind::kColumn) {
    operand("operand", target.operand);
  }
  facts(target.facts);
}

void Printer::group(std::string_view label, const GroupItem& item) {
  constexpr std::array kForms{"column", "ordinal", "expression", "grouping-set"};
  line("{} {} {}", label, kForms.at(at(item.form)), column_name(item.column));
  const Indented inside(*this);
  if (item.form == GroupItem::Form::kOrdinal) {
    line("position {}", item.ordinal);
  }
  span("expression", item.expression);
  facts(item.facts);
}

void Printer::sort(const SortItem& item) {
  constexpr std::array kForms{"column", "ordinal", "expression"};
  std::string text = fmt::format("order {} {}", kForms.at(at(item.form)), column_name(item.column));
  text += item.descending ? " desc" : "";
  if (item.nulls_first) {
    text += *item.nulls_first ? " nulls-first" : " nulls-last";
  }
  text += item.using_operator ? " using" : "";
  text += item.has_collation ? " collate " + item.collation : "";
  line("{}", text);
  const Indented inside(*this);
  if (item.form == SortItem::Form::kOrdinal) {
    line("position {}", item.ordinal);
  }
  span("expression", item.expression);
  facts(item.facts);
}

void Printer::clauses(const SelectSpans& spans) {
  if (!spans.known) {
    line("clauses unknown");
    return;
  }
  const std::array<std::pair<std::string_view, Span>, 10> all{{
      {"[select]", spans.select},
      {"[targets]", spans.targets},
      {"[from]", spans.from},
      {"[where]", spans.where},
      {"[group]", spans.group},
      {"[having]", spans.having},
      {"[window]", spans.window},
      {"[order]", spans.order},
      {"[limit]", spans.limit},
      {"[locking]", spans.locking},
  }};
  for (const auto& [label, part] : all) {
    span(label, part);
  }
}

void Printer::block(std::uint32_t index) {
  const Block& block = statement_.blocks[index];
  std::string head = fmt::format("block {}", index);
  if (block.parent) {
    head += fmt::format(" of {}", *block.parent);
  }
  head += block.is_cte ? " cte" : "";
  head += block.is_modifying_cte ? " modifying" : "";
  if (block.set_operation != SetOperation::kNone) {
    head += fmt::format(
        " {}{} of {} and {}", kSetNames.at(at(block.set_operation)),
        block.set_all && block.set_operation != SetOperation::kUnionAll ? " all" : "",
        block.set_left, block.set_right
    );
  }
  line("{}", head);
  const Indented inside(*this);
  names("columns", block.cte_columns);
  span("text", block.span);
  relations("from", block.relations);
  if (block.join_nodes.size() > 1) {
    for (const std::uint32_t root : block.root_joins) {
      join(block, root);
    }
  }
  if (block.where.kind != Predicate::Kind::kAnd || !block.where.children.empty()) {
    predicate("where", block.where);
  }
  facts(block.where_facts);
  for (const Target& item : block.targets) {
    target(item);
  }
  block_tail(block);
}

void Printer::block_tail(const Block& block) {
  for (const GroupItem& item : block.group_by) {
    group("group", item);
  }
  flag("group-distinct", block.group_distinct);
  if (block.has_having) {
    line("having");
    span("  condition", block.having);
    facts(block.having_facts);
  }
  if (block.has_window_clause) {
    line("window");
    facts(block.window_facts);
  }
  flag("distinct", block.distinct == DistinctKind::kAll);
  for (const GroupItem& item : block.distinct_on) {
    group("distinct-on", item);
  }
  for (const SortItem& item : block.order_by) {
    sort(item);
  }
  if (block.limit.kind != Operand::Kind::kNull) {
    operand("limit", block.limit);
  }
  if (block.offset.kind != Operand::Kind::kNull) {
    operand("offset", block.offset);
  }
  facts(block.limit_facts);
  flag("with-ties", block.with_ties);
  flag("locking", block.has_locking);
  flag("into", block.has_into);
  for (const std::vector<Operand>& row : block.values) {
    line("values");
    const Indented inside(*this);
    for (const Operand& value : row) {
      operand("-", value);
    }
  }
  facts(block.values_facts);
  clauses(block.spans);
}

}  // namespace sherd::sql
