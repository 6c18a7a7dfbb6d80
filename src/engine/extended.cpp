#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <sherd/engine/bind_message.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/engine/session.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::engine {
namespace {

Error no_statement(std::string_view name) {
  return {
      .code = ErrorCode::kUndefinedPrepared,
      .message = name.empty() ? std::string("unnamed prepared statement does not exist")
                              : fmt::format("prepared statement \"{}\" does not exist", name)
  };
}

Error no_portal(std::string_view name) {
  return {
      .code = ErrorCode::kUndefinedCursor,
      .message = fmt::format("portal \"{}\" does not exist", name)
  };
}

/// What a server has prepared stands for its text, its types and the schema that it was prepared
/// under: `world` is another where tables or the search path may be others.
std::string cache_key(
    std::string_view text, const wire::IntegerList<std::uint32_t>& types, std::uint64_t world
) {
  std::string key(text);
  key += '\0';
  append_be(key, world);
  for (const Oid type : types) {
    append_be(key, type);
  }
  return key;
}

}  // namespace

Result<> Session::store_prepared(const wire::Parse& parse) {
  const std::string name(parse.statement);
  const auto found = prepared_.find(name);
  if (!name.empty() && found != prepared_.end()) {
    return fail(
        ErrorCode::kDuplicatePrepared, fmt::format("prepared statement \"{}\" already exists", name)
    );
  }
  const std::size_t limit = worker_.cluster().options().prepared_bytes;
  if (found != prepared_.end()) {
    prepared_bytes_ -= found->second->cache_key.size() * 2;
    prepared_.erase(found);
  }
  auto statement = std::make_shared<Prepared>();
  statement->text = parse.sql;
  statement->types.assign(parse.types.begin(), parse.types.end());
  const bool sees_own_schema = schema_changed_ || pinned_ || pin_wanted_;
  const std::uint64_t world =
      sees_own_schema ? worker_.cluster().random().next()  // nobody else's
                      : search_path_->key ^ (number_of(worker_.snapshot()->epoch) << 32U);
  statement->cache_key = cache_key(parse.sql, parse.types, world);
  const std::size_t bytes = statement->cache_key.size() * 2;
  if (prepared_bytes_ + bytes > limit && !name.empty()) {
    return fail(
        ErrorCode::kConfigLimit,
        fmt::format("prepared statements of this session need more than {} bytes", limit),
        "close some (DEALLOCATE), or raise [limits] prepared_bytes"
    );
  }
  prepared_bytes_ += bytes;
  prepared_.emplace(name, std::move(statement));
  return {};
}

Result<std::shared_ptr<const Prepared>> Session::prepared(std::string_view name) const {
  const auto found = prepared_.find(name);
  if (found == prepared_.end()) {
    return std::unexpected(no_statement(name));
  }
  return found->second;
}

net::Task<void> Session::batch(std::vector<ClientMessage> messages, bool is_sync) {
  Answer answer = Told::kSuccess;
  copy_began_ = false;
  if (!skips_to_sync_ && !messages.empty()) {
    bool is_done = false;
    if (is_sync && !is_failed_ && !forced_shard_ && dropped_.empty()
        && (is_explicit_ || !txn_.is_open())) {
      auto done = co_await run_short_batch(&messages);
      is_done = !done || *done != ShortBatch::kNotTaken;
      if (!done) {
        answer = std::unexpected(std::move(done).error());
      } else if (*done == ShortBatch::kFailed) {
        answer = Told::kFailure;
      }
    }
    if (!is_done) {
      answer = co_await run_long_batch(&messages, is_sync);
    }
    skips_to_sync_ = !answer || *answer == Told::kFailure;
    finish(answer);
  }
  // A Sync sent ahead of COPY data arrives in the midst of it, where it means nothing: clients send
  // another behind the data.
  if (!is_sync || copy_began_) {
    co_return;
  }
  if (txn_.is_open() && !is_explicit_) {
    const auto ended = co_await end_implicit(!skips_to_sync_);
    if (!ended) {
      send_error(ended.error());
    }
  }
  if (!is_explicit_) {
    portals_.clear();
  }
  skips_to_sync_ = false;
  send_ready();
}

// ---- the short way: one statement for one shard, [Parse] Bind [Describe] Execute Sync

