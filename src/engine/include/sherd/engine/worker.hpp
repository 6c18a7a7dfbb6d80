#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sherd/engine/hidden_tables.hpp>
#include <sherd/engine/open_statements.hpp>
#include <sherd/engine/options.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>
#include <sherd/plan/plan.hpp>
#include <sherd/pool/pool.hpp>
#include <sherd/sql/analyze.hpp>
#include <sherd/sql/cache.hpp>
#include <sherd/sql/lift.hpp>
#include <sherd/topology/snapshot.hpp>
#include <sherd/txn/transaction.hpp>

namespace sherd::engine {

class Cluster;
class Session;

/// What is remembered about a statement text, without its literals.
struct CachedStatement {
  std::shared_ptr<const sql::Statement> facts{};  // null: several statements, or not cacheable
  std::shared_ptr<const plan::Route> route{};     // null: plan each time
  Epoch epoch{};                                  // that the route was compiled under
  std::uint64_t accepted = 0;  // hash of the text and types that a shard has parsed
};

/// Schemas in which a session looks for names, "$user" replaced, with a number that no other list
/// of this worker has: part of the plan cache's key.
struct SearchPath {
  std::vector<std::string> schemas{};
  std::uint64_t key = 0;
};
using SearchPathPtr = std::shared_ptr<const SearchPath>;

/// Counters of one worker; read from other threads, so atomic, but never contended.
struct WorkerStats {
  std::atomic<std::uint64_t> statements{0};
  std::atomic<std::uint64_t> single_shard{0};
  std::atomic<std::uint64_t> multi_shard{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> errors{0};
  std::atomic<std::uint64_t> two_phase{0};
};

/// One thread's share of the router: its loop, pools and caches. Nothing here is shared on the hot
/// path. Thread: the loop's only.
class Worker final : public txn::ConnectionSource {
 public:
  Worker(net::Loop& loop, Cluster& cluster, std::size_t index);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] net::Loop& loop() noexcept { return loop_; }
  [[nodiscard]] Cluster& cluster() noexcept { return cluster_; }
  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  [[nodiscard]] const topology::SnapshotPtr& snapshot() { return reader_.get(); }
  [[nodiscard]] OpenStatements& open_statements() noexcept { return open_; }
  [[nodiscard]] WorkerStats& stats() noexcept { return stats_; }
  [[nodiscard]] Deadline query_deadline() const;

  /// The pool of `shard` for `account`; made when first asked for. nullptr for an unknown shard.
  [[nodiscard]] pool::ShardPool* pool(ShardId shard, const Account& account);
  /// For the router's own statements: as the shard's own user.
  [[nodiscard]] net::Task<Result<pool::Lease>> acquire(ShardId shard, Deadline deadline) override;
  [[nodiscard]] std::string shard_name(ShardId shard) const override;
  struct PoolInfo {
    std::string shard;
    std::string user;
    pool::PoolCounts counts;
  };
  [[nodiscard]] std::vector<PoolInfo> pool_infos() const;
  void renew_pools();
  void for_each_idle(const std::function<void(const pgconn::Connection&)>& visit) const;

  /// What functions of users reach, under the newest topology.
  [[nodiscard]] const HiddenTables& hidden_tables();

  /// Lifts `text` and looks it up; analyses and compiles it when it is new or the topology has
  /// changed. The result and `lifted()` hold until the next call.
  [[nodiscard]] Result<const CachedStatement*> look_up(
      std::string_view text, const SearchPath& search_path
  );
  [[nodiscard]] const sql::Lifted& lifted() const noexcept { return lifted_; }
  /// A shard has parsed `text` while the topology was at `epoch`; `accepted` as in CachedStatement.
  void remember_accepted(
      std::string_view text, const SearchPath& search_path, Epoch epoch, std::uint64_t accepted
  );
  [[nodiscard]] SearchPathPtr search_path(const std::vector<std::string>& schemas);

  /// Parameters that a server reports to a session with these start-up settings, once learnt;
  /// nullptr.
  using Greeting = std::map<std::string, std::string>;
  [[nodiscard]] const Greeting* greeting(const Account& account, std::uint64_t settings) const;
  const Greeting* remember_greeting(
      const Account& account, std::uint64_t settings, Greeting greeting
  );

  /// Gives the session a number that is its process id for CancelRequest.
  [[nodiscard]] std::uint32_t add_session(Session& session);
  void remove_session(std::uint32_t process_id);
  [[nodiscard]] Session* session(std::uint32_t process_id) const;
  [[nodiscard]] const std::unordered_map<std::uint32_t, Session*>& sessions() const noexcept {
    return sessions_;
  }

 private:
  void reap();
  void schedule_reap();
  [[nodiscard]] CachedStatement* find_cached(std::string_view text, const SearchPath& search_path);
  [[nodiscard]] CachedStatement compile(
      std::shared_ptr<const sql::Statement> facts, const SearchPath& search_path
  );

  net::Loop& loop_;
  Cluster& cluster_;
  std::size_t index_;
  topology::SnapshotReader reader_;
  OpenStatements open_;
  WorkerStats stats_;
  std::map<std::pair<std::uint32_t, std::string>, std::unique_ptr<pool::ShardPool>> pools_;
  sql::BoundedCache<CachedStatement> cache_;
  sql::Lifted lifted_;
  CachedStatement uncached_;
  std::map<std::vector<std::string>, std::weak_ptr<const SearchPath>> search_paths_;
  std::uint64_t next_search_path_ = 0;
  HiddenTables hidden_tables_;
  Epoch hidden_tables_epoch_{};
  std::map<std::pair<std::string, std::uint64_t>, Greeting> greetings_;
  std::unordered_map<std::uint32_t, Session*> sessions_;
  std::uint32_t next_session_ = 0;
  net::TimerId reap_timer_ = net::TimerId::kNone;
};

}  // namespace sherd::engine
