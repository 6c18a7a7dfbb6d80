#include <algorithm>

#include <fmt/format.h>

#include <sherd/base/fault.hpp>
#include <sherd/base/text.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/engine/routing.hpp>
#include <sherd/engine/row_mover.hpp>
#include <sherd/engine/worker.hpp>
#include <sherd/exec/copy.hpp>
#include <sherd/exec/copy_source.hpp>

namespace sherd::engine {
namespace {

constexpr Duration kLimit = std::chrono::hours(24);  // for moving the rows of one table
constexpr std::string_view kLockTimeout = "10s";     // for transactions that hold the table
constexpr std::uint64_t kProgressRows = 500'000;

std::string qualified(const topology::Table& table) {
  return quote_identifier(table.schema) + "." + quote_identifier(table.name);
}

// Columns of the table as a shard has them, in one text.
std::string signature_query(const topology::Table& table) {
  return fmt::format(
      "SELECT string_agg(format('%I %s %s', a.attname, format_type(a.atttypid, a.atttypmod), "
      "a.attnotnull), ', ' "
      "ORDER BY a.attname) FROM pg_catalog.pg_attribute a "
      "WHERE a.attrelid = to_regclass({}) AND a.attnum > 0 AND NOT a.attisdropped",
      quote_literal(qualified(table))
  );
}

// What a shard sends of a table, generated columns left out, and the key among it.
struct Fields {
  std::string definition{};  // as in CREATE TABLE
  std::uint32_t count = 0;
  std::uint32_t key_field = 0;
  const topology::Column* key = nullptr;
};

Fields read_fields(const topology::RelationInfo& info, const std::string& key_column) {
  Fields fields;
  for (const topology::Column& column : info.columns) {
    if (column.generated) {
      continue;
    }
    fields.definition += fmt::format(
        "{}{} {}", fields.count == 0 ? "" : ", ", quote_identifier(column.name), column.type_name
    );
    if (column.name == key_column) {
      fields.key_field = fields.count;
      fields.key = &column;
    }
    ++fields.count;
  }
  return fields;
}

plan::CopyPlan copy_plan(
    const topology::Table& table, const topology::Group& group, const Fields& fields
) {
  return {
      .key_field = fields.key_field,
      .field_count = fields.count,
      .group = group.id,
      .key_column = table.key_column,
      .table = table.name,
      .key_type = group.spec.key_type,
      .key_oid = fields.key->type,
      .key_typmod = fields.key->typmod
  };
}

// Everything of `source` into `copy`.
net::Task<Result<std::uint64_t>> pump(
    exec::CopySource* source, exec::CopyIn* copy, std::function<void(std::uint64_t)> progress
) {
  std::uint64_t pieces = 0;
  while (true) {
    SHERD_CO_TRY(const std::optional<net::Slice> piece, co_await source->next());
    if (!piece) {
      break;
    }
    SHERD_CO_TRY_VOID(copy->feed(piece->bytes().subspan(wire::kHeaderBytes)));
    if (copy->congested()) {
      co_await copy->drained();
    }
    if (++pieces % kProgressRows == 0 && progress) {
      progress(pieces);  // a server sends one row a message
    }
  }
  co_return pieces;
}

// Runs a COPY from one connection to others. On an error all of them are left at rest.
net::Task<Result<std::uint64_t>> transfer(
    net::Loop& loop, pgconn::Connection* from, std::string copy_out, exec::CopyIn* copy,
    std::vector<std::string> copy_in, std::function<void(std::uint64_t)> progress
) {
  SHERD_CO_TRY_VOID(co_await copy->begin(std::move(copy_in)));
  exec::CopySource source(loop, *from);
  SHERD_CO_TRY_VOID(source.start(copy_out));
  auto pumped = co_await pump(&source, copy, std::move(progress));
  if (!pumped) {
    from->fail(pumped.error());  // it may have gigabytes to send yet
    co_await copy->abort(pumped.error().message);
    co_return std::unexpected(std::move(pumped).error());
  }
  co_return co_await copy->finish();
}

}  // namespace

RowMover::RowMover(
    Worker& worker, topology::Table table, const topology::Group* new_group,
    std::function<void(std::uint64_t rows)> progress
)
    : worker_(worker),
      snapshot_(worker.snapshot()),
      table_(std::move(table)),
      group_(new_group != nullptr ? new_group : snapshot_->group(table_.group)),
      progress_(std::move(progress)),
      txn_(worker.loop(), worker, worker.cluster().identity()),
      name_(qualified(table_)) {}

RowMover::~RowMover() {
  txn_.abandon();
}

pgconn::Connection& RowMover::connection(ShardId shard) {
  return *txn_.find(shard)->lease;
}

std::vector<ShardId> RowMover::others() const {
  std::vector<ShardId> ids;
  for (const topology::Shard& shard : snapshot_->shards) {
    if (shard.id != snapshot_->home) {
      ids.push_back(shard.id);
    }
  }
  return ids;
}

std::string RowMover::columns() const {
  std::string list;
  for (const topology::Column& column :
       snapshot_->schema->find(table_.schema, table_.name)->columns) {
    if (!column.generated) {
      list += (list.empty() ? "" : ", ") + quote_identifier(column.name);
    }
  }
  return list;
}

net::Task<Result<>> RowMover::execute(ShardId shard, std::string sql) {
  txn_.find(shard)->wrote = true;
  SHERD_CO_TRY_VOID(co_await connection(shard).query(
      std::move(sql), Deadline::after(worker_.loop().clock(), kLimit)
  ));
  co_return Result<>{};
}

net::Task<Result<bool>> RowMover::has_rows(ShardId shard) {
  SHERD_CO_TRY(
      const pgconn::ResultSet rows, co_await connection(shard).query(
                                        fmt::format("SELECT EXISTS (SELECT 1 FROM {})", name_),
                                        Deadline::after(worker_.loop().clock(), kLimit)
                                    )
  );
  co_return rows.rows.at(0).at(0) == "t";
}

// A transaction on every shard that holds the table locked everywhere.
net::Task<Result<>> RowMover::begin() {
  const Deadline deadline = Deadline::after(worker_.loop().clock(), std::chrono::seconds(60));
  txn_.start("BEGIN");
  for (const topology::Shard& shard : snapshot_->shards) {
    SHERD_CO_TRY_VOID(co_await check_same_columns(worker_, table_, shard.id));
    SHERD_CO_TRY(pool::Lease lease, co_await worker_.acquire(shard.id, deadline));
    txn_.join(
        shard.id, std::move(lease), fmt::format("SET LOCAL lock_timeout TO '{}'", kLockTimeout)
    );
    auto locked = co_await connection(shard.id).query(
        fmt::format("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", name_), deadline
    );
    if (!locked) {
      Error error = std::move(locked).error();
      if (error.sqlstate() == "55P03") {
        error.message =
            fmt::format("transactions on shard {} are using \"{}\"", shard.name, table_.name);
        error.hint = "end them (see pg_stat_activity), then try again";
      }
      co_return std::unexpected(std::move(error));
    }
  }
  co_return Result<>{};
}

net::Task<Result<>> RowMover::run(std::string record) {
  const Deadline deadline = Deadline::after(worker_.loop().clock(), kLimit);
  Result<> done = co_await begin();
  if (done) {
    done = co_await move();
  }
  if (done) {
    done = co_await execute(snapshot_->home, std::move(record));
  }
  if (done && fault::fails_at("distribute.moved")) {
    done = fail(ErrorCode::kInternal, "fault injected at distribute.moved");
  }
  if (!done) {
    co_await txn_.rollback(deadline);
    co_await drop_staging();
    co_return done;
  }
  const auto outcome = co_await txn_.commit(deadline);
  co_await drop_staging();
  if (!outcome) {
    co_return std::unexpected(outcome.error());
  }
  if (*outcome != txn::Outcome::kCommitted) {
    co_return fail(ErrorCode::kInFailedTransaction, "a shard has rolled the change back");
  }
  co_return Result<>{};
}

net::Task<Result<>> RowMover::move() {
  switch (table_.kind) {
    case topology::TableKind::kDistributed:
      co_return co_await spread();
    case topology::TableKind::kReference:
      co_return co_await replicate();
    case topology::TableKind::kLocal:
      co_return co_await gather();
  }
  co_return Result<>{};
}

// A table that becomes distributed has rows on its home shard only; others would appear out of
// nowhere.
net::Task<Result<>> RowMover::empty_others() {
  for (const ShardId shard : others()) {
    SHERD_CO_TRY(const bool is_filled, co_await has_rows(shard));
    if (is_filled) {
      co_return fail(
          ErrorCode::kNotInPrerequisiteState,
          fmt::format(
              "\"{}\" has rows on shard {} already", table_.name, worker_.shard_name(shard)
          ),
          "move them away or delete them there: a local table's rows belong on the home shard"
      );
    }
  }
  co_return Result<>{};
}

net::Task<Result<>> RowMover::spread() {
  SHERD_CO_TRY_VOID(co_await empty_others());
  SHERD_CO_TRY(const bool is_filled, co_await has_rows(snapshot_->home));
  if (!is_filled) {
    co_return Result<>{};
  }
  const Deadline deadline = Deadline::after(worker_.loop().clock(), kLimit);
  staging_ = fmt::format(
      "sherd.\"staging_{:x}_{}\"", worker_.cluster().identity().router,
      ++worker_.cluster().identity().sequence
  );
  SHERD_CO_TRY(staging_lease_, co_await worker_.acquire(snapshot_->home, deadline));
  const Fields fields =
      read_fields(*snapshot_->schema->find(table_.schema, table_.name), table_.key_column);
  // Unlogged, and made by a connection of its own: the staging table need not survive anything. Its
  // columns come from the catalog, since the table itself is locked.
  SHERD_CO_TRY_VOID(co_await staging_lease_->query(
      fmt::format("CREATE UNLOGGED TABLE {} ({})", staging_, fields.definition), deadline
  ));
  std::vector<pgconn::Connection*> targets;
  std::vector<std::string> copy_in;
  std::vector<ShardId> shards;
  for (const topology::Shard& shard : snapshot_->shards) {
    const bool is_home = shard.id == snapshot_->home;
    shards.push_back(shard.id);
    targets.push_back(is_home ? &*staging_lease_ : &connection(shard.id));
    copy_in.push_back(fmt::format("COPY {} ({}) FROM STDIN", is_home ? staging_ : name_, columns())
    );
    txn_.find(shard.id)->wrote = true;
  }
  exec::CopyIn copy(
      worker_.loop(), std::move(targets), {.key_field = fields.key_field, .table = table_.name},
      copy_router(*group_, copy_plan(table_, *group_, fields), std::move(shards))
  );
  SHERD_CO_TRY_VOID(co_await transfer(
      worker_.loop(), &connection(snapshot_->home),
      fmt::format("COPY {} ({}) TO STDOUT", name_, columns()), &copy, std::move(copy_in), progress_
  ));
  SHERD_CO_TRY_VOID(co_await execute(snapshot_->home, fmt::format("TRUNCATE {}", name_)));
  co_return co_await execute(
      snapshot_->home, fmt::format(
                           "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}", name_,
                           columns(), columns(), staging_
                       )
  );
}

net::Task<void> drop_old_staging(Worker& worker) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), std::chrono::seconds(60));
  auto lease = co_await worker.acquire(worker.snapshot()->home, deadline);
  if (!lease) {
    co_return;
  }
  const auto found = co_await (*lease)->query(
      "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE n.nspname = 'sherd' AND c.relkind = 'r' AND starts_with(c.relname, 'staging_')",
      deadline
  );
  if (!found) {
    co_return;
  }
  for (const auto& row : found->rows) {
    const auto dropped = co_await (*lease)->query(
        fmt::format(
            "SET LOCAL lock_timeout TO '2s'; DROP TABLE IF EXISTS sherd.{}",
            quote_identifier(row.at(0).value_or(""))
        ),
        deadline
    );
    if (!dropped) {
      co_return;  // a transaction in doubt has it still: next time
    }
  }
  lease->release();
}

