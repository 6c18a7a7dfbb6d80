#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/engine/arguments.hpp>
#include <sherd/engine/change.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/engine/distribute_arguments.hpp>
#include <sherd/engine/mentions.hpp>
#include <sherd/engine/session.hpp>
#include <sherd/pgtypes/oid.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::engine {
namespace {

// The one function call of a SELECT that consists of nothing else; nullptr.
const sql::FunctionCall* sole_call(const sql::Statement& facts) {
  const bool is_bare = std::holds_alternative<sql::Select>(facts.body) && facts.blocks.size() == 1
                       && facts.blocks[0].relations.empty() && facts.blocks[0].targets.size() == 1
                       && facts.blocks[0].targets[0].form == sql::Target::Form::kFunction;
  return is_bare ? &facts.blocks[0].targets[0].facts.functions.front() : nullptr;
}

wire::FieldDescription text_column(std::string_view name, wire::Format format) {
  return {.name = std::string(name), .type_oid = oid::kText, .type_length = -1, .format = format};
}

}  // namespace

// ---- answers of the router's own

void Session::send_text_rows(
    std::string_view column, const std::vector<std::string>& rows, const Request& request
) {
  std::string bytes;
  const bool is_binary = !request.result_formats.empty() && request.result_formats.front() == 1;
  const wire::FieldDescription field =
      text_column(column, is_binary ? wire::Format::kBinary : wire::Format::kText);
  bool is_good = true;
  if (request.describe) {
    is_good = wire::append_row_description(bytes, {&field, 1}).has_value();
  }
  for (const std::string& row : rows) {
    const wire::Value value = as_bytes(row);
    is_good = is_good && wire::append_data_row(bytes, {&value, 1}).has_value();
  }
  if (!is_good) {
    bytes.clear();  // a line of over a gigabyte: there is nothing sensible to send
  }
  port_.send_copy(bytes);
}

void Session::send_one_value(
    std::string_view column, std::string_view value, const Request& request
) {
  send_text_rows(column, {std::string(value)}, request);
}

void Session::send_description_of_nothing(bool of_statement) {
  std::string bytes;
  if (of_statement && !wire::append_parameter_description(bytes, {})) {
    return;
  }
  wire::append_no_data(bytes);
  port_.send_copy(bytes);
}

void Session::send_admin_description(bool of_statement, const sql::Statement& facts) {
  std::string bytes;
  const std::vector<Oid> types(facts.parameter_count, oid::kText);
  const wire::FieldDescription field{
      .name = sole_call(facts)->name, .type_oid = oid::kVoid, .type_length = 4
  };
  const bool is_good = (!of_statement || wire::append_parameter_description(bytes, types))
                       && wire::append_row_description(bytes, {&field, 1});
  if (is_good) {
    port_.send_copy(bytes);
  }
}

// ---- the router's own functions

bool Session::is_admin_function(const sql::Statement& facts) const {
  const sql::FunctionCall* call = sole_call(facts);
  return call != nullptr && call->schema.empty() && is_distribute_function(call->name);
}

net::Task<Session::Answer> Session::run_admin_function(Request* request) {
  const sql::FunctionCall call = *sole_call(*request->facts);
  if (txn_.is_open()) {
    co_return fail(
        ErrorCode::kActiveTransaction,
        fmt::format("{}() cannot run inside a transaction block", call.name), "COMMIT first"
    );
  }
  std::vector<std::optional<std::string>> parameters;
  for (const auto& value : request->values) {
    parameters.push_back(value ? std::optional(std::string(as_text(*value))) : std::nullopt);
  }
  SHERD_CO_TRY(
      const std::vector<Argument> arguments,
      parse_arguments(text_of(*request, call.arguments), parameters)
  );
  SHERD_CO_TRY(
      DistributeRequest wanted,
      distribute_request(call.name, arguments, *worker_.snapshot(), search_path_->schemas)
  );
  wanted.who = port_.describe();
  ticket_.end();  // the change waits for older statements: this one must not be among them
  SHERD_CO_TRY_VOID(co_await distribute(worker_, std::move(wanted), {}));
  std::string bytes;
  const wire::FieldDescription field{.name = call.name, .type_oid = oid::kVoid, .type_length = 4};
  if (request->describe) {
    SHERD_CO_TRY_VOID(wire::append_row_description(bytes, {&field, 1}));
  }
  const wire::Value nothing = Bytes{};
  SHERD_CO_TRY_VOID(wire::append_data_row(bytes, {&nothing, 1}));
  port_.send_copy(bytes);
  send_complete("SELECT 1");
  co_return Told::kSuccess;
}

