#include "walker.hpp"

namespace sherd::sql {
namespace {

/// The comparison that an operator name stands for: unqualified, or of pg_catalog.
std::optional<CompareOp> compare_op(const List* name) {
  const ListOf<> parts(name);
  if (parts.empty() || parts.size() > 2
      || (parts.size() == 2 && string_of(parts[0]) != "pg_catalog")) {
    return std::nullopt;
  }
  const std::string_view op = string_of(parts.back());
  if (op == "=") {
    return CompareOp::kEqual;
  }
  if (op == "<") {
    return CompareOp::kLess;
  }
  if (op == "<=") {
    return CompareOp::kLessEqual;
  }
  if (op == ">") {
    return CompareOp::kGreater;
  }
  if (op == ">=") {
    return CompareOp::kGreaterEqual;
  }
  return std::nullopt;
}

bool is_equality(const List* name) {
  return compare_op(name) == CompareOp::kEqual;
}

/// A comparison under another collation is another comparison; a row is compared part by part.
bool is_plain(const Node* node) noexcept {
  return node != nullptr && !is_node(node, T_CollateClause) && !is_node(node, T_RowExpr);
}

}  // namespace

void Walker::predicate(const Node* node, Predicate& out) {
  if (node == nullptr) {
    out.kind = Predicate::Kind::kAnd;
    return;
  }
  const DepthGuard guard(*this);
  if (!guard) {
    return;
  }
  switch (node->type) {
    case T_BoolExpr:
      boolean(as<BoolExpr>(node), out);
      return;
    case T_A_Expr:
      comparison(as<A_Expr>(node), out);
      return;
    case T_SubLink:
      in_subquery(as<SubLink>(node), out);
      return;
    case T_NullTest: {
      const auto* test = as<NullTest>(node);
      const auto* tested = as<Node>(test->arg);
      if (test->nulltesttype == IS_NULL && is_plain(tested)) {
        operand(tested, out.left);
        out.kind = Predicate::Kind::kIsNull;
      }
      return;
    }
    case T_A_Const:
    case T_TypeCast: {
      Operand truth;
      operand(node, truth);
      const bool is_true = truth.kind == Operand::Kind::kTrue;
      if (truth.cast.empty()
          && (is_true || truth.kind == Operand::Kind::kFalse || truth.kind == Operand::Kind::kNull
          )) {
        out.kind = Predicate::Kind::kConstant;
        out.value = is_true;  // NULL lets no row through either
      }
      return;
    }
    default:
      return;
  }
}

void Walker::boolean(const BoolExpr* node, Predicate& out) {
  if (node->boolop == NOT_EXPR) {
    return;
  }
  out.kind = node->boolop == AND_EXPR ? Predicate::Kind::kAnd : Predicate::Kind::kOr;
  const ListOf<> parts(node->args);
  out.children.resize(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    predicate(parts[i], out.children[i]);
  }
}

void Walker::comparison(const A_Expr* node, Predicate& out) {
  switch (node->kind) {
    case AEXPR_OP:
      operator_predicate(node, out);
      return;
    case AEXPR_NOT_DISTINCT:
      not_distinct(node, out);
      return;
    case AEXPR_IN:
      in_list(node, out);
      return;
    case AEXPR_OP_ANY:
      any_array(node, out);
      return;
    case AEXPR_BETWEEN:
      between(node, out);
      return;
    default:
      return;
  }
}

void Walker::operator_predicate(const A_Expr* node, Predicate& out) const {
  const std::optional<CompareOp> op = compare_op(node->name);
  if (!op) {
    return;
  }
  if (is_node(node->lexpr, T_RowExpr) && is_node(node->rexpr, T_RowExpr)) {
    const ListOf<> left(as<RowExpr>(node->lexpr)->args);
    const ListOf<> right(as<RowExpr>(node->rexpr)->args);
    if (*op != CompareOp::kEqual || left.size() != right.size() || left.empty()
        || any_expands(as<RowExpr>(node->lexpr)->args)
        || any_expands(as<RowExpr>(node->rexpr)->args)) {
      return;
    }
    out.kind = Predicate::Kind::kAnd;
    out.children.resize(left.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
      Predicate& part = out.children[i];
      if (is_plain(left[i]) && is_plain(right[i])) {
        part.kind = Predicate::Kind::kCompare;
        operand(left[i], part.left);
        operand(right[i], part.right);
      }
    }
    return;
  }
  if (is_plain(node->lexpr) && is_plain(node->rexpr)) {
    out.kind = Predicate::Kind::kCompare;
    out.op = *op;
    operand(node->lexpr, out.left);
    operand(node->rexpr, out.right);
  }
}

void Walker::not_distinct(const A_Expr* node, Predicate& out) const {
  if (is_equality(node->name) && is_plain(node->lexpr) && is_plain(node->rexpr)) {
    out.kind = Predicate::Kind::kNotDistinct;
    operand(node->lexpr, out.left);
    operand(node->rexpr, out.right);
  }
}

void Walker::between(const A_Expr* node, Predicate& out) const {
  const ListOf<> bounds(as<List>(node->rexpr));
  if (bounds.size() != 2 || !is_plain(node->lexpr) || !is_plain(bounds[0])
      || !is_plain(bounds[1])) {
    return;
  }
  out.kind = Predicate::Kind::kAnd;
  out.children.resize(2);
  for (std::size_t i = 0; i < 2; ++i) {
    Predicate& bound = out.children[i];
    bound.kind = Predicate::Kind::kCompare;
    bound.op = i == 0 ? CompareOp::kGreaterEqual : CompareOp::kLessEqual;
    operand(node->lexpr, bound.left);
    operand(bounds[i], bound.right);
  }
}

void Walker::in_list(const A_Expr* node, Predicate& out) const {
  if (!is_equality(node->name) || !is_node(node->rexpr, T_List)) {
    return;
  }
  const auto* items = as<List>(node->rexpr);
  if (is_node(node->lexpr, T_RowExpr)) {
    in_list_of_rows(as<RowExpr>(node->lexpr), items, out);
    return;
  }
  if (!is_plain(node->lexpr)) {
    return;
  }
  for (const Node* item : ListOf<>(items)) {
    if (!is_plain(item)) {
      return;
    }
  }
  out.kind = Predicate::Kind::kIn;
  operand(node->lexpr, out.left);
  out.list.resize(ListOf<>(items).size());
  std::size_t i = 0;
  for (const Node* item : ListOf<>(items)) {
    operand(item, out.list[i++]);
  }
}

// (a, b) IN ((1, 2), (3, 4))
void Walker::in_list_of_rows(const RowExpr* left, const List* rows, Predicate& out) const {
  const ListOf<> names(left->args);
  if (any_expands(left->args)) {
    return;
  }
  for (const Node* row : ListOf<>(rows)) {
    if (!is_node(row, T_RowExpr) || ListOf<>(as<RowExpr>(row)->args).size() != names.size()
        || any_expands(as<RowExpr>(row)->args)) {
      return;
    }
  }
  out.kind = Predicate::Kind::kOr;
  for (const auto* row : ListOf<RowExpr>(rows)) {
    Predicate& both = out.children.emplace_back();
    both.kind = Predicate::Kind::kAnd;
    both.children.resize(names.size());
    const ListOf<> values(row->args);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (is_plain(names[i]) && is_plain(values[i])) {
        both.children[i].kind = Predicate::Kind::kCompare;
        operand(names[i], both.children[i].left);
        operand(values[i], both.children[i].right);
      }
    }
  }
}