net::Task<Result<Session::ShortBatch>> Session::run_short_batch(
    const std::vector<ClientMessage>* messages
) {
  const std::optional<ShortShape> shape = short_shape(*messages);
  if (!shape) {
    co_return ShortBatch::kNotTaken;
  }
  const auto bind = wire::Bind::decode(shape->bind->body());
  if (!bind || !bind->portal.empty()) {
    co_return ShortBatch::kNotTaken;
  }
  std::shared_ptr<const Prepared> statement;
  if (shape->parse != nullptr) {
    const auto parse = wire::Parse::decode(shape->parse->body());
    if (!parse || parse->statement != bind->statement) {
      co_return ShortBatch::kNotTaken;
    }
    const bool is_new = parse->statement.empty() || !prepared_.contains(parse->statement);
    if (!is_new || !store_prepared(*parse)) {
      co_return ShortBatch::kNotTaken;
    }
  }
  if (const auto found = prepared_.find(bind->statement); found != prepared_.end()) {
    statement = found->second;
  } else {
    co_return ShortBatch::kNotTaken;
  }
  const auto looked = worker_.look_up(statement->text, *search_path_);
  if (!looked || !(*looked)->route) {
    co_return undo_short(shape->parse != nullptr, bind->statement);
  }
  const std::shared_ptr<const plan::Route> route = (*looked)->route;
  std::vector<std::optional<Bytes>> values(bind->values.size());
  bind->values.copy_to(values);
  const std::vector<std::uint16_t> formats(bind->formats.begin(), bind->formats.end());
  const auto shard = route->shard(
      worker_.lifted().literals, {.values = values, .formats = formats, .types = statement->types},
      *worker_.snapshot()
  );
  if (!shard || !*shard) {
    co_return undo_short(shape->parse != nullptr, bind->statement);
  }
  begin_statement(statement->text);
  worker_.stats().single_shard.fetch_add(1, std::memory_order_relaxed);
  ticket_.add(**shard);
  SHERD_CO_TRY(Borrowed borrowed, co_await borrow(**shard, route->writes()));
  exec::Swallow swallow;
  const bool is_unnamed = shape->parse != nullptr && bind->statement.empty();
  if (is_unnamed) {
    for (const ClientMessage& message : *messages) {
      borrowed.connection->send(message.whole);
    }
  } else {
    send_named(&borrowed, *shape, *statement, swallow);
  }
  std::string sync;
  wire::append_sync(sync);
  exec::Relay relay(worker_.loop(), *borrowed.connection, port_, swallow);
  borrowed.connection->expect(relay, pgconn::ReplyMode::kRelay);
  borrowed.connection->send_copy(sync);
  const auto outcome = co_await relay.wait();
  if (relay.not_swallowed().parse_complete != 0 || (outcome && outcome->failed && !is_unnamed)) {
    borrowed.connection->statements().forget(statement->cache_key);
  }
  co_await give_back(&borrowed);
  if (!outcome) {
    co_return std::unexpected(lost(outcome.error(), route->writes()));
  }
  co_return outcome->failed ? ShortBatch::kFailed : ShortBatch::kDone;
}

// The long way begins with the Parse again.
Session::ShortBatch Session::undo_short(bool parsed, std::string_view name) {
  if (parsed) {
    if (const auto found = prepared_.find(name); found != prepared_.end()) {
      prepared_bytes_ -= found->second->cache_key.size() * 2;
      prepared_.erase(found);
    }
  }
  return ShortBatch::kNotTaken;
}

std::optional<Session::ShortShape> Session::short_shape(const std::vector<ClientMessage>& messages
) {
  ShortShape shape;
  std::size_t at = 0;
  if (at < messages.size() && messages[at].type == 'P') {
    shape.parse = &messages[at++];
  }
  if (at >= messages.size() || messages[at].type != 'B') {
    return std::nullopt;
  }
  shape.bind = &messages[at++];
  if (at < messages.size() && messages[at].type == 'D') {
    const auto describe = wire::Describe::decode(messages[at].body());
    if (!describe || describe->target != wire::Target::kPortal || !describe->name.empty()) {
      return std::nullopt;
    }
    shape.describe = &messages[at++];
  }
  if (at + 1 != messages.size() || messages[at].type != 'E') {
    return std::nullopt;
  }
  const auto execute = wire::Execute::decode(messages[at].body());
  if (!execute || !execute->portal.empty() || execute->max_rows > 0) {
    return std::nullopt;
  }
  shape.execute = &messages[at];
  return shape;
}

