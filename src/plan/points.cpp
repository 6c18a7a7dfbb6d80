#include "points.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "functions.hpp"

namespace sherd::plan {
namespace {

using sql::Predicate;

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t item) {
  return std::ranges::find(list, item) != list.end();
}

bool has_grouping_set(const sql::Block& block) {
  return std::ranges::any_of(block.group_by, [](const sql::GroupItem& item) {
    return item.form == sql::GroupItem::Form::kGroupingSet;
  });
}

/// The type is PostgreSQL's own, and so are its comparison operators: strict, all of them.
bool is_builtin(Oid type) {
  constexpr Oid kFirstUserType = 16384;
  return type != 0 && type < kFirstUserType;
}

void add(Fact fact, Facts& out) {
  if (out.size() < kMostFacts) {
    out.push_back(std::move(fact));
  }
}

void append(const Facts& more, Facts& out) {
  const std::size_t room = kMostFacts - std::min(out.size(), kMostFacts);
  out.insert(
      out.end(), more.begin(),
      more.begin() + static_cast<std::ptrdiff_t>(std::min(room, more.size()))
  );
}

bool has_limit(const sql::Block& block) {
  return block.limit.kind != sql::Operand::Kind::kNull
         || block.offset.kind != sql::Operand::Kind::kNull;
}

}  // namespace

Points::Points(const Input& input, const Scope& scope) : input_(input), scope_(scope) {
  const auto& blocks = input.statement.blocks;
  cte_uses_.assign(blocks.size(), 0);
  visited_.assign(blocks.size(), 0);
  facts_.resize(blocks.size());
  for (const sql::Block& block : blocks) {
    for (const sql::Relation& relation : block.relations) {
      if (relation.kind == sql::Relation::Kind::kCte && relation.block < blocks.size()) {
        ++cte_uses_[relation.block];
      }
    }
  }
  children_.resize(blocks.size());
  for (BlockId b = 0; b < blocks.size(); ++b) {
    if (scope.attachment(b) == Attachment::kExpression) {
      children_[*blocks[b].parent].push_back(b);
    }
  }
  for (BlockId b = 0; b < blocks.size(); ++b) {
    if (scope.attachment(b) == Attachment::kRoot) {
      visit_block(b, {});
    }
  }
  visit_remaining();
}

/// Levels that no fact reaches: CTEs used more than once, subqueries in ON and in other odd places.
void Points::visit_remaining() {
  for (BlockId b = 0; b < visited_.size(); ++b) {
    if (visited_[b] == 0) {
      visit_block(b, {});
    }
  }
}

const Confinement* Points::of(BlockId block, std::uint32_t relation) const noexcept {
  for (const Confinement& one : all_) {
    if (one.key.block == block && one.key.relation == relation) {
      return &one;
    }
  }
  return nullptr;
}

ShardSet Points::shards_of_output(BlockId block, ColumnId column, const topology::Group& group)
    const {
  const Facts& facts = facts_of_block(block);
  return allowed_shards(
      input_, scope_, equal_columns(scope_, column, facts), group, facts, nullptr, nullptr
  );
}

// ---------------------------------------------------------------- down

void Points::visit_block(BlockId block_id, const Facts& inherited) {
  if (visited_[block_id] != 0) {
    return;
  }
  visited_[block_id] = 1;
  const sql::Block& block = scope_.block(block_id);
  if (block.set_operation != sql::SetOperation::kNone) {
    visit_block(block.set_left, inherited);
    visit_block(block.set_right, inherited);
    return;
  }
  Facts facts = inherited;
  append(facts_of_block(block_id), facts);
  for (const std::uint32_t root : block.root_joins) {
    visit_node(block_id, root, facts, 0);
  }
  for (const std::uint32_t loose : scope_.loose_relations(block_id)) {
    visit_leaf(block_id, loose, facts, 0);
  }
  visit_expressions(block_id, facts);
}

void Points::visit_expressions(BlockId block_id, const Facts& facts) {
  for (const BlockId inner : children_[block_id]) {
    visit_block(inner, takes_conditions(inner) ? facts : without_own(facts, inner));
  }
}

/// What a subquery says of the rows that it gives out must not come back to it as a condition on
/// all rows it reads, where those that it gives out depend on the others (LIMIT, windows,
/// aggregates).
Facts Points::without_own(const Facts& facts, BlockId inner) const {
  Facts others;
  std::ranges::copy_if(facts, std::back_inserter(others), [&](const Fact& fact) {
    std::optional<BlockId> at = fact.exported_by;
    while (at && *at != inner) {
      at = scope_.block(*at).parent;
    }
    return !at;
  });
  return others;
}

