#include <algorithm>

#include <fmt/format.h>
#include <gnu/libc-version.h>

#include <sherd/base/text.hpp>
#include <sherd/catalog/schema_reader.hpp>
#include <sherd/engine/change.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/engine/worker.hpp>

namespace sherd::engine {
namespace {

constexpr Duration kControlLimit = std::chrono::seconds(60);  // for the router's own statements
constexpr Duration kSchemaPollInterval = std::chrono::seconds(2);
constexpr Duration kForeignGrace = std::chrono::seconds(10);

std::vector<ShardId> ids_of(const topology::Snapshot& snapshot) {
  std::vector<ShardId> ids;
  for (const topology::Shard& shard : snapshot.shards) {
    ids.push_back(shard.id);
  }
  return ids;
}

void configure(topology::Shard& shard, const ShardConfig& config) {
  shard.name = config.name;
  shard.primary = config.primary;
  shard.replicas = config.replicas;
  shard.weight = config.weight;
  shard.region = config.region;
  shard.read_only = config.read_only;
  shard.priority = config.priority;
  shard.tags = config.tags;
}

const ShardConfig* find_config(const std::vector<ShardConfig>& shards, std::string_view name) {
  const auto found = std::ranges::find(shards, name, &ShardConfig::name);
  return found == shards.end() ? nullptr : &*found;
}

bool owns_anything(const topology::Snapshot& snapshot, ShardId shard) {
  return std::ranges::any_of(snapshot.groups, [&](const topology::Group& group) {
    return group.placement && group.placement->shards().contains(shard);
  });
}

// A list as PostgreSQL prints it ("\"$user\", public") as names.
std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  std::string name;
  bool is_quoted = false;
  for (const char c : text) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      names.push_back(std::exchange(name, {}));
    } else if (c != ' ' || is_quoted) {
      name += c;
    }
  }
  if (!name.empty()) {
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Cluster::Cluster(Options options, std::unique_ptr<catalog::Store> store, RandomSource& random)
    : options_(std::move(options)), store_(std::move(store)), random_(random) {}

Cluster::~Cluster() = default;

std::vector<std::string> Cluster::default_search_path() const {
  const std::scoped_lock lock(mutex_);
  return default_search_path_;
}

void Cluster::add_worker(Worker& worker) {
  const std::scoped_lock lock(mutex_);
  workers_.push_back(&worker);
}

std::vector<Worker*> Cluster::workers() const {
  const std::scoped_lock lock(mutex_);
  return workers_;
}

net::Task<Result<Cluster::ChangeLock>> Cluster::lock_changes(net::Loop& loop, Deadline deadline) {
  constexpr Duration kPause = std::chrono::milliseconds(5);
  bool is_free = false;
  while (!changing_.compare_exchange_strong(is_free, true)) {
    is_free = false;
    if (deadline.passed(loop.clock().now())) {
      co_return fail(
          ErrorCode::kObjectInUse, "another change of the cluster's layout is still running",
          "wait for it, then try again"
      );
    }
    co_await net::sleep_until(loop, loop.clock().now() + kPause);
  }
  co_return ChangeLock(*this);
}

Result<> Cluster::publish(
    const ChangeLock& lock, topology::Snapshot next, std::string who, std::string what
) {
  const Epoch expected = holder_.current()->epoch;
  return publish_over(
      lock, expected, std::move(next), {.who = std::move(who), .what = std::move(what)}
  );
}

Result<> Cluster::publish_over(
    const ChangeLock&, Epoch expected, topology::Snapshot next, catalog::AuditRecord record
) {
  SHERD_TRY(next.epoch, store_->commit(next, expected, std::move(record)));
  SHERD_TRY_VOID(next.seal());
  holder_.publish(std::make_shared<const topology::Snapshot>(std::move(next)));
  return {};
}

net::Task<Result<>> Cluster::wait_for_older(net::Loop& loop, Epoch epoch, Deadline deadline) {
  constexpr Duration kPause = std::chrono::milliseconds(2);
  while (true) {
    const std::vector<Worker*> all = workers();
    const bool is_done = std::ranges::all_of(all, [&](Worker* worker) {
      return worker->open_statements().oldest() >= number_of(epoch);
    });
    if (is_done) {
      co_return Result<>{};
    }
    if (deadline.passed(loop.clock().now())) {
      co_return fail(
          ErrorCode::kObjectInUse, "statements that began before this change are still running",
          "try again when they have ended, or end them (SHOW CLIENTS and KILL on the console)"
      );
    }
    co_await net::sleep_until(loop, loop.clock().now() + kPause);
  }
}

// ---- coming up

net::Task<Result<>> Cluster::start(Worker& worker) {
  SHERD_CO_TRY_VOID(co_await come_up(worker));
  for (const TableConfig& table : options_.tables) {
    SHERD_CO_TRY_VOID(co_await distribute_configured(worker, table));
  }
  co_return Result<>{};
}

// A table of the configuration that is not yet what the configuration says.
net::Task<Result<>> Cluster::distribute_configured(Worker& worker, TableConfig table) {
  const auto dot = table.name.find('.');
  DistributeRequest request;
  request.schema = dot == std::string::npos ? "public" : table.name.substr(0, dot);
  request.table = dot == std::string::npos ? table.name : table.name.substr(dot + 1);
  request.kind =
      table.is_reference ? topology::TableKind::kReference : topology::TableKind::kDistributed;
  request.key = table.key;
  request.colocate_with = table.colocate_with;
  const bool is_default = table.spec.kind == strategy::StrategyKind::kSlot
                          && table.spec.slots == strategy::StrategySpec{}.slots;
  if (!is_default) {
    request.spec = table.spec;
  }
  request.who = "configuration";
  const topology::Table* known = worker.snapshot()->table(request.schema, request.table);
  if (known != nullptr && known->kind == request.kind && known->key_column == request.key) {
    co_return Result<>{};
  }
  auto done = co_await distribute(worker, std::move(request), {});
  if (!done) {
    Error error = std::move(done).error();
    error.message = fmt::format("[[tables]] {}: {}", table.name, error.message);
    co_return std::unexpected(std::move(error));
  }
  co_return done;
}

net::Task<Result<>> Cluster::come_up(Worker& worker) {
  SHERD_CO_TRY(const ChangeLock lock, co_await lock_changes(worker.loop(), Deadline::never()));
  SHERD_CO_TRY_VOID(co_await join_shards(worker, lock));
  const auto snapshot = holder_.current();
  identity_.cluster = snapshot->cluster_id;
  identity_.router = random_.next();
  for (const ShardId shard : ids_of(*snapshot)) {
    SHERD_CO_TRY_VOID(co_await prepare_shard(worker, shard));
  }
  const Deadline deadline = Deadline::after(worker.loop().clock(), kControlLimit);
  SHERD_CO_TRY_VOID(co_await txn::recover(
      worker, ids_of(*snapshot), identity_.cluster, identity_.router, Duration(0), deadline
  ));
  SHERD_CO_TRY_VOID(co_await finish_pending_changes(*this, worker, lock));
  SHERD_CO_TRY_VOID(co_await read_defaults(worker));
  SHERD_CO_TRY_VOID(co_await refresh_schema(worker, lock, "start", "schema read at start"));
  SHERD_CO_TRY_VOID(co_await fill_new_shards(*this, worker, lock));
  SHERD_CO_TRY(schema_version_, co_await schema_version(worker));
  co_return Result<>{};
}

net::Task<Result<>> Cluster::join_shards(Worker& worker, const ChangeLock& lock) {
  (void)worker;
  SHERD_CO_TRY(topology::Snapshot next, store_->load());
  const bool is_new_cluster = next.shards.empty();
  for (auto shard = next.shards.begin(); shard != next.shards.end();) {
    if (const ShardConfig* config = find_config(options_.shards, shard->name)) {
      configure(*shard, *config);
      ++shard;
    } else if (shard->id == next.home || owns_anything(next, shard->id)) {
      co_return fail(
          ErrorCode::kInvalidConfig,
          fmt::format("shard \"{}\" holds rows but is not configured", shard->name),
          "add its [[shards]] entry again; a shard can leave only when it is empty"
      );
    } else {
      shard = next.shards.erase(shard);
    }
  }
  SHERD_CO_TRY(ShardId id, store_->next_shard_id());
  for (const ShardConfig& config : options_.shards) {
    if (std::ranges::find(next.shards, config.name, &topology::Shard::name) != next.shards.end()) {
      continue;
    }
    topology::Shard shard;
    shard.id = id;
    configure(shard, config);
    shard.active = is_new_cluster;  // in a cluster that has tables it must be filled first
    next.shards.push_back(std::move(shard));
    id = ShardId(index_of(id) + 1);
  }
  if (next.shards.empty()) {
    co_return fail(ErrorCode::kInvalidConfig, "no shard is configured", "add a [[shards]] entry");
  }
  if (is_new_cluster) {
    const std::string& wanted =
        options_.home_shard.empty() ? options_.shards.front().name : options_.home_shard;
    const auto home = std::ranges::find(next.shards, wanted, &topology::Shard::name);
    if (home == next.shards.end()) {
      co_return fail(
          ErrorCode::kInvalidConfig, fmt::format("home shard \"{}\" is not configured", wanted),
          "name one of the [[shards]] in cluster.home_shard"
      );
    }
    next.home = home->id;
  }
  if (!next.schema) {
    next.schema = std::make_shared<const topology::Schema>();
  }
  const Epoch loaded = next.epoch;
  co_return publish_over(lock, loaded, std::move(next), {.who = "start", .what = "router started"});
}

net::Task<Result<>> Cluster::prepare_shard(Worker& worker, ShardId shard) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), kControlLimit);
  SHERD_CO_TRY(pool::Lease lease, co_await worker.acquire(shard, deadline));
  // Looked at first: a role that may not create schemas can still use what an operator has made.
  SHERD_CO_TRY(
      const pgconn::ResultSet have,
      co_await lease->query(
          "SELECT to_regclass('sherd.commit_record'), to_regclass('sherd.topology_change')",
          deadline
      )
  );
  if (!have.rows.at(0).at(0) || !have.rows.at(0).at(1)) {
    SHERD_CO_TRY_VOID(co_await lease->query(
        "SET client_min_messages = warning;" + txn::commit_record_ddl() + ";"
            + topology_change_ddl() + ";RESET client_min_messages",
        deadline
    ));
  }
  lease.release();
  co_return Result<>{};
}

