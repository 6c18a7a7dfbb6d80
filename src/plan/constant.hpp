#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/pgtypes/key.hpp>

#include "input.hpp"
#include "scope.hpp"

// Values of a statement as shard keys: only where the result is certain.

namespace sherd::plan {

/// What an operand is as a key.
struct Constant {
  enum class Kind : std::uint8_t {
    kUnknown,  // may be any value
    kKey,
    kNull,
    kNone,  // a value that no key of this type equals
  };
  Kind kind = Kind::kUnknown;
  pgtypes::Key key{};
  [[nodiscard]] bool is_key() const noexcept { return kind == Kind::kKey; }
};

/// The column that an operand is compared with, or assigned to.
struct KeyColumn {
  pgtypes::KeyType type = pgtypes::KeyType::kInt8;  // that keys are made of: one for a whole family
  Oid oid = 0;                                      // the column's own
};
/// A column of type `type`, which must have a family. Integers of every width become kInt8 keys and
/// varchar kText, so that keys of columns that are compared with each other can be.
[[nodiscard]] KeyColumn key_column_of(Oid type) noexcept;

/// The key that `operand` stands for beside `column`.
/// @param certain  whether a parameter without a declared type must have the column's type.
/// @param scratch  holds the key's text where it had to be made; must outlive the key.
/// @return errors of key_from_text and key_from_binary where the value is none of the type.
[[nodiscard]] Result<Constant> constant_of(
    std::span<const sql::Literal> literals, const Parameters& parameters,
    const sql::Operand& operand, KeyColumn column, bool certain, std::string& scratch
);

/// The elements of an array that stands right of `= ANY`, or nullopt where they are not known for
/// certain (another type, several dimensions, …). NULL elements match nothing and are left out.
[[nodiscard]] std::optional<std::vector<pgtypes::OwnedKey>> array_of(
    const Input& input, const sql::Operand& operand, KeyColumn column, bool certain
);

/// Whether the name of a cast is the family's own, without a modifier.
[[nodiscard]] bool is_own_cast(const sql::TypeName& cast, Family family) noexcept;

/// Whether each mention of parameter `number` in the statement stands beside a column of one family
/// or under a cast to it, so that the server can infer no other type for it.
[[nodiscard]] bool has_certain_type(
    const Input& input, const Scope& scope, std::uint32_t number, Family family
);

}  // namespace sherd::plan