void Points::visit_node(
    BlockId block_id, std::uint32_t node_id, const Facts& facts, std::uint32_t nullable
) {
  const sql::JoinNode& node = scope_.block(block_id).join_nodes[node_id];
  if (node.is_leaf) {
    visit_leaf(block_id, node.relation, facts, nullable);
    return;
  }
  std::vector<std::uint32_t> left;
  std::vector<std::uint32_t> right;
  scope_.leaves(block_id, node.left, left);
  scope_.leaves(block_id, node.right, right);
  const auto rejects_null = [&](const std::vector<std::uint32_t>& side) {
    return std::ranges::any_of(facts, [&](const Fact& fact) {
      return is_strict_on(fact, block_id, side);
    });
  };
  // An outer join whose null-extended rows cannot survive is an inner join, or keeps one side only.
  const bool keeps_left = (node.kind == sql::JoinKind::kLeft || node.kind == sql::JoinKind::kFull)
                          && !rejects_null(right);
  const bool keeps_right = (node.kind == sql::JoinKind::kRight || node.kind == sql::JoinKind::kFull)
                           && !rejects_null(left);
  if (keeps_left && keeps_right) {
    visit_full(block_id, node, nullable);
  } else if (keeps_left) {
    visit_outer(block_id, node_id, {node.left, node.right}, facts, nullable);
  } else if (keeps_right) {
    visit_outer(block_id, node_id, {node.right, node.left}, facts, nullable);
  } else if (node.kind == sql::JoinKind::kInner || node.kind == sql::JoinKind::kCross) {
    visit_node(block_id, node.left, facts, nullable);  // its conditions are among the facts already
    visit_node(block_id, node.right, facts, nullable);
  } else {
    Facts both = facts;
    add_join_conjuncts(block_id, node_id, both);
    add_facts_of_node(block_id, node.left, both);
    add_facts_of_node(block_id, node.right, both);
    visit_node(block_id, node.left, both, nullable);
    visit_node(block_id, node.right, both, nullable);
  }
}

/// Every row of either side comes out: only what each side says of itself holds.
void Points::visit_full(BlockId block_id, const sql::JoinNode& node, std::uint32_t nullable) {
  for (const std::uint32_t child : {node.left, node.right}) {
    Facts own;
    add_facts_of_node(block_id, child, own);
    visit_node(block_id, child, own, nullable + 1);
  }
}

void Points::visit_outer(
    BlockId block_id, std::uint32_t join, Sides sides, const Facts& facts, std::uint32_t nullable
) {
  visit_node(block_id, sides.preserved, facts, nullable);
  std::vector<std::uint32_t> side;
  scope_.leaves(block_id, sides.nullable, side);
  // A row of the nullable side matters as soon as it meets a row of the other: also where the
  // conditions above turn the pair down, for without it that row would be null-extended. So only
  // conditions that hold for both stay.
  Facts inside;
  std::ranges::copy_if(facts, std::back_inserter(inside), [&](const Fact& fact) {
    return !mentions(fact, block_id, side);
  });
  add_join_conjuncts(block_id, join, inside);
  add_facts_of_node(block_id, sides.nullable, inside);
  visit_node(block_id, sides.nullable, inside, nullable + 1);
}

void Points::visit_leaf(
    BlockId block_id, std::uint32_t index, const Facts& facts, std::uint32_t nullable
) {
  const Named& named = scope_.relation(block_id, index);
  if (named.kind == RelationClass::kDerived) {
    visit_derived(block_id, index, facts);
    return;
  }
  if (!named.distributed()) {
    return;
  }
  Confinement one{.group = named.group, .nullable = nullable};
  one.key = {block_id, index, named.key.value_or(~0U)};
  if (!named.key) {
    one.shards = named.group->placement->shards();  // the schema does not know its columns
  } else {
    one.equal = equal_columns(scope_, one.key, facts);
    std::string value;
    one.shards =
        allowed_shards(input_, scope_, one.equal, *named.group, facts, &one.operands, &value);
    if (reason_.empty() && !value.empty()) {
      reason_ = fmt::format("{} = {}", named.table->key_column, value);
    }
  }
  all_.push_back(std::move(one));
}

