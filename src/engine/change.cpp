#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sherd/base/fault.hpp>
#include <sherd/base/text.hpp>
#include <sherd/catalog/topology_json.hpp>
#include <sherd/engine/change.hpp>
#include <sherd/engine/row_mover.hpp>
#include <sherd/engine/worker.hpp>

namespace sherd::engine {
namespace {

using nlohmann::json;

constexpr Duration kQuiesceLimit = std::chrono::seconds(10);  // for statements that began before
constexpr Duration kControlLimit = std::chrono::seconds(60);

constexpr std::array<std::string_view, 3> kKindNames = {"distributed", "reference", "local"};

std::vector<strategy::Member> members_of(const topology::Snapshot& snapshot, bool only_new_owners) {
  std::vector<strategy::Member> members;
  for (const topology::Shard& shard : snapshot.shards) {
    if (only_new_owners && (!shard.active || shard.read_only)) {
      continue;
    }
    members.push_back(
        {.id = shard.id, .name = shard.name, .weight = shard.weight, .region = shard.region}
    );
  }
  return members;
}

// A change as it is written down on the home shard.
struct PlannedChange {
  topology::Table table{};
  std::optional<topology::Group> new_group{};
};

Result<std::string> to_json(const PlannedChange& change) {
  json value{
      {"schema", change.table.schema},
      {"table", change.table.name},
      {"kind", kKindNames[static_cast<std::size_t>(change.table.kind)]},
      {"key", change.table.key_column},
      {"group", index_of(change.table.group)}
  };
  if (change.new_group) {
    json& group = value["new_group"];
    group["name"] = change.new_group->name;
    SHERD_TRY(group["spec"], catalog::spec_to_json(change.new_group->spec));
    group["layout"] = change.new_group->placement->layout();
  }
  return value.dump();
}

Result<PlannedChange> from_json(const std::string& text, const topology::Snapshot& snapshot) {
  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded() || !value.is_object()) {
    return fail(ErrorCode::kInternal, "a pending change of the topology is damaged");
  }
  PlannedChange change;
  change.table.schema = value.value("schema", "");
  change.table.name = value.value("table", "");
  change.table.key_column = value.value("key", "");
  change.table.group = GroupId(value.value("group", 0U));
  const auto kind = std::ranges::find(kKindNames, value.value("kind", ""));
  change.table.kind = static_cast<topology::TableKind>(kind - kKindNames.begin());
  if (value.contains("new_group")) {
    const json& group = value["new_group"];
    topology::Group made;
    made.id = change.table.group;
    made.name = group.value("name", "");
    SHERD_TRY(made.spec, catalog::spec_from_json(group.value("spec", "")));
    SHERD_TRY(
        made.placement,
        strategy::compile(made.spec, members_of(snapshot, false), group.value("layout", ""))
    );
    change.new_group = std::move(made);
  }
  return change;
}

void apply(const PlannedChange& change, topology::Snapshot& snapshot) {
  std::erase_if(snapshot.tables, [&](const topology::Table& table) {
    return table.schema == change.table.schema && table.name == change.table.name;
  });
  if (change.new_group && snapshot.group(change.new_group->id) == nullptr) {
    snapshot.groups.push_back(*change.new_group);
  }
  if (change.table.kind != topology::TableKind::kLocal) {
    snapshot.tables.push_back(change.table);
  }
}

std::string_view family_name(pgtypes::KeyType type) {
  if (pgtypes::is_integer(type)) {
    return "default";
  }
  return pgtypes::is_text(type) ? "default_text" : "default_uuid";
}

bool is_same_family(pgtypes::KeyType a, pgtypes::KeyType b) {
  return a == b || (pgtypes::is_integer(a) && pgtypes::is_integer(b))
         || (pgtypes::is_text(a) && pgtypes::is_text(b));
}

// Which colocation group the table joins, made if need be.
Result<> choose_group(
    const DistributeRequest& request, pgtypes::KeyType key_type, const topology::Snapshot& snapshot,
    catalog::Store& store, PlannedChange& change
) {
  const bool is_default = request.colocate_with.empty() || request.colocate_with == "default";
  if (!is_default && request.colocate_with != "none") {
    const auto other = std::ranges::find_if(snapshot.tables, [&](const topology::Table& table) {
      return request.colocate_with == table.name
             || request.colocate_with == table.schema + "." + table.name;
    });
    if (other == snapshot.tables.end() || other->kind != topology::TableKind::kDistributed) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("\"{}\" is not a distributed table to colocate with", request.colocate_with),
          "distribute that table first, or leave out colocate_with"
      );
    }
    const topology::Group* group = snapshot.group(other->group);
    if (!is_same_family(group->spec.key_type, key_type)) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format(
              "cannot colocate with \"{}\": its key is {}, this one {}", request.colocate_with,
              pgtypes::name_of(group->spec.key_type), pgtypes::name_of(key_type)
          ),
          "give both keys the same type, or leave out colocate_with"
      );
    }
    change.table.group = group->id;
    return {};
  }
  const bool shares_default = is_default && !request.spec;
  const std::string name =
      shares_default ? std::string(family_name(key_type)) : request.schema + "." + request.table;
  if (const topology::Group* group = snapshot.group_named(name);
      group != nullptr && (shares_default || !request.spec)) {
    change.table.group = group->id;
    return {};
  }
  topology::Group made;
  SHERD_TRY(made.id, store.next_group_id());
  made.name = name;
  for (int i = 2; snapshot.group_named(made.name) != nullptr; ++i) {
    made.name = fmt::format("{} {}", name, i);
  }
  made.spec = request.spec.value_or(strategy::StrategySpec{});
  made.spec.key_type = key_type;
  if (made.spec.fallback) {
    strategy::StrategySpec below = *made.spec.fallback;
    below.key_type = key_type;
    made.spec.fallback = std::make_shared<const strategy::StrategySpec>(std::move(below));
  }
  SHERD_TRY(made.placement, strategy::compile(made.spec, members_of(snapshot, true)));
  change.table.group = made.id;
  change.new_group = std::move(made);
  return {};
}