// Bind under the server's name of the statement, which is parsed there first if it is not yet
// known.
void Session::send_named(
    Borrowed* borrowed, const ShortShape& shape, const Prepared& statement, exec::Swallow& swallow
) {
  pgconn::Connection& connection = *borrowed->connection;
  const pgconn::StatementCache::Use use = connection.statements().use(statement.cache_key);
  std::string bytes;
  for (const std::string& evicted : use.evicted) {
    if (wire::append_close(bytes, wire::Target::kStatement, evicted)) {
      ++swallow.close_complete;
    }
  }
  if (use.is_new) {
    if (wire::append_parse(bytes, use.name, statement.text, statement.types)) {
      swallow.parse_complete += shape.parse == nullptr ? 1 : 0;  // else the client waits for it
    }
  } else if (shape.parse != nullptr) {
    std::string complete;
    wire::append_parse_complete(complete);
    port_.send_copy(complete);
  }
  const BindMessage bind = split_bind(shape.bind->body());
  append_bind(bytes, {}, use.name, bind.parameters, bind.result_formats);
  connection.send_copy(bytes);
  if (shape.describe != nullptr) {
    connection.send(shape.describe->whole);
  }
  connection.send(shape.execute->whole);
}

// ---- the long way: message by message

net::Task<Session::Answer> Session::run_long_batch(
    const std::vector<ClientMessage>* messages, bool is_sync
) {
  const auto executes = std::ranges::count(*messages, 'E', &ClientMessage::type);
  const bool needs_transaction = executes > 1 || (executes == 1 && !is_sync);
  for (std::size_t i = 0; i < messages->size(); ++i) {
    const ClientMessage& message = (*messages)[i];
    const ClientMessage* next = i + 1 < messages->size() ? &(*messages)[i + 1] : nullptr;
    Answer answer = Told::kSuccess;
    begin_statement({});
    switch (message.type) {
      case 'P':
        answer = co_await on_parse(&message, next != nullptr);
        break;
      case 'B':
        answer = on_bind(&message);
        break;
      case 'C':
        answer = co_await on_close(&message);
        break;
      case 'D':
        if (next != nullptr && next->type == 'E' && describes(message, *next)) {
          answer = co_await on_execute(next, true, needs_transaction);
          ++i;
        } else {
          answer = co_await on_describe(&message);
        }
        break;
      case 'E':
        answer = co_await on_execute(&message, false, needs_transaction);
        break;
      default:
        answer = fail(
            ErrorCode::kProtocolViolation, fmt::format("unexpected message type '{}'", message.type)
        );
    }
    if (!answer || *answer == Told::kFailure) {
      co_return answer;
    }
  }
  co_return Told::kSuccess;
}

bool Session::describes(const ClientMessage& describe, const ClientMessage& execute) {
  const auto what = wire::Describe::decode(describe.body());
  const auto which = wire::Execute::decode(execute.body());
  return what && which && what->target == wire::Target::kPortal && what->name == which->portal;
}

// A statement that is only parsed is shown to a shard at once, so that its errors come now, as from
// one server.
net::Task<Session::Answer> Session::on_parse(const ClientMessage* message, bool is_used) {
  SHERD_CO_TRY(const wire::Parse parse, wire::Parse::decode(message->body()));
  SHERD_CO_TRY(const CachedStatement* found, worker_.look_up(parse.sql, *search_path_));
  const std::shared_ptr<const sql::Statement> facts = found->facts;
  const std::uint64_t accepted = found->accepted;
  const Epoch epoch = found->epoch;
  if (!facts) {
    SHERD_CO_TRY(const sql::Analysis analysis, sql::analyze(parse.sql, worker_.lifted().literals));
    if (analysis.statements.size() > 1) {
      co_return fail(
          ErrorCode::kSyntax, "cannot insert multiple commands into a prepared statement"
      );
    }
  }
  if (is_failed_ && facts && !std::holds_alternative<sql::Transaction>(facts->body)) {
    co_return fail(
        ErrorCode::kInFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block"
    );
  }
  SHERD_CO_TRY_VOID(store_prepared(parse));
  const std::string name(parse.statement);
  SHERD_CO_TRY(std::shared_ptr<const Prepared> statement, prepared(name));
  // One proof per text, types and topology is enough, but for what the session alone sees.
  const std::uint64_t fingerprint = std::hash<std::string>{}(statement->cache_key) | 1;
  const bool sees_own_schema = schema_changed_ || pinned_ || pin_wanted_;
  const bool is_proved = fingerprint == accepted && !sees_own_schema;
  const bool is_for_shards =
      facts && !is_admin_function(*facts) && !std::holds_alternative<sql::Transaction>(facts->body);
  if (!is_used && is_for_shards && !is_proved) {
    auto told = co_await describe_statement(std::move(statement), nullptr, true);
    if (!told || *told == Told::kFailure) {
      (void)undo_short(true, name);
      co_return told;
    }
    if (!sees_own_schema) {
      worker_.remember_accepted(parse.sql, *search_path_, epoch, fingerprint);
    }
  }
  std::string complete;
  wire::append_parse_complete(complete);
  port_.send_copy(complete);
  co_return Told::kSuccess;
}

