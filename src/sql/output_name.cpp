
#include "walker.hpp"

namespace sherd::sql {
namespace {

/// A name, and how much it is worth: PostgreSQL prefers a name from inside over one of a cast or
/// CASE around it.
struct Named {
  enum class Worth : std::uint8_t { kNone, kWeak, kStrong, kUnknown };
  std::string name{};
  Worth worth = Worth::kNone;
};
using Worth = Named::Worth;

Named strong(std::string_view name) {
  return {std::string(name), Worth::kStrong};
}

std::string_view last_name(const List* names) {
  std::string_view found;
  for (const Node* name : ListOf<>(names)) {
    if (is_node(name, T_String)) {
      found = string_of(name);
    }
  }
  return found;
}

std::string_view xml_name(XmlExprOp op) noexcept {
  switch (op) {
    case IS_XMLCONCAT:
      return "xmlconcat";
    case IS_XMLELEMENT:
      return "xmlelement";
    case IS_XMLFOREST:
      return "xmlforest";
    case IS_XMLPARSE:
      return "xmlparse";
    case IS_XMLPI:
      return "xmlpi";
    case IS_XMLROOT:
      return "xmlroot";
    case IS_XMLSERIALIZE:
      return "xmlserialize";
    default:
      return {};
  }
}

Named name_of(const Node* node, std::uint32_t depth);

// A scalar subquery is named as its first column.
Named subquery_name(const Node* node, std::uint32_t depth) {
  while (is_node(node, T_SelectStmt) && as<SelectStmt>(node)->op != SETOP_NONE) {
    node = as<Node>(as<SelectStmt>(node)->larg);
  }
  if (!is_node(node, T_SelectStmt)) {
    return {{}, Worth::kUnknown};
  }
  const auto* select = as<SelectStmt>(node);
  if (select->valuesLists != nullptr) {
    return strong("column1");
  }
  if (length_of(select->targetList) == 0) {
    return {{}, Worth::kUnknown};
  }
  const auto* target = ListOf<ResTarget>(select->targetList)[0];
  if (target->name != nullptr) {
    return strong(target->name);
  }
  if (expands(target->val)) {
    return {{}, Worth::kUnknown};
  }
  Named inner = name_of(target->val, depth + 1);
  if (inner.worth == Worth::kNone) {
    return strong("?column?");
  }
  if (inner.worth == Worth::kWeak) {
    inner.worth = Worth::kStrong;
  }
  return inner;
}

Named sublink_name(const SubLink* link, std::uint32_t depth) {
  switch (link->subLinkType) {
    case EXISTS_SUBLINK:
      return strong("exists");
    case ARRAY_SUBLINK:
      return strong("array");
    case EXPR_SUBLINK:
      return subquery_name(link->subselect, depth);
    default:
      return {};
  }
}

Named weak_over(Named inner, std::string_view name) {
  if (inner.worth == Worth::kNone || inner.worth == Worth::kWeak) {
    return {std::string(name), Worth::kWeak};
  }
  return inner;
}

Named name_of(const Node* node, std::uint32_t depth) {
  if (node == nullptr) {
    return {};
  }
  if (depth > Walker::kMaxDepth) {
    return {{}, Worth::kUnknown};
  }
  switch (node->type) {
    case T_ColumnRef:
      return strong(last_name(as<::ColumnRef>(node)->fields));
    case T_A_Indirection: {
      const auto* indirection = as<A_Indirection>(node);
      const std::string_view field = last_name(indirection->indirection);
      return field.empty() ? name_of(indirection->arg, depth + 1) : strong(field);
    }
    case T_FuncCall:
      return strong(last_name(as<FuncCall>(node)->funcname));
    case T_A_Expr:
      return as<A_Expr>(node)->kind == AEXPR_NULLIF ? strong("nullif") : Named();
    case T_TypeCast: {
      const auto* cast = as<TypeCast>(node);
      return weak_over(name_of(cast->arg, depth + 1), last_name(cast->typeName->names));
    }
    case T_CollateClause:
      return name_of(as<CollateClause>(node)->arg, depth + 1);
    case T_GroupingFunc:
      return strong("grouping");
    case T_SubLink:
      return sublink_name(as<SubLink>(node), depth);
    case T_CaseExpr:
      return weak_over(name_of(as<Node>(as<CaseExpr>(node)->defresult), depth + 1), "case");
    case T_A_ArrayExpr:
      return strong("array");
    case T_RowExpr:
      return strong("row");
    case T_CoalesceExpr:
      return strong("coalesce");
    case T_MinMaxExpr:
      return strong(as<MinMaxExpr>(node)->op == IS_GREATEST ? "greatest" : "least");
    case T_SQLValueFunction:
      return strong(value_function_name(as<SQLValueFunction>(node)->op));
    case T_XmlExpr: {
      const std::string_view name = xml_name(as<XmlExpr>(node)->op);
      return name.empty() ? Named() : strong(name);
    }
    case T_XmlSerialize:
      return strong("xmlserialize");
    default:
      return {};
  }
}

}  // namespace

std::string_view value_function_name(SQLValueFunctionOp op) noexcept {
  switch (op) {
    case SVFOP_CURRENT_DATE:
      return "current_date";
    case SVFOP_CURRENT_TIME:
    case SVFOP_CURRENT_TIME_N:
      return "current_time";
    case SVFOP_CURRENT_TIMESTAMP:
    case SVFOP_CURRENT_TIMESTAMP_N:
      return "current_timestamp";
    case SVFOP_LOCALTIME:
    case SVFOP_LOCALTIME_N:
      return "localtime";
    case SVFOP_LOCALTIMESTAMP:
    case SVFOP_LOCALTIMESTAMP_N:
      return "localtimestamp";
    case SVFOP_CURRENT_ROLE:
      return "current_role";
    case SVFOP_CURRENT_USER:
      return "current_user";
    case SVFOP_USER:
      return "user";
    case SVFOP_SESSION_USER:
      return "session_user";
    case SVFOP_CURRENT_CATALOG:
      return "current_catalog";
    case SVFOP_CURRENT_SCHEMA:
      return "current_schema";
  }
  return "unknown";
}

std::string output_name(const Node* expression) {
  Named named = name_of(expression, 0);
  return named.worth == Worth::kNone ? "?column?" : std::move(named.name);
}

bool expands(const Node* expression) noexcept {
  if (is_node(expression, T_ColumnRef)) {
    return is_node(ListOf<>(as<::ColumnRef>(expression)->fields).back(), T_A_Star);
  }
  if (is_node(expression, T_A_Indirection)) {
    return is_node(ListOf<>(as<A_Indirection>(expression)->indirection).back(), T_A_Star);
  }
  return false;
}

bool any_expands(const List* expressions) noexcept {
  for (const Node* expression : ListOf<>(expressions)) {
    if (expands(expression)) {
      return true;
    }
  }
  return false;
}

std::string dotted(const List* names) {
  std::string text;
  for (const Node* name : ListOf<>(names)) {
    if (text.empty() && string_of(name) == "pg_catalog") {
      continue;
    }
    if (!text.empty()) {
      text += '.';
    }
    text += string_of(name);
  }
  return text;
}

}  // namespace sherd::sql
