#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/engine/bind_message.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/engine/pinning.hpp>
#include <sherd/engine/session.hpp>
#include <sherd/engine/set_config.hpp>
#include <sherd/merge/recipe.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::engine {
namespace {

using exec::Swallow;

std::string encode_formats(const std::vector<std::int16_t>& formats) {
  std::string bytes;
  append_be(bytes, static_cast<std::uint16_t>(formats.size()));
  for (const std::int16_t format : formats) {
    append_be(bytes, format);
  }
  return bytes;
}

// COPY FROM STDIN has its own sub-protocol, which does not mix with a Sync that was sent ahead.
bool is_copy_from_client(const sql::Statement& facts) {
  const auto* copy = std::get_if<sql::Copy>(&facts.body);
  return copy != nullptr && copy->from && copy->stdio;
}

}  // namespace

net::Task<Session::Answer> Session::run_planned(Request* request) {
  if (is_admin_function(*request->facts)) {
    co_return co_await run_admin_function(request);
  }
  if (find_set_config(*request->facts) != nullptr) {
    co_return co_await run_set_config(request);
  }
  if (calls_set_config(*request->facts) && worker_.snapshot()->shards.size() > 1) {
    co_return fail(
        ErrorCode::kUnsupported, "set_config() among other things would reach one shard only",
        "use SET, or SELECT set_config(…) and nothing else"
    );
  }
  if (!forced_shard_ && worker_.hidden_tables().reached_by(*request->facts, request->text)) {
    co_return fail(
        ErrorCode::kUnsupported,
        "a function or code block that reads or writes a distributed or reference table would see "
        "one shard only",
        "write its statements out in the application, or SET sherd.shard to run it on one shard by "
        "intention"
    );
  }
  plan::Context where = context();
  where.text = request->text;
  SHERD_CO_TRY(
      plan::Plan plan,
      plan::make_plan(*request->facts, request->literals, request->parameters(), where)
  );
  const bool pins = needs_pin(*request->facts);
  if (pins && (plan.shards.size() != 1 || plan.shards.front() != worker_.snapshot()->home)) {
    co_return fail(
        ErrorCode::kUnsupported,
        "session state (advisory locks, set_config, temporary tables) is kept on the home shard "
        "only",
        "use it in a statement without rows of distributed tables"
    );
  }
  pin_wanted_ = pin_wanted_ || pins;
  co_return co_await run_plan(request, &plan);
}

net::Task<Session::Answer> Session::run_plan(Request* request, plan::Plan* plan) {
  // In the order of plan::PlanKind.
  using Runner = net::Task<Answer> (Session::*)(Request*, plan::Plan*);
  static constexpr std::array<Runner, 8> kRunners = {
      &Session::run_single,      // kSingle
      &Session::run_merge,       // kMerge
      &Session::run_write,       // kWriteAll
      &Session::run_write,       // kWriteCopies
      &Session::run_write,       // kWriteSplit
      &Session::run_everywhere,  // kAllShards
      &Session::run_copy_in,     // kCopyIn
      &Session::run_copy_out,    // kCopyOut
  };
  auto& counter =
      plan->shards.size() == 1 ? worker_.stats().single_shard : worker_.stats().multi_shard;
  counter.fetch_add(1, std::memory_order_relaxed);
  return (this->*kRunners[static_cast<std::size_t>(plan->kind)])(request, plan);
}

// ---- one shard

net::Task<Session::Answer> Session::run_single(Request* request, plan::Plan* plan) {
  ShardId shard = plan->shards.front();
  if (plan->any_shard && !txn_.participants().empty()) {
    shard = txn_.participants().front()->shard;  // one that takes part anyway
  }
  ticket_.add(shard);
  SHERD_CO_TRY(Borrowed borrowed, co_await borrow(shard, plan->writes));
  auto answer = co_await relay(request, &borrowed);
  co_await give_back(&borrowed);
  if (!answer) {
    co_return std::unexpected(lost(answer.error(), plan->writes));
  }
  co_return answer;
}

