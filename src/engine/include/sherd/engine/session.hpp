#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/engine/options.hpp>
#include <sherd/engine/worker.hpp>
#include <sherd/exec/copy.hpp>
#include <sherd/exec/relay.hpp>
#include <sherd/exec/scatter.hpp>
#include <sherd/exec/sink.hpp>
#include <sherd/pgconn/connection.hpp>
#include <sherd/session/settings.hpp>
#include <sherd/wire/frontend.hpp>

namespace sherd::engine {

/// One whole message of a client.
struct ClientMessage {
  char type = 0;
  net::Slice whole{};  // with its header
  [[nodiscard]] Bytes body() const { return whole.bytes().subspan(wire::kHeaderBytes); }
};

/// The other side of a session: takes results, gives messages. Implemented by the proxy.
class ClientPort : public exec::ResultSink {
 public:
  /// The next message (COPY data); kConnectionFailed when the client is gone.
  [[nodiscard]] virtual net::Task<Result<ClientMessage>> next() = 0;
  /// A waiting `next` returns kQueryCanceled: the shard has ended the COPY that the client feeds.
  virtual void interrupt() = 0;
  /// Who it is, for the audit and SHOW CLIENTS: "app@127.0.0.1:5000".
  [[nodiscard]] virtual std::string describe() const = 0;
};

/// A statement that a client has prepared, by protocol. Immutable; portals share it.
struct Prepared {
  std::string text{};
  std::vector<Oid> types{};  // as the client declared them
  std::string cache_key{};   // text and types
};

/// A statement bound to values.
struct Portal {
  std::shared_ptr<const Prepared> statement{};
  net::Slice bind{};                 // the client's whole Bind message
  std::optional<ShardId> open_on{};  // a row limit left it open on this shard
  bool is_exhausted = false;         // it has given its rows and cannot go on
};

/// What one client does with the cluster: statements in, backend messages out. One call at a time;
/// after each the client has everything but what it is told on errors that end the connection.
/// Thread: its worker's.
class Session {
 public:
  Session(Worker& worker, ClientPort& port, Account account, session::SettingMap startup);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Checks the client's start-up settings on the home shard and learns the parameters that it is
  /// to be told (ParameterStatus). Call once, first.
  [[nodiscard]] net::Task<Result<std::map<std::string, std::string>>> start();

  /// A Query message.
  [[nodiscard]] net::Task<void> query(net::Slice message);
  /// Messages of the extended protocol up to a Flush or Sync (`is_sync`), which is not among them.
  [[nodiscard]] net::Task<void> batch(std::vector<ClientMessage> messages, bool is_sync);

  /// The client has said good-bye or is gone: rolls back what is open. Call last.
  [[nodiscard]] net::Task<void> end();

  /// A CancelRequest reached us: cancels what runs now, on all its shards.
  void cancel();
  /// The client is gone: what runs is cancelled, and nothing is kept.
  void client_gone();

  [[nodiscard]] std::uint32_t process_id() const noexcept { return process_id_; }
  [[nodiscard]] const std::string& secret() const noexcept { return secret_; }
  [[nodiscard]] wire::TransactionStatus status() const noexcept;
  [[nodiscard]] bool is_idle() const noexcept { return !is_busy_ && !txn_.is_open(); }
  [[nodiscard]] bool is_busy() const noexcept { return is_busy_; }
  [[nodiscard]] const Account& account() const noexcept { return account_; }
  [[nodiscard]] const std::string& last_text() const noexcept { return last_text_; }
  [[nodiscard]] ClientPort& port() noexcept { return port_; }

 private:
  // How a statement came, and what of the protocol its answer must hold.
  struct Request {
    std::string_view text{};  // of this statement alone
    std::shared_ptr<const sql::Statement> facts{};
    std::vector<sql::Literal> literals{};
    const Portal* portal = nullptr;  // extended protocol
    bool describe = true;            // the client wants a RowDescription
    std::uint64_t max_rows = 0;
    std::string cursor{};                   // name of the client's portal
    std::optional<ShardId> left_open_on{};  // set when a row limit left it open on a shard
    // Bind's values, decoded once.
    std::vector<std::optional<Bytes>> values{};
    std::vector<std::uint16_t> formats{};
    std::vector<std::int16_t> result_formats{};
    [[nodiscard]] plan::Parameters parameters() const;
    [[nodiscard]] bool is_extended() const noexcept { return portal != nullptr; }
  };
  // A connection for one statement: the transaction's, or one of its own.
  struct Borrowed {
    pgconn::Connection* connection = nullptr;
    pool::Lease lease{};  // empty where a participant or a pinned connection serves
  };
  enum class Told : std::uint8_t { kSuccess, kFailure };  // what the client has been told
  using Answer = Result<Told>;                            // an Error: it has not been told yet
  using Handler = net::Task<Answer> (Session::*)(Request* request);

