#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/net/async.hpp>
#include <sherd/plan/plan.hpp>
#include <sherd/strategy/placement.hpp>
#include <sherd/topology/snapshot.hpp>

// Changes of what lives where: create_distributed_table and its kin, and shards that join. Each is
// one transaction over the shards which also writes down, on the home shard, what the topology is
// to become: the rows and the knowledge about them change together, whatever dies.

namespace sherd::engine {

class Worker;

/// The table on the home shard in which a change of the topology is committed together with the
/// rows.
[[nodiscard]] std::string topology_change_ddl();

/// What is asked for.
struct DistributeRequest {
  std::string schema;
  std::string table;
  topology::TableKind kind = topology::TableKind::kDistributed;  // kLocal: undistribute
  std::string key{};                                             // kDistributed
  std::string colocate_with{
  };  // "" or "default": the group of this key type; "none": a new one; else a table
  std::optional<strategy::StrategySpec> spec{};  // none: slot
  std::string who{};                             // for the audit
};

/// Makes a table distributed, a reference table, or local again, with the rows that it holds.
/// Statements on the table wait meanwhile; others go on. Errors leave everything as it was.
/// @param progress  called with rows moved so far.
[[nodiscard]] net::Task<Result<>> distribute(
    Worker& worker, DistributeRequest request, std::function<void(std::uint64_t rows)> progress
);

/// Applies what was committed on the shards but not yet noted in the durable state when a router
/// died.
[[nodiscard]] net::Task<Result<>> finish_pending_changes(
    Cluster& cluster, Worker& worker, const Cluster::ChangeLock& lock
);

/// Shards that joined a cluster which has tables already: checks their schema, copies the reference
/// tables to them, and makes them active.
[[nodiscard]] net::Task<Result<>> fill_new_shards(
    Cluster& cluster, Worker& worker, const Cluster::ChangeLock& lock
);

/// Forgets tables that were dropped.
[[nodiscard]] Result<> forget_tables(
    Cluster& cluster, const Cluster::ChangeLock& lock, const std::vector<plan::TableName>& tables,
    std::string who
);

}  // namespace sherd::engine
