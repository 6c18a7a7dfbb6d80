#include <algorithm>

#include <fmt/format.h>

#include <sherd/base/fault.hpp>
#include <sherd/base/text.hpp>
#include <sherd/txn/transaction.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::txn {
namespace {

// Swallows the answer to BEGIN. If the shard is not in a transaction afterwards, what was sent
// behind it must not count: the connection fails.
class BeginReply final : public pgconn::ReplyHandler {
 public:
  explicit BeginReply(pgconn::Connection& connection) : connection_(connection) {}
  void on_message(char type, const net::Slice& whole) override {
    if (type == 'E') {
      const auto fields = wire::ErrorFields::decode(whole.bytes().subspan(wire::kHeaderBytes));
      error_ = fields ? wire::to_error(*fields, connection_.options().shard) : fields.error();
    }
  }
  void on_ready(wire::TransactionStatus status) override {
    if (status != wire::TransactionStatus::kInTransaction) {
      connection_.fail(
          error_.message.empty()
              ? Error{.code = ErrorCode::kInvalidTransactionState, .message = "BEGIN had no effect"}
              : error_
      );
    }
  }
  void on_lost(const Error&) override {}

 private:
  pgconn::Connection& connection_;
  Error error_{};
};

// A shard that did not answer, or not in time, may or may not have done it.
bool is_uncertain(const Error& error) {
  return error.code == ErrorCode::kConnectionFailed || error.code == ErrorCode::kTimeout
         || error.code == ErrorCode::kProtocolViolation;
}

Error injected(std::string_view where) {
  return {.code = ErrorCode::kInternal, .message = fmt::format("fault injected at {}", where)};
}

}  // namespace

Participant* Transaction::find(ShardId shard) noexcept {
  for (const auto& participant : participants_) {
    if (participant->shard == shard) {
      return participant.get();
    }
  }
  return nullptr;
}

Participant& Transaction::join(ShardId shard, pool::Lease lease, std::string_view catch_up) {
  auto participant = std::make_unique<Participant>();
  participant->shard = shard;
  participant->lease = std::move(lease);
  participant->begin_reply = std::make_unique<BeginReply>(*participant->lease);
  std::string bytes;
  std::string sql = begin_;
  if (!catch_up.empty()) {
    sql += fmt::format(";{}", catch_up);
  }
  if (wire::append_query(
          bytes, sql
      )) {  // cannot be too long: made of names that once were statements
    participant->lease->expect(*participant->begin_reply, pgconn::ReplyMode::kMessages);
    participant->lease->send_copy(bytes);
  }
  const auto place = std::ranges::find_if(participants_, [&](const auto& other) {
    return index_of(other->shard) > index_of(shard);
  });
  return **participants_.insert(place, std::move(participant));
}

void Transaction::close() noexcept {
  for (const auto& participant : participants_) {
    if (release_ && participant->lease) {
      release_(participant->shard, std::move(participant->lease));
    } else {
      participant->lease.release();  // discards what is not idle
    }
  }
  participants_.clear();
  is_open_ = false;
}

void Transaction::abandon() noexcept {
  for (const auto& participant : participants_) {
    participant->lease.discard();
  }
  participants_.clear();
  is_open_ = false;
}

net::Task<Result<Outcome>> Transaction::commit(Deadline deadline) {
  std::vector<Participant*> writers;
  for (const auto& participant : participants_) {
    if (participant->wrote) {
      writers.push_back(participant.get());
    }
  }
  Result<Outcome> outcome = Outcome::kCommitted;
  if (writers.size() > 1) {
    const auto done = co_await commit_in_two_phases(writers, deadline);
    if (!done) {
      outcome = std::unexpected(done.error());
    }
  } else if (writers.size() == 1 || participants_.size() == 1) {
    Participant& only = writers.empty() ? *participants_.front() : *writers.front();
    outcome = co_await commit_one(only, deadline);
  }
  for (const auto& participant : participants_) {  // those that only read have nothing to lose
    const bool is_open = participant->lease && participant->lease->is_idle()
                         && participant->lease->status() != wire::TransactionStatus::kIdle;
    if (is_open) {
      const auto ended =
          co_await participant->lease->query(outcome ? "COMMIT" : "ROLLBACK", deadline);
      if (!ended) {
        participant->lease.discard();
      }
    }
  }
  close();
  co_return outcome;
}

net::Task<Result<Outcome>> Transaction::commit_one(Participant& participant, Deadline deadline) {
  auto ended = co_await participant.lease->query("COMMIT", deadline);
  if (ended) {
    co_return ended->tag == "ROLLBACK" ? Outcome::kRolledBack : Outcome::kCommitted;
  }
  Error error = std::move(ended).error();
  if (is_uncertain(error) && participant.wrote) {
    error.code = ErrorCode::kOutcomeUnknown;
    error.message = fmt::format(
        "connection to shard {} was lost during COMMIT: whether it happened is unknown",
        source_.shard_name(participant.shard)
    );
    error.hint = "look for the effects of the transaction before running it again";
  }
  co_return std::unexpected(std::move(error));
}