  // session.cpp: turning requests into statements
  [[nodiscard]] net::Task<Answer> run_text(std::string_view text);
  [[nodiscard]] net::Task<Answer> run_many(sql::Analysis analysis);
  [[nodiscard]] net::Task<Answer> run_statement(Request* request);
  [[nodiscard]] net::Task<Result<>> wait_for_switch(const sql::Statement* facts);
  [[nodiscard]] net::Task<Answer> run_on_route(ShardId shard, bool writes, net::Slice request);
  [[nodiscard]] bool mentions_switching(const sql::Statement& facts);
  [[nodiscard]] Result<> check_not_dropped(const sql::Statement& facts) const;
  [[nodiscard]] plan::Context context();
  void begin_statement(std::string_view text);
  void finish(const Answer& answer);
  void send_error(const Error& error);
  void send_ready();
  void send_warning(std::string_view sqlstate, std::string message);
  void send_complete(std::string_view tag);
  /// One row of one text column.
  void send_one_value(std::string_view column, std::string_view value, const Request& request);
  /// Rows of one text column, described unless the client does not want it.
  void send_text_rows(
      std::string_view column, const std::vector<std::string>& rows, const Request& request
  );
  [[nodiscard]] static Handler handler_of(const sql::Body& body);

  // connections.cpp
  [[nodiscard]] net::Task<Result<Borrowed>> borrow(ShardId shard, bool writes);
  /// Beside the open transaction, which must have no participants: for what only asks.
  [[nodiscard]] net::Task<Result<Borrowed>> borrow_beside(ShardId shard);
  [[nodiscard]] net::Task<Result<std::vector<Borrowed>>> borrow_all(
      std::vector<ShardId> shards, bool writes
  );
  [[nodiscard]] net::Task<Result<>> sync_settings(pgconn::Connection* connection);
  [[nodiscard]] bool is_synced(pgconn::Connection& connection) const noexcept;
  [[nodiscard]] Result<> check_read_committed() const;
  [[nodiscard]] net::Task<Result<>> wait_for_resume();
  void release_participant(ShardId shard, pool::Lease lease);
  [[nodiscard]] Error lost(Error error, bool writes) const;
  [[nodiscard]] net::Task<void> give_back(Borrowed* borrowed);
  [[nodiscard]] Result<> check_isolation(ShardId joining) const;
  void activate(pgconn::Connection& connection) { active_.push_back(&connection); }
  [[nodiscard]] net::Task<void> deactivate();
  [[nodiscard]] net::Task<void> cancel_one(net::Address address, pgconn::CancelKey key);

