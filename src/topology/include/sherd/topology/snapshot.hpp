#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/base/shard_set.hpp>
#include <sherd/strategy/placement.hpp>
#include <sherd/topology/schema.hpp>

// The cluster as one statement sees it: an immutable snapshot with an epoch.

namespace sherd::topology {

struct Endpoint {
  std::string host;  // a folder (starting with '/') for a unix socket
  std::uint16_t port = 5432;
  std::string database{};
  std::string user{};
  std::string password{};  // never printed
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Shard {
  ShardId id{};
  std::string name;  // "shard1"
  Endpoint primary{};
  std::vector<Endpoint> replicas{};
  double weight = 1.0;
  std::string region{};
  bool read_only = false;
  bool active = true;
  std::int32_t priority = 0;
  std::vector<std::string> tags{};
};

/// Distributed tables whose equal keys live together.
struct Group {
  GroupId id{};
  std::string name;                                        // "default"
  strategy::StrategySpec spec{};                           // what an operator declared
  std::shared_ptr<const strategy::Placement> placement{};  // what it was compiled to
};

enum class TableKind : std::uint8_t { kDistributed, kReference, kLocal };

struct Table {
  std::string schema;
  std::string name;
  TableKind kind = TableKind::kLocal;
  GroupId group{};           // kDistributed
  std::string key_column{};  // kDistributed
};

/// Immutable; shared between threads by shared_ptr. A statement takes one and keeps it to its end.
struct Snapshot {
  Epoch epoch{};
  std::string cluster_id{};                // unique; part of global transaction ids
  std::vector<Shard> shards{};             // by id, ascending
  std::vector<Group> groups{};             // by id, ascending
  std::vector<Table> tables{};             // distributed and reference only
  std::vector<std::string> switching{};    // bare names of tables that change hands: statements on
                                           // them wait for the next epoch
  ShardId home{};                          // where local tables live
  std::shared_ptr<const Schema> schema{};  // never null once `seal` has run

  /// Sorts shards and groups by id, builds the indexes and checks that all of it fits together:
  /// unique ids and names, a home, compiled placements over known shards, tables with a group and a
  /// key column whose type is of the group's family. A table that the schema does not (or no
  /// longer) know is no error here. Call once, before sharing.
  /// @return kInvalidConfig naming what does not fit.
  [[nodiscard]] Result<> seal();

  [[nodiscard]] const Shard* shard(ShardId id) const noexcept;
  [[nodiscard]] const Shard* shard_named(std::string_view name) const noexcept;
  [[nodiscard]] const Group* group(GroupId id) const noexcept;
  [[nodiscard]] const Group* group_named(std::string_view name) const noexcept;
  /// nullptr for a local table (or none at all). Cost: one hash look-up, no allocation.
  [[nodiscard]] const Table* table(std::string_view schema, std::string_view name) const;
  [[nodiscard]] ShardSet active_shards() const;

 private:
  NameIndex tables_by_name_{};
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

/// Holds the newest snapshot. `publish` from one thread at a time; `current` from any.
class SnapshotHolder {
 public:
  /// The epoch must have grown.
  void publish(SnapshotPtr next);
  [[nodiscard]] SnapshotPtr current() const;
  [[nodiscard]] Epoch epoch() const noexcept {
    return Epoch(epoch_.load(std::memory_order_acquire));
  }

 private:
  mutable std::mutex mutex_;  // guards current_; readers take it only when the epoch has changed
  SnapshotPtr current_{};
  std::atomic<std::uint64_t> epoch_{0};
};

/// A thread's own view of a holder: no lock while the epoch stands still. Not thread-safe.
class SnapshotReader {
 public:
  explicit SnapshotReader(const SnapshotHolder& holder) noexcept : holder_(&holder) {}
  [[nodiscard]] const SnapshotPtr& get() {
    if (!cached_ || cached_->epoch != holder_->epoch()) [[unlikely]] {
      cached_ = holder_->current();
    }
    return cached_;
  }

 private:
  const SnapshotHolder* holder_;
  SnapshotPtr cached_{};
};

}  // namespace sherd::topology
