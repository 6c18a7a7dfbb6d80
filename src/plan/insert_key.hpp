#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "statements.hpp"

// The shard key of the rows of an INSERT into a distributed table.

namespace sherd::plan {

/// Where INSERT takes a column from, and what it is checked against. Borrows statement and
/// snapshot.
class InsertColumns {
 public:
  InsertColumns(const sql::Insert& insert, const topology::RelationInfo& info)
      : insert_(insert), info_(info) {}

  /// Position of `column` in each row, nullopt if the row does not give it.
  [[nodiscard]] std::optional<std::size_t> position(const topology::Column& column) const;
  /// Whether every row gives a value (no DEFAULT) for `column`.
  [[nodiscard]] bool is_given(const topology::Column& column) const;

 private:
  const sql::Insert& insert_;
  const topology::RelationInfo& info_;
};

/// The operand that gives the key of a row, nullptr where its default does.
[[nodiscard]] const sql::Operand* key_operand(
    const InsertColumns& columns, const topology::Column& key, const sql::InsertRow& row
);

/// The shard that a row with this key belongs to.
/// @param operand  nullptr: the column's default.
/// @return kNullKey; kNoShardForKey; kInvalidText and kin; kUnsupported where the key is not known
/// here.
[[nodiscard]] Result<ShardId> shard_of_row(
    const Input& input, const Named& target, const sql::Operand* operand, std::string& scratch
);

/// What does not depend on values: that the table may be written so at all.
[[nodiscard]] Result<> check_insert(
    const Input& input, const sql::Insert& insert, const Named& target
);

}  // namespace sherd::plan
