#include <algorithm>

#include <sherd/pgtypes/oid.hpp>

#include "points.hpp"

// The predicate algebra: what a condition allows to a key, as a set of shards.

namespace sherd::plan {
namespace {

using pgtypes::OwnedKey;
using sql::CompareOp;
using sql::Operand;
using sql::Predicate;

/// Bounds gathered from several comparisons: tested together, so that a small range of integers can
/// be listed.
struct Bounds {
  std::optional<OwnedKey> low{};
  std::optional<OwnedKey> high{};
  bool low_inclusive = true;
  bool high_inclusive = true;
  [[nodiscard]] bool any() const noexcept { return low || high; }
};

CompareOp flipped(CompareOp op) noexcept {
  switch (op) {
    case CompareOp::kEqual:
      return CompareOp::kEqual;
    case CompareOp::kLess:
      return CompareOp::kGreater;
    case CompareOp::kLessEqual:
      return CompareOp::kGreaterEqual;
    case CompareOp::kGreater:
      return CompareOp::kLess;
    case CompareOp::kGreaterEqual:
      return CompareOp::kLessEqual;
  }
  return op;
}

void tighten(Bounds& bounds, CompareOp op, const pgtypes::Key& key) {
  const bool is_low = op == CompareOp::kGreater || op == CompareOp::kGreaterEqual;
  const bool inclusive = op == CompareOp::kGreaterEqual || op == CompareOp::kLessEqual;
  std::optional<OwnedKey>& bound = is_low ? bounds.low : bounds.high;
  bool& bound_inclusive = is_low ? bounds.low_inclusive : bounds.high_inclusive;
  if (bound) {
    const auto order = pgtypes::compare(key, bound->get());
    if (order == 0) {
      bound_inclusive = bound_inclusive && inclusive;
      return;
    }
    if ((order < 0) == is_low) {
      return;  // the one that is there is tighter
    }
  }
  bound.emplace(key);
  bound_inclusive = inclusive;
}

/// One question: which shards may hold a key of `group` that equals the columns `equal`?
class Algebra {
 public:
  Algebra(
      const Input& input, const Scope& scope, const std::vector<ColumnId>& equal,
      const topology::Group& group
  )
      : input_(input), scope_(scope), equal_(equal), placement_(*group.placement) {}

  [[nodiscard]] ShardSet all() const { return placement_.shards(); }

  /// Shards that `predicate`, seen from `block`, allows. Comparisons that only bound the key go to
  /// `bounds`.
  [[nodiscard]] ShardSet allowed(BlockId block, const Predicate& predicate, Bounds& bounds) {
    switch (predicate.kind) {
      case Predicate::Kind::kAnd:
        return both(block, predicate, bounds);
      case Predicate::Kind::kOr:
        return either(block, predicate);
      case Predicate::Kind::kCompare:
        return compared(block, predicate, bounds);
      case Predicate::Kind::kNotDistinct:
        return equal_to(block, predicate);
      case Predicate::Kind::kIn:
        return listed(block, predicate);
      case Predicate::Kind::kAnyArray:
        return in_array(block, predicate);
      case Predicate::Kind::kIsNull:
        return key_column(block, predicate.left) ? ShardSet() : all();  // no row has a NULL key
      case Predicate::Kind::kConstant:
        return predicate.value ? all() : ShardSet();
      case Predicate::Kind::kInSubquery:
      case Predicate::Kind::kOpaque:
        return all();
    }
    return all();
  }

  [[nodiscard]] ShardSet within(const Bounds& bounds) const {
    if (!bounds.any()) {
      return all();
    }
    strategy::KeyRange range{
        .low_inclusive = bounds.low_inclusive, .high_inclusive = bounds.high_inclusive
    };
    if (bounds.low) {
      range.low = bounds.low->get();
    }
    if (bounds.high) {
      range.high = bounds.high->get();
    }
    ShardSet found;
    placement_.add_owners(range, found);
    return found;
  }

  /// Shards of the values in one column of VALUES lists.
  [[nodiscard]] ShardSet in_values(const sql::Block& block, std::size_t column, ColumnId id) {
    ShardSet found;
    const KeyColumn key = key_column_of(scope_.type_of(id));
    for (const auto& row : block.values) {
      if (column >= row.size() || !add(row[column], key, true, found)) {
        return all();
      }
    }
    return found;
  }