net::Task<Result<>> Cluster::read_defaults(Worker& worker) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), kControlLimit);
  SHERD_CO_TRY(pool::Lease lease, co_await worker.acquire(worker.snapshot()->home, deadline));
  SHERD_CO_TRY(
      const pgconn::ResultSet rows,
      co_await lease->query(
          "SELECT current_setting('search_path'), current_setting('default_transaction_isolation')",
          deadline
      )
  );
  lease.release();
  default_is_read_committed_ = rows.rows.at(0).at(1) == "read committed";
  const std::scoped_lock guard(mutex_);
  default_search_path_ = split_names(rows.rows.at(0).at(0).value_or("public"));
  co_return Result<>{};
}

// ---- the schema

net::Task<Result<topology::Schema>> Cluster::read_schema(Worker& worker, ShardId shard) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), kControlLimit);
  SHERD_CO_TRY(pool::Lease lease, co_await worker.acquire(shard, deadline));
  std::vector<catalog::RowSet> results;
  for (const std::string& query : catalog::schema_queries()) {
    SHERD_CO_TRY(pgconn::ResultSet result, co_await lease->query(query, deadline));
    results.push_back(std::move(result.rows));
  }
  lease.release();
  co_return catalog::schema_from_rows(results);
}

net::Task<Result<>> Cluster::refresh_schema(
    Worker& worker, const ChangeLock& lock, std::string who, std::string what
) {
  SHERD_CO_TRY(topology::Schema schema, co_await read_schema(worker, holder_.current()->home));
  topology::Snapshot next = *holder_.current();
  next.schema = std::make_shared<const topology::Schema>(std::move(schema));
  if (collations_.load() == nullptr) {
    learn_collations(next);  // a database keeps its own for life
  }
  co_return publish(lock, std::move(next), std::move(who), std::move(what));
}