net::Task<Result<>> Transaction::prepare(
    Participant& participant, std::string name, Deadline deadline
) {
  auto done = co_await participant.lease->query(
      fmt::format("PREPARE TRANSACTION {}", quote_literal(name)), deadline
  );
  if (!done) {
    Error error = std::move(done).error();
    if (error.sqlstate() == "55000") {
      error.hint = fmt::format(
          "set max_prepared_transactions on shard {} to at least max_connections and restart it: "
          "a write on several shards commits in two phases",
          error.shard
      );
    }
    co_return std::unexpected(std::move(error));
  }
  if (done->tag != "PREPARE TRANSACTION") {  // a failed transaction answers ROLLBACK
    co_return fail(Error{
        .code = ErrorCode::kInFailedTransaction,
        .message = "the transaction has failed on a shard and was rolled back",
        .shard = source_.shard_name(participant.shard)
    });
  }
  co_return Result<>{};
}

net::Task<Result<>> Transaction::decide(Participant& participant, GlobalId id, Deadline deadline) {
  if (fault::fails_at("txn.decide")) {
    co_return fail(injected("txn.decide"));
  }
  auto done = co_await participant.lease->query(
      fmt::format(
          "INSERT INTO sherd.commit_record (name, is_committed) VALUES ({}, true); COMMIT",
          quote_literal(id.record_name())
      ),
      deadline
  );
  if (done) {
    if (done->tag == "COMMIT") {
      co_return Result<>{};
    }
    co_return fail(ErrorCode::kInFailedTransaction, "the transaction was rolled back by its shard");
  }
  if (!is_uncertain(done.error())) {
    co_return std::unexpected(std::move(done).error());
  }
  participant.lease.discard();
  const auto outcome = co_await resolve(source_, id, deadline);
  if (outcome && *outcome == Outcome::kCommitted) {
    co_return Result<>{};
  }
  Error error = done.error();
  if (!outcome) {
    error.code = ErrorCode::kOutcomeUnknown;
    error.message = fmt::format(
        "shard {} was lost at the moment of decision: whether the transaction happened is unknown",
        source_.shard_name(id.decision_shard)
    );
    error.hint = "it is resolved when the shard is back; see `sherd transactions`";
  }
  co_return std::unexpected(std::move(error));
}

net::Task<Result<>> Transaction::commit_in_two_phases(
    std::vector<Participant*> writers, Deadline deadline
) {
  Participant& decision = *writers.back();
  writers.pop_back();
  const GlobalId id = identity_.next(decision.shard);
  if (fault::fails_at("txn.prepare")) {
    co_return fail(injected("txn.prepare"));
  }
  std::vector<net::Task<Result<>>> preparing;
  for (Participant* participant : writers) {
    preparing.push_back(prepare(*participant, id.prepared_name(participant->shard), deadline));
  }
  const auto prepared = co_await net::when_all(std::move(preparing));
  Result<> outcome{};
  for (const auto& result : prepared) {
    if (!result && outcome) {
      outcome = result;
    }
  }
  if (outcome && fault::fails_at("txn.prepared")) {
    outcome = fail(injected("txn.prepared"));
  }
  if (outcome) {
    outcome = co_await decide(decision, id, deadline);
  }
  if (!outcome && outcome.error().code == ErrorCode::kOutcomeUnknown) {
    co_return outcome;  // what is prepared stays prepared: recovery will know
  }
  if (outcome && fault::fails_at("txn.decided")) {
    co_return outcome;  // as if we had died here: recovery finishes it
  }
  const Outcome end = outcome ? Outcome::kCommitted : Outcome::kRolledBack;
  co_await finish_prepared(std::move(writers), id, end, deadline);
  if (fault::fails_at("txn.finished")) {
    co_return outcome;
  }
  co_return outcome;
}

namespace {

net::Task<void> finish_one(
    Participant& participant, std::string name, Outcome outcome, Deadline deadline
) {
  if (!participant.lease || participant.lease->is_broken()) {
    co_return;  // recovery will do it
  }
  const bool is_prepared = participant.lease->status() == wire::TransactionStatus::kIdle;
  const std::string sql =
      is_prepared ? fmt::format(
                        "{} PREPARED {}", outcome == Outcome::kCommitted ? "COMMIT" : "ROLLBACK",
                        quote_literal(name)
                    )
                  : "ROLLBACK";
  const auto done = co_await participant.lease->query(sql, deadline);
  if (!done) {
    participant.lease.discard();  // recovery will do it
  }
}

}  // namespace

net::Task<void> Transaction::finish_prepared(
    std::vector<Participant*> prepared, GlobalId id, Outcome outcome, Deadline deadline
) {
  std::vector<net::Task<void>> finishing;
  for (Participant* participant : prepared) {
    finishing.push_back(
        finish_one(*participant, id.prepared_name(participant->shard), outcome, deadline)
    );
  }
  co_await net::when_all(std::move(finishing));
}

net::Task<void> Transaction::rollback(Deadline deadline) {
  for (const auto& participant : participants_) {
    if (!participant->lease || participant->lease->is_broken()) {
      continue;
    }
    const auto done = co_await participant->lease->query("ROLLBACK", deadline);
    if (!done) {
      participant->lease.discard();  // closing the connection rolls back as well
    }
  }
  close();
}

}  // namespace sherd::txn