  // planned.cpp: statements that are planned
  [[nodiscard]] net::Task<Answer> run_planned(Request* request);
  [[nodiscard]] net::Task<Answer> run_plan(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Answer> run_single(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Answer> run_merge(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Answer> run_write(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Answer> run_everywhere(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Answer> run_outside_transaction(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Result<exec::ScatterOutcome>> scatter(
      Request* request, plan::Plan* plan, exec::ScatterOptions options
  );
  [[nodiscard]] Result<net::Slice> shard_request(
      const Request& request, std::string_view sql, pgconn::Connection& connection,
      std::uint64_t max_rows, exec::Swallow& swallow
  );
  [[nodiscard]] net::Task<Answer> relay(Request* request, Borrowed* borrowed);
  [[nodiscard]] std::string_view text_of(const Request& request, sql::Span span) const;
  [[nodiscard]] net::Task<void> after_schema_change();
  [[nodiscard]] exec::ScatterOptions merge_options(const Request& request, const plan::Plan& plan)
      const;

  // transaction.cpp
  [[nodiscard]] net::Task<Answer> run_transaction(Request* request);
  [[nodiscard]] Answer begin_explicit(const sql::Transaction& facts);
  void restart(const std::string& begin, const std::string& level);
  [[nodiscard]] net::Task<Answer> commit_explicit(bool chain);
  [[nodiscard]] net::Task<Answer> rollback_explicit(bool chain);
  [[nodiscard]] net::Task<Answer> run_savepoint(Request* request);
  [[nodiscard]] net::Task<Result<>> on_all_participants(std::string sql);
  void begin_implicit();
  [[nodiscard]] net::Task<Result<>> end_implicit(bool commits);
  void transaction_ended(bool committed);

  // settings.cpp
  [[nodiscard]] net::Task<Answer> run_set(Request* request);
  [[nodiscard]] net::Task<Answer> run_set_config(Request* request);
  /// @param again  says the same to the transaction's other shards.
  [[nodiscard]] net::Task<Answer> set_on_shards(
      Request* request, const sql::SetVariable& facts, std::string again
  );
  [[nodiscard]] Result<bool> set_here(const sql::SetVariable& facts);
  [[nodiscard]] net::Task<Answer> run_show(Request* request);
  [[nodiscard]] net::Task<Answer> run_discard(Request* request);
  void note_characteristic(std::string name, std::string value);
  void note_set(const sql::SetVariable& facts);
  void update_search_path();
  [[nodiscard]] int extra_float_digits() const;
  void report_parameters(pgconn::Connection& connection);

  // extended.cpp
  enum class ShortBatch : std::uint8_t { kNotTaken, kDone, kFailed };
  struct ShortShape {  // [Parse] Bind [Describe] Execute
    const ClientMessage* parse = nullptr;
    const ClientMessage* bind = nullptr;
    const ClientMessage* describe = nullptr;
    const ClientMessage* execute = nullptr;
  };
  [[nodiscard]] static std::optional<ShortShape> short_shape(
      const std::vector<ClientMessage>& messages
  );
  [[nodiscard]] static bool describes(const ClientMessage& describe, const ClientMessage& execute);
  [[nodiscard]] net::Task<Result<ShortBatch>> run_short_batch(
      const std::vector<ClientMessage>* messages
  );
  [[nodiscard]] ShortBatch undo_short(bool parsed, std::string_view name);
  void send_named(
      Borrowed* borrowed, const ShortShape& shape, const Prepared& statement, exec::Swallow& swallow
  );
  [[nodiscard]] net::Task<Answer> run_long_batch(
      const std::vector<ClientMessage>* messages, bool is_sync
  );
  [[nodiscard]] net::Task<Answer> on_parse(const ClientMessage* message, bool is_used);
  [[nodiscard]] Answer on_bind(const ClientMessage* message);
  [[nodiscard]] net::Task<Answer> on_describe(const ClientMessage* message);
  [[nodiscard]] net::Task<Answer> on_execute(
      const ClientMessage* message, bool describe, bool needs_transaction
  );
  [[nodiscard]] net::Task<Answer> on_close(const ClientMessage* message);
  [[nodiscard]] net::Task<Answer> describe_statement(
      std::shared_ptr<const Prepared> statement, const Portal* portal, bool validate_only
  );
  [[nodiscard]] Result<std::shared_ptr<const Prepared>> prepared(std::string_view name) const;
  [[nodiscard]] Result<Request> portal_request(const Portal& portal);
  [[nodiscard]] net::Task<Answer> resume_portal(
      std::string name, Portal* portal, std::uint64_t max_rows
  );
  [[nodiscard]] Result<> store_prepared(const wire::Parse& parse);
  void send_description_of_nothing(bool of_statement);
  void send_admin_description(bool of_statement, const sql::Statement& facts);

  // copy.cpp
  [[nodiscard]] net::Task<Answer> run_copy_in(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Answer> run_copy_out(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Result<std::uint64_t>> copy_rows_in(Request* request, plan::Plan* plan);
  [[nodiscard]] net::Task<Result<>> feed_copy(exec::CopyIn* copy);
  [[nodiscard]] net::Task<Result<>> feed_relay(
      pgconn::Connection* connection, const exec::Relay* relay
  );

  // utility.cpp
  [[nodiscard]] net::Task<Answer> run_explain(Request* request);
  [[nodiscard]] net::Task<Result<std::vector<std::string>>> explain_on(
      ShardId shard, std::string sql, bool has_all_values
  );
  [[nodiscard]] bool mentions_sharded(const sql::Statement& facts);
  [[nodiscard]] net::Task<Answer> run_admin_function(Request* request);
  [[nodiscard]] net::Task<Answer> run_refused(Request* request);
  [[nodiscard]] net::Task<Answer> run_deallocate(Request* request);
  [[nodiscard]] net::Task<Answer> run_cursor(Request* request);
  [[nodiscard]] net::Task<Answer> run_notify(Request* request);
  [[nodiscard]] bool is_admin_function(const sql::Statement& facts) const;

  Worker& worker_;
  ClientPort& port_;
  Account account_;
  std::uint32_t process_id_ = 0;
  std::string secret_{};
  session::Settings settings_;
  SearchPathPtr search_path_{};
  std::map<std::string, std::string> reported_{};  // parameters that the client was told
  txn::Transaction txn_;
  std::string begin_sql_{};                 // of the open transaction, for AND CHAIN
  std::optional<ShardId> forced_shard_{};   // SET sherd.shard
  bool schema_changed_ = false;             // by the open transaction
  std::vector<plan::TableName> dropped_{};  // likewise
  bool is_explicit_ = false;                // BEGIN was said
  bool is_failed_ = false;                  // the transaction can only be rolled back
  bool set_in_transaction_ = false;
  std::string isolation_{};  // of the open transaction; "" is the session's default
  std::map<std::string, std::shared_ptr<const Prepared>, std::less<>> prepared_{};
  std::size_t prepared_bytes_ = 0;
  std::map<std::string, Portal, std::less<>> portals_{};
  std::map<std::string, ShardId, std::less<>> cursors_{};
  bool skips_to_sync_ = false;
  bool copy_began_ = false;              // in this batch: the client was asked for COPY data
  std::optional<pool::Lease> pinned_{};  // the home shard's, while something cannot be shared
  bool pin_wanted_ = false;
  OpenStatements::Ticket ticket_{};
  std::vector<pgconn::Connection*> active_{};
  net::TaskGroup cancels_;
  bool cancel_requested_ = false;
  bool is_busy_ = false;
  bool is_gone_ = false;
  std::string last_text_{};
};

}  // namespace sherd::engine
