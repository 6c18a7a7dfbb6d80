#include <sherd/base/text.hpp>

#include "walker.hpp"

namespace sherd::sql {
namespace {

const Node* first_or_null(const List* list) noexcept {
  return length_of(list) == 0 ? nullptr : ListOf<>(list)[0];
}

}  // namespace

void Walker::collect_list(const List* list, ExpressionFacts& facts, bool in_function) {
  for (const Node* item : ListOf<>(list)) {
    collect(item, facts, in_function);
  }
}

void Walker::collect(const Node* node, ExpressionFacts& facts, bool in_function) {
  if (node == nullptr) {
    return;
  }
  const DepthGuard guard(*this);
  if (!guard) {
    return;
  }
  switch (node->type) {
    case T_A_Const:
      return;
    case T_ColumnRef: {
      ColumnRef found;
      if (!column(as<::ColumnRef>(node), found)) {
        mark_unknown();
      }
      facts.columns.push_back(std::move(found));
      return;
    }
    case T_ParamRef:
      facts.has_parameter = true;
      return;
    case T_A_Expr:
      collect_operator(as<A_Expr>(node), facts, in_function);
      return;
    case T_BoolExpr:
      collect_list(as<BoolExpr>(node)->args, facts, in_function);
      return;
    case T_FuncCall:
      collect_function(as<FuncCall>(node), facts, in_function);
      return;
    case T_SubLink:
      collect_sublink(as<SubLink>(node), facts, in_function);
      return;
    case T_TypeCast:
      note_type(as<TypeCast>(node)->typeName);
      collect(as<TypeCast>(node)->arg, facts, in_function);
      return;
    case T_CollateClause:
      collect(as<CollateClause>(node)->arg, facts, in_function);
      return;
    case T_NullTest:
      collect(as<Node>(as<NullTest>(node)->arg), facts, in_function);
      return;
    case T_CaseExpr:
      collect_case(as<CaseExpr>(node), facts, in_function);
      return;
    case T_RowExpr:
      collect_list(as<RowExpr>(node)->args, facts, in_function);
      return;
    case T_A_ArrayExpr:
      collect_list(as<A_ArrayExpr>(node)->elements, facts, in_function);
      return;
    case T_CoalesceExpr:
      collect_list(as<CoalesceExpr>(node)->args, facts, in_function);
      return;
    case T_MinMaxExpr:
      collect_list(as<MinMaxExpr>(node)->args, facts, in_function);
      return;
    case T_List:
      collect_list(as<List>(node), facts, in_function);
      return;
    default:
      collect_rare(node, facts, in_function);
      return;
  }
}

// float(24) is float4 and float(25) is float8: the one type whose name depends on its modifier.
void Walker::note_type(const ::TypeName* type) {
  const std::uint32_t at = tokens_.at(type->location);
  if (at != Tokens::kNone && tokens_.is(at + 1, '(')
      && equals_ignoring_case(tokens_.text_of(at), "float")) {
    out_.literal_dependent = true;
  }
}

void Walker::collect_rare(const Node* node, ExpressionFacts& facts, bool in_function) {
  const auto go = [&](const void* child) { collect(as<Node>(child), facts, in_function); };
  switch (node->type) {
    case T_BooleanTest:
      go(as<BooleanTest>(node)->arg);
      return;
    case T_A_Indirection:
      go(as<A_Indirection>(node)->arg);
      collect_list(as<A_Indirection>(node)->indirection, facts, in_function);
      return;
    case T_A_Indices:
      go(as<A_Indices>(node)->lidx);
      go(as<A_Indices>(node)->uidx);
      return;
    case T_ResTarget:
      collect_list(as<ResTarget>(node)->indirection, facts, in_function);
      collect(as<ResTarget>(node)->val, facts, in_function);
      return;
    case T_SortBy:
      collect(as<SortBy>(node)->node, facts, in_function);
      return;
    case T_NamedArgExpr:
      go(as<NamedArgExpr>(node)->arg);
      return;
    case T_MultiAssignRef:
      go(as<MultiAssignRef>(node)->source);
      return;
    case T_GroupingFunc:
      collect_list(as<GroupingFunc>(node)->args, facts, in_function);
      return;
    case T_GroupingSet:
      collect_list(as<GroupingSet>(node)->content, facts, in_function);
      return;
    case T_XmlExpr:
      collect_list(as<XmlExpr>(node)->named_args, facts, in_function);
      collect_list(as<XmlExpr>(node)->args, facts, in_function);
      return;
    case T_XmlSerialize:
      go(as<XmlSerialize>(node)->expr);
      return;
    case T_SQLValueFunction:
      collect_value_function(as<SQLValueFunction>(node), facts, in_function);
      return;
    case T_WindowDef:
      collect_window(as<WindowDef>(node), facts, in_function);
      return;
    case T_IndexElem:
      go(as<IndexElem>(node)->expr);
      return;
    case T_Integer:
    case T_Float:
    case T_String:
    case T_A_Star:
    case T_SetToDefault:
    case T_CurrentOfExpr:
      return;
    default:
      mark_unknown();
      return;
  }
}

// a + b + c + … leans to the left, as deep as it is long: the left side is followed in a loop.
void Walker::collect_operator(const A_Expr* expression, ExpressionFacts& facts, bool in_function) {
  const std::size_t base = spine_.size();
  const Node* node = as<Node>(expression);
  while (is_node(node, T_A_Expr)) {
    const auto* step = as<A_Expr>(node);
    facts.has_operator_qualified |= length_of(step->name) > 1;
    spine_.push_back(step->rexpr);
    node = step->lexpr;
  }
  collect(node, facts, in_function);
  while (spine_.size() > base) {
    const Node* right = spine_.back();
    spine_.pop_back();
    collect(right, facts, in_function);
  }
}

void Walker::collect_case(const CaseExpr* expression, ExpressionFacts& facts, bool in_function) {
  collect(as<Node>(expression->arg), facts, in_function);
  for (const auto* when : ListOf<CaseWhen>(expression->args)) {
    collect(as<Node>(when->expr), facts, in_function);
    collect(as<Node>(when->result), facts, in_function);
  }
  collect(as<Node>(expression->defresult), facts, in_function);
}

void Walker::collect_window(const WindowDef* window, ExpressionFacts& facts, bool in_function) {
  collect_list(window->partitionClause, facts, in_function);
  collect_list(window->orderClause, facts, in_function);
  collect(window->startOffset, facts, in_function);
  collect(window->endOffset, facts, in_function);
}

void Walker::collect_function(const FuncCall* call, ExpressionFacts& facts, bool in_function) {
  {
    FunctionCall& found = facts.functions.emplace_back();
    const ListOf<> names(call->funcname);
    found.name = string_of(names.back());
    found.schema = names.size() > 1 ? string_of(names[names.size() - 2]) : std::string_view();
    found.is_window = call->over != nullptr;
    found.is_star = call->agg_star;
    found.distinct = call->agg_distinct;
    found.has_filter = call->agg_filter != nullptr;
    found.has_order = length_of(call->agg_order) > 0;
    found.within_group = call->agg_within_group;
    found.variadic = call->func_variadic;
    found.nested_in_function = in_function;
    found.argument_count = static_cast<std::uint32_t>(length_of(call->args));
    operand(first_or_null(call->args), found.argument);
    locate_function(call, found);
  }
  // `found` may have moved from here on.
  collect_list(call->args, facts, true);
  collect_list(call->agg_order, facts, true);
  collect(call->agg_filter, facts, true);
  if (call->over != nullptr) {
    collect_window(call->over, facts, true);
  }
}

void Walker::collect_value_function(
    const SQLValueFunction* call, ExpressionFacts& facts, bool nested
) {
  FunctionCall& found = facts.functions.emplace_back();
  found.schema = "pg_catalog";
  found.name = value_function_name(call->op);
  found.nested_in_function = nested;
}

// f(…) [WITHIN GROUP (…)] [FILTER (WHERE …)] [OVER …]. Calls that SQL spells in another way (x AT
// TIME ZONE y) keep empty spans.
void Walker::locate_function(const FuncCall* node, FunctionCall& call) const {
  std::uint32_t at = tokens_.at(node->location);
  if (at == Tokens::kNone || !tokens_.balanced() || node->funcformat == COERCE_SQL_SYNTAX) {
    return;
  }
  const std::uint32_t begin = at;
  while (tokens_.is(at + 1, '.')) {
    at += 2;
  }
  if (!tokens_.is(++at, '(')) {
    return;
  }
  const std::uint32_t open = at;
  at = tokens_[open].match + 1;
  call.arguments = span_of(tokens_[open].end, tokens_[at - 1].begin);
  if (node->agg_within_group) {
    at = tokens_[at + 2].match + 1;  // WITHIN GROUP (
  }
  if (node->agg_filter != nullptr) {
    const std::uint32_t inner = at + 1;  // FILTER ( WHERE condition )
    if (!tokens_.is(inner, '(') || !tokens_.is(inner + 1, Keyword::kWhere)) {
      return;
    }
    call.filter = span_of(TokenRange{inner + 2, tokens_[inner].match});
    at = tokens_[inner].match + 1;
  }
  if (node->over != nullptr) {
    at = tokens_.is(at + 1, '(') ? tokens_[at + 1].match + 1 : at + 2;  // OVER (…), OVER name
  }
  call.span = span_of(TokenRange{begin, at});
}

void Walker::collect_sublink(const SubLink* link, ExpressionFacts& facts, bool in_function) {
  facts.has_operator_qualified |= length_of(link->operName) > 1;
  collect(link->testexpr, facts, in_function);
  facts.subqueries.push_back(block_of(link));
}

std::uint32_t Walker::block_of(const SubLink* link) {
  const auto [entry, is_new] = sublinks_.try_emplace(link, 0);
  if (!is_new) {
    return entry->second;
  }
  if (!is_node(link->subselect, T_SelectStmt)) {
    mark_unknown();
    return 0;
  }
  const std::uint32_t index = select(as<SelectStmt>(link->subselect));
  sublinks_[link] = index;
  return index;
}

// Where an expression begins, as far as its nodes tell; brackets around it are not seen. -1:
// unknown.
std::int64_t Walker::leftmost(const Node* node) const noexcept {
  while (node != nullptr) {
    switch (node->type) {
      case T_A_Expr: {
        const auto* expression = as<A_Expr>(node);
        if (expression->lexpr == nullptr) {
          return expression->location;
        }
        node = expression->lexpr;
        break;
      }
      case T_BoolExpr:
        if (as<BoolExpr>(node)->boolop == NOT_EXPR) {
          return as<BoolExpr>(node)->location;
        }
        node = first_or_null(as<BoolExpr>(node)->args);
        break;
      case T_TypeCast: {
        const auto* cast = as<TypeCast>(node);
        const std::uint32_t at = tokens_.at(cast->location);
        if (cast->location < 0 && cast->typeName->location >= 0) {
          return cast->typeName->location;
        }
        if (at != Tokens::kNone && !tokens_.is(at, ':')) {
          return cast->location;
        }
        node = cast->arg;
        break;
      }
      case T_CollateClause:
        node = as<CollateClause>(node)->arg;
        break;
      case T_A_Const:
        return as<A_Const>(node)->location;
      case T_ColumnRef:
        return as<::ColumnRef>(node)->location;
      case T_ParamRef:
        return as<ParamRef>(node)->location;
      case T_FuncCall:
        return as<FuncCall>(node)->funcformat == COERCE_SQL_SYNTAX ? -1
                                                                   : as<FuncCall>(node)->location;
      case T_SetToDefault:
        return as<SetToDefault>(node)->location;
      case T_SubLink:
        if (as<SubLink>(node)->testexpr == nullptr) {
          return as<SubLink>(node)->location;
        }
        node = as<SubLink>(node)->testexpr;
        break;
      case T_CaseExpr:
        return as<CaseExpr>(node)->location;
      case T_CoalesceExpr:
        return as<CoalesceExpr>(node)->location;
      case T_MinMaxExpr:
        return as<MinMaxExpr>(node)->location;
      case T_RowExpr:
        return as<RowExpr>(node)->location;
      case T_A_ArrayExpr:
        return as<A_ArrayExpr>(node)->location;
      case T_SQLValueFunction:
        return as<SQLValueFunction>(node)->location;
      default:
        return -1;
    }
  }
  return -1;
}

}  // namespace sherd::sql
