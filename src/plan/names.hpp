#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "input.hpp"

// Names of relations to what they are in the cluster.

namespace sherd::plan {

enum class RelationClass : std::uint8_t {
  kDistributed,
  kReference,  // also a view over reference tables alone
  kLocal,      // on the home shard: local tables, sequences, catalogs, names that nobody knows
  kDerived,    // subquery or CTE: its block says more
  kFunction,
  kOther,  // something in FROM that is none of these
};

/// A relation of FROM, or the target of a write, with its name resolved. Borrows the snapshot.
struct Named {
  RelationClass kind = RelationClass::kLocal;
  const topology::Table* table = nullptr;        // kDistributed, kReference (not of a view)
  const topology::Group* group = nullptr;        // kDistributed
  const topology::RelationInfo* info = nullptr;  // nullptr: the schema does not know it
  std::optional<std::uint32_t> key{};  // kDistributed: index of the key among info->columns
  [[nodiscard]] bool distributed() const noexcept { return kind == RelationClass::kDistributed; }
  [[nodiscard]] bool reference() const noexcept { return kind == RelationClass::kReference; }
  [[nodiscard]] const topology::Column* key_column() const noexcept {
    return info != nullptr && key ? &info->columns[*key] : nullptr;
  }
};

/// What `schema`.`name` (schema "": by the search path) is.
/// @return kUnsupported for what hides distributed rows: a view over them, a partition or parent of
/// theirs. Cost: one or two hash look-ups per schema of the search path; a view is parsed.
[[nodiscard]] Result<Named> resolve_name(
    const Context& context, std::string_view schema, std::string_view name
);

/// Where the search path finds `name`: its schema, or "" if nowhere.
[[nodiscard]] std::string_view schema_of(const Context& context, std::string_view name);

}  // namespace sherd::plan