Result<net::Slice> Session::shard_request(
    const Request& request, std::string_view sql, pgconn::Connection& connection,
    std::uint64_t max_rows, Swallow& swallow
) {
  std::string bytes;
  if (!request.is_extended()) {
    SHERD_TRY_VOID(wire::append_query(bytes, sql));
    return net::Slice::adopt(std::move(bytes));
  }
  const Prepared& statement = *request.portal->statement;
  const bool is_own_text = sql == statement.text;
  std::string name;
  bool is_new = true;
  if (is_own_text) {
    auto use = connection.statements().use(statement.cache_key);
    name = std::move(use.name);
    is_new = use.is_new;
    for (const std::string& evicted : use.evicted) {
      SHERD_TRY_VOID(wire::append_close(bytes, wire::Target::kStatement, evicted));
      ++swallow.close_complete;
    }
  }
  if (is_new) {
    SHERD_TRY_VOID(wire::append_parse(bytes, name, sql, statement.types));
    ++swallow.parse_complete;
  }
  const BindMessage parts = split_bind(request.portal->bind.bytes().subspan(wire::kHeaderBytes));
  const std::string formats = encode_formats(request.result_formats);
  const std::string_view portal =
      max_rows != 0 && is_explicit_ ? request.cursor : std::string_view();
  append_bind(bytes, portal, name, parts.parameters, as_bytes(formats));
  ++swallow.bind_complete;
  if (request.describe) {
    SHERD_TRY_VOID(wire::append_describe(bytes, wire::Target::kPortal, portal));
  }
  SHERD_TRY_VOID(wire::append_execute(bytes, portal, static_cast<std::int32_t>(max_rows)));
  wire::append_sync(bytes);
  return net::Slice::adopt(std::move(bytes));
}

net::Task<Session::Answer> Session::relay(Request* request, Borrowed* borrowed) {
  Swallow swallow;
  net::Slice bytes;
  const bool takes_copy = is_copy_from_client(*request->facts);
  if (takes_copy) {
    std::string query;
    SHERD_CO_TRY_VOID(wire::append_query(query, request->text));
    bytes = net::Slice::adopt(std::move(query));
  } else {
    SHERD_CO_TRY(
        bytes,
        shard_request(*request, request->text, *borrowed->connection, request->max_rows, swallow)
    );
  }
  exec::Relay relay(worker_.loop(), *borrowed->connection, port_, swallow);
  net::OneShot<> stage(worker_.loop());
  if (takes_copy) {
    relay.set_copy_in([this, &stage] {
      copy_began_ = true;
      stage.set();
    });
    relay.set_finished([this, &stage] {
      stage.set();
      port_.interrupt();
    });
  }
  borrowed->connection->expect(relay, pgconn::ReplyMode::kRelay);
  borrowed->connection->send(std::move(bytes));
  Result<> fed{};
  if (takes_copy) {
    co_await stage.wait();
    fed = co_await feed_relay(borrowed->connection, &relay);
  }
  const auto outcome = co_await relay.wait();
  if (!outcome) {
    co_return std::unexpected(outcome.error());
  }
  if (txn_.is_open() && is_explicit_ && request->max_rows != 0 && !outcome->failed) {
    for (const auto& participant : txn_.participants()) {
      if (&*participant->lease == borrowed->connection) {
        request->left_open_on = participant->shard;
      }
    }
  }
  if (relay.not_swallowed().parse_complete != 0 && request->is_extended()) {
    borrowed->connection->statements().forget(request->portal->statement->cache_key);
  }
  if (!fed) {
    co_return std::unexpected(fed.error());
  }
  co_return outcome->failed ? Told::kFailure : Told::kSuccess;
}

// ---- several shards

exec::ScatterOptions Session::merge_options(const Request& request, const plan::Plan& plan) const {
  exec::ScatterOptions options;
  options.recipe = plan.recipe;
  options.describe = request.describe;
  options.max_rows = request.max_rows;
  options.merge.memory_bytes = worker_.cluster().options().merge_memory_bytes;
  options.merge.output_formats = request.result_formats;
  options.merge.hash_seed = worker_.cluster().random().next();
  options.merge.collations = worker_.cluster().collations();
  options.merge.text.extra_float_digits = extra_float_digits();
  return options;
}