// A server on this machine's own socket shares our C library; what others have is known by the
// version that they record with their collations.
void Cluster::learn_collations(const topology::Snapshot& snapshot) {
  const topology::Schema::Parts& parts = snapshot.schema->parts();
  const bool is_local = std::ranges::all_of(snapshot.shards, [](const topology::Shard& shard) {
    return shard.primary.host.starts_with('/');
  });
  auto set = std::make_unique<pgtypes::CollationSet>();
  set->add(
      {.name = "default",
       .provider = parts.collation_provider,
       .locale = parts.database_collation,
       .version = parts.collation_version,
       .libc_version = is_local ? gnu_get_libc_version() : "",
       .encoding = parts.encoding}
  );
  const std::scoped_lock lock(mutex_);
  collation_sets_.push_back(std::move(set));
  collations_.store(collation_sets_.back().get());
}

net::Task<Result<std::string>> Cluster::schema_version(Worker& worker) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), kControlLimit);
  SHERD_CO_TRY(pool::Lease lease, co_await worker.acquire(worker.snapshot()->home, deadline));
  SHERD_CO_TRY(
      const pgconn::ResultSet rows, co_await lease->query(catalog::schema_version_query(), deadline)
  );
  lease.release();
  co_return rows.rows.at(0).at(0).value_or("");
}

