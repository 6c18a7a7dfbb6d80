#include "walker.hpp"

namespace sherd::sql {
namespace {

// libpg_query numbers LimitOption from a default of 0, unlike the server's header. (Of all enums
// and structs that are read here it is the only one that differs; compare pg_query.proto.)
constexpr int kWithTies = 2;

bool is_distinct_all(const List* clause) noexcept {
  return length_of(clause) == 1 && ListOf<>(clause)[0] == nullptr;
}

const Node* without_collation(const Node* node) noexcept {
  return is_node(node, T_CollateClause) ? as<CollateClause>(node)->arg : node;
}

/// 1 for `ORDER BY 1`; 0 for a constant that is no position.
std::optional<std::uint32_t> ordinal_of(const Node* node) noexcept {
  if (!is_node(node, T_A_Const)) {
    return std::nullopt;
  }
  if (as<A_Const>(node)->isnull || as<A_Const>(node)->val.node.type != T_Integer) {
    return 0;
  }
  const int value = as<A_Const>(node)->val.ival.ival;
  return value > 0 ? static_cast<std::uint32_t>(value) : 0;
}

}  // namespace

std::uint32_t Walker::select(const SelectStmt* statement) {
  const std::uint32_t index = new_block(false);
  if (!too_deep_) {
    select_into(statement, index);
  }
  return index;
}

void Walker::select_into(const SelectStmt* statement, std::uint32_t index) {
  const DepthGuard guard(*this);
  if (!guard) {
    return;
  }
  const std::size_t visible = ctes_.size();
  const std::optional<std::uint32_t> outer = std::exchange(current_, index);
  enter_with(statement->withClause);
  Block& block = out_.blocks[index];
  if (statement->op != SETOP_NONE) {
    set_operation(statement, index);
  } else if (statement->valuesLists != nullptr) {
    values_lists(statement->valuesLists, block);
  } else {
    plain_select(statement, block);
  }
  tail(statement, block);
  if (!too_deep_) {
    cut_select(statement, index);
  }
  current_ = outer;
  ctes_.resize(visible);
}

void Walker::plain_select(const SelectStmt* statement, Block& block) {
  const ListOf<ResTarget> list(statement->targetList);
  const bool is_table_command = list.size() == 1 && is_node(list[0]->val, T_ColumnRef)
                                && as<::ColumnRef>(list[0]->val)->location < 0;  // TABLE t
  plain_selects_ += is_table_command ? 0 : 1;
  block.has_into = statement->intoClause != nullptr;
  targets(statement->targetList, block.targets);
  from_list(statement->fromClause, block);
  where(statement->whereClause, block);
  block.group_by.resize(ListOf<>(statement->groupClause).size());
  std::size_t i = 0;
  for (const Node* item : ListOf<>(statement->groupClause)) {
    group_item(item, block.group_by[i++]);
  }
  block.group_distinct = statement->groupDistinct;
  block.has_having = statement->havingClause != nullptr;
  collect(statement->havingClause, block.having_facts);
  block.has_window_clause = length_of(statement->windowClause) > 0;
  collect_list(statement->windowClause, block.window_facts);
  if (length_of(statement->distinctClause) == 0) {
    return;
  }
  if (is_distinct_all(statement->distinctClause)) {
    block.distinct = DistinctKind::kAll;
    return;
  }
  block.distinct = DistinctKind::kOn;
  for (const Node* item : ListOf<>(statement->distinctClause)) {
    group_item(item, block.distinct_on.emplace_back());
  }
}

void Walker::set_operation(const SelectStmt* statement, std::uint32_t index) {
  Block& block = out_.blocks[index];
  switch (statement->op) {
    case SETOP_UNION:
      block.set_operation = statement->all ? SetOperation::kUnionAll : SetOperation::kUnion;
      break;
    case SETOP_INTERSECT:
      block.set_operation = SetOperation::kIntersect;
      break;
    default:
      block.set_operation = SetOperation::kExcept;
      break;
  }
  block.set_all = statement->all;
  block.set_left = select(statement->larg);
  block.set_right = select(statement->rarg);
}

void Walker::values_lists(const List* lists, Block& block) {
  for (const auto* row : ListOf<List>(lists)) {
    std::vector<Operand>& values = block.values.emplace_back();
    values.resize(ListOf<>(row).size());
    std::size_t i = 0;
    for (const Node* value : ListOf<>(row)) {
      operand(value, values[i++]);
      collect(value, block.values_facts);
      if (expands(value)) {
        mark_unknown();
      }
    }
  }
}

// Names of a WITH are visible to what follows, under RECURSIVE to themselves and to each other.
void Walker::enter_with(const WithClause* with) {
  if (with == nullptr) {
    return;
  }
  out_.has_recursive_cte |= with->recursive;
  std::vector<std::uint32_t> blocks;
  for (const auto* cte : ListOf<CommonTableExpr>(with->ctes)) {
    const std::uint32_t index = new_block(true);
    if (too_deep_) {
      return;
    }
    blocks.push_back(index);
    out_.ctes.push_back({cte->ctename, index});
    if (with->recursive) {
      ctes_.push_back({cte->ctename, index});
    }
  }
  std::size_t i = 0;
  for (const auto* cte : ListOf<CommonTableExpr>(with->ctes)) {
    const std::uint32_t index = blocks[i++];
    build_cte(cte, index);
    if (!with->recursive) {
      ctes_.push_back({cte->ctename, index});
    }
  }
}

void Walker::build_cte(const CommonTableExpr* cte, std::uint32_t index) {
  if (is_node(cte->ctequery, T_SelectStmt)) {
    select_into(as<SelectStmt>(cte->ctequery), index);
  } else {
    const TokenRange outer = std::exchange(extent_, cte_extent(cte));
    modifying_cte(cte->ctequery, index);
    extent_ = outer;
  }
  for (const Node* name : ListOf<>(cte->aliascolnames)) {
    out_.blocks[index].cte_columns.emplace_back(string_of(name));
  }
  if (cte->cycle_clause != nullptr) {
    collect(cte->cycle_clause->cycle_mark_value, out_.blocks[index].where_facts);
    collect(cte->cycle_clause->cycle_mark_default, out_.blocks[index].where_facts);
  }
  // SEARCH and CYCLE add columns that nothing here describes.
  if (cte->cycle_clause != nullptr || cte->search_clause != nullptr) {
    mark_unknown();
  }
}

// name [(columns)] AS [[NOT] MATERIALIZED] ( … )
TokenRange Walker::cte_extent(const CommonTableExpr* cte) const {
  std::uint32_t at = tokens_.at(cte->location);
  if (at == Tokens::kNone || !tokens_.balanced()) {
    return {};
  }
  if (tokens_.is(++at, '(')) {
    at = tokens_[at].match + 1;
  }
  while (at < extent_.end && !tokens_.is(at, '(')) {
    ++at;
  }
  return {at + 1, tokens_[at].match};
}

std::optional<std::uint32_t> Walker::visible_cte(std::string_view name) const noexcept {
  for (auto entry = ctes_.rbegin(); entry != ctes_.rend(); ++entry) {
    if (entry->name == name) {
      return entry->block;
    }
  }
  return std::nullopt;
}

void Walker::targets(const List* list, std::vector<Target>& out) {
  out.resize(ListOf<>(list).size());
  std::size_t i = 0;
  for (const auto* node : ListOf<ResTarget>(list)) {
    target(node, out[i++]);
  }
}

void Walker::target(const ResTarget* node, Target& out) {
  operand(node->val, out.operand);
  collect(node->val, out.facts);
  if (is_node(node->val, T_ColumnRef)) {
    out.form = expands(node->val) ? Target::Form::kStar : Target::Form::kColumn;
    static_cast<void>(column(as<::ColumnRef>(node->val), out.column));
  } else if (is_node(node->val, T_FuncCall)) {
    out.form = Target::Form::kFunction;
  }
  out.has_alias = node->name != nullptr;
  if (out.has_alias) {
    out.name = node->name;
  } else if (!expands(node->val)) {
    out.name = output_name(node->val);
  }
}

void Walker::group_item(const Node* node, GroupItem& out) {
  collect(node, out.facts);
  if (is_node(node, T_GroupingSet)) {
    out.form = GroupItem::Form::kGroupingSet;
    out_.literal_dependent = true;  // may hold ordinals
  } else if (is_node(node, T_ColumnRef) && !expands(node)) {
    out.form = GroupItem::Form::kColumn;
    static_cast<void>(column(as<::ColumnRef>(node), out.column));
  } else if (const auto ordinal = ordinal_of(node)) {
    out.form = GroupItem::Form::kOrdinal;
    out.ordinal = *ordinal;
    out_.literal_dependent = true;
  }
}

void Walker::sort_item(const SortBy* node, SortItem& out) {
  collect(node->node, out.facts);
  const Node* item = without_collation(node->node);
  if (item != node->node) {
    out.has_collation = true;
    out.collation = dotted(as<CollateClause>(node->node)->collname);
  }
  if (is_node(item, T_ColumnRef) && !expands(item)) {
    out.form = SortItem::Form::kColumn;
    static_cast<void>(column(as<::ColumnRef>(item), out.column));
  } else if (const auto ordinal = ordinal_of(node->node)) {
    out.form = SortItem::Form::kOrdinal;
    out.ordinal = *ordinal;
    out_.literal_dependent = true;
  }
  out.descending = node->sortby_dir == SORTBY_DESC;
  out.using_operator = node->sortby_dir == SORTBY_USING;
  if (node->sortby_nulls != SORTBY_NULLS_DEFAULT) {
    out.nulls_first = node->sortby_nulls == SORTBY_NULLS_FIRST;
  }
}

void Walker::tail(const SelectStmt* statement, Block& block) {
  block.order_by.resize(ListOf<>(statement->sortClause).size());
  std::size_t i = 0;
  for (const auto* item : ListOf<SortBy>(statement->sortClause)) {
    sort_item(item, block.order_by[i++]);
  }
  limits(statement, block);
  block.has_locking = length_of(statement->lockingClause) > 0;
}

void Walker::limits(const SelectStmt* statement, Block& block) {
  if (statement->limitCount != nullptr) {
    block.limit = {};
    operand(statement->limitCount, block.limit);
    collect(statement->limitCount, block.limit_facts);
  }
  if (statement->limitOffset != nullptr) {
    block.offset = {};
    operand(statement->limitOffset, block.offset);
    collect(statement->limitOffset, block.limit_facts);
  }
  block.with_ties = static_cast<int>(statement->limitOption) == kWithTies;
}

}  // namespace sherd::sql