net::Task<Result<exec::ScatterOutcome>> Session::scatter(
    Request* request, plan::Plan* plan, exec::ScatterOptions options
) {
  const bool answers_alone =
      plan->kind == plan::PlanKind::kWriteCopies || plan->kind == plan::PlanKind::kAllShards;
  const ShardId home = worker_.snapshot()->home;
  SHERD_CO_TRY(std::vector<Borrowed> borrowed, co_await borrow_all(plan->shards, plan->writes));
  std::vector<exec::ScatterPart> parts;
  Request shard_side = *request;
  shard_side.describe =
      true;  // the merger must know the columns, whatever the client wants to hear
  shard_side.result_formats = merge::shard_formats(options.recipe, request->result_formats);
  const bool streams = !options.recipe.groups() && !options.recipe.distinct;
  const std::uint64_t shard_rows = request->max_rows != 0 && streams && !is_explicit_
                                       ? request->max_rows + options.recipe.offset
                                       : 0;
  for (std::size_t i = 0; i < borrowed.size(); ++i) {
    const std::string_view sql = !plan->split.empty()      ? std::string_view(plan->split[i])
                                 : plan->shard_sql.empty() ? request->text
                                                           : std::string_view(plan->shard_sql);
    Swallow swallow;
    SHERD_CO_TRY(
        net::Slice bytes,
        shard_request(shard_side, sql, *borrowed[i].connection, shard_rows, swallow)
    );
    parts.push_back(
        {.connection = borrowed[i].connection,
         .request = std::move(bytes),
         .answers = !answers_alone || plan->shards[i] == home}
    );
  }
  // Writers of the same copies meet on the home shard first: taking locks on several shards in no
  // order, two of them would wait for each other for ever, and no server could see it.
  options.answering_first = answers_alone && plan->writes;
  exec::Scatter run(worker_.loop(), port_, std::move(parts), std::move(options));
  auto outcome = co_await run.run();
  if (!outcome && request->is_extended()) {
    for (const Borrowed& one : borrowed) {  // whether its Parse got through is not known
      one.connection->statements().forget(request->portal->statement->cache_key);
    }
  }
  for (Borrowed& one : borrowed) {
    co_await give_back(&one);
  }
  co_return outcome;
}

net::Task<Session::Answer> Session::run_merge(Request* request, plan::Plan* plan) {
  SHERD_CO_TRY(
      const exec::ScatterOutcome outcome,
      co_await scatter(request, plan, merge_options(*request, *plan))
  );
  if (outcome.suspended) {
    std::string bytes;
    wire::append_portal_suspended(bytes);
    port_.send_copy(bytes);
  } else {
    send_complete(outcome.tag);
  }
  co_return Told::kSuccess;
}

net::Task<Session::Answer> Session::run_write(Request* request, plan::Plan* plan) {
  const bool is_own = !txn_.is_open();
  if (is_own && plan->shards.size() > 1) {
    begin_implicit();
  }
  exec::ScatterOptions options = merge_options(*request, *plan);
  options.sums_tags = true;
  auto outcome = co_await scatter(request, plan, std::move(options));
  if (is_own && txn_.is_open()) {
    const auto ended = co_await end_implicit(outcome.has_value());
    if (outcome && !ended) {
      co_return std::unexpected(ended.error());
    }
  }
  if (!outcome) {
    co_return std::unexpected(std::move(outcome).error());
  }
  send_complete(outcome->tag);
  co_return Told::kSuccess;
}

// ---- the schema

net::Task<Session::Answer> Session::run_everywhere(Request* request, plan::Plan* plan) {
  if (!plan->in_transaction) {
    co_return co_await run_outside_transaction(request, plan);
  }
  const bool is_own = !txn_.is_open();
  if (is_own) {
    begin_implicit();
  }
  schema_changed_ = schema_changed_ || plan->changes_schema;
  dropped_.insert(dropped_.end(), plan->dropped_tables.begin(), plan->dropped_tables.end());
  auto outcome = co_await scatter(request, plan, merge_options(*request, *plan));
  if (is_own) {
    const auto ended = co_await end_implicit(outcome.has_value());
    if (outcome && !ended) {
      co_return std::unexpected(ended.error());
    }
  }
  if (!outcome) {
    co_return std::unexpected(std::move(outcome).error());
  }
  send_complete(outcome->tag);
  co_return Told::kSuccess;
}

// CREATE INDEX CONCURRENTLY, VACUUM and kin: PostgreSQL has no transaction for them, so neither
// have we. Each can be run again where it failed.
net::Task<Session::Answer> Session::run_outside_transaction(Request* request, plan::Plan* plan) {
  if (txn_.is_open()) {
    co_return fail(
        ErrorCode::kActiveTransaction, "this statement cannot run inside a transaction block"
    );
  }
  auto outcome = co_await scatter(request, plan, merge_options(*request, *plan));
  if (plan->changes_schema) {
    schema_changed_ = true;
    co_await after_schema_change();
  }
  if (!outcome) {
    Error error = std::move(outcome).error();
    error.hint =
        "it may have been done on other shards, which cannot be undone: mend the cause and run it "
        "again "
        "(with IF NOT EXISTS or IF EXISTS)";
    co_return std::unexpected(std::move(error));
  }
  send_complete(outcome->tag);
  co_return Told::kSuccess;
}

}  // namespace sherd::engine