// ---- EXPLAIN

net::Task<Session::Answer> Session::run_explain(Request* request) {
  const auto explain = std::get<sql::Explain>(request->facts->body);
  const std::string inner(text_of(*request, explain.query));
  const std::string prefix(request->text.substr(
      0, static_cast<std::size_t>(text_of(*request, explain.query).data() - request->text.data())
  ));
  SHERD_CO_TRY(const CachedStatement* found, worker_.look_up(inner, *search_path_));
  if (!found->facts) {
    co_return fail(ErrorCode::kSyntax, "EXPLAIN takes one statement");
  }
  Request explained{.text = inner, .facts = found->facts, .literals = worker_.lifted().literals};
  plan::Parameters parameters = request->parameters();
  plan::Context where = context();
  where.text = inner;
  SHERD_CO_TRY(
      plan::Plan plan, plan::make_plan(*explained.facts, explained.literals, parameters, where)
  );
  const bool is_plain = plan.kind == plan::PlanKind::kSingle && !mentions_sharded(*explained.facts);
  if (is_plain
      || (plan.kind == plan::PlanKind::kSingle && !explain.format.empty()
          && explain.format != "text")) {
    co_return co_await run_single(request, &plan);
  }
  if (!explain.format.empty() && explain.format != "text") {
    co_return fail(
        ErrorCode::kUnsupported, "EXPLAIN over several shards is available as text only",
        "leave out FORMAT"
    );
  }
  if (explain.analyze && plan.writes && plan.kind != plan::PlanKind::kSingle) {
    co_return fail(
        ErrorCode::kUnsupported, "EXPLAIN ANALYZE of a write on several shards is not available",
        "use EXPLAIN without ANALYZE"
    );
  }
  std::vector<std::string> lines = plan::describe(plan, *worker_.snapshot());
  for (std::size_t i = 0; i < plan.shards.size(); ++i) {
    const std::string sql = !plan.split.empty()      ? plan.split[i]
                            : plan.shard_sql.empty() ? inner
                                                     : plan.shard_sql;
    SHERD_CO_TRY(
        std::vector<std::string> shard_lines,
        co_await explain_on(plan.shards[i], prefix + sql, request->values.empty())
    );
    lines.push_back(fmt::format("  on {}:", worker_.shard_name(plan.shards[i])));
    for (std::string& line : shard_lines) {
      lines.push_back("    " + std::move(line));
    }
  }
  send_text_rows("QUERY PLAN", lines, *request);
  send_complete("EXPLAIN");
  co_return Told::kSuccess;
}

net::Task<Result<std::vector<std::string>>> Session::explain_on(
    ShardId shard, std::string sql, bool has_all_values
) {
  if (!has_all_values) {
    co_return std::vector<std::string>{"(the shard's plan depends on parameters)"};
  }
  SHERD_CO_TRY(Borrowed borrowed, co_await borrow(shard, false));
  auto result = co_await borrowed.connection->query(std::move(sql), Deadline::never());
  co_await give_back(&borrowed);
  if (!result) {
    co_return std::unexpected(std::move(result).error());
  }
  std::vector<std::string> lines;
  for (auto& row : result->rows) {
    lines.push_back(row.at(0).value_or(""));
  }
  co_return lines;
}