void Walker::any_array(const A_Expr* node, Predicate& out) const {
  if (!is_equality(node->name) || !is_plain(node->lexpr)) {
    return;
  }
  if (is_node(node->rexpr, T_A_ArrayExpr)) {
    any_of_elements(node->lexpr, as<A_ArrayExpr>(node->rexpr), nullptr, out);
    return;
  }
  if (is_node(node->rexpr, T_TypeCast)) {
    const auto* cast = as<TypeCast>(node->rexpr);
    if (is_node(cast->arg, T_A_ArrayExpr)) {
      any_of_elements(node->lexpr, as<A_ArrayExpr>(cast->arg), cast->typeName, out);
      return;
    }
  }
  Operand array;
  operand(node->rexpr, array);
  if (array.kind == Operand::Kind::kParameter || array.kind == Operand::Kind::kLiteral) {
    out.kind = Predicate::Kind::kAnyArray;
    operand(node->lexpr, out.left);
    out.right = std::move(array);
  }
}

// x = ANY (ARRAY[1, 2]::int[]): the cast is one of each element.
void Walker::any_of_elements(
    const Node* left, const A_ArrayExpr* array, const ::TypeName* cast, Predicate& out
) const {
  TypeName element;
  if (cast != nullptr && (!type_name(cast, element) || !element.is_array)) {
    return;
  }
  element.is_array = false;
  const ListOf<> items(array->elements);
  std::vector<Operand> list(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!is_plain(items[i]) || is_node(items[i], T_A_ArrayExpr)) {
      return;
    }
    operand(items[i], list[i]);
    if (cast == nullptr) {
      continue;
    }
    if (list[i].kind == Operand::Kind::kColumn || !list[i].cast.empty()) {
      list[i] = {};
    } else if (list[i].kind != Operand::Kind::kOpaque) {
      list[i].cast = element;
    }
  }
  out.kind = Predicate::Kind::kIn;
  operand(left, out.left);
  out.list = std::move(list);
}

void Walker::in_subquery(const SubLink* node, Predicate& out) {
  const bool by_equality = length_of(node->operName) == 0 || is_equality(node->operName);
  if (node->subLinkType != ANY_SUBLINK || !by_equality || !is_plain(node->testexpr)) {
    return;
  }
  out.kind = Predicate::Kind::kInSubquery;
  operand(node->testexpr, out.left);
  out.block = block_of(node);
}

}  // namespace sherd::sql
