#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <sherd/base/clock.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/topology/snapshot.hpp>

// The durable state: what the cluster is made of, and who changed it when.

namespace sherd::catalog {

struct AuditRecord {
  Epoch epoch{};                                 // set by the store
  std::chrono::system_clock::time_point time{};  // set by the store
  std::string who;                               // "app@127.0.0.1", "sherd shards add"
  std::string what;                              // "distribute public.users by user_id"
  std::string before{};                          // topology as JSON; set by the store
  std::string after{};
};

/// The state file (SQLite). Several processes may have one file open; each change is one
/// transaction with its audit record, durable when commit returns. Holds no password and no
/// address: those are configuration (`attach`). Thread-safe (one lock); every call may wait for the
/// disk, so it belongs on no event loop's hot path.
class Store {
 public:
  /// Opens the file at `path`, making it (readable by its owner alone) and the cluster's id if
  /// there is none, and bringing an older layout up to date. kIo with SQLite's reason;
  /// kNotInPrerequisiteState when a newer sherd wrote it.
  /// @param clock, random  must outlive the store.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(
      const std::string& path, const Clock& clock, RandomSource& random
  );
  virtual ~Store() = default;

  /// The newest topology, as committed: no endpoints, no schema, not sealed. Epoch 0 with no shards
  /// in a new file.
  [[nodiscard]] virtual Result<topology::Snapshot> load() const = 0;

  /// Makes `next` the newest topology if the newest epoch is still `expected`; `next.epoch` is not
  /// looked at.
  /// @return the new epoch, expected + 1. kStaleTopology if another writer was first (load, do it
  /// again).
  ///         kInvalidParameterValue if an id is used again for another name, or two entries share a
  ///         name or id.
  [[nodiscard]] virtual Result<Epoch> commit(
      const topology::Snapshot& next, Epoch expected, AuditRecord record
  ) = 0;

  /// Newest epoch of the file, also of other processes' commits. Cost: a few microseconds, no disk
  /// write.
  [[nodiscard]] virtual Result<Epoch> newest_epoch() const = 0;

  /// Ids that were never given to anything: what the next new shard and group are to be called.
  [[nodiscard]] virtual Result<ShardId> next_shard_id() const = 0;
  [[nodiscard]] virtual Result<GroupId> next_group_id() const = 0;

  /// The newest `limit` records, newest first.
  [[nodiscard]] virtual Result<std::vector<AuditRecord>> audit(std::size_t limit) const = 0;
};

/// Where one shard is found: what the configuration says about it.
struct ShardAddress {
  std::string name;
  topology::Endpoint primary{};
  std::vector<topology::Endpoint> replicas{};
};

/// Gives each shard of `snapshot` its address by name. kInvalidConfig naming the shards that have
/// none.
[[nodiscard]] Result<> attach(topology::Snapshot& snapshot, std::vector<ShardAddress> addresses);

}  // namespace sherd::catalog