// ---- what would make it wrong

Error table_error(
    ErrorCode code, const DistributeRequest& request, std::string why, std::string hint
) {
  return {
      .code = code,
      .message = fmt::format("cannot distribute \"{}\": {}", request.table, why),
      .hint = std::move(hint)
  };
}

Result<> check_unique(const DistributeRequest& request, const topology::RelationInfo& info) {
  for (const topology::UniqueConstraint& unique : info.unique) {
    if (std::ranges::find(unique.columns, request.key) == unique.columns.end()) {
      return std::unexpected(table_error(
          ErrorCode::kInvalidTableDefinition, request,
          fmt::format(
              "unique constraint \"{}\" does not contain the key \"{}\"", unique.name, request.key
          ),
          fmt::format(
              "no single server can enforce it over all shards: add \"{}\" to it, or drop it",
              request.key
          )
      ));
    }
  }
  return {};
}

Result<> check_foreign_keys(
    const DistributeRequest& request, const topology::RelationInfo& info,
    const topology::Snapshot& snapshot, GroupId group
) {
  for (const topology::ForeignKey& foreign : info.foreign_keys) {
    const topology::Table* target = snapshot.table(foreign.target_schema, foreign.target);
    if (target != nullptr && target->kind == topology::TableKind::kReference) {
      continue;
    }
    const bool is_self = foreign.target_schema == request.schema && foreign.target == request.table;
    const std::string target_key =
        is_self ? request.key : (target != nullptr ? target->key_column : "");
    const bool is_together = is_self || (target != nullptr && target->group == group);
    bool pairs_keys = false;
    for (std::size_t i = 0; i < foreign.columns.size() && i < foreign.target_columns.size(); ++i) {
      pairs_keys =
          pairs_keys
          || (foreign.columns[i] == request.key && foreign.target_columns[i] == target_key);
    }
    const bool is_distributed = request.kind == topology::TableKind::kDistributed;
    if (!is_distributed || !is_together || !pairs_keys) {
      return std::unexpected(table_error(
          ErrorCode::kInvalidTableDefinition, request,
          fmt::format(
              "foreign key \"{}\" to \"{}\" would cross shards", foreign.name, foreign.target
          ),
          fmt::format(
              "make \"{}\" a reference table first, or distribute it by the same key and let the "
              "foreign key "
              "contain it, or drop the constraint",
              foreign.target
          )
      ));
    }
  }
  return {};
}

Result<const topology::RelationInfo*> check_table(
    const DistributeRequest& request, const topology::Snapshot& snapshot
) {
  const topology::RelationInfo* info = snapshot.schema->find(request.schema, request.table);
  if (info == nullptr) {
    return fail(
        ErrorCode::kUndefinedTable,
        fmt::format("relation \"{}.{}\" does not exist", request.schema, request.table)
    );
  }
  if (info->kind != topology::RelationKind::kTable || info->has_parent || info->has_children) {
    return std::unexpected(table_error(
        ErrorCode::kUnsupported, request,
        "it is not an ordinary table (views, partitioned and inherited tables are not available "
        "yet)",
        "distribute ordinary tables"
    ));
  }
  if (info->has_triggers || info->has_rules) {
    return std::unexpected(table_error(
        ErrorCode::kUnsupported, request, "it has triggers or rules, which would see rows twice",
        "drop them, distribute the table, create them again"
    ));
  }
  return info;
}

