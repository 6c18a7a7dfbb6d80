#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/engine/change.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/engine/session.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::engine {
namespace {

constexpr Duration kCommitLimit = std::chrono::seconds(60);

std::string begin_statement_of(const sql::Transaction& facts) {
  std::string text = "BEGIN";
  if (!facts.isolation.empty()) {
    text += " ISOLATION LEVEL " + facts.isolation;
  }
  if (facts.read_only) {
    text += *facts.read_only ? " READ ONLY" : " READ WRITE";
  }
  if (facts.deferrable) {
    text += *facts.deferrable ? " DEFERRABLE" : " NOT DEFERRABLE";
  }
  return text;
}

}  // namespace

void Session::send_warning(std::string_view sqlstate, std::string message) {
  wire::ErrorFields fields{
      .severity = "WARNING",
      .severity_fixed = "WARNING",
      .code = std::string(sqlstate),
      .message = std::move(message)
  };
  std::string bytes;
  wire::append_notice(bytes, fields);
  port_.send_copy(bytes);
}

net::Task<Session::Answer> Session::run_transaction(Request* request) {
  const auto& facts = std::get<sql::Transaction>(request->facts->body);
  using enum sql::Transaction::Verb;
  const bool is_end = facts.verb == kCommit || facts.verb == kRollback || facts.verb == kRollbackTo;
  if (is_failed_ && !is_end) {
    co_return fail(
        ErrorCode::kInFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block"
    );
  }
  switch (facts.verb) {
    case kBegin:
      co_return begin_explicit(facts);
    case kCommit:
      co_return co_await commit_explicit(facts.chain);
    case kRollback:
      co_return co_await rollback_explicit(facts.chain);
    case kSavepoint:
    case kRelease:
    case kRollbackTo:
      co_return co_await run_savepoint(request);
    case kPrepare:
    case kCommitPrepared:
    case kRollbackPrepared:
      break;
  }
  co_return fail(
      ErrorCode::kUnsupported, "PREPARE TRANSACTION is not available through the router",
      "use COMMIT: a transaction over several shards is atomic without it"
  );
}

Session::Answer Session::begin_explicit(const sql::Transaction& facts) {
  if (is_explicit_) {
    send_warning("25001", "there is already a transaction in progress");
  } else {
    const bool was_implicit =
        txn_.is_open();  // earlier statements of the same message belong to it
    begin_sql_ = begin_statement_of(facts);
    isolation_ = facts.isolation;
    if (!was_implicit) {
      txn_.start(begin_sql_);
      settings_.begin();
    }
    is_explicit_ = true;
  }
  send_complete("BEGIN");
  return Told::kSuccess;
}

void Session::begin_implicit() {
  begin_sql_ = "BEGIN";
  isolation_.clear();
  txn_.start(begin_sql_);
  settings_.begin();
}

net::Task<Result<>> Session::end_implicit(bool commits) {
  const Deadline deadline = Deadline::after(worker_.loop().clock(), kCommitLimit);
  co_await deactivate();
  if (!commits) {
    co_await txn_.rollback(deadline);
    transaction_ended(false);
    co_return Result<>{};
  }
  const auto outcome = co_await txn_.commit(deadline);
  const bool committed = outcome && *outcome == txn::Outcome::kCommitted;
  transaction_ended(committed);
  if (!outcome) {
    co_return std::unexpected(outcome.error());
  }
  if (committed) {
    co_await after_schema_change();
  }
  co_return Result<>{};
}

void Session::transaction_ended(bool committed) {
  if (committed) {
    settings_.commit();
  } else {
    settings_.rollback();
    schema_changed_ = false;
    dropped_.clear();
  }
  if (set_in_transaction_) {
    update_search_path();
  }
  is_explicit_ = false;
  is_failed_ = false;
  set_in_transaction_ = false;
  isolation_.clear();
  cursors_.clear();
  std::erase_if(portals_, [](const auto&) { return true; });
}