// ---- housekeeping

net::Task<void> Cluster::poll_schema(Worker& worker) {
  const auto version = co_await schema_version(worker);
  if (!version || *version == schema_version_) {
    co_return;  // a home shard that is down is noticed by everything else
  }
  const auto lock =
      co_await lock_changes(worker.loop(), Deadline::after(worker.loop().clock(), kControlLimit));
  if (!lock) {
    co_return;  // next time
  }
  const auto before = holder_.current()->schema->parts().fingerprint;
  const auto schema = co_await read_schema(worker, holder_.current()->home);
  if (schema && schema->parts().fingerprint != before) {
    topology::Snapshot next = *holder_.current();
    next.schema = std::make_shared<const topology::Schema>(*schema);
    const auto published =
        publish(*lock, std::move(next), "housekeeping", "schema change detected");
    if (!published) {
      co_return;  // tried again: the version is not noted
    }
  }
  if (schema) {
    schema_version_ = *version;
  }
}

net::Task<void> Cluster::recover_once(Worker& worker) {
  const auto snapshot = holder_.current();
  const auto done = co_await txn::recover(
      worker, ids_of(*snapshot), identity_.cluster, identity_.router, kForeignGrace,
      Deadline::after(worker.loop().clock(), kControlLimit)
  );
  (void)done;  // a shard that is down stays in doubt: the next round tries again, `sherd
               // transactions` shows it
}

net::Task<void> Cluster::housekeeping(Worker& worker) {
  constexpr Duration kTick = std::chrono::milliseconds(100);
  TimePoint next_recovery = worker.loop().now() + options_.recovery_interval;
  TimePoint next_poll = worker.loop().now() + kSchemaPollInterval;
  while (!stopping_.load()) {
    co_await net::sleep_until(worker.loop(), worker.loop().clock().now() + kTick);
    if (worker.loop().now() >= next_recovery) {
      co_await recover_once(worker);
      next_recovery = worker.loop().clock().now() + options_.recovery_interval;
    }
    if (worker.loop().now() >= next_poll) {
      co_await poll_schema(worker);
      next_poll = worker.loop().clock().now() + kSchemaPollInterval;
    }
  }
}

}  // namespace sherd::engine
