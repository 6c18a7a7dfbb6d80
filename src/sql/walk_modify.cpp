#include <utility>

#include "walker.hpp"

namespace sherd::sql {
namespace {

/// VALUES and nothing else: the rows can be dealt out one by one.
bool is_plain_values(const Node* source) noexcept {
  if (!is_node(source, T_SelectStmt)) {
    return false;
  }
  const auto* select = as<SelectStmt>(source);
  return select->valuesLists != nullptr && select->withClause == nullptr
         && select->sortClause == nullptr && select->limitCount == nullptr
         && select->limitOffset == nullptr && select->lockingClause == nullptr
         && select->op == SETOP_NONE;
}

/// Token that ends the source of an INSERT: its ON CONFLICT, if it has one.
std::uint32_t source_end(const Tokens& tokens, TokenRange extent) {
  const std::uint16_t depth = tokens[extent.begin].depth;
  for (std::uint32_t at = extent.end; at-- > extent.begin;) {
    if (tokens.is(at, Keyword::kOn) && tokens.is(at + 1, Keyword::kConflict)
        && tokens[at].depth == depth) {
      return at;
    }
  }
  return extent.end;
}

}  // namespace

void Walker::where(const Node* condition, Block& block) {
  block.where = {};
  predicate(condition, block.where);
  collect(condition, block.where_facts);
}

void Walker::select_statement(const Node* node) {
  const auto* statement = as<SelectStmt>(node);
  const SelectStmt* leaf = statement;
  while (leaf->op != SETOP_NONE) {
    leaf = leaf->larg;
  }
  if (leaf->intoClause != nullptr) {
    Ddl ddl;
    out_.literal_dependent = true;
    create_table_as(node, leaf->intoClause, ddl);
    ddl.tag = "SELECT INTO";
    out_.body = std::move(ddl);
    return;
  }
  static_cast<void>(select(statement));
}

void Walker::insert_statement(const Node* node) {
  const auto* statement = as<InsertStmt>(node);
  Insert insert;
  insert.target = table(statement->relation);
  insert.has_column_list = statement->cols != nullptr;
  for (const auto* name : ListOf<ResTarget>(statement->cols)) {
    insert.columns.push_back(text_or_empty(name->name));
    collect_list(name->indirection, insert.conflict_facts);
    if (name->indirection != nullptr) {
      mark_unknown();  // INSERT INTO t (composite.field)
    }
  }
  insert.has_with = statement->withClause != nullptr;
  insert.has_overriding = statement->override != OVERRIDING_NOT_SET;
  insert.has_on_conflict = statement->onConflictClause != nullptr;
  insert.has_returning = statement->returningList != nullptr;
  if (insert.has_on_conflict) {
    select_stop_ = source_end(tokens_, extent_);
  }
  const bool from_select =
      statement->selectStmt != nullptr && !is_plain_values(statement->selectStmt);
  const std::uint32_t root = from_select ? new_block(false) : 0;
  enter_with(statement->withClause);
  if (statement->selectStmt == nullptr) {
    insert.source = Insert::Source::kDefaultValues;
  } else if (from_select) {
    insert.source = Insert::Source::kSelect;
    insert.select_block = root;
    if (!too_deep_) {
      select_into(as<SelectStmt>(statement->selectStmt), root);
    }
  } else {
    insert_rows(as<SelectStmt>(statement->selectStmt)->valuesLists, insert);
  }
  if (insert.has_on_conflict) {
    insert.conflict_updates = statement->onConflictClause->action == ONCONFLICT_UPDATE;
    for (const auto* set : ListOf<ResTarget>(statement->onConflictClause->targetList)) {
      insert.conflict_set_columns.push_back(text_or_empty(set->name));
    }
    on_conflict(statement->onConflictClause, insert.conflict_facts);
  }
  targets(statement->returningList, insert.returning);
  returning_spans(statement->returningList, insert.returning);
  out_.body = std::move(insert);
}

void Walker::insert_rows(const List* lists, Insert& insert) {
  const std::size_t count = ListOf<>(lists).size();
  insert.rows.resize(count);
  insert.row_facts.resize(count);
  std::size_t i = 0;
  for (const auto* row : ListOf<List>(lists)) {
    InsertRow& out = insert.rows[i];
    out.values.resize(ListOf<>(row).size());
    std::size_t k = 0;
    for (const Node* value : ListOf<>(row)) {
      operand(value, out.values[k++]);
      collect(value, insert.row_facts[i]);
      if (expands(value)) {
        mark_unknown();
      }
    }
    ++i;
  }
  insert_row_spans(lists, insert);
}

void Walker::insert_row_spans(const List* lists, Insert& insert) const {
  const auto* first_row = ListOf<List>(lists)[0];
  const std::uint32_t values = values_before(tokens_, tokens_.at(leftmost(ListOf<>(first_row)[0])));
  if (values == Tokens::kNone) {
    return;
  }
  TokenRange all{values + 1, std::min(select_stop_, extent_.end)};
  for (std::uint32_t at = all.begin; at < all.end; ++at) {
    if (tokens_.is(at, '(')) {
      at = tokens_[at].match;
    } else if (!tokens_.is(at, ',')) {
      all.end = at;  // RETURNING
    }
  }
  const std::vector<TokenRange> groups = split_at_commas(tokens_, all);
  if (groups.size() != insert.rows.size()) {
    return;
  }
  insert.rows_span = span_of(all);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    InsertRow& row = insert.rows[i];
    row.span = span_of(groups[i]);
    const auto parts = split_at_commas(tokens_, TokenRange{groups[i].begin + 1, groups[i].end - 1});
    for (std::size_t k = 0; parts.size() == row.values.size() && k < parts.size(); ++k) {
      row.values[k].span = span_of(parts[k]);
    }
  }
}