void Points::visit_derived(BlockId block_id, std::uint32_t index, const Facts& facts) {
  const sql::Relation& relation = scope_.block(block_id).relations[index];
  const auto inner = single_use_block(relation);
  if (!inner || visited_[*inner] != 0) {
    return;
  }
  const bool takes = takes_conditions(*inner);
  Facts inside = takes ? facts : without_own(facts, *inner);
  if (takes) {
    add_links(block_id, index, *inner, true, inside);
  }
  visit_block(*inner, inside);
}

// ---------------------------------------------------------------- up

/// What is true of every row that the joins and WHERE of the level let through.
const Facts& Points::facts_of_block(BlockId block_id) const {
  if (!facts_[block_id]) {
    facts_[block_id] = Facts{};  // a level that comes out of itself (a recursive CTE) says nothing
    facts_[block_id] = make_facts(block_id);
  }
  return *facts_[block_id];
}

Facts Points::make_facts(BlockId block_id) const {
  const sql::Block& block = scope_.block(block_id);
  Facts facts;
  add_conjuncts(block_id, block.where, facts);
  for (const std::uint32_t root : block.root_joins) {
    add_facts_of_node(block_id, root, facts);
  }
  for (const std::uint32_t loose : scope_.loose_relations(block_id)) {
    add_exports(block_id, loose, facts);
  }
  return facts;
}

void Points::add_facts_of_node(BlockId block_id, std::uint32_t node_id, Facts& out) const {
  const sql::JoinNode& node = scope_.block(block_id).join_nodes[node_id];
  if (node.is_leaf) {
    add_exports(block_id, node.relation, out);
    return;
  }
  switch (node.kind) {
    case sql::JoinKind::kInner:
    case sql::JoinKind::kCross:
      add_join_conjuncts(block_id, node_id, out);
      add_facts_of_node(block_id, node.left, out);
      add_facts_of_node(block_id, node.right, out);
      return;
    case sql::JoinKind::kLeft:
      add_facts_of_node(block_id, node.left, out);
      return;
    case sql::JoinKind::kRight:
      add_facts_of_node(block_id, node.right, out);
      return;
    case sql::JoinKind::kFull:
      return;
  }
}

void Points::add_conjuncts(BlockId block_id, const Predicate& predicate, Facts& out) const {
  if (predicate.kind == Predicate::Kind::kAnd) {
    for (const Predicate& child : predicate.children) {
      add_conjuncts(block_id, child, out);
    }
    return;
  }
  if (predicate.kind == Predicate::Kind::kOpaque) {
    return;
  }
  add({.kind = Fact::Kind::kPredicate, .predicate = &predicate, .block = block_id}, out);
  if (predicate.kind == Predicate::Kind::kInSubquery) {
    add_in_subquery(block_id, predicate, out);
    return;
  }
  const bool equates = predicate.kind == Predicate::Kind::kCompare
                       && predicate.op == sql::CompareOp::kEqual
                       && predicate.left.kind == sql::Operand::Kind::kColumn
                       && predicate.right.kind == sql::Operand::Kind::kColumn;
  if (!equates) {
    return;
  }
  const auto left = scope_.resolve(block_id, predicate.left.column);
  const auto right = scope_.resolve(block_id, predicate.right.column);
  if (left && right) {
    add_equality(*left, *right, out);
  }
}

void Points::add_join_conjuncts(BlockId block_id, std::uint32_t node_id, Facts& out) const {
  const sql::JoinNode& node = scope_.block(block_id).join_nodes[node_id];
  const auto merge = [&](std::string_view name) {
    const auto left = scope_.resolve_in_join(block_id, node.left, name);
    const auto right = scope_.resolve_in_join(block_id, node.right, name);
    if (left && right) {
      add_equality(*left, *right, out);
    }
  };
  for (const std::string& name : node.using_columns) {
    merge(name);
  }
  if (!node.natural) {
    add_conjuncts(block_id, node.on, out);
    return;
  }
  std::vector<std::uint32_t> leaves;
  scope_.leaves(block_id, node.left, leaves);
  for (const std::uint32_t leaf : leaves) {
    for (const OutColumn& column :
         scope_.columns(block_id, leaf).value_or(std::vector<OutColumn>{})) {
      merge(column.name);
    }
  }
}

void Points::add_equality(const ColumnId& a, const ColumnId& b, Facts& out) const {
  add({.kind = Fact::Kind::kEqual, .a = a, .b = b}, out);
}

