#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/engine/cluster.hpp>
#include <sherd/engine/mentions.hpp>
#include <sherd/engine/session.hpp>
#include <sherd/sql/transfer.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::engine {
namespace {

constexpr Duration kSwitchLimit = std::chrono::seconds(60);  // for a table that changes hands

std::string new_secret(RandomSource& random) {
  std::string secret;
  append_be(secret, static_cast<std::uint32_t>(random.next()));
  return secret;
}

}  // namespace

Session::Session(Worker& worker, ClientPort& port, Account account, session::SettingMap startup)
    : worker_(worker),
      port_(port),
      account_(std::move(account)),
      secret_(new_secret(worker.cluster().random())),
      settings_(std::move(startup)),
      txn_(worker.loop(), worker, worker.cluster().identity()),
      cancels_(worker.loop()) {
  process_id_ = worker_.add_session(*this);
  update_search_path();
  txn_.set_release([this](ShardId shard, pool::Lease lease) {
    release_participant(shard, std::move(lease));
  });
}

Session::~Session() {
  worker_.remove_session(process_id_);
  ticket_.end();
  txn_.abandon();
  pinned_.reset();  // discarded: its state is what it was pinned for
}

wire::TransactionStatus Session::status() const noexcept {
  if (!is_explicit_) {
    return wire::TransactionStatus::kIdle;
  }
  return is_failed_ ? wire::TransactionStatus::kFailed : wire::TransactionStatus::kInTransaction;
}

plan::Parameters Session::Request::parameters() const {
  if (portal == nullptr) {
    return {};
  }
  return {.values = values, .formats = formats, .types = portal->statement->types};
}

plan::Context Session::context() {
  return {
      .topology = worker_.snapshot().get(),
      .search_path = search_path_->schemas,
      .forced_shard = forced_shard_
  };
}

std::string_view Session::text_of(const Request& request, sql::Span span) const {
  return sql::span_in(*request.facts, request.literals, span).of(request.text);
}

// ---- what the client is told

void Session::send_error(const Error& error) {
  std::string bytes;
  wire::append_error(bytes, error);
  port_.send_copy(bytes);
}

void Session::send_ready() {
  std::string bytes;
  wire::append_ready(bytes, status());
  port_.send_copy(bytes);
}

void Session::send_complete(std::string_view tag) {
  std::string bytes;
  wire::append_command_complete(bytes, tag);
  port_.send_copy(bytes);
}

void Session::begin_statement(std::string_view text) {
  is_busy_ = true;
  cancel_requested_ = false;
  active_.clear();  // an error may have dropped connections without giving them back
  last_text_.assign(text.substr(0, 1024));
  ticket_ = worker_.open_statements().begin(worker_.snapshot()->epoch);
  worker_.stats().statements.fetch_add(1, std::memory_order_relaxed);
}

// Every error in a transaction fails the transaction, wherever it came from.
void Session::finish(const Answer& answer) {
  ticket_.end();
  if (!answer) {
    send_error(answer.error());
    const bool is_refusal = answer.error().code == ErrorCode::kUnsupported;
    auto& counter = is_refusal ? worker_.stats().refused : worker_.stats().errors;
    counter.fetch_add(1, std::memory_order_relaxed);
  }
  const bool has_failed = !answer || *answer == Told::kFailure;
  if (has_failed && is_explicit_) {
    is_failed_ = true;
  }
  is_busy_ = false;
}

// ---- from text to statements