net::Task<void> RowMover::drop_staging() {
  if (staging_.empty() || !staging_lease_) {
    co_return;
  }
  const auto dropped = co_await staging_lease_->query(
      fmt::format("DROP TABLE IF EXISTS {}", staging_),
      Deadline::after(worker_.loop().clock(), std::chrono::seconds(60))
  );
  if (dropped) {
    staging_lease_.release();
  } else {
    staging_lease_.discard();
  }
}

net::Task<Result<>> RowMover::replicate() {
  SHERD_CO_TRY_VOID(co_await empty_others());
  std::vector<pgconn::Connection*> targets;
  for (const ShardId shard : others()) {
    targets.push_back(&connection(shard));
    txn_.find(shard)->wrote = true;
  }
  if (targets.empty()) {
    co_return Result<>{};
  }
  exec::CopyIn copy(worker_.loop(), std::move(targets), {.table = table_.name}, {});
  SHERD_CO_TRY_VOID(co_await transfer(
      worker_.loop(), &connection(snapshot_->home),
      fmt::format("COPY {} ({}) TO STDOUT", name_, columns()), &copy,
      {fmt::format("COPY {} ({}) FROM STDIN", name_, columns())}, progress_
  ));
  co_return Result<>{};
}

net::Task<Result<>> RowMover::gather() {
  const topology::Table* current = snapshot_->table(table_.schema, table_.name);
  const bool is_distributed =
      current != nullptr && current->kind == topology::TableKind::kDistributed;
  for (const ShardId shard : others()) {
    if (is_distributed) {
      txn_.find(snapshot_->home)->wrote = true;
      exec::CopyIn copy(worker_.loop(), {&connection(snapshot_->home)}, {.table = table_.name}, {});
      SHERD_CO_TRY_VOID(co_await transfer(
          worker_.loop(), &connection(shard),
          fmt::format("COPY {} ({}) TO STDOUT", name_, columns()), &copy,
          {fmt::format("COPY {} ({}) FROM STDIN", name_, columns())}, progress_
      ));
    }
    SHERD_CO_TRY_VOID(co_await execute(shard, fmt::format("TRUNCATE {}", name_)));
  }
  co_return Result<>{};
}