Result<pgtypes::KeyType> check_key(
    const DistributeRequest& request, const topology::RelationInfo& info
) {
  const topology::Column* column = info.column(request.key);
  if (column == nullptr) {
    std::vector<std::string> names;
    for (const topology::Column& one : info.columns) {
      names.push_back(one.name);
    }
    const auto near = nearest(request.key, names);
    return fail(
        ErrorCode::kUndefinedColumn,
        fmt::format("column \"{}\" of relation \"{}\" does not exist", request.key, request.table),
        near ? fmt::format("did you mean \"{}\"?", *near) : ""
    );
  }
  const auto type = pgtypes::key_type_of(column->type);
  if (!type || column->generated) {
    return std::unexpected(table_error(
        ErrorCode::kInvalidTableDefinition, request,
        fmt::format("column \"{}\" ({}) cannot be a key", request.key, column->type_name),
        "use smallint, integer, bigint, text, varchar or uuid (for ranges also date, timestamp, "
        "numeric)"
    ));
  }
  return *type;
}

Result<PlannedChange> plan_change(
    const DistributeRequest& request, const topology::Snapshot& snapshot, catalog::Store& store
) {
  PlannedChange change;
  change.table = {.schema = request.schema, .name = request.table, .kind = request.kind};
  const topology::Table* current = snapshot.table(request.schema, request.table);
  if (request.kind == topology::TableKind::kLocal) {
    if (current == nullptr) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("\"{}\" is not a distributed or reference table", request.table)
      );
    }
    return change;
  }
  if (current != nullptr) {
    return fail(
        ErrorCode::kDuplicateObject,
        fmt::format(
            "\"{}\" is already a {} table", request.table,
            kKindNames[static_cast<std::size_t>(current->kind)]
        ),
        fmt::format("SELECT undistribute_table('{}') first", request.table)
    );
  }
  SHERD_TRY(const topology::RelationInfo* info, check_table(request, snapshot));
  if (request.kind == topology::TableKind::kDistributed) {
    change.table.key_column = request.key;
    SHERD_TRY(const pgtypes::KeyType type, check_key(request, *info));
    SHERD_TRY_VOID(check_unique(request, *info));
    SHERD_TRY_VOID(choose_group(request, type, snapshot, store, change));
  }
  SHERD_TRY_VOID(check_foreign_keys(request, *info, snapshot, change.table.group));
  return change;
}

// ---- the change itself

// Statements on the table wait from here on; those that began before are waited for.
net::Task<Result<>> close_gate(
    Worker& worker, const Cluster::ChangeLock& lock, std::string table, std::string who
) {
  Cluster& cluster = worker.cluster();
  topology::Snapshot next = *worker.snapshot();
  next.switching = {table};
  SHERD_CO_TRY_VOID(cluster.publish(lock, std::move(next), who, "change of " + table + " begins"));
  co_return co_await cluster.wait_for_older(
      worker.loop(), cluster.topology().epoch(),
      Deadline::after(worker.loop().clock(), kQuiesceLimit)
  );
}

Result<> open_gate(
    Worker& worker, const Cluster::ChangeLock& lock, const PlannedChange* done, std::string who
) {
  topology::Snapshot next = *worker.snapshot();
  next.switching.clear();
  std::string what = "change given up";
  if (done != nullptr) {
    apply(*done, next);
    what = fmt::format(
        "{}.{} is {} {}", done->table.schema, done->table.name,
        kKindNames[static_cast<std::size_t>(done->table.kind)], done->table.key_column
    );
  }
  return worker.cluster().publish(lock, std::move(next), std::move(who), std::move(what));
}

net::Task<Result<>> clear_pending(Worker& worker) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), kControlLimit);
  SHERD_CO_TRY(pool::Lease lease, co_await worker.acquire(worker.snapshot()->home, deadline));
  SHERD_CO_TRY_VOID(co_await lease->query("DELETE FROM sherd.topology_change", deadline));
  lease.release();
  co_return Result<>{};
}

