#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sherd/base/ids.hpp>

// What the shards' catalogs say (read by `catalog`): tables, columns, keys, functions. The schema
// is the same on every shard; it is read from the home shard and its fingerprint compared with the
// others'.

namespace sherd::topology {

struct Column {
  std::string name;
  Oid type = 0;
  std::string type_name{};  // as format_type prints it: "character varying(20)"
  std::int32_t typmod = -1;
  bool not_null = false;
  std::string collation{};           // "" where the type has none; "default", "C", "en_US.utf8"
  std::string default_expression{};  // "" if none; "nextval('t_id_seq'::regclass)"
  char identity = '\0';              // 'a' always, 'd' by default
  bool generated = false;            // GENERATED ALWAYS AS (…) STORED
};

enum class RelationKind : std::uint8_t {
  kTable,
  kPartitionedTable,
  kView,
  kMaterializedView,
  kForeignTable,
  kSequence
};

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
  bool has_parent = false;  // inherits, or is a partition
  bool has_children = false;
  bool has_triggers = false;  // user triggers
  bool has_rules = false;
  std::string view_definition{};  // of views

  [[nodiscard]] const Column* column(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> column_index(std::string_view name) const noexcept;
};

enum class Volatility : std::uint8_t { kImmutable, kStable, kVolatile };

/// What all overloads of a function name have in common.
struct FunctionInfo {
  bool is_aggregate = false;  // any overload
  bool is_window = false;
  bool is_set_returning = false;
  bool is_builtin = false;                         // every overload is in pg_catalog
  Volatility volatility = Volatility::kImmutable;  // the worst of them
  std::string source{};  // bodies of users' overloads, "" of the server's own
};

/// Looks strings up by string_view without making one.
struct TextHash {
  using is_transparent = void;
  [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
using FunctionMap = std::unordered_map<std::string, FunctionInfo, TextHash, std::equal_to<>>;

/// "schema.name" as two parts: key of an index over relations.
struct NamePair {
  std::string schema;
  std::string name;
};
struct NameView {
  std::string_view schema;
  std::string_view name;
};
struct NameHash {
  using is_transparent = void;
  [[nodiscard]] std::size_t operator()(NameView n) const noexcept {
    const std::hash<std::string_view> hash;
    return hash(n.name) * 31 + hash(n.schema);
  }
  [[nodiscard]] std::size_t operator()(const NamePair& n) const noexcept {
    return (*this)(NameView{n.schema, n.name});
  }
};
struct NameEqual {
  using is_transparent = void;
  static NameView view(NameView n) noexcept { return n; }
  static NameView view(const NamePair& n) noexcept { return {n.schema, n.name}; }
  template <class A, class B>
  [[nodiscard]] bool operator()(const A& a, const B& b) const noexcept {
    const NameView x = view(a);
    const NameView y = view(b);
    return x.name == y.name && x.schema == y.schema;
  }
};
using NameIndex = std::unordered_map<NamePair, std::uint32_t, NameHash, NameEqual>;

/// Immutable once built; shared by snapshots.
class Schema {
 public:
  struct Parts {
    std::vector<RelationInfo> relations{};
    FunctionMap functions{};           // by bare name, lower case
    std::string database_collation{};  // datcollate: "C", "C.UTF-8", "en_US.UTF-8"
    std::string collation_version{};   // version of the provider, "" if unknown
    char collation_provider = 'c';     // 'c' libc, 'i' icu
    std::string encoding{"UTF8"};
    std::uint32_t server_version_num = 0;
    std::string fingerprint{};  // equal on two shards with the same schema
  };
  Schema() = default;
  explicit Schema(Parts parts);

  /// nullptr if there is none. Cost: one hash look-up, no allocation.
  [[nodiscard]] const RelationInfo* find(std::string_view schema, std::string_view name) const;
  [[nodiscard]] const FunctionInfo* function(std::string_view name) const;
  [[nodiscard]] const Parts& parts() const noexcept { return parts_; }

 private:
  Parts parts_{};
  NameIndex by_name_{};
};

}  // namespace sherd::topology