net::Task<Result<>> check_same_columns(Worker& worker, topology::Table table, ShardId shard) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), std::chrono::seconds(60));
  std::vector<std::optional<std::string>> signatures;
  for (const ShardId one : {worker.snapshot()->home, shard}) {
    SHERD_CO_TRY(pool::Lease lease, co_await worker.acquire(one, deadline));
    SHERD_CO_TRY(
        const pgconn::ResultSet rows, co_await lease->query(signature_query(table), deadline)
    );
    signatures.push_back(rows.rows.at(0).at(0));
    lease.release();
  }
  if (!signatures[1]) {
    co_return fail(
        ErrorCode::kNotInPrerequisiteState,
        fmt::format(
            "table \"{}\" does not exist on shard {}", table.name, worker.shard_name(shard)
        ),
        "create it through the router, or copy the schema there (pg_dump --schema-only)"
    );
  }
  if (signatures[0] != signatures[1]) {
    co_return fail(Error{
        .code = ErrorCode::kNotInPrerequisiteState,
        .message = fmt::format(
            "table \"{}\" has other columns on shard {}", table.name, worker.shard_name(shard)
        ),
        .detail = fmt::format("home: {}; there: {}", *signatures[0], *signatures[1]),
        .hint = "make the two the same"
    });
  }
  co_return Result<>{};
}

net::Task<Result<>> copy_reference_table(Worker& worker, topology::Table table, ShardId shard) {
  const Deadline deadline = Deadline::after(worker.loop().clock(), kLimit);
  SHERD_CO_TRY(pool::Lease from, co_await worker.acquire(worker.snapshot()->home, deadline));
  SHERD_CO_TRY(pool::Lease to, co_await worker.acquire(shard, deadline));
  const std::string name = qualified(table);
  SHERD_CO_TRY_VOID(co_await to->query(fmt::format("BEGIN; DELETE FROM {}", name), deadline));
  {
    exec::CopyIn copy(worker.loop(), {&*to}, {.table = table.name}, {});
    SHERD_CO_TRY_VOID(co_await transfer(
        worker.loop(), &*from, fmt::format("COPY {} TO STDOUT", name), &copy,
        {fmt::format("COPY {} FROM STDIN", name)}, {}
    ));
  }
  SHERD_CO_TRY_VOID(co_await to->query("COMMIT", deadline));
  from.release();
  to.release();
  co_return Result<>{};
}

}  // namespace sherd::engine