net::Task<void> Session::query(net::Slice message) {
  const auto decoded = wire::Query::decode(message.bytes().subspan(wire::kHeaderBytes));
  if (!decoded) {
    send_error(decoded.error());
    send_ready();
    co_return;
  }
  const std::string_view text = decoded->sql;
  begin_statement(text);
  prepared_.erase("");
  portals_.erase("");
  Answer answer = Told::kSuccess;
  const plan::Route* route = nullptr;
  std::shared_ptr<const plan::Route> held;
  if (!is_failed_ && !forced_shard_ && dropped_.empty()) {
    if (const auto found = worker_.look_up(text, *search_path_)) {
      held = (*found)->route;
      route = held.get();
    }
  }
  Result<std::optional<ShardId>> shard = std::nullopt;
  if (route != nullptr) {
    shard = route->shard(worker_.lifted().literals, {}, *worker_.snapshot());
  }
  if (shard && *shard) {
    answer = co_await run_on_route(**shard, route->writes(), std::move(message));
  } else {
    answer = co_await run_text(text);
  }
  if (txn_.is_open() && !is_explicit_) {  // several statements in one message are one transaction
    const bool succeeded = answer && *answer == Told::kSuccess;
    const auto ended = co_await end_implicit(succeeded);
    if (succeeded && !ended) {
      answer = std::unexpected(ended.error());
    }
  }
  finish(answer);
  send_ready();
}

// The short way: the client's own message to the shard, the shard's answer to the client.
net::Task<Session::Answer> Session::run_on_route(ShardId shard, bool writes, net::Slice request) {
  worker_.stats().single_shard.fetch_add(1, std::memory_order_relaxed);
  ticket_.add(shard);
  SHERD_CO_TRY(Borrowed borrowed, co_await borrow(shard, writes));
  exec::Relay relay(worker_.loop(), *borrowed.connection, port_);
  borrowed.connection->expect(relay, pgconn::ReplyMode::kRelay);
  borrowed.connection->send(std::move(request));
  const auto outcome = co_await relay.wait();
  co_await give_back(&borrowed);
  if (!outcome) {
    co_return std::unexpected(lost(outcome.error(), writes));
  }
  co_return outcome->failed ? Told::kFailure : Told::kSuccess;
}

net::Task<Session::Answer> Session::run_text(std::string_view text) {
  SHERD_CO_TRY(const CachedStatement* found, worker_.look_up(text, *search_path_));
  if (found->facts) {
    Request request{.text = text, .facts = found->facts, .literals = worker_.lifted().literals};
    co_return co_await run_statement(&request);
  }
  SHERD_CO_TRY(sql::Analysis analysis, sql::analyze(text, worker_.lifted().literals));
  if (analysis.statements.empty()) {
    std::string bytes;
    wire::append_empty_query(bytes);
    port_.send_copy(bytes);
    co_return Told::kSuccess;
  }
  co_return co_await run_many(std::move(analysis));
}

// Several statements in one Query are one transaction, unless BEGIN and COMMIT among them say
// otherwise.
net::Task<Session::Answer> Session::run_many(sql::Analysis analysis) {
  for (const auto& statement : analysis.statements) {
    if (!txn_.is_open() && !std::holds_alternative<sql::Transaction>(statement->body)) {
      begin_implicit();
    }
    ticket_ = worker_.open_statements().begin(worker_.snapshot()->epoch);
    SHERD_CO_TRY(const Told told, co_await run_text(statement->text));
    if (told == Told::kFailure) {
      co_return told;
    }
  }
  co_return Told::kSuccess;
}

Session::Handler Session::handler_of(const sql::Body& body) {
  // In the order of sql::Body.
  static constexpr std::array<Handler, std::variant_size_v<sql::Body>> kHandlers = {
      &Session::run_planned,      // Select
      &Session::run_planned,      // Insert
      &Session::run_planned,      // Update
      &Session::run_planned,      // Delete
      &Session::run_planned,      // Merge
      &Session::run_planned,      // Copy
      &Session::run_transaction,  // Transaction
      &Session::run_set,          // SetVariable
      &Session::run_show,         // Show
      &Session::run_refused,      // Prepare
      &Session::run_refused,      // Execute
      &Session::run_deallocate,   // Deallocate
      &Session::run_cursor,       // DeclareCursor
      &Session::run_cursor,       // CursorUse
      &Session::run_notify,       // Notify
      &Session::run_explain,      // Explain
      &Session::run_planned,      // Truncate
      &Session::run_planned,      // Lock
      &Session::run_planned,      // Maintenance
      &Session::run_planned,      // Ddl
      &Session::run_discard,      // Discard
      &Session::run_planned,      // Other
  };
  return kHandlers[body.index()];
}