bool Session::mentions_sharded(const sql::Statement& facts) {
  const auto snapshot = worker_.snapshot();
  const auto is_sharded = [&](const sql::Relation& relation) {
    if (!relation.schema.empty()) {
      return snapshot->table(relation.schema, relation.name) != nullptr;
    }
    return std::ranges::any_of(search_path_->schemas, [&](const std::string& schema) {
      return snapshot->table(schema, relation.name) != nullptr;
    });
  };
  return mentions(facts, is_sharded);
}

// ---- what is refused, and what is the session's own

net::Task<Session::Answer> Session::run_refused(Request* request) {
  const bool is_execute = std::holds_alternative<sql::Execute>(request->facts->body);
  co_return fail(
      ErrorCode::kUnsupported,
      fmt::format(
          "SQL {} is not available through the router yet", is_execute ? "EXECUTE" : "PREPARE"
      ),
      "prepare through the protocol, as drivers do (PQprepare, \\bind in psql)"
  );
}

net::Task<Session::Answer> Session::run_deallocate(Request* request) {
  const std::string& name = std::get<sql::Deallocate>(request->facts->body).name;
  if (name.empty()) {
    prepared_.clear();
    prepared_bytes_ = 0;
    send_complete("DEALLOCATE ALL");
    co_return Told::kSuccess;
  }
  if (!prepared_.contains(name)) {
    co_return fail(
        ErrorCode::kUndefinedPrepared, fmt::format("prepared statement \"{}\" does not exist", name)
    );
  }
  (void)undo_short(true, name);
  send_complete("DEALLOCATE");
  co_return Told::kSuccess;
}

net::Task<Session::Answer> Session::run_cursor(Request* request) {
  if (const auto* use = std::get_if<sql::CursorUse>(&request->facts->body)) {
    const auto found = cursors_.find(use->name);
    if (found == cursors_.end()) {
      co_return fail(
          ErrorCode::kUndefinedCursor, fmt::format("cursor \"{}\" does not exist", use->name)
      );
    }
    plan::Plan plan{.shards = {found->second}, .writes = true};
    co_return co_await run_single(request, &plan);
  }
  const auto& declare = std::get<sql::DeclareCursor>(request->facts->body);
  if (!is_explicit_) {
    co_return fail(
        ErrorCode::kNoActiveTransaction, "DECLARE CURSOR can only be used in transaction blocks"
    );
  }
  const std::string inner(text_of(*request, declare.query));
  SHERD_CO_TRY(const CachedStatement* found, worker_.look_up(inner, *search_path_));
  const std::shared_ptr<const sql::Statement> facts = found->facts;
  const std::vector<sql::Literal> literals = worker_.lifted().literals;
  plan::Context where = context();
  where.text = inner;
  if (!facts || declare.hold) {
    co_return fail(
        ErrorCode::kUnsupported, "a cursor WITH HOLD is not available through the router",
        "leave out WITH HOLD and fetch inside the transaction"
    );
  }
  SHERD_CO_TRY(plan::Plan plan, plan::make_plan(*facts, literals, request->parameters(), where));
  if (plan.kind != plan::PlanKind::kSingle) {
    co_return fail(
        ErrorCode::kUnsupported, "a cursor over several shards is not available",
        "give the key in WHERE, or fetch all rows without a cursor"
    );
  }
  const std::string name = declare.name;
  const ShardId shard = plan.shards.front();
  auto answer = co_await run_single(request, &plan);
  if (answer && *answer == Told::kSuccess) {
    cursors_[name] = shard;
  }
  co_return answer;
}

net::Task<Session::Answer> Session::run_notify(Request* request) {
  const auto& facts = std::get<sql::Notify>(request->facts->body);
  if (facts.verb != sql::Notify::Verb::kNotify) {
    co_return fail(
        ErrorCode::kUnsupported, "LISTEN is not available through the router yet",
        "connect to the home shard directly to listen"
    );
  }
  plan::Plan plan{.shards = {worker_.snapshot()->home}, .writes = true};
  co_return co_await run_single(request, &plan);
}

}  // namespace sherd::engine
