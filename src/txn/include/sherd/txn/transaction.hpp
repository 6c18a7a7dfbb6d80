#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/clock.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>
#include <sherd/pool/pool.hpp>
#include <sherd/txn/global_id.hpp>

namespace sherd::txn {

/// Where connections come from. Implemented by the engine's worker.
class ConnectionSource {
 public:
  virtual ~ConnectionSource() = default;
  [[nodiscard]] virtual net::Task<Result<pool::Lease>> acquire(
      ShardId shard, Deadline deadline
  ) = 0;
  [[nodiscard]] virtual std::string shard_name(ShardId shard) const = 0;
};

/// The statements that make the commit record's table on a shard, run once when a shard joins.
[[nodiscard]] std::string commit_record_ddl();

/// What all transactions of one router share. Thread-safe.
struct Identity {
  std::string cluster{};
  std::uint64_t router = 0;
  std::atomic<std::uint64_t> sequence{0};
  [[nodiscard]] GlobalId next(ShardId decision) {
    return {
        .cluster = cluster, .router = router, .sequence = ++sequence, .decision_shard = decision
    };
  }
};

/// One shard's part in a transaction.
struct Participant {
  ShardId shard{};
  pool::Lease lease{};
  bool wrote = false;
  std::unique_ptr<pgconn::ReplyHandler> begin_reply{};  // of the BEGIN under way
};

/// How a transaction ended.
enum class Outcome : std::uint8_t { kCommitted, kRolledBack };

/// A transaction that grows from no shard to one to many. Thread: its loop's only.
///
/// Commit: one writer commits as it is; several commit in two phases: PREPARE on all but the
/// decision shard, there a commit record and COMMIT in one step (that is the decision), then COMMIT
/// PREPARED on the rest.
class Transaction {
 public:
  Transaction(net::Loop& loop, ConnectionSource& source, Identity& identity)
      : loop_(loop), source_(source), identity_(identity) {}

  /// What happens to a participant's connection when the transaction has ended; by default it goes
  /// back to its pool.
  void set_release(std::function<void(ShardId, pool::Lease)> release) {
    release_ = std::move(release);
  }
  /// @param begin  the BEGIN with its modes.
  void start(std::string begin) {
    begin_ = std::move(begin);
    is_open_ = true;
  }
  [[nodiscard]] bool is_open() const noexcept { return is_open_; }
  [[nodiscard]] Participant* find(ShardId shard) noexcept;
  [[nodiscard]] const std::vector<std::unique_ptr<Participant>>& participants() const noexcept {
    return participants_;
  }
  /// Lets `shard` take part: BEGIN and `catch_up` (savepoints, SET LOCAL) are sent without waiting
  /// for their answer; if they fail, the connection does, and with it the next statement.
  Participant& join(ShardId shard, pool::Lease lease, std::string_view catch_up);

  /// Ends it. After an error nothing of it has happened, with two exceptions: kOutcomeUnknown,
  /// where it cannot be told whether it has; and a failure after the decision, which is logged, not
  /// returned: recovery finishes that. Leases go back to their pools.
  [[nodiscard]] net::Task<Result<Outcome>> commit(Deadline deadline);
  [[nodiscard]] net::Task<void> rollback(Deadline deadline);
  /// Drops everything without a word to the shards, which roll back when their connections close.
  void abandon() noexcept;

 private:
  [[nodiscard]] net::Task<Result<Outcome>> commit_one(Participant& participant, Deadline deadline);
  [[nodiscard]] net::Task<Result<>> commit_in_two_phases(
      std::vector<Participant*> writers, Deadline deadline
  );
  [[nodiscard]] net::Task<Result<>> prepare(
      Participant& participant, std::string name, Deadline deadline
  );
  [[nodiscard]] net::Task<Result<>> decide(
      Participant& participant, GlobalId id, Deadline deadline
  );
  [[nodiscard]] net::Task<void> finish_prepared(
      std::vector<Participant*> prepared, GlobalId id, Outcome outcome, Deadline deadline
  );
  void close() noexcept;

  net::Loop& loop_;
  ConnectionSource& source_;
  Identity& identity_;
  std::function<void(ShardId, pool::Lease)> release_{};
  std::string begin_{};
  bool is_open_ = false;
  std::vector<std::unique_ptr<Participant>> participants_{};  // by shard
};

/// What the decision shard knows about a transaction, writing "not committed" there if nothing is
/// known: from then on it cannot commit any more. Waits for a decision under way.
[[nodiscard]] net::Task<Result<Outcome>> resolve(
    ConnectionSource& source, GlobalId id, Deadline deadline
);

/// One prepared transaction of this cluster.
struct InDoubt {
  GlobalId id{};
  ShardId shard{};
  std::string name{};
  double age_seconds = 0;
};
[[nodiscard]] net::Task<Result<std::vector<InDoubt>>> list_in_doubt(
    ConnectionSource& source, std::vector<ShardId> shards, std::string cluster, Deadline deadline
);
/// Finishes or undoes what dead routers left on `shards`, and removes commit records that nothing
/// needs any more. Transactions of `identity.router` itself are left alone unless older than a
/// minute; those of other routers are taken to be dead's when older than `grace`. Two routers at it
/// at once do no harm.
/// @return how many were finished.
[[nodiscard]] net::Task<Result<std::size_t>> recover(
    ConnectionSource& source, std::vector<ShardId> shards, std::string cluster,
    std::uint64_t own_router, Duration grace, Deadline deadline
);

}  // namespace sherd::txn
