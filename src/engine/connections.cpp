#include <fmt/format.h>

#include <sherd/engine/cluster.hpp>
#include <sherd/engine/session.hpp>

namespace sherd::engine {
namespace {

Error canceled() {
  return {.code = ErrorCode::kQueryCanceled, .message = "canceling statement due to user request"};
}

}  // namespace

bool Session::is_synced(pgconn::Connection& connection) const noexcept {
  return connection.applied().is_known
         && connection.applied().fingerprint == settings_.session_fingerprint();
}

// Makes the session's settings hold on a connection that others have used. Not pipelined with the
// statement: if a setting fails, the statement must not run without it.
net::Task<Result<>> Session::sync_settings(pgconn::Connection* connection) {
  pgconn::AppliedSettings& applied = connection->applied();
  const session::SettingMap& wanted = settings_.session_values();
  std::string sql;
  if (!applied.is_known) {
    sql = "RESET ALL;RESET SESSION AUTHORIZATION;RESET ROLE;";
    applied.values.clear();
  }
  sql += session::transition(applied.values, wanted);
  applied.is_known = false;  // until it has worked
  SHERD_CO_TRY_VOID(co_await connection->query(std::move(sql), worker_.query_deadline()));
  applied.values = wanted;
  applied.fingerprint = settings_.session_fingerprint();
  applied.is_known = true;
  co_return Result<>{};
}

// Levels that promise one snapshot cannot be kept by several shards' own.
Result<> Session::check_isolation(ShardId joining) const {
  const bool is_alone =
      txn_.participants().empty()
      || (txn_.participants().size() == 1 && txn_.participants().front()->shard == joining);
  if (is_alone) {
    return {};
  }
  if (!settings_.session_is_same_at_savepoints()) {
    return fail(
        ErrorCode::kUnsupported,
        "another shard cannot join a transaction with savepoints after SET in it",
        "use SET before BEGIN, or SET LOCAL"
    );
  }
  return check_read_committed();
}

Result<> Session::check_read_committed() const {
  bool is_read_committed = worker_.cluster().default_is_read_committed();
  if (const auto level = settings_.effective("default_transaction_isolation")) {
    is_read_committed = *level == "'read committed'" || *level == "'read uncommitted'";
  }
  if (!isolation_.empty()) {
    is_read_committed = isolation_ == "read committed" || isolation_ == "read uncommitted";
  }
  if (is_read_committed) {
    return {};
  }
  return fail(
      ErrorCode::kUnsupported,
      "REPEATABLE READ and SERIALIZABLE are not available over several shards",
      "use READ COMMITTED, or keep the transaction to the rows of one shard"
  );
}

net::Task<Result<>> Session::wait_for_resume() {
  constexpr Duration kPause = std::chrono::milliseconds(5);
  while (worker_.cluster().is_paused()) {
    if (cancel_requested_ || is_gone_) {
      co_return std::unexpected(canceled());
    }
    co_await net::sleep_until(worker_.loop(), worker_.loop().now() + kPause);
  }
  co_return Result<>{};
}

net::Task<Result<Session::Borrowed>> Session::borrow(ShardId shard, bool writes) {
  if (txn_.is_open()) {
    if (txn::Participant* participant = txn_.find(shard)) {
      participant->wrote = participant->wrote || writes;
      if (participant->lease->is_broken()) {
        co_return fail(Error{
            .code = ErrorCode::kConnectionFailed,
            .message = fmt::format(
                "the transaction's connection to shard {} is gone", worker_.shard_name(shard)
            ),
            .shard = worker_.shard_name(shard)
        });
      }
      activate(*participant->lease);
      co_return Borrowed{.connection = &*participant->lease};
    }
    SHERD_CO_TRY_VOID(check_isolation(shard));
  } else if (worker_.cluster().is_paused()) [[unlikely]] {
    SHERD_CO_TRY_VOID(co_await wait_for_resume());
  }
  pool::Lease lease;
  if (pinned_ && shard == worker_.snapshot()->home) {
    if (!txn_.is_open()) {
      activate(**pinned_);
      co_return Borrowed{.connection = &**pinned_};
    }
    lease = *std::exchange(pinned_, std::nullopt);
  } else {
    pool::ShardPool* const pool = worker_.pool(shard, account_);
    if (pool == nullptr) {
      co_return fail(ErrorCode::kStaleTopology, "the shard has left the cluster");
    }
    if (auto idle = pool->try_acquire()) {
      lease = *std::move(idle);
    } else {
      SHERD_CO_TRY(lease, co_await pool->acquire(worker_.query_deadline()));
    }
    if (!is_synced(*lease)) {
      SHERD_CO_TRY_VOID(co_await sync_settings(&*lease));
    }
  }
  if (cancel_requested_ || is_gone_) {
    lease.release();
    co_return std::unexpected(canceled());
  }
  if (!txn_.is_open()) {
    Borrowed borrowed{.connection = &*lease};
    borrowed.lease = std::move(lease);
    activate(*borrowed.connection);
    co_return borrowed;
  }
  txn::Participant& joined = txn_.join(shard, std::move(lease), settings_.replay());
  joined.wrote = writes;
  activate(*joined.lease);
  co_return Borrowed{.connection = &*joined.lease};
}

net::Task<Result<Session::Borrowed>> Session::borrow_beside(ShardId shard) {
  pool::ShardPool* const pool = worker_.pool(shard, account_);
  if (pool == nullptr) {
    co_return fail(ErrorCode::kStaleTopology, "the shard has left the cluster");
  }
  SHERD_CO_TRY(pool::Lease lease, co_await pool->acquire(worker_.query_deadline()));
  if (!is_synced(*lease)) {
    SHERD_CO_TRY_VOID(co_await sync_settings(&*lease));
  }
  Borrowed borrowed{.connection = &*lease};
  borrowed.lease = std::move(lease);
  activate(*borrowed.connection);
  co_return borrowed;
}

// In shard order: two statements that need the same shards cannot each hold what the other waits
// for.
net::Task<Result<std::vector<Session::Borrowed>>> Session::borrow_all(
    std::vector<ShardId> shards, bool writes
) {
  if (shards.size() > 1) {
    SHERD_CO_TRY_VOID(check_read_committed());
  }
  std::vector<Borrowed> all;
  for (const ShardId shard : shards) {
    auto borrowed = co_await borrow(shard, writes);
    if (!borrowed) {
      for (Borrowed& earlier : all) {
        co_await give_back(&earlier);
      }
      co_return std::unexpected(std::move(borrowed).error());
    }
    ticket_.add(shard);
    all.push_back(*std::move(borrowed));
  }
  co_return all;
}

// A connection under which a CancelRequest may still be on its way must not go to another client.
net::Task<void> Session::deactivate() {
  if (cancels_.size() != 0) {
    co_await cancels_.join();
  }
  active_.clear();
}

net::Task<void> Session::give_back(Borrowed* borrowed) {
  if (cancels_.size() != 0) {
    co_await cancels_.join();
  }
  active_.clear();
  if (!borrowed->lease) {
    co_return;
  }
  if (pin_wanted_ && !pinned_ && !borrowed->connection->is_broken()) {
    const bool is_home =
        borrowed->connection->options().shard == worker_.shard_name(worker_.snapshot()->home);
    if (is_home) {
      pinned_ = std::move(borrowed->lease);
      co_return;
    }
  }
  borrowed->lease.release();
}

void Session::release_participant(ShardId shard, pool::Lease lease) {
  if (set_in_transaction_) {
    lease->applied().is_known = false;  // what of it was rolled back is not worth working out
    if (!lease->is_broken()) {
      report_parameters(*lease);
    }
  }
  if (pin_wanted_ && !pinned_ && shard == worker_.snapshot()->home && lease->is_idle()) {
    pinned_ = std::move(lease);
    return;
  }
  lease.release();
}

// The shard went away in the middle of a statement. Inside a transaction nothing of it can have
// been committed; alone, a write may have been.
Error Session::lost(Error error, bool writes) const {
  if (writes && !txn_.is_open() && error.code == ErrorCode::kConnectionFailed) {
    error.code = ErrorCode::kOutcomeUnknown;
    error.message += " while a write was running: whether it happened is unknown";
    error.hint = "look for its effects before running it again";
  }
  return error;
}

}  // namespace sherd::engine
