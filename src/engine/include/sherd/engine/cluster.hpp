#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <sherd/base/clock.hpp>
#include <sherd/catalog/store.hpp>
#include <sherd/engine/options.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgtypes/collation.hpp>
#include <sherd/topology/snapshot.hpp>
#include <sherd/txn/transaction.hpp>

namespace sherd::engine {

class Worker;

/// What all workers share: the newest topology, the durable state, the identity of this router.
/// Thread-safe unless said otherwise.
class Cluster {
 public:
  Cluster(Options options, std::unique_ptr<catalog::Store> store, RandomSource& random);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Brings the router up: joins the configured shards to the durable topology, prepares them,
  /// finishes what a dead router left, reads the schema, publishes the first snapshot. Any worker
  /// may run it, once.
  [[nodiscard]] net::Task<Result<>> start(Worker& worker);
  /// Recovery and detection of DDL that went past us, until `stop_housekeeping`.
  [[nodiscard]] net::Task<void> housekeeping(Worker& worker);
  void stop_housekeeping() noexcept { stopping_.store(true); }

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] const topology::SnapshotHolder& topology() const noexcept { return holder_; }
  [[nodiscard]] txn::Identity& identity() noexcept { return identity_; }
  [[nodiscard]] catalog::Store& store() noexcept { return *store_; }
  [[nodiscard]] RandomSource& random() noexcept { return random_; }
  /// The search path of a session that has set none, as the home shard has it; "$user" is in it as
  /// it is.
  [[nodiscard]] std::vector<std::string> default_search_path() const;
  /// Collations as the shards compare by them, for merges; nullptr until the schema was read. Lives
  /// as long as the cluster.
  [[nodiscard]] const pgtypes::CollationSet* collations() const noexcept {
    return collations_.load();
  }
  /// default_transaction_isolation of the home shard.
  [[nodiscard]] bool default_is_read_committed() const noexcept {
    return default_is_read_committed_;
  }

  /// PAUSE and RESUME of the console: while paused, nothing new begins on the shards.
  void set_paused(bool paused) noexcept { paused_.store(paused, std::memory_order_relaxed); }
  [[nodiscard]] bool is_paused() const noexcept { return paused_.load(std::memory_order_relaxed); }

  /// Workers announce themselves so that changes can wait for their statements.
  void add_worker(Worker& worker);
  [[nodiscard]] std::vector<Worker*> workers() const;

  // Changing the topology: one change at a time, over all threads.

  /// Held by whoever changes the topology.
  class ChangeLock {
   public:
    ChangeLock(ChangeLock&& other) noexcept : cluster_(std::exchange(other.cluster_, nullptr)) {}
    ChangeLock& operator=(ChangeLock&&) = delete;
    ~ChangeLock() {
      if (cluster_ != nullptr) {
        cluster_->changing_.store(false);
      }
    }

   private:
    friend class Cluster;
    explicit ChangeLock(Cluster& cluster) noexcept : cluster_(&cluster) {}
    Cluster* cluster_;
  };
  /// Waits for the change under way; kObjectInUse when `deadline` passes first.
  [[nodiscard]] net::Task<Result<ChangeLock>> lock_changes(net::Loop& loop, Deadline deadline);
  /// Makes `next` the newest topology: durably, with an audit record, then for all threads. `lock`
  /// is proof.
  [[nodiscard]] Result<> publish(
      const ChangeLock& lock, topology::Snapshot next, std::string who, std::string what
  );
  /// Reads the schema from the home shard and publishes it if it has changed.
  [[nodiscard]] net::Task<Result<>> refresh_schema(
      Worker& worker, const ChangeLock& lock, std::string who, std::string what
  );
  /// Until no statement of an epoch before `epoch` runs in any thread; kObjectInUse at the
  /// deadline.
  [[nodiscard]] net::Task<Result<>> wait_for_older(net::Loop& loop, Epoch epoch, Deadline deadline);

 private:
  [[nodiscard]] Result<> publish_over(
      const ChangeLock& lock, Epoch expected, topology::Snapshot next, catalog::AuditRecord record
  );
  [[nodiscard]] net::Task<Result<>> come_up(Worker& worker);
  [[nodiscard]] net::Task<Result<>> distribute_configured(Worker& worker, TableConfig table);
  [[nodiscard]] net::Task<Result<>> join_shards(Worker& worker, const ChangeLock& lock);
  [[nodiscard]] net::Task<Result<>> prepare_shard(Worker& worker, ShardId shard);
  [[nodiscard]] net::Task<Result<topology::Schema>> read_schema(Worker& worker, ShardId shard);
  [[nodiscard]] net::Task<Result<>> read_defaults(Worker& worker);
  void learn_collations(const topology::Snapshot& snapshot);
  [[nodiscard]] net::Task<Result<std::string>> schema_version(Worker& worker);
  [[nodiscard]] net::Task<void> poll_schema(Worker& worker);
  [[nodiscard]] net::Task<void> recover_once(Worker& worker);

  Options options_;
  std::unique_ptr<catalog::Store> store_;
  RandomSource& random_;
  topology::SnapshotHolder holder_;
  txn::Identity identity_{};
  std::atomic<bool> changing_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> paused_{false};
  std::atomic<bool> default_is_read_committed_{true};
  std::atomic<const pgtypes::CollationSet*> collations_{nullptr};
  mutable std::mutex mutex_;  // guards the members below
  std::vector<Worker*> workers_{};
  std::vector<std::string> default_search_path_{"$user", "public"};
  std::vector<std::unique_ptr<const pgtypes::CollationSet>> collation_sets_{};
  std::string schema_version_{};  // last seen on the home shard; housekeeping only
};

}  // namespace sherd::engine
