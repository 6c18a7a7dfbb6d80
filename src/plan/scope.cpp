#include "scope.hpp"

#include <algorithm>
#include <array>

#include <sherd/pgtypes/oid.hpp>

namespace sherd::plan {
namespace {

using sql::Relation;

/// Hidden names: a join with an alias of its own (or of its USING columns) is too seldom to be
/// followed.
bool has_aliased_join(const sql::Block& block) {
  return std::ranges::any_of(block.join_nodes, [](const sql::JoinNode& node) {
    return !node.alias.empty() || !node.using_alias.empty();
  });
}

std::string_view name_of_column(const Relation& relation, const Named& named, std::uint32_t index) {
  return index < relation.column_aliases.size() ? std::string_view(relation.column_aliases[index])
                                                : std::string_view(named.info->columns[index].name);
}

/// Only what cannot be anything else: plain integers, and plain strings, which VALUES makes text.
Oid type_of_values(
    const sql::Block& block, std::size_t column, std::span<const sql::Literal> literals
) {
  constexpr std::size_t kInt8Digits = 18;
  Oid type = 0;
  for (const auto& row : block.values) {
    const bool literal = column < row.size() && row[column].kind == sql::Operand::Kind::kLiteral
                         && row[column].cast.empty() && row[column].number < literals.size();
    if (!literal) {
      return 0;
    }
    const sql::Literal& value = literals[row[column].number];
    const bool integer =
        value.kind == sql::Literal::Kind::kInteger && value.raw.size() <= kInt8Digits;
    const bool text = value.kind == sql::Literal::Kind::kString && !row[column].negated;
    const Oid now = integer ? oid::kInt8 : text ? oid::kText : 0;
    if (now == 0 || (type != 0 && type != now)) {
      return 0;
    }
    type = now;
  }
  return type;
}

}  // namespace

Family family_of(Oid type) noexcept {
  switch (type) {
    case oid::kInt2:
    case oid::kInt4:
    case oid::kInt8:
      return Family::kInteger;
    case oid::kText:
    case oid::kVarchar:
      return Family::kText;
    case oid::kUuid:
      return Family::kUuid;
    case oid::kDate:
      return Family::kDate;
    case oid::kTimestamp:
      return Family::kTimestamp;
    case oid::kTimestamptz:
      return Family::kTimestamptz;
    case oid::kNumeric:
      return Family::kNumeric;
    default:
      return Family::kNone;
  }
}

bool is_deterministic(std::string_view collation) noexcept {
  constexpr std::array<std::string_view, 6> kKnown = {"",      "default",   "C",
                                                      "POSIX", "ucs_basic", "unicode"};
  if (collation.starts_with("pg_catalog.")) {
    collation.remove_prefix(11);
  }
  return std::ranges::find(kKnown, collation) != kKnown.end() || collation.ends_with(".utf8")
         || collation.ends_with("-x-icu");
}

Result<Scope> Scope::build(const Input& input) {
  Scope scope;
  scope.statement_ = &input.statement;
  scope.literals_ = input.literals;
  const auto& blocks = input.statement.blocks;
  scope.first_.reserve(blocks.size());
  for (const sql::Block& block : blocks) {
    scope.first_.push_back(static_cast<std::uint32_t>(scope.relations_.size()));
    for (const Relation& relation : block.relations) {
      switch (relation.kind) {
        case Relation::Kind::kTable: {
          SHERD_TRY(Named named, resolve_name(input.context, relation.schema, relation.name));
          scope.relations_.push_back(std::move(named));
          break;
        }
        case Relation::Kind::kSubquery:
        case Relation::Kind::kCte:
          scope.relations_.push_back({.kind = RelationClass::kDerived});
          break;
        case Relation::Kind::kFunction:
          scope.relations_.push_back({.kind = RelationClass::kFunction});
          break;
        case Relation::Kind::kOther:
          scope.relations_.push_back({.kind = RelationClass::kOther});
          break;
      }
    }
  }
  scope.attach_blocks(input);
  scope.cache_.resize(blocks.size());
  return scope;
}

void Scope::attach(const sql::ExpressionFacts& facts, BlockId parent) {
  for (const BlockId inner : facts.subqueries) {
    if (inner < places_.size() && statement_->blocks[inner].parent == parent) {
      places_[inner] = {.kind = Attachment::kExpression, .parent = parent};
    }
  }
}

void Scope::attach_blocks(const Input& input) {
  const auto& blocks = input.statement.blocks;
  places_.assign(blocks.size(), Place{});
  for (BlockId b = 0; b < blocks.size(); ++b) {
    const sql::Block& block = blocks[b];
    attach(block.where_facts, b);
    attach(block.having_facts, b);
    const auto each = [&](const auto& items) {
      for (const auto& item : items) {
        attach(item.facts, b);
      }
    };
    each(block.targets);
    each(block.group_by);
    each(block.order_by);
    for (std::uint32_t i = 0; i < block.relations.size(); ++i) {
      if (block.relations[i].kind == Relation::Kind::kSubquery
          && block.relations[i].block < blocks.size()) {
        places_[block.relations[i].block] = {
            .kind = block.relations[i].lateral ? Attachment::kLateral : Attachment::kFrom,
            .parent = b,
            .relation = i
        };
      }
    }
    if (block.set_operation != sql::SetOperation::kNone) {
      places_[block.set_left] = {.kind = Attachment::kArm, .parent = b};
      places_[block.set_right] = {.kind = Attachment::kArm, .parent = b};
    }
  }
  if (const auto* update = std::get_if<sql::Update>(&input.statement.body)) {
    for (const auto& facts : update->set_facts) {
      attach(facts, 0);
    }
  }
  for (BlockId b = 0; b < blocks.size(); ++b) {
    if (blocks[b].is_cte) {
      places_[b] = Place{};
    } else if (!blocks[b].parent) {
      places_[b].kind = Attachment::kRoot;
    }
  }
}

Scope::Lookup Scope::one_of(Lookup a, Lookup b) const {
  if (a.verdict == Verdict::kUncertain || b.verdict == Verdict::kUncertain) {
    return {.verdict = Verdict::kUncertain};
  }
  if (a.verdict == Verdict::kFound && b.verdict == Verdict::kFound) {
    return {.verdict = Verdict::kUncertain};  // ambiguous: the server says so
  }
  return a.verdict == Verdict::kFound ? a : b;
}

Scope::Lookup Scope::look_up_relation(BlockId block_id, std::uint32_t index, std::string_view name)
    const {
  const Relation& relation = block(block_id).relations[index];
  const Named& named = this->relation(block_id, index);
  if (named.info != nullptr) {
    for (std::uint32_t c = 0; c < named.info->columns.size(); ++c) {
      if (name_of_column(relation, named, c) == name) {
        return {.verdict = Verdict::kFound, .column = {block_id, index, c}};
      }
    }
    return {};
  }
  const auto known = columns(block_id, index);
  if (!known) {
    return {.verdict = Verdict::kUncertain};
  }
  Lookup found;
  for (std::uint32_t c = 0; c < known->size(); ++c) {
    if ((*known)[c].name == name) {
      found = one_of(found, {.verdict = Verdict::kFound, .column = {block_id, index, c}});
    } else if ((*known)[c].name.empty()) {
      return {.verdict = Verdict::kUncertain};
    }
  }
  return found;
}

Scope::Lookup Scope::look_up_node(BlockId block_id, std::uint32_t node_id, std::string_view name)
    const {
  const sql::JoinNode& node = block(block_id).join_nodes[node_id];
  if (node.is_leaf) {
    return look_up_relation(block_id, node.relation, name);
  }
  const Lookup left = look_up_node(block_id, node.left, name);
  const Lookup right = look_up_node(block_id, node.right, name);
  const bool both = left.verdict == Verdict::kFound && right.verdict == Verdict::kFound;
  const bool merged = std::ranges::find(node.using_columns, name) != node.using_columns.end()
                      || (node.natural && both);
  if (!merged || !both) {
    return one_of(left, right);
  }
  switch (node.kind) {
    case sql::JoinKind::kInner:
    case sql::JoinKind::kCross:
    case sql::JoinKind::kLeft:
      return left;
    case sql::JoinKind::kRight:
      return right;
    case sql::JoinKind::kFull:
      break;  // COALESCE of both: no column of either
  }
  return {.verdict = Verdict::kUncertain};
}

Scope::Lookup Scope::look_up_qualified(BlockId block_id, const sql::ColumnRef& name) const {
  const sql::Block& level = block(block_id);
  std::optional<std::uint32_t> which;
  for (std::uint32_t i = 0; i < level.relations.size(); ++i) {
    const Relation& relation = level.relations[i];
    if (relation.visible_name() != name.qualifier) {
      continue;
    }
    if (!name.schema.empty()) {
      const Named& named = this->relation(block_id, i);
      if (!relation.alias.empty() || named.info == nullptr || named.info->schema != name.schema) {
        continue;
      }
    }
    if (which) {
      return {.verdict = Verdict::kUncertain};
    }
    which = i;
  }
  if (!which) {
    return {};
  }
  const Lookup found = look_up_relation(block_id, *which, name.name);
  // The relation is this one; a name that is none of its columns is a system column or an error.
  return found.verdict == Verdict::kFound ? found : Lookup{.verdict = Verdict::kUncertain};
}

Scope::Lookup Scope::look_up(BlockId block_id, const sql::ColumnRef& name) const {
  const sql::Block& level = block(block_id);
  if (has_aliased_join(level)) {
    return {.verdict = Verdict::kUncertain};
  }
  if (!name.qualifier.empty()) {
    return look_up_qualified(block_id, name);
  }
  Lookup found;
  for (const std::uint32_t root : level.root_joins) {
    found = one_of(found, look_up_node(block_id, root, name.name));
  }
  for (const std::uint32_t loose : loose_relations(block_id)) {
    found = one_of(found, look_up_relation(block_id, loose, name.name));
  }
  return found;
}

std::optional<ColumnId> Scope::resolve_here(BlockId block_id, const sql::ColumnRef& name) const {
  const Lookup found = look_up(block_id, name);
  return found.verdict == Verdict::kFound ? std::optional(found.column) : std::nullopt;
}

std::optional<ColumnId> Scope::resolve_in_join(
    BlockId block_id, std::uint32_t node, std::string_view name
) const {
  const Lookup found = look_up_node(block_id, node, name);
  return found.verdict == Verdict::kFound ? std::optional(found.column) : std::nullopt;
}

std::optional<ColumnId> Scope::resolve(BlockId block_id, const sql::ColumnRef& name) const {
  constexpr std::size_t kFew = 8;
  if (relations_.size() <= kFew) {
    return search(block_id, name);
  }
  const auto found = resolved_.find(&name);
  return found != resolved_.end() ? found->second
                                  : resolved_.emplace(&name, search(block_id, name)).first->second;
}

std::optional<ColumnId> Scope::search(BlockId block_id, const sql::ColumnRef& name) const {
  if (name.name == "*") {
    return std::nullopt;
  }
  std::uint32_t visible = ~0U;  // relations from this index on are not visible (LATERAL)
  bool skips = false;           // the level itself is not visible
  while (true) {
    if (!skips) {
      const Lookup found = look_up(block_id, name);
      if (found.verdict == Verdict::kFound && found.column.relation < visible) {
        return found.column;
      }
      if (found.verdict != Verdict::kAbsent) {
        return std::nullopt;
      }
    }
    const Place& place = places_[block_id];
    switch (place.kind) {
      case Attachment::kRoot:
      case Attachment::kDetached:
        return std::nullopt;
      case Attachment::kExpression:
        skips = false;
        visible = ~0U;
        break;
      case Attachment::kLateral:
        skips = false;
        visible = place.relation;
        break;
      case Attachment::kFrom:
      case Attachment::kArm:
        skips = true;
        break;
    }
    block_id = place.parent;
  }
}

Oid Scope::type_of(ColumnId column) const {
  const Named& named = relation(column.block, column.relation);
  if (named.info != nullptr) {
    return named.info->columns[column.column].type;
  }
  const OutColumn* known = derived_column(column);
  return known != nullptr ? known->type : 0;
}

std::string_view Scope::collation_of(ColumnId column) const {
  const Named& named = relation(column.block, column.relation);
  if (named.info != nullptr) {
    return named.info->columns[column.column].collation;
  }
  const OutColumn* known = derived_column(column);
  return known != nullptr && known->type != 0 ? std::string_view(known->collation)
                                              : kUnknownCollation;
}

bool Scope::is_key(ColumnId column) const {
  const Named& named = relation(column.block, column.relation);
  return named.distributed() && named.key == column.column;
}

std::optional<std::vector<OutColumn>> Scope::columns(BlockId block_id, std::uint32_t index) const {
  const Relation& written = block(block_id).relations[index];
  const Named& named = relation(block_id, index);
  std::vector<OutColumn> out;
  if (named.info != nullptr) {
    for (std::uint32_t c = 0; c < named.info->columns.size(); ++c) {
      const topology::Column& column = named.info->columns[c];
      out.push_back(
          {.name = std::string(name_of_column(written, named, c)),
           .source = ColumnId{block_id, index, c},
           .type = column.type,
           .collation = column.collation}
      );
    }
    return out;
  }
  if (named.kind != RelationClass::kDerived) {
    return std::nullopt;
  }
  auto inner = outputs(written.block);
  const std::vector<std::string>* const lists[] = {
      &block(written.block).cte_columns, &written.column_aliases
  };
  for (const auto* names : lists) {
    if (!inner || names->size() > inner->size()) {
      return std::nullopt;
    }
    for (std::size_t c = 0; c < names->size(); ++c) {
      (*inner)[c].name = (*names)[c];
    }
  }
  return inner;
}

const std::optional<std::vector<OutColumn>>& Scope::outputs(BlockId block_id) const {
  static const std::optional<std::vector<OutColumn>> kUnknown;
  if (block_id >= cache_.size() || cache_[block_id].state == Cached::State::kInWork) {
    return kUnknown;
  }
  Cached& cached = cache_[block_id];
  if (cached.state == Cached::State::kEmpty) {
    cached.state = Cached::State::kInWork;
    cached.outputs = make_outputs(block_id);
    cached.state = Cached::State::kMade;
  }
  return cached.outputs;
}

const OutColumn* Scope::derived_column(ColumnId column) const {
  const Relation& written = block(column.block).relations[column.relation];
  if (relation(column.block, column.relation).kind != RelationClass::kDerived) {
    return nullptr;
  }
  const auto& known = outputs(written.block);
  return known && column.column < known->size() ? &(*known)[column.column] : nullptr;
}

bool Scope::expand_star(BlockId block_id, const sql::Target& target, std::vector<OutColumn>& out)
    const {
  const sql::Block& level = block(block_id);
  const bool merges = std::ranges::any_of(level.join_nodes, [](const sql::JoinNode& node) {
    return node.natural || !node.using_columns.empty();
  });
  if (has_aliased_join(level) || (target.column.qualifier.empty() && merges)) {
    return false;
  }
  bool found = false;
  for (std::uint32_t i = 0; i < level.relations.size(); ++i) {
    if (!target.column.qualifier.empty()
        && level.relations[i].visible_name() != target.column.qualifier) {
      continue;
    }
    auto more = columns(block_id, i);
    if (!more || (found && !target.column.qualifier.empty())) {
      return false;
    }
    for (std::uint32_t c = 0; c < more->size(); ++c) {
      (*more)[c].source = ColumnId{block_id, i, c};
    }
    out.insert(
        out.end(), std::make_move_iterator(more->begin()), std::make_move_iterator(more->end())
    );
    found = true;
  }
  return found;
}

std::optional<std::vector<OutColumn>> Scope::make_outputs(BlockId block_id) const {
  const sql::Block& level = block(block_id);
  std::vector<OutColumn> out;
  if (level.set_operation != sql::SetOperation::kNone) {
    auto left = outputs(level.set_left);
    if (left) {
      for (OutColumn& column : *left) {
        column = OutColumn{.name = column.name};
      }
    }
    return left;
  }
  if (!level.values.empty()) {
    for (std::size_t c = 0; c < level.values.front().size(); ++c) {
      out.push_back(
          {.name = "column" + std::to_string(c + 1),
           .type = type_of_values(level, c, literals_),
           .collation = "default"}
      );
    }
    return out;
  }
  for (const sql::Target& target : level.targets) {
    if (target.form == sql::Target::Form::kStar) {
      if (!expand_star(block_id, target, out)) {
        return std::nullopt;
      }
      continue;
    }
    OutColumn column{.name = target.name};
    if (target.form == sql::Target::Form::kColumn) {
      column.source = resolve_here(block_id, target.column);
    }
    if (column.source) {
      column.type = type_of(*column.source);
      column.collation = collation_of(*column.source);
    }
    out.push_back(std::move(column));
  }
  return out;
}

void Scope::leaves(BlockId block_id, std::uint32_t node_id, std::vector<std::uint32_t>& out) const {
  const sql::JoinNode& node = block(block_id).join_nodes[node_id];
  if (node.is_leaf) {
    out.push_back(node.relation);
    return;
  }
  leaves(block_id, node.left, out);
  leaves(block_id, node.right, out);
}

std::vector<std::uint32_t> Scope::loose_relations(BlockId block_id) const {
  const sql::Block& level = block(block_id);
  std::vector<std::uint32_t> loose;
  for (std::uint32_t i = 0; i < level.relations.size(); ++i) {
    const bool in_tree = std::ranges::any_of(level.join_nodes, [&](const sql::JoinNode& node) {
      return node.is_leaf && node.relation == i;
    });
    if (!in_tree) {
      loose.push_back(i);
    }
  }
  return loose;
}

}  // namespace sherd::plan
