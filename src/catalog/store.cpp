#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <sherd/base/fault.hpp>
#include <sherd/catalog/store.hpp>
#include <sherd/catalog/topology_json.hpp>

#include "sqlite.hpp"

namespace sherd::catalog {
namespace {

constexpr std::int64_t kApplicationId =
    0x53485244;  // "SHRD", so that no other program's file is taken for ours

// Each entry brings a file from the version of its index to the next one. Append only: files in the
// field have run the earlier ones.
constexpr std::array kMigrations = {
    R"(
CREATE TABLE meta (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  cluster_id TEXT NOT NULL, epoch INTEGER NOT NULL, home INTEGER NOT NULL,
  next_shard_id INTEGER NOT NULL, next_group_id INTEGER NOT NULL
) STRICT;
CREATE TABLE shards (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, weight REAL NOT NULL, region TEXT NOT NULL,
  read_only INTEGER NOT NULL, active INTEGER NOT NULL, priority INTEGER NOT NULL, tags TEXT NOT NULL
) STRICT;
CREATE TABLE groups (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, strategy TEXT NOT NULL, layout TEXT NOT NULL
) STRICT;
CREATE TABLE tables (
  schema TEXT NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,
  group_id INTEGER REFERENCES groups (id), key_column TEXT NOT NULL,
  PRIMARY KEY (schema, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT, epoch INTEGER NOT NULL, time_us INTEGER NOT NULL,
  who TEXT NOT NULL, what TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL
) STRICT;
)",
};
constexpr auto kNewestVersion = static_cast<std::int64_t>(kMigrations.size());

std::string new_cluster_id(RandomSource& random) {
  return fmt::format("{:016x}{:016x}", random.next(), random.next());
}

Result<> check_ours(const Database& database, std::int64_t version) {
  SHERD_TRY(const std::int64_t application, database.integer("PRAGMA application_id"));
  SHERD_TRY(const std::int64_t things, database.integer("SELECT count(*) FROM sqlite_master"));
  if (things != 0 && application != kApplicationId) {
    return fail(
        ErrorCode::kNotInPrerequisiteState, "the state file belongs to another program",
        "name another file in [state] path"
    );
  }
  if (version > kNewestVersion) {
    return fail(
        ErrorCode::kNotInPrerequisiteState,
        fmt::format(
            "the state file has layout {}, this sherd knows layouts up to {}", version,
            kNewestVersion
        ),
        "start the newer sherd that wrote it"
    );
  }
  return {};
}

/// Brings the file to the newest layout, in one transaction: of several processes that start
/// together one does it.
Result<> migrate(Database& database, RandomSource& random) {
  SHERD_TRY(std::int64_t version, database.integer("PRAGMA user_version"));
  SHERD_TRY_VOID(check_ours(database, version));
  if (version == kNewestVersion) {
    return {};
  }
  SHERD_TRY(WriteTransaction transaction, WriteTransaction::begin(database));
  SHERD_TRY(version, database.integer("PRAGMA user_version"));
  for (; version < kNewestVersion; ++version) {
    SHERD_TRY_VOID(database.execute(kMigrations[static_cast<std::size_t>(version)]));
    if (version == 0) {
      SHERD_TRY(Statement insert, database.prepare("INSERT INTO meta VALUES (1, ?1, 0, 0, 0, 0)"));
      SHERD_TRY_VOID(insert.bind(new_cluster_id(random)).run());
    }
  }
  SHERD_TRY_VOID(database.execute(fmt::format(
      "PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, kNewestVersion
  )));
  return transaction.commit();
}

struct Meta {
  std::string cluster_id;
  Epoch epoch{};
  ShardId home{};
  std::uint32_t next_shard_id = 0;
  std::uint32_t next_group_id = 0;
};

Result<Meta> read_meta(const Database& database) {
  SHERD_TRY(
      Statement select,
      database.prepare("SELECT cluster_id, epoch, home, next_shard_id, next_group_id FROM meta")
  );
  SHERD_TRY(const bool found, select.step());
  if (!found) {
    return fail(ErrorCode::kIo, "state file: a row is missing", "restore it from a backup");
  }
  return Meta{
      .cluster_id = select.text(0),
      .epoch = Epoch(static_cast<std::uint64_t>(select.integer(1))),
      .home = ShardId(static_cast<std::uint32_t>(select.integer(2))),
      .next_shard_id = static_cast<std::uint32_t>(select.integer(3)),
      .next_group_id = static_cast<std::uint32_t>(select.integer(4))
  };
}

std::vector<std::string> tags_from_json(std::string_view text) {
  const auto array = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> tags;
  for (const auto& tag : array) {
    if (tag.is_string()) {
      tags.push_back(tag.get<std::string>());
    }
  }
  return tags;
}

std::string tags_to_json(const std::vector<std::string>& tags) {
  return nlohmann::json(tags).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::vector<topology::Shard>> read_shards(const Database& database) {
  SHERD_TRY(
      Statement select, database.prepare("SELECT id, name, weight, region, read_only, active, "
                                         "priority, tags FROM shards ORDER BY id")
  );
  std::vector<topology::Shard> shards;
  while (true) {
    SHERD_TRY(const bool more, select.step());
    if (!more) {
      return shards;
    }
    shards.push_back(
        {.id = ShardId(static_cast<std::uint32_t>(select.integer(0))),
         .name = select.text(1),
         .weight = select.number(2),
         .region = select.text(3),
         .read_only = select.integer(4) != 0,
         .active = select.integer(5) != 0,
         .priority = static_cast<std::int32_t>(select.integer(6)),
         .tags = tags_from_json(select.text(7))}
    );
  }
}

Result<std::vector<topology::Group>> read_groups(
    const Database& database, std::span<const strategy::Member> members
) {
  SHERD_TRY(
      Statement select,
      database.prepare("SELECT id, name, strategy, layout FROM groups ORDER BY id")
  );
  std::vector<topology::Group> groups;
  while (true) {
    SHERD_TRY(const bool more, select.step());
    if (!more) {
      return groups;
    }
    SHERD_TRY(strategy::StrategySpec spec, spec_from_json(select.text(2)));
    SHERD_TRY(auto placement, strategy::compile(spec, members, select.text(3)));
    groups.push_back(
        {.id = GroupId(static_cast<std::uint32_t>(select.integer(0))),
         .name = select.text(1),
         .spec = std::move(spec),
         .placement = std::move(placement)}
    );
  }
}

Result<std::vector<topology::Table>> read_tables(const Database& database) {
  SHERD_TRY(
      Statement select, database.prepare("SELECT schema, name, kind, coalesce(group_id, 0), "
                                         "key_column FROM tables ORDER BY schema, name")
  );
  std::vector<topology::Table> tables;
  while (true) {
    SHERD_TRY(const bool more, select.step());
    if (!more) {
      return tables;
    }
    tables.push_back(
        {.schema = select.text(0),
         .name = select.text(1),
         .kind = static_cast<topology::TableKind>(select.integer(2)),
         .group = GroupId(static_cast<std::uint32_t>(select.integer(3))),
         .key_column = select.text(4)}
    );
  }
}

Result<topology::Snapshot> read_snapshot(const Database& database) {
  SHERD_TRY(Meta meta, read_meta(database));
  topology::Snapshot snapshot;
  snapshot.epoch = meta.epoch;
  snapshot.cluster_id = std::move(meta.cluster_id);
  snapshot.home = meta.home;
  SHERD_TRY(snapshot.shards, read_shards(database));
  std::vector<strategy::Member> members;
  for (const topology::Shard& shard : snapshot.shards) {
    members.push_back({shard.id, shard.name, shard.weight, shard.region});
  }
  SHERD_TRY(snapshot.groups, read_groups(database, members));
  SHERD_TRY(snapshot.tables, read_tables(database));
  return snapshot;
}

Result<> write_shards(const Database& database, const topology::Snapshot& next) {
  SHERD_TRY(
      Statement insert,
      database.prepare("INSERT INTO shards VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
  );
  for (const topology::Shard& shard : next.shards) {
    SHERD_TRY_VOID(insert
                       .bind(
                           index_of(shard.id), shard.name, shard.weight, shard.region,
                           shard.read_only, shard.active, shard.priority, tags_to_json(shard.tags)
                       )
                       .run());
  }
  return {};
}

Result<> write_groups(const Database& database, const topology::Snapshot& next) {
  SHERD_TRY(Statement insert, database.prepare("INSERT INTO groups VALUES (?1, ?2, ?3, ?4)"));
  for (const topology::Group& group : next.groups) {
    if (group.placement == nullptr) {
      // Compiling again later, over other shards, would silently place rows elsewhere.
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("group \"{}\" has no placement", group.name)
      );
    }
    SHERD_TRY(const std::string spec, spec_to_json(group.spec));
    SHERD_TRY_VOID(
        insert.bind(index_of(group.id), group.name, spec, group.placement->layout()).run()
    );
  }
  return {};
}

Result<> write_tables(const Database& database, const topology::Snapshot& next) {
  SHERD_TRY(Statement insert, database.prepare("INSERT INTO tables VALUES (?1, ?2, ?3, ?4, ?5)"));
  SHERD_TRY(
      Statement without_group, database.prepare("INSERT INTO tables VALUES (?1, ?2, ?3, NULL, ?4)")
  );
  for (const topology::Table& table : next.tables) {
    const int kind = static_cast<int>(table.kind);
    SHERD_TRY_VOID(
        table.kind == topology::TableKind::kDistributed
            ? insert.bind(table.schema, table.name, kind, index_of(table.group), table.key_column)
                  .run()
            : without_group.bind(table.schema, table.name, kind, table.key_column).run()
    );
  }
  return {};
}

/// An id names one thing for ever: rows, transactions and logs refer to it.
template <class Entry>
Result<> check_ids(
    const std::vector<Entry>& before, const std::vector<Entry>& after, std::uint32_t next_id,
    std::string_view what
) {
  for (const Entry& entry : after) {
    const auto old = std::ranges::find(before, entry.id, &Entry::id);
    if (old == before.end() ? index_of(entry.id) < next_id : old->name != entry.name) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("{} id {} was given to another {} before", what, index_of(entry.id), what),
          fmt::format("take {}", next_id)
      );
    }
  }
  return {};
}

template <class Entry>
std::uint32_t id_after(const std::vector<Entry>& entries, std::uint32_t next_id) {
  for (const Entry& entry : entries) {
    next_id = std::max(next_id, index_of(entry.id) + 1);
  }
  return next_id;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(Database database, const Clock& clock)
      : database_(std::move(database)), clock_(clock) {}

  [[nodiscard]] Result<topology::Snapshot> load() const override {
    const std::scoped_lock lock(mutex_);
    SHERD_TRY_VOID(database_.execute("BEGIN"));  // all tables as of one moment
    auto snapshot = read_snapshot(database_);
    SHERD_TRY_VOID(database_.execute("COMMIT"));
    return snapshot;
  }

  [[nodiscard]] Result<Epoch> commit(
      const topology::Snapshot& next, Epoch expected, AuditRecord record
  ) override {
    const std::scoped_lock lock(mutex_);
    SHERD_TRY(WriteTransaction transaction, WriteTransaction::begin(database_));
    SHERD_TRY(const Meta meta, read_meta(database_));
    if (meta.epoch != expected) {
      return fail(
          ErrorCode::kStaleTopology, fmt::format(
                                         "the topology changed meanwhile: epoch {}, expected {}",
                                         number_of(meta.epoch), number_of(expected)
                                     )
      );
    }
    record.epoch = Epoch(number_of(expected) + 1);
    SHERD_TRY_VOID(write(next, meta, record));
    if (fault::fails_at("catalog.commit.written")) {
      return fail(ErrorCode::kIo, "state file: fault point");
    }
    SHERD_TRY_VOID(transaction.commit());
    cached_epoch_ = record.epoch;
    if (fault::fails_at("catalog.commit.done")) {
      return fail(ErrorCode::kOutcomeUnknown, "state file: fault point");
    }
    return record.epoch;
  }

  [[nodiscard]] Result<Epoch> newest_epoch() const override {
    const std::scoped_lock lock(mutex_);
    // data_version changes when another connection has committed; our own commits set the cache.
    SHERD_TRY(const std::int64_t version, database_.integer("PRAGMA data_version"));
    if (!cached_epoch_ || version != cached_version_) {
      SHERD_TRY(const std::int64_t epoch, database_.integer("SELECT epoch FROM meta"));
      cached_epoch_ = Epoch(static_cast<std::uint64_t>(epoch));
      cached_version_ = version;
    }
    return *cached_epoch_;
  }

  [[nodiscard]] Result<ShardId> next_shard_id() const override {
    const std::scoped_lock lock(mutex_);
    SHERD_TRY(const Meta meta, read_meta(database_));
    return ShardId(meta.next_shard_id);
  }
  [[nodiscard]] Result<GroupId> next_group_id() const override {
    const std::scoped_lock lock(mutex_);
    SHERD_TRY(const Meta meta, read_meta(database_));
    return GroupId(meta.next_group_id);
  }

  [[nodiscard]] Result<std::vector<AuditRecord>> audit(std::size_t limit) const override;

 private:
  /// Replaces the topology by `next` and adds the audit record, inside the caller's transaction.
  [[nodiscard]] Result<> write(
      const topology::Snapshot& next, const Meta& meta, const AuditRecord& record
  );

  mutable std::mutex mutex_;  // guards all below
  mutable Database database_;
  const Clock& clock_;
  mutable std::optional<Epoch> cached_epoch_{};
  mutable std::int64_t cached_version_ = -1;
};

Result<> SqliteStore::write(
    const topology::Snapshot& next, const Meta& meta, const AuditRecord& record
) {
  SHERD_TRY(const topology::Snapshot before, read_snapshot(database_));
  SHERD_TRY_VOID(check_ids(before.shards, next.shards, meta.next_shard_id, "shard"));
  SHERD_TRY_VOID(check_ids(before.groups, next.groups, meta.next_group_id, "group"));
  SHERD_TRY_VOID(database_.execute("DELETE FROM tables; DELETE FROM groups; DELETE FROM shards"));
  SHERD_TRY_VOID(write_shards(database_, next));
  SHERD_TRY_VOID(write_groups(database_, next));
  SHERD_TRY_VOID(write_tables(database_, next));
  SHERD_TRY(
      Statement update, database_.prepare("UPDATE meta SET epoch = ?1, home = ?2, "
                                          "next_shard_id = ?3, next_group_id = ?4")
  );
  SHERD_TRY_VOID(update
                     .bind(
                         number_of(record.epoch), index_of(next.home),
                         id_after(next.shards, meta.next_shard_id),
                         id_after(next.groups, meta.next_group_id)
                     )
                     .run());
  topology::Snapshot after = next;
  after.epoch = record.epoch;
  after.cluster_id = meta.cluster_id;
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(clock_.wall().time_since_epoch());
  SHERD_TRY(
      Statement insert,
      database_.prepare("INSERT INTO audit (epoch, time_us, who, what, before, after) "
                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
  );
  return insert
      .bind(
          number_of(record.epoch), now.count(), record.who, record.what, topology_to_json(before),
          topology_to_json(after)
      )
      .run();
}

Result<std::vector<AuditRecord>> SqliteStore::audit(std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  SHERD_TRY(
      Statement select, database_.prepare("SELECT epoch, time_us, who, what, before, after "
                                          "FROM audit ORDER BY id DESC LIMIT ?1")
  );
  select.bind(std::min<std::size_t>(limit, INT32_MAX));
  std::vector<AuditRecord> records;
  while (true) {
    SHERD_TRY(const bool more, select.step());
    if (!more) {
      return records;
    }
    records.push_back(
        {.epoch = Epoch(static_cast<std::uint64_t>(select.integer(0))),
         .time =
             std::chrono::system_clock::time_point(std::chrono::microseconds(select.integer(1))),
         .who = select.text(2),
         .what = select.text(3),
         .before = select.text(4),
         .after = select.text(5)}
    );
  }
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(
    const std::string& path, const Clock& clock, RandomSource& random
) {
  SHERD_TRY(Database database, Database::open(path));
  SHERD_TRY_VOID(migrate(database, random));
  return std::make_unique<SqliteStore>(std::move(database), clock);
}

Result<> attach(topology::Snapshot& snapshot, std::vector<ShardAddress> addresses) {
  std::map<std::string, ShardAddress> by_name;
  for (ShardAddress& address : addresses) {
    std::string name = address.name;
    by_name.insert_or_assign(std::move(name), std::move(address));
  }
  std::vector<std::string> missing;
  for (topology::Shard& shard : snapshot.shards) {
    if (auto found = by_name.find(shard.name); found != by_name.end()) {
      shard.primary = found->second.primary;
      shard.replicas = found->second.replicas;
    } else {
      missing.push_back(shard.name);
    }
  }
  if (!missing.empty()) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("the configuration lacks shard {}", fmt::join(missing, ", ")),
        "add it to [[shards]], or remove it from the cluster first"
    );
  }
  return {};
}

}  // namespace sherd::catalog
