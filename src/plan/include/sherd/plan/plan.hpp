#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/shard_set.hpp>
#include <sherd/merge/recipe.hpp>
#include <sherd/pgtypes/key.hpp>
#include <sherd/sql/lift.hpp>
#include <sherd/sql/statement.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::plan {

/// Parameters of an extended-protocol statement, as Bind carries them. Borrowed.
struct Parameters {
  std::span<const std::optional<Bytes>> values{};  // nullopt: NULL
  std::span<const std::uint16_t> formats{};        // 0 text, 1 binary; none: all text; one: for all
  std::span<const Oid> types{};  // declared in Parse, or as the server described them; 0 unknown
  /// False while client_encoding is not UTF8: a text beyond ASCII, literal or parameter, is then no
  /// key that could be told here.
  bool text_is_utf8 = true;
  bool known =
      true;  // false: at Parse or Describe time, before values exist: a key in them is not known
};

/// What planning needs of the session. Borrowed.
struct Context {
  const topology::Snapshot* topology = nullptr;
  std::span<const std::string> search_path{
  };  // schemas in order, "$user" already replaced; pg_catalog is implied first
  std::optional<ShardId> forced_shard{};  // SET sherd.shard
  bool standard_conforming_strings = true;
  /// The client's whole text, where `statement` are cached facts of another text with the same
  /// lifted key: spans are then translated (sql::span_in). Empty: `statement` was made from this
  /// very text.
  std::string_view text{};
};

enum class PlanKind : std::uint8_t {
  kSingle,    // tier 0: the client's own text on shards[0]
  kMerge,     // tier 1: `shard_sql` on all of `shards`, rows through `recipe`
  kWriteAll,  // `shard_sql` on all of `shards` in one atomic transaction; tags' counts added up (a
              // write to a distributed table), rows of RETURNING concatenated
  kWriteCopies,  // the same text on every shard (reference table); the answer is the home shard's
                 // alone
  kWriteSplit,   // INSERT split by row: `split[i]` on shards[i], atomically, counts added up
  kAllShards,  // DDL and kin: on every shard, atomically where `in_transaction`; the answer is the
               // home shard's
  kCopyIn,     // COPY FROM STDIN: by row (distributed), to all (reference)
  kCopyOut,    // COPY TO STDOUT from all of `shards`, one after the other
};

struct CopyPlan {
  std::uint32_t key_field = 0;  // position of the key in a row
  std::uint32_t field_count = 0;
  GroupId group{};
  bool replicate = false;  // reference table: every row to every shard
  enum class Format : std::uint8_t { kText, kCsv, kBinary } format = Format::kText;
  char delimiter = '\t';
  std::string null_text{"\\N"};
  char quote = '"';
  char escape = '"';
  bool header = false;
  bool header_match = false;
  std::string key_column{};
  std::string table{};
  pgtypes::KeyType key_type{};   // how to read the key field
  Oid key_oid = 0;               // the column's own type
  std::int32_t key_typmod = -1;  // for pgtypes::stored_key: varchar(n) drops blanks past n
};

struct TableName {
  std::string schema;
  std::string name;
  friend bool operator==(const TableName&, const TableName&) = default;
};

/// How to answer one statement. Printable (`describe`). Owns what it holds.
struct Plan {
  PlanKind kind = PlanKind::kSingle;
  Epoch epoch{};                     // of the snapshot it was made from
  std::vector<ShardId> shards{};     // ascending; at least one
  std::string shard_sql{};           // kMerge, kWriteAll: "" = the client's own text
  std::vector<std::string> split{};  // kWriteSplit
  merge::Recipe recipe{};            // kMerge
  CopyPlan copy{};                   // kCopyIn
  bool writes = false;               // may change rows (unknown functions count)
  bool returns_rows = false;         // SELECT, RETURNING, SHOW, …
  bool in_transaction = true;        // kAllShards: false for CREATE INDEX CONCURRENTLY and kin
  bool changes_schema = false;       // read the schema again afterwards
  bool hidden_columns = false;       // kMerge: the shards return more columns than the client sees
  bool any_shard = false;  // kSingle over reference tables alone: every shard gives the same answer
  bool drop_later_headers =
      false;  // kCopyOut: leave out the first CopyData of every shard but the first
  std::vector<TableName> dropped_tables{
  };  // kAllShards: distributed and reference tables that go: forget them
  std::string reason{};  // why this plan, for EXPLAIN and logs: "key user_id = 42"
};

/// Decides how to run `statement`.
/// @param literals  the values of the lifted literals of this very text.
/// @return the plan, or kUnsupported with a hint that says what to change; kNullKey,
/// kNoShardForKey,
///         kUndefinedTable and kin where the key or a name is wrong. With `parameters.known ==
///         false` any shard set that depends on a parameter is all shards.
/// The shards of the result are a superset of those that hold matching rows.
/// Cost: about 1 µs for a point query, O(size of the statement) otherwise. Pure; thread-safe.
[[nodiscard]] Result<Plan> make_plan(
    const sql::Statement& statement, std::span<const sql::Literal> literals,
    const Parameters& parameters, const Context& context
);

/// A short route for what is asked again and again: facts of a statement and one epoch compiled to
/// a program over literals and parameters. Immutable, shared between threads.
class Route {
 public:
  /// nullptr where no short route is possible (not a SELECT/UPDATE/DELETE/one-row INSERT on one
  /// shard by its key): then every execution is planned by make_plan.
  [[nodiscard]] static std::shared_ptr<const Route> compile(
      const sql::Statement& statement, const Context& context
  );

  /// The one shard that answers it all, or nullopt: plan it. Errors as make_plan. Allocates
  /// nothing.
  [[nodiscard]] Result<std::optional<ShardId>> shard(
      std::span<const sql::Literal> literals, const Parameters& parameters,
      const topology::Snapshot& topology
  ) const;
  [[nodiscard]] Epoch epoch() const noexcept;
  [[nodiscard]] bool writes() const noexcept;

  struct Program;
  explicit Route(std::unique_ptr<const Program> program);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

 private:
  std::unique_ptr<const Program> program_;
};

/// Lines that explain the plan to a person: tier, shards by name, what runs there, how rows are
/// merged.
[[nodiscard]] std::vector<std::string> describe(
    const Plan& plan, const topology::Snapshot& topology
);

}  // namespace sherd::plan