  /// `left` as a column that equals the key, if it is one.
  [[nodiscard]] std::optional<KeyColumn> key_column(BlockId block, const Operand& operand) const {
    if (operand.kind != Operand::Kind::kColumn) {
      return std::nullopt;
    }
    const auto id = scope_.resolve(block, operand.column);
    if (!id || std::ranges::find(equal_, *id) == equal_.end()) {
      return std::nullopt;
    }
    return key_column_of(scope_.type_of(*id));
  }

  void explain(std::string* reason) { reason_ = reason; }

 private:
  [[nodiscard]] bool is_certain(const Operand& operand, KeyColumn column) const {
    if (operand.kind != Operand::Kind::kParameter) {
      return true;
    }
    return is_declared(input_.parameters, operand.number)
           || has_certain_type(input_, scope_, operand.number, family_of(column.oid));
  }

  [[nodiscard]] Constant constant(const Operand& operand, KeyColumn column, bool certain) {
    const auto found =
        constant_of(input_.literals, input_.parameters, operand, column, certain, scratch_);
    return found ? *found : Constant{};  // no value of the type: the server raises the error
  }

  /// Adds the owner of `operand`. @return false if it may be anything.
  [[nodiscard]] bool add(const Operand& operand, KeyColumn column, bool certain, ShardSet& out) {
    const Constant value = constant(operand, column, certain);
    switch (value.kind) {
      case Constant::Kind::kUnknown:
        return false;
      case Constant::Kind::kNull:
      case Constant::Kind::kNone:
        return true;
      case Constant::Kind::kKey:
        break;
    }
    // A key that no shard owns is a key that no row has.
    if (const auto owner = placement_.try_owner(value.key)) {
      out.add(*owner);
    }
    if (reason_ != nullptr && reason_->empty()) {
      std::string text;
      *reason_ = pgtypes::canonical_text(value.key, text);
    }
    return true;
  }

  [[nodiscard]] ShardSet both(BlockId block, const Predicate& predicate, Bounds& bounds) {
    ShardSet found = all();
    for (const Predicate& child : predicate.children) {
      found.intersect(allowed(block, child, bounds));
    }
    return found;
  }

  [[nodiscard]] ShardSet either(BlockId block, const Predicate& predicate) {
    ShardSet found;
    for (const Predicate& child : predicate.children) {
      Bounds own;
      ShardSet arm = allowed(block, child, own);
      arm.intersect(within(own));
      found.unite(arm);
    }
    return found;
  }

  [[nodiscard]] ShardSet compared(BlockId block, const Predicate& predicate, Bounds& bounds) {
    const auto left = key_column(block, predicate.left);
    const auto right = key_column(block, predicate.right);
    if (left.has_value() == right.has_value()) {
      return all();
    }
    const KeyColumn column = left ? *left : *right;
    const Operand& value = left ? predicate.right : predicate.left;
    const CompareOp op = left ? predicate.op : flipped(predicate.op);
    if (op == CompareOp::kEqual) {
      ShardSet found;
      return add(value, column, is_certain(value, column), found) ? found : all();
    }
    return bounded(value, column, op, bounds);
  }

  [[nodiscard]] ShardSet bounded(
      const Operand& value, KeyColumn column, CompareOp op, Bounds& bounds
  ) {
    const Constant bound = constant(value, column, is_certain(value, column));
    if (bound.kind == Constant::Kind::kNull) {
      return {};
    }
    if (bound.is_key() && sorts_like_keys(column)) {
      tighten(bounds, op, bound.key);
    }
    return all();
  }

  /// Whether the server orders the column as keys are ordered: text only by bytes.
  [[nodiscard]] bool sorts_like_keys(KeyColumn column) const {
    if (family_of(column.oid) != Family::kText) {
      return true;
    }
    const auto is_bytes = [](std::string_view collation) {
      return collation == "C" || collation == "POSIX" || collation == "ucs_basic";
    };
    const auto& parts = input_.schema().parts();
    return std::ranges::all_of(equal_, [&](ColumnId id) {
      const std::string_view collation = scope_.collation_of(id);
      return is_bytes(collation)
             || (collation == "default" && parts.collation_provider == 'c'
                 && is_bytes(parts.database_collation));
    });
  }