net::Task<Session::Answer> Session::run_statement(Request* request) {
  const auto* transaction = std::get_if<sql::Transaction>(&request->facts->body);
  if (is_failed_ && transaction == nullptr) {
    co_return fail(
        ErrorCode::kInFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block"
    );
  }
  SHERD_CO_TRY_VOID(check_not_dropped(*request->facts));
  SHERD_CO_TRY_VOID(co_await wait_for_switch(request->facts.get()));
  co_return co_await (this->*handler_of(request->facts->body))(request);
}

bool Session::mentions_switching(const sql::Statement& facts) {
  const topology::SnapshotPtr snapshot = worker_.snapshot();
  const auto may_be_switching = [&](const sql::Relation& relation) {
    const auto& switching = snapshot->switching;
    return std::ranges::find(switching, relation.name) != switching.end()
           || std::ranges::any_of(snapshot->schema->parts().relations, [&](const auto& known) {
                return known.name == relation.name && !known.view_definition.empty();
              });
  };
  if (mentions(facts, may_be_switching)) {
    return true;
  }
  // Rows reached otherwise (a function, DDL): wait for any change.
  return !std::holds_alternative<sql::Select>(facts.body)
         && !std::holds_alternative<sql::Insert>(facts.body)
         && !std::holds_alternative<sql::Update>(facts.body)
         && !std::holds_alternative<sql::Delete>(facts.body)
         && !std::holds_alternative<sql::Copy>(facts.body)
         && !std::holds_alternative<sql::Transaction>(facts.body)
         && !std::holds_alternative<sql::SetVariable>(facts.body);
}

// A table that this transaction has dropped is still distributed for everybody else; one of the
// same name that was made since would be taken for it.
Result<> Session::check_not_dropped(const sql::Statement& facts) const {
  const auto was_dropped = [&](const sql::Relation& relation) {
    return std::ranges::find(dropped_, relation.name, &plan::TableName::name) != dropped_.end();
  };
  if (dropped_.empty() || std::holds_alternative<sql::Ddl>(facts.body)
      || !mentions(facts, was_dropped)) {
    return {};
  }
  return fail(
      ErrorCode::kUnsupported, "a distributed table of that name was dropped in this transaction",
      "COMMIT before using the new one"
  );
}

// A statement on a table that is changing hands waits until it is known where the rows are.
net::Task<Result<>> Session::wait_for_switch(const sql::Statement* facts) {
  constexpr Duration kPause = std::chrono::milliseconds(3);
  const Deadline deadline = Deadline::after(worker_.loop().clock(), kSwitchLimit);
  while (!worker_.snapshot()->switching.empty() && mentions_switching(*facts)) {
    ticket_.end();
    if (deadline.passed(worker_.loop().now()) || cancel_requested_) {
      co_return fail(
          ErrorCode::kObjectInUse,
          "the table is being distributed and this statement has waited too long",
          "try again when that is done"
      );
    }
    co_await net::sleep_until(worker_.loop(), worker_.loop().now() + kPause);
    ticket_ = worker_.open_statements().begin(worker_.snapshot()->epoch);
  }
  co_return Result<>{};
}

net::Task<void> Session::end() {
  ticket_.end();
  co_await deactivate();
  if (txn_.is_open()) {
    co_await txn_.rollback(Deadline::after(worker_.loop().clock(), std::chrono::seconds(5)));
  }
}

// ---- cancelling

void Session::cancel() {
  if (!is_busy_) {
    return;
  }
  cancel_requested_ = true;
  for (pgconn::Connection* connection : active_) {
    if (!connection->is_broken() && connection->outstanding() > 0) {
      cancels_.spawn(cancel_one(connection->options().address, connection->cancel_key()));
    }
  }
}

net::Task<void> Session::cancel_one(net::Address address, pgconn::CancelKey key) {
  const auto done = co_await pgconn::Connection::cancel(
      worker_.loop(), std::move(address), std::move(key),
      Deadline::after(worker_.loop().clock(), std::chrono::seconds(5))
  );
  (void)done;  // a cancel is a request: a shard that does not hear it ends the statement by itself
}

void Session::client_gone() {
  is_gone_ = true;
  cancel();
}

}  // namespace sherd::engine
