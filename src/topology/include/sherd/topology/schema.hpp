#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sherd/base/ids.hpp>

// What the shards' catalogs say (read by `catalog`): tables, columns, keys, functions. The schema is the same
// on every shard; it is read from the home shard and its fingerprint compared with the others'.

namespace sherd::topology {

struct Column {
  std::string name;
  Oid type = 0;
  std::string type_name{};        // as format_type prints it: "character varying(20)"
  std::int32_t typmod = -1;
  bool not_null = false;
  std::string collation{};        // "" where the type has none; "default", "C", "en_US.utf8"
  std::string default_expression{};  // "" if none; "nextval('t_id_seq'::regclass)"
  char identity = '\0';           // 'a' always, 'd' by default
  bool generated = false;         // GENERATED ALWAYS AS (…) STORED
};

enum class RelationKind : std::uint8_t { kTable, kPartitionedTable, kView, kMaterializedView, kForeignTable, kSequence };

struct UniqueConstraint {
  std::string name;
  std::vector<std::string> columns{};  // an expression is ""
  bool is_primary = false;
};

struct ForeignKey {
  std::string name;
  std::string target_schema;
  std::string target;
  std::vector<std::string> columns{};
  std::vector<std::string> target_columns{};
};

struct RelationInfo {
  std::string schema;
  std::string name;
  RelationKind kind = RelationKind::kTable;
  std::vector<Column> columns{};  // in order, dropped ones left out
  std::vector<UniqueConstraint> unique{};
  std::vector<ForeignKey> foreign_keys{};
  bool has_parent = false;        // inherits, or is a partition
  bool has_children = false;
  bool has_triggers = false;      // user triggers
  bool has_rules = false;
  std::string view_definition{};  // of views

  [[nodiscard]] const Column* column(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> column_index(std::string_view name) const noexcept;
};

enum class Volatility : std::uint8_t { kImmutable, kStable, kVolatile };

/// What all overloads of a function name have in common.
struct FunctionInfo {
  bool is_aggregate = false;   // any overload
  bool is_window = false;
  bool is_set_returning = false;
  bool is_builtin = false;     // every overload is in pg_catalog
  Volatility volatility = Volatility::kImmutable;  // the worst of them
};

/// Immutable once built; shared by snapshots.
class Schema {
 public:
  struct Parts {
    std::vector<RelationInfo> relations{};
    std::unordered_map<std::string, FunctionInfo> functions{};  // by bare name, lower case
    std::string database_collation{};   // datcollate: "C", "C.UTF-8", "en_US.UTF-8"
    std::string collation_version{};    // version of the provider, "" if unknown
    char collation_provider = 'c';      // 'c' libc, 'i' icu
    std::string encoding{"UTF8"};
    std::uint32_t server_version_num = 0;
    std::string fingerprint{};          // equal on two shards with the same schema
  };
  Schema() = default;
  explicit Schema(Parts parts);

  /// nullptr if there is none. Cost: one hash look-up.
  [[nodiscard]] const RelationInfo* find(std::string_view schema, std::string_view name) const;
  [[nodiscard]] const FunctionInfo* function(std::string_view name) const;
  [[nodiscard]] const Parts& parts() const noexcept { return parts_; }

 private:
  Parts parts_{};
  std::unordered_map<std::string, std::uint32_t> by_name_{};  // "schema\0name"
};

}  // namespace sherd::topology
