#include <fmt/format.h>

#include "walker.hpp"

namespace sherd::sql {
namespace {

void set_alias(const Alias* alias, Relation& out) {
  if (alias == nullptr) {
    return;
  }
  out.alias = text_or_empty(alias->aliasname);
  for (const Node* name : ListOf<>(alias->colnames)) {
    out.column_aliases.emplace_back(string_of(name));
  }
}

JoinKind join_kind(const JoinExpr* node) noexcept {
  switch (node->jointype) {
    case JOIN_LEFT:
      return JoinKind::kLeft;
    case JOIN_RIGHT:
      return JoinKind::kRight;
    case JOIN_FULL:
      return JoinKind::kFull;
    default:
      break;
  }
  const bool conditional =
      node->quals != nullptr || node->isNatural || length_of(node->usingClause) > 0;
  return conditional ? JoinKind::kInner : JoinKind::kCross;
}

}  // namespace

Relation Walker::table(const RangeVar* node) const {
  Relation out;
  out.schema = text_or_empty(node->schemaname);
  out.name = text_or_empty(node->relname);
  out.only = !node->inh;
  set_alias(node->alias, out);
  if (const std::uint32_t at = tokens_.at(node->location); at != Tokens::kNone) {
    const std::uint32_t parts =
        1U + (node->schemaname != nullptr ? 1U : 0U) + (node->catalogname != nullptr ? 1U : 0U);
    out.name_span = span_of(TokenRange{at, at + 2 * parts - 1});
  }
  return out;
}

Relation Walker::table_of_names(const List* names) const {
  Relation out;
  const ListOf<> parts(names);
  if (!parts.empty()) {
    out.name = string_of(parts.back());
  }
  if (parts.size() > 1) {
    out.schema = string_of(parts[parts.size() - 2]);
  }
  return out;
}

void Walker::from_list(const List* items, Block& block) {
  for (const Node* item : ListOf<>(items)) {
    block.root_joins.push_back(from_item(item, block));
  }
}

std::uint32_t Walker::leaf(Relation relation, Block& block) {
  JoinNode node;
  node.relation = static_cast<std::uint32_t>(block.relations.size());
  node.on.kind = Predicate::Kind::kAnd;
  block.relations.push_back(std::move(relation));
  block.join_nodes.push_back(std::move(node));
  return static_cast<std::uint32_t>(block.join_nodes.size() - 1);
}

std::uint32_t Walker::from_item(const Node* node, Block& block) {
  const DepthGuard guard(*this);
  if (!guard) {
    return 0;
  }
  Relation out;
  switch (node->type) {
    case T_RangeVar: {
      const auto* named = as<RangeVar>(node);
      out = table(named);
      if (const auto cte = named->schemaname == nullptr ? visible_cte(out.name) : std::nullopt) {
        out.kind = Relation::Kind::kCte;
        out.block = *cte;
      }
      break;
    }
    case T_RangeSubselect: {
      const auto* subselect = as<RangeSubselect>(node);
      out.kind = Relation::Kind::kSubquery;
      out.lateral = subselect->lateral;
      set_alias(subselect->alias, out);
      if (is_node(subselect->subquery, T_SelectStmt)) {
        out.block = select(as<SelectStmt>(subselect->subquery));
      } else {
        mark_unknown();
      }
      break;
    }
    case T_RangeFunction:
      function_relation(as<RangeFunction>(node), out);
      break;
    case T_RangeTableFunc:
      table_function(as<RangeTableFunc>(node), out);
      break;
    case T_RangeTableSample:
      table_sample(as<RangeTableSample>(node), out);
      break;
    case T_JoinExpr:
      return join(as<JoinExpr>(node), block);
    default:
      mark_unknown();
      out.kind = Relation::Kind::kOther;
      break;
  }
  return leaf(std::move(out), block);
}

void Walker::table_sample(const RangeTableSample* node, Relation& out) {
  if (!is_node(node->relation, T_RangeVar)) {
    mark_unknown();
    return;
  }
  out = table(as<RangeVar>(node->relation));  // a CTE cannot be sampled
  out.tablesample = true;
  collect_list(node->args, out.facts);
  collect(node->repeatable, out.facts);
}

void Walker::function_relation(const RangeFunction* node, Relation& out) {
  out.kind = Relation::Kind::kFunction;
  out.lateral = node->lateral;
  for (const auto* item : ListOf<List>(node->functions)) {
    const Node* call = ListOf<>(item)[0];
    collect(call, out.facts);
    if (out.name.empty()) {
      out.name = output_name(call);
    }
  }
  set_alias(node->alias, out);
  for (const auto* definition : ListOf<ColumnDef>(node->coldeflist)) {
    out.column_aliases.push_back(text_or_empty(definition->colname));
  }
}

void Walker::table_function(const RangeTableFunc* node, Relation& out) {
  out.kind = Relation::Kind::kOther;
  out.name = "xmltable";
  out.lateral = node->lateral;
  collect(node->docexpr, out.facts);
  collect(node->rowexpr, out.facts);
  collect_list(node->namespaces, out.facts);
  for (const auto* item : ListOf<RangeTableFuncCol>(node->columns)) {
    collect(item->colexpr, out.facts);
    collect(item->coldefexpr, out.facts);
  }
  set_alias(node->alias, out);
}

std::uint32_t Walker::join(const JoinExpr* node, Block& block) {
  JoinNode out;
  out.is_leaf = false;
  out.kind = join_kind(node);
  out.left = from_item(node->larg, block);
  out.right = from_item(node->rarg, block);
  out.natural = node->isNatural;
  for (const Node* name : ListOf<>(node->usingClause)) {
    out.using_columns.emplace_back(string_of(name));
  }
  if (node->join_using_alias != nullptr) {
    out.using_alias = text_or_empty(node->join_using_alias->aliasname);
  }
  if (node->alias != nullptr) {
    out.alias = text_or_empty(node->alias->aliasname);
    for (const Node* name : ListOf<>(node->alias->colnames)) {
      out.column_aliases.emplace_back(string_of(name));
    }
  }
  if (node->quals != nullptr || out.kind == JoinKind::kCross) {
    predicate(node->quals, out.on);
    collect(node->quals, out.on_facts);
  }
  block.join_nodes.push_back(std::move(out));
  return static_cast<std::uint32_t>(block.join_nodes.size() - 1);
}

}  // namespace sherd::sql