net::Task<Session::Answer> Session::commit_explicit(bool chain) {
  if (is_failed_) {
    co_return co_await rollback_explicit(chain);
  }
  if (!is_explicit_) {
    if (chain) {
      co_return fail(
          ErrorCode::kNoActiveTransaction, "COMMIT AND CHAIN can only be used in transaction blocks"
      );
    }
    send_warning("25P01", "there is no transaction in progress");
  }
  const std::string chained = begin_sql_;
  const std::string level = isolation_;
  const Deadline deadline = Deadline::after(worker_.loop().clock(), kCommitLimit);
  co_await deactivate();
  Result<txn::Outcome> outcome = txn::Outcome::kCommitted;
  if (txn_.is_open()) {
    outcome = co_await txn_.commit(deadline);
    const bool committed = outcome && *outcome == txn::Outcome::kCommitted;
    transaction_ended(committed);
    if (committed) {
      co_await after_schema_change();
    }
  }
  if (!outcome) {
    co_return std::unexpected(outcome.error());
  }
  send_complete(*outcome == txn::Outcome::kCommitted ? "COMMIT" : "ROLLBACK");
  if (chain) {
    restart(chained, level);
  }
  co_return Told::kSuccess;
}

net::Task<Session::Answer> Session::rollback_explicit(bool chain) {
  if (!is_explicit_) {
    if (chain) {
      co_return fail(
          ErrorCode::kNoActiveTransaction,
          "ROLLBACK AND CHAIN can only be used in transaction blocks"
      );
    }
    send_warning("25P01", "there is no transaction in progress");
  }
  const std::string chained = begin_sql_;
  const std::string level = isolation_;
  co_await deactivate();
  if (txn_.is_open()) {
    co_await txn_.rollback(Deadline::after(worker_.loop().clock(), kCommitLimit));
    transaction_ended(false);
  }
  send_complete("ROLLBACK");
  if (chain) {
    restart(chained, level);
  }
  co_return Told::kSuccess;
}

void Session::restart(const std::string& begin, const std::string& level) {
  begin_sql_ = begin;
  isolation_ = level;
  txn_.start(begin_sql_);
  settings_.begin();
  is_explicit_ = true;
}

net::Task<Result<>> Session::on_all_participants(std::string sql) {
  std::vector<net::Task<Result<pgconn::ResultSet>>> running;
  for (const auto& participant : txn_.participants()) {
    running.push_back(participant->lease->query(sql, worker_.query_deadline()));
  }
  const auto results = co_await net::when_all(std::move(running));
  for (const auto& result : results) {
    if (!result) {
      co_return std::unexpected(result.error());
    }
  }
  co_return Result<>{};
}

net::Task<Session::Answer> Session::run_savepoint(Request* request) {
  const auto& facts = std::get<sql::Transaction>(request->facts->body);
  using enum sql::Transaction::Verb;
  const std::string_view verb = facts.verb == kSavepoint ? "SAVEPOINT"
                                : facts.verb == kRelease ? "RELEASE SAVEPOINT"
                                                         : "ROLLBACK TO SAVEPOINT";
  if (!is_explicit_) {
    co_return fail(
        ErrorCode::kNoActiveTransaction,
        fmt::format("{} can only be used in transaction blocks", verb)
    );
  }
  // Our own list first: it knows the name, and every participant has the same savepoints.
  if (facts.verb == kSavepoint) {
    settings_.savepoint(facts.name);
  } else {
    SHERD_CO_TRY_VOID(
        facts.verb == kRelease ? settings_.release(facts.name) : settings_.rollback_to(facts.name)
    );
  }
  const auto done =
      co_await on_all_participants(fmt::format("{} {}", verb, quote_identifier(facts.name)));
  if (!done) {
    co_return std::unexpected(done.error());
  }
  if (facts.verb == kRollbackTo) {
    is_failed_ = false;
    if (set_in_transaction_) {
      update_search_path();
    }
  }
  send_complete(
      facts.verb == kSavepoint ? "SAVEPOINT"
      : facts.verb == kRelease ? "RELEASE"
                               : "ROLLBACK"
  );
  co_return Told::kSuccess;
}

net::Task<void> Session::after_schema_change() {
  if (!schema_changed_ && dropped_.empty()) {
    co_return;
  }
  schema_changed_ = false;
  ticket_.end();  // a change waits for older statements: this one is done
  const auto lock = co_await worker_.cluster().lock_changes(
      worker_.loop(), Deadline::after(worker_.loop().clock(), kCommitLimit)
  );
  const std::vector<plan::TableName> dropped = std::exchange(dropped_, {});
  if (!lock) {
    co_return;  // housekeeping notices the new schema within seconds
  }
  const auto forgotten = forget_tables(worker_.cluster(), *lock, dropped, port_.describe());
  const auto refreshed =
      co_await worker_.cluster().refresh_schema(worker_, *lock, port_.describe(), last_text_);
  if (!forgotten || !refreshed) {
    send_warning("01000", "the schema was changed, but the router could not read it again yet");
  }
}

}  // namespace sherd::engine