/// What a derived relation says of its rows by itself.
void Points::add_exports(BlockId block_id, std::uint32_t index, Facts& out) const {
  const sql::Relation& relation = scope_.block(block_id).relations[index];
  if (scope_.relation(block_id, index).kind != RelationClass::kDerived) {
    return;
  }
  const auto inner = single_use_block(relation);
  if (!inner) {
    return;
  }
  const sql::Block& block = scope_.block(*inner);
  if (!block.values.empty() && !has_limit(block)) {
    for (std::uint32_t c = 0; c < block.values.front().size(); ++c) {
      add({.kind = Fact::Kind::kValues, .block = *inner, .a = {block_id, index, c}, .column = c},
          out);
    }
    return;
  }
  if (!gives_out_rows(*inner)) {
    return;
  }
  Facts inside = facts_of_block(*inner);
  add_links(block_id, index, *inner, false, inside);
  for (Fact& fact : inside) {
    fact.exported_by = fact.exported_by.value_or(*inner);
  }
  append(inside, out);
}

void Points::add_links(BlockId outer, std::uint32_t index, BlockId inner, bool pushes, Facts& out)
    const {
  const auto columns = scope_.outputs(inner);
  if (!columns) {
    return;
  }
  for (std::uint32_t c = 0; c < columns->size(); ++c) {
    const auto& source = (*columns)[c].source;
    if (source && source->block == inner && is_group_key(inner, *source)) {
      add({.kind = Fact::Kind::kLink,
           .a = {outer, index, c},
           .b = *source,
           .exported_by = pushes ? std::nullopt : std::optional(inner)},
          out);
    }
  }
}

/// left IN (SELECT column …) as a condition that must hold: some row of the subquery equals left.
void Points::add_in_subquery(BlockId block_id, const Predicate& predicate, Facts& out) const {
  if (predicate.left.kind != sql::Operand::Kind::kColumn || predicate.block >= visited_.size()
      || !gives_out_rows(predicate.block)) {
    return;
  }
  const auto left = scope_.resolve(block_id, predicate.left.column);
  const auto columns = scope_.outputs(predicate.block);
  if (!left || !columns || columns->size() != 1 || !columns->front().source
      || columns->front().source->block != predicate.block
      || !is_group_key(predicate.block, *columns->front().source)) {
    return;
  }
  Facts inside = facts_of_block(predicate.block);
  inside.push_back({.kind = Fact::Kind::kLink, .a = *left, .b = *columns->front().source});
  for (Fact& fact : inside) {
    fact.exported_by = fact.exported_by.value_or(predicate.block);
  }
  append(inside, out);
}

bool Points::gives_out_rows(BlockId block_id) const {
  const sql::Block& block = scope_.block(block_id);
  if (block.set_operation != sql::SetOperation::kNone || !block.values.empty()
      || has_grouping_set(block) || block.is_modifying_cte) {
    return false;
  }
  // An aggregate without GROUP BY gives a row out of nothing. A function that nobody knows may be
  // one.
  const auto may_aggregate = [&](const auto& item) {
    return has_aggregate(item.facts, input_.schema())
           || std::ranges::any_of(item.facts.functions, [&](const sql::FunctionCall& call) {
                return input_.schema().function(call.name) == nullptr;
              });
  };
  return !block.group_by.empty()
         || (!block.has_having && std::ranges::none_of(block.targets, may_aggregate)
             && std::ranges::none_of(block.order_by, may_aggregate)
             && std::ranges::none_of(block.distinct_on, may_aggregate));
}

bool Points::takes_conditions(BlockId block_id) const {
  const sql::Block& block = scope_.block(block_id);
  const auto windowed = [&](const auto& items) {
    return std::ranges::any_of(items, [&](const auto& item) {
      return has_window(item.facts, input_.schema());
    });
  };
  return gives_out_rows(block_id) && !has_limit(block) && block.distinct != sql::DistinctKind::kOn
         && !block.has_window_clause && !windowed(block.targets) && !windowed(block.order_by);
}