void Walker::on_conflict(const OnConflictClause* node, ExpressionFacts& facts) {
  if (node->infer != nullptr) {
    collect_list(node->infer->indexElems, facts);
    collect(node->infer->whereClause, facts);
  }
  collect_list(node->targetList, facts);
  collect(node->whereClause, facts);
}

void Walker::update_statement(const Node* node) {
  const auto* statement = as<UpdateStmt>(node);
  Update out;
  Block& block = out_.blocks[new_block(false)];
  current_ = 0;
  update(statement, block, out);
  out_.body = std::move(out);
}

void Walker::update(const UpdateStmt* statement, Block& block, Update& out) {
  enter_with(statement->withClause);
  out.target = table(statement->relation);
  out.has_from = statement->fromClause != nullptr;
  out.has_returning = statement->returningList != nullptr;
  out.has_with = statement->withClause != nullptr;
  out.where_current_of = is_node(statement->whereClause, T_CurrentOfExpr);
  block.root_joins.push_back(leaf(out.target, block));
  for (const auto* target : ListOf<ResTarget>(statement->targetList)) {
    set_column(target, out);
  }
  from_list(statement->fromClause, block);
  where(statement->whereClause, block);
  targets(statement->returningList, block.targets);
  cut_modification(
      Keyword::kUpdate, statement->withClause, out.has_from, statement->whereClause != nullptr,
      block
  );
  returning_spans(statement->returningList, block.targets);
}

// SET a = 1, (b, c) = (2, 3), (d, e) = (SELECT …)
void Walker::set_column(const ResTarget* target, Update& out) {
  out.set_columns.push_back(text_or_empty(target->name));
  Operand& value = out.set_values.emplace_back();
  ExpressionFacts& facts = out.set_facts.emplace_back();
  collect_list(target->indirection, facts);
  if (!is_node(target->val, T_MultiAssignRef)) {
    if (target->indirection == nullptr) {
      operand(target->val, value);
    }
    collect(target->val, facts);
    return;
  }
  const auto* part = as<MultiAssignRef>(target->val);
  if (is_node(part->source, T_RowExpr)) {
    const List* args = as<RowExpr>(part->source)->args;
    const ListOf<> values(args);
    if (std::cmp_equal(values.size(), part->ncolumns) && !any_expands(args)) {
      if (target->indirection == nullptr) {
        operand(values[static_cast<std::size_t>(part->colno - 1)], value);
      }
      collect(values[static_cast<std::size_t>(part->colno - 1)], facts);
      return;
    }
    mark_unknown();
  } else if (!is_node(part->source, T_SubLink)) {
    mark_unknown();  // PostgreSQL refuses it
  }
  if (part->colno == 1 || is_node(part->source, T_SubLink)) {
    collect(part->source, facts);
  }
}

void Walker::delete_statement(const Node* node) {
  Delete out;
  Block& block = out_.blocks[new_block(false)];
  current_ = 0;
  delete_from(as<DeleteStmt>(node), block, out);
  out_.body = std::move(out);
}

