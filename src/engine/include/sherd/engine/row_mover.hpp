#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>
#include <sherd/topology/snapshot.hpp>
#include <sherd/txn/transaction.hpp>

namespace sherd::engine {

class Worker;

/// Puts the rows of one table where a change of the topology wants them, in one transaction over
/// all shards. Rows stream through the router as they are; memory is bounded.
///
/// To distribute: the home shard's rows go to their shards, those that stay go through a staging
/// table beside it, so that the home shard is left without dead rows. To replicate: a copy to every
/// other shard. To take back: the other shards' rows come home.
class RowMover {
 public:
  /// @param table      as it is to be.
  /// @param new_group  its group where the topology does not have it yet; borrowed.
  RowMover(
      Worker& worker, topology::Table table, const topology::Group* new_group,
      std::function<void(std::uint64_t rows)> progress
  );
  ~RowMover();
  RowMover(const RowMover&) = delete;
  RowMover& operator=(const RowMover&) = delete;

  /// @param record  a statement for the home shard that commits together with the rows.
  /// @return after an error nothing has changed.
  [[nodiscard]] net::Task<Result<>> run(std::string record);

 private:
  [[nodiscard]] net::Task<Result<>> begin();
  [[nodiscard]] net::Task<Result<>> move();
  [[nodiscard]] net::Task<Result<>> spread();
  [[nodiscard]] net::Task<Result<>> replicate();
  [[nodiscard]] net::Task<Result<>> gather();
  [[nodiscard]] net::Task<Result<>> empty_others();
  [[nodiscard]] net::Task<Result<bool>> has_rows(ShardId shard);
  [[nodiscard]] net::Task<Result<>> execute(ShardId shard, std::string sql);
  [[nodiscard]] net::Task<void> drop_staging();
  [[nodiscard]] pgconn::Connection& connection(ShardId shard);
  [[nodiscard]] std::string columns() const;
  [[nodiscard]] std::vector<ShardId> others() const;

  Worker& worker_;
  topology::SnapshotPtr snapshot_;
  topology::Table table_;
  const topology::Group* group_;
  std::function<void(std::uint64_t)> progress_;
  txn::Transaction txn_;
  std::string name_;       // quoted, with its schema
  std::string staging_{};  // likewise
  pool::Lease staging_lease_{};
};

/// kNotInPrerequisiteState unless `shard` has the table with the same columns as the home shard.
[[nodiscard]] net::Task<Result<>> check_same_columns(
    Worker& worker, topology::Table table, ShardId shard
);
/// Drops what changes that died have left on the home shard, as far as it can be had at once.
/// REQUIRES that no change is under way.
[[nodiscard]] net::Task<void> drop_old_staging(Worker& worker);
/// Fills an empty copy of a reference table on a shard that joins.
[[nodiscard]] net::Task<Result<>> copy_reference_table(
    Worker& worker, topology::Table table, ShardId shard
);

}  // namespace sherd::engine