Session::Answer Session::on_bind(const ClientMessage* message) {
  SHERD_TRY(const wire::Bind bind, wire::Bind::decode(message->body()));
  SHERD_TRY(auto statement, prepared(bind.statement));
  const std::string name(bind.portal);
  if (!name.empty() && portals_.contains(name)) {
    return fail(ErrorCode::kDuplicateCursor, fmt::format("cursor \"{}\" already exists", name));
  }
  portals_.insert_or_assign(
      name, Portal{.statement = std::move(statement), .bind = message->whole}
  );
  std::string complete;
  wire::append_bind_complete(complete);
  port_.send_copy(complete);
  return Told::kSuccess;
}

Result<Session::Request> Session::portal_request(const Portal& portal) {
  Request request;
  request.text = portal.statement->text;
  request.portal = &portal;
  SHERD_TRY(const CachedStatement* found, worker_.look_up(request.text, *search_path_));
  request.facts = found->facts;
  request.literals = worker_.lifted().literals;
  SHERD_TRY(
      const wire::Bind bind, wire::Bind::decode(portal.bind.bytes().subspan(wire::kHeaderBytes))
  );
  request.values.resize(bind.values.size());
  bind.values.copy_to(request.values);
  request.formats.assign(bind.formats.begin(), bind.formats.end());
  request.result_formats.assign(bind.result_formats.begin(), bind.result_formats.end());
  return request;
}

net::Task<Session::Answer> Session::on_execute(
    const ClientMessage* message, bool describe, bool needs_transaction
) {
  SHERD_CO_TRY(const wire::Execute execute, wire::Execute::decode(message->body()));
  const auto found = portals_.find(execute.portal);
  if (found == portals_.end()) {
    co_return std::unexpected(no_portal(execute.portal));
  }
  Portal& portal = found->second;
  const auto max_rows = static_cast<std::uint64_t>(std::max(execute.max_rows, 0));
  if (portal.open_on) {
    co_return co_await resume_portal(std::string(execute.portal), &portal, max_rows);
  }
  if (portal.is_exhausted) {
    co_return fail(
        ErrorCode::kUnsupported, "a portal over several shards cannot be continued",
        "fetch all rows at once (fetch size 0), or use LIMIT and OFFSET"
    );
  }
  begin_statement(portal.statement->text);
  const Portal held = portal;  // the statement may close its own portal (COMMIT does)
  SHERD_CO_TRY(Request request, portal_request(held));
  request.describe = describe;
  request.max_rows = max_rows;
  request.cursor = execute.portal;
  if (!request.facts) {
    std::string empty;
    if (describe) {
      wire::append_no_data(empty);
    }
    wire::append_empty_query(empty);
    port_.send_copy(empty);
    co_return Told::kSuccess;
  }
  const bool is_control = std::holds_alternative<sql::Transaction>(request.facts->body);
  if (needs_transaction && !txn_.is_open() && !is_control) {
    begin_implicit();
  }
  // Our own answers have no rows, unless they are sent with their description.
  if (describe && is_control) {
    std::string none;
    wire::append_no_data(none);
    port_.send_copy(none);
    request.describe = false;
  }
  const auto answer = co_await run_statement(&request);
  if (const auto still = portals_.find(request.cursor); still != portals_.end() && max_rows != 0) {
    still->second.open_on = request.left_open_on;
    still->second.is_exhausted = !request.left_open_on;
  }
  co_return answer;
}

net::Task<Session::Answer> Session::resume_portal(
    std::string name, Portal* portal, std::uint64_t max_rows
) {
  const ShardId shard = *portal->open_on;
  SHERD_CO_TRY(Borrowed borrowed, co_await borrow(shard, true));
  std::string bytes;
  SHERD_CO_TRY_VOID(wire::append_execute(bytes, name, static_cast<std::int32_t>(max_rows)));
  wire::append_sync(bytes);
  exec::Relay relay(worker_.loop(), *borrowed.connection, port_);
  borrowed.connection->expect(relay, pgconn::ReplyMode::kRelay);
  borrowed.connection->send_copy(bytes);
  const auto outcome = co_await relay.wait();
  co_await give_back(&borrowed);
  if (!outcome) {
    co_return std::unexpected(outcome.error());
  }
  co_return outcome->failed ? Told::kFailure : Told::kSuccess;
}

