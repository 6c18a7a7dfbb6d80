#include <charconv>
#include <map>

#include <fmt/format.h>

#include <sherd/base/fault.hpp>
#include <sherd/base/text.hpp>
#include <sherd/txn/transaction.hpp>

namespace sherd::txn {

std::string commit_record_ddl() {
  return "CREATE SCHEMA IF NOT EXISTS sherd;"
         "CREATE TABLE IF NOT EXISTS sherd.commit_record ("
         "name text PRIMARY KEY, is_committed boolean NOT NULL, at timestamptz NOT NULL DEFAULT "
         "now())";
}

net::Task<Result<Outcome>> resolve(ConnectionSource& source, GlobalId id, Deadline deadline) {
  SHERD_CO_TRY(pool::Lease lease, co_await source.acquire(id.decision_shard, deadline));
  const std::string name = quote_literal(id.record_name());
  // The primary key makes the two decisions exclude each other: an INSERT under way is waited for.
  SHERD_CO_TRY_VOID(co_await lease->query(
      fmt::format(
          "INSERT INTO sherd.commit_record (name, is_committed) VALUES ({}, false) "
          "ON CONFLICT (name) DO NOTHING",
          name
      ),
      deadline
  ));
  SHERD_CO_TRY(
      const pgconn::ResultSet known,
      co_await lease->query(
          fmt::format("SELECT is_committed FROM sherd.commit_record WHERE name = {}", name),
          deadline
      )
  );
  lease.release();
  if (known.rows.size() != 1 || !known.rows[0][0]) {
    co_return fail(ErrorCode::kInternal, "the commit record has vanished");
  }
  co_return *known.rows[0][0] == "t" ? Outcome::kCommitted : Outcome::kRolledBack;
}

namespace {

net::Task<Result<>> list_on_shard(
    ConnectionSource& source, ShardId shard, std::string cluster, Deadline deadline,
    std::vector<InDoubt>* out
) {
  SHERD_CO_TRY(pool::Lease lease, co_await source.acquire(shard, deadline));
  SHERD_CO_TRY(
      const pgconn::ResultSet rows,
      co_await lease->query(
          "SELECT gid, extract(epoch FROM clock_timestamp() - prepared) FROM "
          "pg_catalog.pg_prepared_xacts "
          "WHERE database = current_database() AND gid LIKE 'sherd\\_%'",
          deadline
      )
  );
  lease.release();
  for (const auto& row : rows.rows) {
    const auto id = GlobalId::parse(row[0].value_or(""));
    if (!id || id->cluster != cluster) {
      continue;
    }
    const std::string age = row[1].value_or("0");
    double seconds = 0;
    (void)std::from_chars(age.data(), age.data() + age.size(), seconds);  // 0 is the careful value
    out->push_back({.id = *id, .shard = shard, .name = *row[0], .age_seconds = seconds});
  }
  co_return Result<>{};
}

net::Task<Result<>> finish(ConnectionSource& source, InDoubt transaction, Deadline deadline) {
  SHERD_CO_TRY(const Outcome outcome, co_await resolve(source, transaction.id, deadline));
  if (fault::fails_at("txn.recovery_resolved")) {
    co_return fail(ErrorCode::kInternal, "fault injected at txn.recovery_resolved");
  }
  SHERD_CO_TRY(pool::Lease lease, co_await source.acquire(transaction.shard, deadline));
  auto done = co_await lease->query(
      fmt::format(
          "{} PREPARED {}", outcome == Outcome::kCommitted ? "COMMIT" : "ROLLBACK",
          quote_literal(transaction.name)
      ),
      deadline
  );
  lease.release();
  if (!done && done.error().sqlstate() != "42704") {  // gone already: another router was first
    co_return std::unexpected(std::move(done).error());
  }
  co_return Result<>{};
}

// Records are needed while a participant may still be prepared. A day is beyond any doubt here,
// since recovery runs every few seconds and `recover` only comes here when nothing of the cluster
// is in doubt on any shard.
net::Task<Result<>> forget_old_records(ConnectionSource& source, ShardId shard, Deadline deadline) {
  SHERD_CO_TRY(pool::Lease lease, co_await source.acquire(shard, deadline));
  auto done = co_await lease->query(
      "DELETE FROM sherd.commit_record WHERE at < now() - interval '1 day'", deadline
  );
  lease.release();
  if (!done) {
    co_return std::unexpected(std::move(done).error());
  }
  co_return Result<>{};
}

}  // namespace

net::Task<Result<std::vector<InDoubt>>> list_in_doubt(
    ConnectionSource& source, std::vector<ShardId> shards, std::string cluster, Deadline deadline
) {
  std::vector<InDoubt> found;
  for (const ShardId shard : shards) {
    SHERD_CO_TRY_VOID(co_await list_on_shard(source, shard, cluster, deadline, &found));
  }
  co_return found;
}

net::Task<Result<std::size_t>> recover(
    ConnectionSource& source, std::vector<ShardId> shards, std::string cluster,
    std::uint64_t own_router, Duration grace, Deadline deadline
) {
  constexpr double kOwnGraceSeconds = 60;
  std::size_t finished = 0;
  std::optional<Error> first_error;
  std::vector<InDoubt> found;
  for (const ShardId shard : shards) {
    // One shard that is down must not keep the others from being resolved.
    if (auto listed = co_await list_on_shard(source, shard, cluster, deadline, &found); !listed) {
      first_error = first_error.value_or(listed.error());
    }
  }
  const double grace_seconds = std::chrono::duration<double>(grace).count();
  for (const InDoubt& transaction : found) {
    const bool is_own = transaction.id.router == own_router;
    if (transaction.age_seconds < (is_own ? kOwnGraceSeconds : grace_seconds)) {
      continue;
    }
    if (auto done = co_await finish(source, transaction, deadline); done) {
      ++finished;
    } else {
      first_error = first_error.value_or(done.error());
    }
  }
  if (found.empty() && !first_error) {
    for (const ShardId shard : shards) {
      SHERD_CO_TRY_VOID(co_await forget_old_records(source, shard, deadline));
    }
  }
  if (first_error) {
    co_return std::unexpected(*std::move(first_error));
  }
  co_return finished;
}

}  // namespace sherd::txn