/// In a grouped level only what it groups by is one value for all rows of a group.
bool Points::is_group_key(BlockId block_id, ColumnId source) const {
  const sql::Block& block = scope_.block(block_id);
  if (block.group_by.empty()) {
    return true;
  }
  return std::ranges::any_of(block.group_by, [&](const sql::GroupItem& item) {
    if (item.form == sql::GroupItem::Form::kColumn) {
      return scope_.resolve_here(block_id, item.column) == source;
    }
    if (item.form != sql::GroupItem::Form::kOrdinal || item.ordinal == 0
        || item.ordinal > block.targets.size()) {
      return false;
    }
    const sql::Target& target = block.targets[item.ordinal - 1];
    return target.form == sql::Target::Form::kColumn
           && scope_.resolve_here(block_id, target.column) == source;
  });
}

std::optional<BlockId> Points::single_use_block(const sql::Relation& relation) const {
  if (relation.block >= visited_.size()) {
    return std::nullopt;
  }
  if (relation.kind == sql::Relation::Kind::kSubquery) {
    return relation.block;
  }
  const bool once = relation.kind == sql::Relation::Kind::kCte && cte_uses_[relation.block] == 1
                    && !input_.statement.has_recursive_cte
                    && !scope_.block(relation.block).is_modifying_cte;
  return once ? std::optional(relation.block) : std::nullopt;
}

// ---------------------------------------------------------------- NULL

bool Points::is_strict_on(
    const Fact& fact, BlockId block_id, const std::vector<std::uint32_t>& side
) const {
  const auto inside = [&](ColumnId id) {
    return id.block == block_id && contains(side, id.relation) && is_builtin(scope_.type_of(id));
  };
  switch (fact.kind) {
    case Fact::Kind::kPredicate:
      return is_strict_on(*fact.predicate, fact.block, block_id, side);
    case Fact::Kind::kEqual:
      return inside(fact.a) || inside(fact.b);
    case Fact::Kind::kLink:
    case Fact::Kind::kValues:
      return false;
  }
  return false;
}

bool Points::is_strict_on(
    const Predicate& predicate, BlockId at, BlockId block_id, const std::vector<std::uint32_t>& side
) const {
  const auto strict = [&](const sql::Operand& operand) {
    const auto id = operand.kind == sql::Operand::Kind::kColumn ? scope_.resolve(at, operand.column)
                                                                : std::nullopt;
    return id && id->block == block_id && contains(side, id->relation)
           && is_builtin(scope_.type_of(*id));
  };
  switch (predicate.kind) {
    case Predicate::Kind::kAnd:
      return std::ranges::any_of(predicate.children, [&](const Predicate& child) {
        return is_strict_on(child, at, block_id, side);
      });
    case Predicate::Kind::kOr:
      return !predicate.children.empty()
             && std::ranges::all_of(predicate.children, [&](const Predicate& child) {
                  return is_strict_on(child, at, block_id, side);
                });
    case Predicate::Kind::kCompare:
      // transform_null_equals makes `x = NULL` an IS NULL.
      return predicate.left.kind != sql::Operand::Kind::kNull
             && predicate.right.kind != sql::Operand::Kind::kNull
             && (strict(predicate.left) || strict(predicate.right));
    case Predicate::Kind::kIn:
    case Predicate::Kind::kAnyArray:
    case Predicate::Kind::kInSubquery:
      return strict(predicate.left);
    default:
      return false;
  }
}

bool Points::mentions(const Fact& fact, BlockId block_id, const std::vector<std::uint32_t>& side)
    const {
  const auto inside = [&](ColumnId id) {
    return id.block == block_id && contains(side, id.relation);
  };
  switch (fact.kind) {
    case Fact::Kind::kPredicate:
      return mentions(*fact.predicate, fact.block, block_id, side);
    case Fact::Kind::kEqual:
    case Fact::Kind::kLink:
      return inside(fact.a) || inside(fact.b);
    case Fact::Kind::kValues:
      return inside(fact.a);
  }
  return true;
}

bool Points::mentions(
    const Predicate& predicate, BlockId at, BlockId block_id, const std::vector<std::uint32_t>& side
) const {
  const auto inside = [&](const sql::Operand& operand) {
    const auto id = operand.kind == sql::Operand::Kind::kColumn ? scope_.resolve(at, operand.column)
                                                                : std::nullopt;
    return id && id->block == block_id && contains(side, id->relation);
  };
  return inside(predicate.left) || inside(predicate.right)
         || std::ranges::any_of(predicate.list, inside)
         || std::ranges::any_of(predicate.children, [&](const Predicate& child) {
              return mentions(child, at, block_id, side);
            });
}

}  // namespace sherd::plan