  [[nodiscard]] ShardSet equal_to(BlockId block, const Predicate& predicate) {
    const auto left = key_column(block, predicate.left);
    const auto right = key_column(block, predicate.right);
    if (left.has_value() == right.has_value()) {
      return all();
    }
    const KeyColumn column = left ? *left : *right;
    const Operand& value = left ? predicate.right : predicate.left;
    ShardSet found;
    return add(value, column, is_certain(value, column), found) ? found : all();
  }

  [[nodiscard]] ShardSet listed(BlockId block, const Predicate& predicate) {
    const auto column = key_column(block, predicate.left);
    if (!column) {
      return all();
    }
    ShardSet found;
    for (const Operand& item : predicate.list) {
      if (!add(item, *column, is_certain(item, *column), found)) {
        return all();
      }
    }
    return found;
  }

  [[nodiscard]] ShardSet in_array(BlockId block, const Predicate& predicate) {
    const auto column = key_column(block, predicate.left);
    if (!column) {
      return all();
    }
    // The column beside it gives the array's element type, unless the parameter is used elsewhere
    // as well.
    const auto keys =
        array_of(input_, predicate.right, *column, is_certain(predicate.right, *column));
    if (!keys) {
      return all();
    }
    ShardSet found;
    for (const OwnedKey& key : *keys) {
      if (const auto owner = placement_.try_owner(key.get())) {
        found.add(*owner);
      }
    }
    return found;
  }

  const Input& input_;
  const Scope& scope_;
  const std::vector<ColumnId>& equal_;
  const strategy::Placement& placement_;
  std::string scratch_{};
  std::string* reason_ = nullptr;
};

void gather_operands(const Algebra& algebra, const Fact& fact, std::vector<KeyOperand>& out) {
  const Predicate& predicate = *fact.predicate;
  if (predicate.kind != Predicate::Kind::kCompare || predicate.op != CompareOp::kEqual) {
    return;
  }
  const auto left = algebra.key_column(fact.block, predicate.left);
  const auto right = algebra.key_column(fact.block, predicate.right);
  const Operand& value = left ? predicate.right : predicate.left;
  if (left.has_value() != right.has_value()
      && (value.kind == Operand::Kind::kLiteral || value.kind == Operand::Kind::kParameter)) {
    out.push_back({.operand = &value, .column = left ? *left : *right});
  }
}

bool is_comparable(const Scope& scope, ColumnId column, Family family) {
  return family_of(scope.type_of(column)) == family
         && (family != Family::kText || is_deterministic(scope.collation_of(column)));
}

}  // namespace

std::vector<ColumnId> equal_columns(const Scope& scope, ColumnId column, const Facts& facts) {
  std::vector<ColumnId> found;
  const Family family = family_of(scope.type_of(column));
  if (family == Family::kNone || !is_comparable(scope, column, family)) {
    return found;
  }
  found.push_back(column);
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const Fact& fact : facts) {
      if (fact.kind != Fact::Kind::kEqual && fact.kind != Fact::Kind::kLink) {
        continue;
      }
      const ColumnId* other = fact.a == found[i] ? &fact.b : fact.b == found[i] ? &fact.a : nullptr;
      if (other != nullptr && std::ranges::find(found, *other) == found.end()
          && is_comparable(scope, *other, family)) {
        found.push_back(*other);
      }
    }
  }
  return found;
}

ShardSet allowed_shards(
    const Input& input, const Scope& scope, const std::vector<ColumnId>& equal,
    const topology::Group& group, const Facts& facts, std::vector<KeyOperand>* operands,
    std::string* reason
) {
  Algebra algebra(input, scope, equal, group);
  algebra.explain(reason);
  ShardSet found = algebra.all();
  Bounds bounds;
  for (const Fact& fact : facts) {
    if (fact.kind == Fact::Kind::kPredicate) {
      found.intersect(algebra.allowed(fact.block, *fact.predicate, bounds));
      if (operands != nullptr) {
        gather_operands(algebra, fact, *operands);
      }
    } else if (fact.kind == Fact::Kind::kValues
               && std::ranges::find(equal, fact.a) != equal.end()) {
      found.intersect(algebra.in_values(scope.block(fact.block), fact.column, fact.a));
    }
  }
  found.intersect(algebra.within(bounds));
  return found;
}

}  // namespace sherd::plan