net::Task<Session::Answer> Session::on_describe(const ClientMessage* message) {
  SHERD_CO_TRY(const wire::Describe describe, wire::Describe::decode(message->body()));
  if (describe.target == wire::Target::kStatement) {
    SHERD_CO_TRY(auto statement, prepared(describe.name));
    co_return co_await describe_statement(std::move(statement), nullptr, false);
  }
  const auto found = portals_.find(describe.name);
  if (found == portals_.end()) {
    co_return std::unexpected(no_portal(describe.name));
  }
  const Portal portal = found->second;
  co_return co_await describe_statement(portal.statement, &portal, false);
}

// Asks a shard: any, since all have the same schema. One that takes part in the transaction is
// asked there, where it knows what the transaction has created.
net::Task<Session::Answer> Session::describe_statement(
    std::shared_ptr<const Prepared> statement, const Portal* portal, bool validate_only
) {
  SHERD_CO_TRY(const CachedStatement* found, worker_.look_up(statement->text, *search_path_));
  if (!found->facts) {
    send_description_of_nothing(portal == nullptr);
    co_return Told::kSuccess;
  }
  if (is_admin_function(*found->facts)) {
    send_admin_description(portal == nullptr, *found->facts);
    co_return Told::kSuccess;
  }
  ShardId shard = worker_.snapshot()->home;
  if (!txn_.participants().empty()) {
    shard = txn_.participants().front()->shard;
  }
  ticket_.add(shard);
  Borrowed borrowed;
  if (txn_.is_open() && txn_.participants().empty()) {
    SHERD_CO_TRY(borrowed, co_await borrow_beside(shard));
  } else {
    SHERD_CO_TRY(borrowed, co_await borrow(shard, false));
  }
  pgconn::Connection& connection = *borrowed.connection;
  exec::Swallow swallow;
  std::string bytes;
  const auto use = connection.statements().use(statement->cache_key);
  for (const std::string& evicted : use.evicted) {
    SHERD_CO_TRY_VOID(wire::append_close(bytes, wire::Target::kStatement, evicted));
    ++swallow.close_complete;
  }
  if (use.is_new) {
    SHERD_CO_TRY_VOID(wire::append_parse(bytes, use.name, statement->text, statement->types));
    ++swallow.parse_complete;
  }
  if (portal != nullptr) {
    const BindMessage bind = split_bind(portal->bind.bytes().subspan(wire::kHeaderBytes));
    append_bind(bytes, {}, use.name, bind.parameters, bind.result_formats);
    ++swallow.bind_complete;
    SHERD_CO_TRY_VOID(wire::append_describe(bytes, wire::Target::kPortal, {}));
  } else if (!validate_only) {
    SHERD_CO_TRY_VOID(wire::append_describe(bytes, wire::Target::kStatement, use.name));
  }
  wire::append_sync(bytes);
  exec::Relay relay(worker_.loop(), connection, port_, swallow);
  connection.expect(relay, pgconn::ReplyMode::kRelay);
  connection.send_copy(bytes);
  const auto outcome = co_await relay.wait();
  if (relay.not_swallowed().parse_complete != 0) {
    connection.statements().forget(statement->cache_key);
  }
  co_await give_back(&borrowed);
  if (!outcome) {
    co_return std::unexpected(outcome.error());
  }
  co_return outcome->failed ? Told::kFailure : Told::kSuccess;
}

net::Task<Session::Answer> Session::on_close(const ClientMessage* message) {
  SHERD_CO_TRY(const wire::Close close, wire::Close::decode(message->body()));
  const std::string name(close.name);
  if (close.target == wire::Target::kStatement) {
    (void)undo_short(true, name);  // closing what does not exist is no error
  } else if (const auto found = portals_.find(name); found != portals_.end()) {
    const std::optional<ShardId> open_on = found->second.open_on;
    portals_.erase(found);
    if (open_on && txn_.find(*open_on) != nullptr) {
      SHERD_CO_TRY(Borrowed borrowed, co_await borrow(*open_on, false));
      std::string bytes;
      SHERD_CO_TRY_VOID(wire::append_close(bytes, wire::Target::kPortal, name));
      wire::append_sync(bytes);
      exec::Relay relay(worker_.loop(), *borrowed.connection, port_, {.close_complete = 1});
      borrowed.connection->expect(relay, pgconn::ReplyMode::kRelay);
      borrowed.connection->send_copy(bytes);
      const auto outcome = co_await relay.wait();
      co_await give_back(&borrowed);
      if (!outcome) {
        co_return std::unexpected(outcome.error());
      }
    }
  }
  std::string complete;
  wire::append_close_complete(complete);
  port_.send_copy(complete);
  co_return Told::kSuccess;
}

}  // namespace sherd::engine
