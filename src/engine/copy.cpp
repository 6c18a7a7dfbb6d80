#include <algorithm>

#include <fmt/format.h>

#include <sherd/engine/cluster.hpp>
#include <sherd/engine/routing.hpp>
#include <sherd/engine/session.hpp>
#include <sherd/exec/copy.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::engine {
namespace {

constexpr std::size_t kCongestedBytes = 1024 * 1024;

wire::CopyFormat format_of(const plan::CopyPlan& copy) {
  using Kind = wire::CopyFormat::Kind;
  const Kind kind = copy.format == plan::CopyPlan::Format::kText  ? Kind::kText
                    : copy.format == plan::CopyPlan::Format::kCsv ? Kind::kCsv
                                                                  : Kind::kBinary;
  return {
      .kind = kind,
      .delimiter = copy.delimiter,
      .quote = copy.quote,
      .escape = copy.escape,
      .null_text = copy.null_text,
      .header = copy.header
  };
}

Error copy_failed(std::string_view reason) {
  return {
      .code = ErrorCode::kQueryCanceled,
      .message = fmt::format("COPY from stdin failed: {}", reason)
  };
}

Error unexpected_in_copy(char type) {
  return {
      .code = ErrorCode::kProtocolViolation,
      .message = fmt::format("unexpected message type '{}' during COPY from stdin", type)
  };
}

}  // namespace

// The client's COPY data to one shard, untouched, until either side ends it.
net::Task<Result<>> Session::feed_relay(pgconn::Connection* connection, const exec::Relay* relay) {
  net::Loop& loop = worker_.loop();
  while (!relay->is_done()) {
    auto message = co_await port_.next();
    if (!message) {
      if (relay->is_done()) {
        break;  // interrupted: the shard has failed, the client reads why
      }
      std::string fail_message;
      wire::append_copy_fail(fail_message, "client went away");
      connection->send_copy(fail_message);
      break;
    }
    if (message->type == 'S' || message->type == 'H') {
      continue;  // PostgreSQL ignores them during COPY
    }
    if (message->type != 'd' && message->type != 'c' && message->type != 'f') {
      std::string fail_message;
      wire::append_copy_fail(fail_message, unexpected_in_copy(message->type).message);
      connection->send_copy(fail_message);
      break;
    }
    connection->send(message->whole);
    if (message->type != 'd') {
      break;
    }
    if (connection->queued_bytes() > kCongestedBytes && !relay->is_done()) {
      net::OneShot<> drained(loop);
      connection->set_drained([setter = drained.setter()]() mutable { setter.set(); });
      while (connection->queued_bytes() > kCongestedBytes && !relay->is_done()) {
        const auto woken =
            co_await drained.wait_until(Deadline(loop.now() + std::chrono::milliseconds(100)));
        if (woken) {
          break;
        }
      }
      connection->set_drained({});
    }
  }
  co_return Result<>{};
}

net::Task<Session::Answer> Session::run_copy_in(Request* request, plan::Plan* plan) {
  const bool is_own = !txn_.is_open();
  if (is_own) {
    begin_implicit();
  }
  auto rows = co_await copy_rows_in(request, plan);
  if (is_own) {
    const auto ended = co_await end_implicit(rows.has_value());
    if (rows && !ended) {
      co_return std::unexpected(ended.error());
    }
  }
  if (!rows) {
    co_return std::unexpected(std::move(rows).error());
  }
  send_complete(fmt::format("COPY {}", *rows));
  co_return Told::kSuccess;
}

net::Task<Result<std::uint64_t>> Session::copy_rows_in(Request* request, plan::Plan* plan) {
  const topology::SnapshotPtr snapshot = worker_.snapshot();
  SHERD_CO_TRY(std::vector<Borrowed> borrowed, co_await borrow_all(plan->shards, true));
  std::vector<pgconn::Connection*> connections;
  for (const Borrowed& one : borrowed) {
    connections.push_back(one.connection);
  }
  exec::CopyIn::Router router;
  if (!plan->copy.replicate) {
    router = copy_router(*snapshot->group(plan->copy.group), plan->copy, plan->shards);
  }
  exec::CopyInOptions options{
      .format = format_of(plan->copy),
      .key_field = plan->copy.replicate ? std::nullopt : std::optional(plan->copy.key_field),
      .table = plan->copy.table
  };
  exec::CopyIn copy(worker_.loop(), std::move(connections), std::move(options), std::move(router));
  auto response = co_await copy.begin({std::string(request->text)});
  if (!response) {
    co_await copy.abort("another shard refused the COPY");
    co_await deactivate();
    co_return std::unexpected(std::move(response).error());
  }
  port_.send_copy(*response);
  copy_began_ = true;
  auto fed = co_await feed_copy(&copy);
  if (!fed) {
    co_await copy.abort(fed.error().message);
    co_await deactivate();
    co_return std::unexpected(std::move(fed).error());
  }
  auto rows = co_await copy.finish();
  co_await deactivate();
  co_return rows;
}

// After an error the client may still be sending: what is left of its data is skipped by whoever
// reads its messages next.
net::Task<Result<>> Session::feed_copy(exec::CopyIn* copy) {
  while (true) {
    auto message = co_await port_.next();
    if (!message) {
      co_return std::unexpected(std::move(message).error());
    }
    switch (message->type) {
      case 'd':
        SHERD_CO_TRY_VOID(copy->feed(message->body()));
        if (copy->congested()) {
          co_await copy->drained();
        }
        break;
      case 'c':
        co_return Result<>{};
      case 'f': {
        const auto reason = wire::CopyFail::decode(message->body());
        co_return std::unexpected(copy_failed(reason ? reason->reason : "malformed CopyFail"));
      }
      case 'S':
      case 'H':
        break;  // PostgreSQL ignores them during COPY
      default:
        co_return std::unexpected(unexpected_in_copy(message->type));
    }
    if (cancel_requested_) {
      co_return fail(ErrorCode::kQueryCanceled, "canceling statement due to user request");
    }
  }
}

net::Task<Session::Answer> Session::run_copy_out(Request* request, plan::Plan* plan) {
  SHERD_CO_TRY(std::vector<Borrowed> borrowed, co_await borrow_all(plan->shards, false));
  std::vector<pgconn::Connection*> connections;
  for (const Borrowed& one : borrowed) {
    connections.push_back(one.connection);
  }
  const std::string sql = plan->shard_sql.empty() ? std::string(request->text) : plan->shard_sql;
  auto rows = co_await exec::copy_out(
      worker_.loop(), port_, std::move(connections), sql, plan->drop_later_headers
  );
  for (Borrowed& one : borrowed) {
    co_await give_back(&one);
  }
  if (!rows) {
    co_return std::unexpected(std::move(rows).error());
  }
  send_complete(fmt::format("COPY {}", *rows));
  co_return Told::kSuccess;
}

}  // namespace sherd::engine