net::Task<Result<>> run_change(
    Worker& worker, const PlannedChange& change, std::function<void(std::uint64_t)> progress
) {
  SHERD_CO_TRY(const std::string record, to_json(change));
  RowMover mover(
      worker, change.table, change.new_group ? &*change.new_group : nullptr, std::move(progress)
  );
  auto moved = co_await mover.run(
      fmt::format("INSERT INTO sherd.topology_change (change) VALUES ({})", quote_literal(record))
  );
  co_return moved;
}

}  // namespace

std::string topology_change_ddl() {
  return "CREATE TABLE IF NOT EXISTS sherd.topology_change ("
         "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, change text NOT NULL)";
}

net::Task<Result<>> distribute(
    Worker& worker, DistributeRequest request, std::function<void(std::uint64_t rows)> progress
) {
  Cluster& cluster = worker.cluster();
  SHERD_CO_TRY(
      const Cluster::ChangeLock lock,
      co_await cluster.lock_changes(
          worker.loop(), Deadline::after(worker.loop().clock(), kQuiesceLimit)
      )
  );
  SHERD_CO_TRY_VOID(co_await finish_pending_changes(cluster, worker, lock));
  // The schema may have been changed past us a moment ago.
  SHERD_CO_TRY_VOID(co_await cluster.refresh_schema(worker, lock, request.who, "schema read"));
  SHERD_CO_TRY(
      const PlannedChange change, plan_change(request, *worker.snapshot(), cluster.store())
  );
  Result<> outcome = co_await close_gate(worker, lock, request.table, request.who);
  if (outcome) {
    outcome = co_await run_change(worker, change, std::move(progress));
  }
  if (outcome && fault::fails_at("distribute.committed")) {
    co_return fail(ErrorCode::kInternal, "fault injected at distribute.committed");
  }
  const auto opened = open_gate(worker, lock, outcome ? &change : nullptr, request.who);
  if (!outcome) {
    co_return outcome;
  }
  SHERD_CO_TRY_VOID(opened);
  co_return co_await clear_pending(worker);
}

net::Task<Result<>> finish_pending_changes(
    Cluster& cluster, Worker& worker, const Cluster::ChangeLock& lock
) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), kControlLimit);
  co_await drop_old_staging(worker);
  SHERD_CO_TRY(pool::Lease lease, co_await worker.acquire(worker.snapshot()->home, deadline));
  SHERD_CO_TRY(
      const pgconn::ResultSet pending,
      co_await lease->query("SELECT change FROM sherd.topology_change ORDER BY id", deadline)
  );
  lease.release();
  if (pending.rows.empty()) {
    co_return Result<>{};
  }
  topology::Snapshot next = *worker.snapshot();
  next.switching.clear();
  for (const auto& row : pending.rows) {
    SHERD_CO_TRY(const PlannedChange change, from_json(row[0].value_or(""), next));
    apply(change, next);
  }
  SHERD_CO_TRY_VOID(cluster.publish(
      lock, std::move(next), "recovery", "changes that were committed on the shards"
  ));
  co_return co_await clear_pending(worker);
}

Result<> forget_tables(
    Cluster& cluster, const Cluster::ChangeLock& lock, const std::vector<plan::TableName>& tables,
    std::string who
) {
  if (tables.empty()) {
    return {};
  }
  topology::Snapshot next = *cluster.topology().current();
  std::erase_if(next.tables, [&](const topology::Table& table) {
    return std::ranges::find(tables, plan::TableName{table.schema, table.name}) != tables.end();
  });
  return cluster.publish(lock, std::move(next), std::move(who), "tables dropped");
}

net::Task<Result<>> fill_new_shards(
    Cluster& cluster, Worker& worker, const Cluster::ChangeLock& lock
) {
  const topology::SnapshotPtr snapshot = worker.snapshot();
  std::vector<ShardId> joining;
  for (const topology::Shard& shard : snapshot->shards) {
    if (!shard.active) {
      joining.push_back(shard.id);
    }
  }
  if (joining.empty()) {
    co_return Result<>{};
  }
  for (const ShardId shard : joining) {
    for (const topology::Table& table : snapshot->tables) {
      SHERD_CO_TRY_VOID(co_await check_same_columns(worker, table, shard));
      if (table.kind == topology::TableKind::kReference) {
        SHERD_CO_TRY_VOID(co_await copy_reference_table(worker, table, shard));
      }
    }
  }
  topology::Snapshot next = *snapshot;
  for (topology::Shard& shard : next.shards) {
    shard.active = true;
  }
  co_return cluster.publish(lock, std::move(next), "start", "new shards joined");
}

}  // namespace sherd::engine