void Walker::delete_from(const DeleteStmt* statement, Block& block, Delete& out) {
  enter_with(statement->withClause);
  out.target = table(statement->relation);
  out.has_using = statement->usingClause != nullptr;
  out.has_returning = statement->returningList != nullptr;
  out.has_with = statement->withClause != nullptr;
  out.where_current_of = is_node(statement->whereClause, T_CurrentOfExpr);
  block.root_joins.push_back(leaf(out.target, block));
  from_list(statement->usingClause, block);
  where(statement->whereClause, block);
  targets(statement->returningList, block.targets);
  cut_modification(
      Keyword::kDelete, statement->withClause, out.has_using, statement->whereClause != nullptr,
      block
  );
  returning_spans(statement->returningList, block.targets);
}

// The join condition and the WHENs restrict the target in ways that are not stated: nothing is
// concluded from them.
void Walker::merge_statement(const Node* node) {
  const auto* statement = as<MergeStmt>(node);
  Merge merge;
  merge.target = table(statement->relation);
  Block& block = out_.blocks[new_block(false)];
  current_ = 0;
  enter_with(statement->withClause);
  block.root_joins.push_back(leaf(merge.target, block));
  block.root_joins.push_back(from_item(statement->sourceRelation, block));
  block.where = {};
  collect(statement->joinCondition, block.where_facts);
  for (const auto* clause : ListOf<MergeWhenClause>(statement->mergeWhenClauses)) {
    collect(clause->condition, block.where_facts);
    collect_list(clause->targetList, block.where_facts);
    collect_list(clause->values, block.where_facts);
  }
  block.span = span_of(extent_);
  out_.body = std::move(merge);
}

void Walker::modifying_cte(const Node* node, std::uint32_t index) {
  const DepthGuard guard(*this);
  if (!guard) {
    return;
  }
  Block& block = out_.blocks[index];
  block.is_modifying_cte = true;
  const std::size_t visible = ctes_.size();
  const std::optional<std::uint32_t> outer = std::exchange(current_, index);
  switch (node->type) {
    case T_InsertStmt:
      modifying_insert(as<InsertStmt>(node), block);
      break;
    case T_UpdateStmt: {
      Update ignored;
      update(as<UpdateStmt>(node), block, ignored);
      for (ExpressionFacts& facts : ignored.set_facts) {
        add_facts(std::move(facts), block.values_facts);
      }
      break;
    }
    case T_DeleteStmt: {
      Delete ignored;
      delete_from(as<DeleteStmt>(node), block, ignored);
      break;
    }
    default:
      mark_unknown();
      break;
  }
  current_ = outer;
  ctes_.resize(visible);
}

void Walker::modifying_insert(const InsertStmt* statement, Block& block) {
  const std::uint32_t outer_stop = select_stop_;
  select_stop_ =
      statement->onConflictClause == nullptr ? extent_.end : source_end(tokens_, extent_);
  enter_with(statement->withClause);
  block.root_joins.push_back(leaf(table(statement->relation), block));
  for (const auto* name : ListOf<ResTarget>(statement->cols)) {
    collect_list(name->indirection, block.values_facts);
  }
  if (is_plain_values(statement->selectStmt)) {
    values_lists(as<SelectStmt>(statement->selectStmt)->valuesLists, block);
  } else if (statement->selectStmt != nullptr) {
    static_cast<void>(select(as<SelectStmt>(statement->selectStmt)));
  }
  if (statement->onConflictClause != nullptr) {
    on_conflict(statement->onConflictClause, block.where_facts);
  }
  targets(statement->returningList, block.targets);
  returning_spans(statement->returningList, block.targets);
  block.span = span_of(extent_);
  select_stop_ = outer_stop;
}

void Walker::add_facts(ExpressionFacts&& more, ExpressionFacts& facts) {
  facts.columns.insert(facts.columns.end(), more.columns.begin(), more.columns.end());
  facts.functions.insert(facts.functions.end(), more.functions.begin(), more.functions.end());
  facts.subqueries.insert(facts.subqueries.end(), more.subqueries.begin(), more.subqueries.end());
  facts.has_parameter |= more.has_parameter;
  facts.has_operator_qualified |= more.has_operator_qualified;
}

}  // namespace sherd::sql
