#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/catalog/topology_json.hpp>
#include <sherd/engine/cluster.hpp>
#include <sherd/pgconn/connection.hpp>
#include <sherd/proxy/client.hpp>
#include <sherd/proxy/console.hpp>
#include <sherd/proxy/server.hpp>
#include <sherd/strategy/placement.hpp>
#include <sherd/topology/snapshot.hpp>
#include <sherd/txn/transaction.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::proxy {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr Oid kTextOid = 25;
constexpr Duration kLimit = std::chrono::seconds(10);

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return result;
}

Console::Words split_words(std::string_view text) {
  Console::Words words;
  std::string word;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';') {
      if (!word.empty()) {
        words.push_back(std::exchange(word, {}));
      }
    } else if (c != '\'' && c != '"') {
      word += c;
    }
  }
  if (!word.empty()) {
    words.push_back(std::move(word));
  }
  return words;
}

std::string yes(bool value) {
  return value ? "yes" : "no";
}

template <class T>
std::string text_of(const T& number) {
  return fmt::format("{}", number);
}

}  // namespace

std::map<std::string, std::string> Console::parameters() {
  return {
      {"server_version", "15.0 (sherd console)"},
      {"server_encoding", "UTF8"},
      {"client_encoding", "UTF8"},
      {"DateStyle", "ISO, MDY"},
      {"TimeZone", "UTC"},
      {"integer_datetimes", "on"},
      {"standard_conforming_strings", "on"}
  };
}

const std::vector<Console::Entry>& Console::commands() {
  static const std::vector<Entry> kCommands = {
      {"SHOW HELP", &Console::show_help, "this list"},
      {"SHOW SHARDS", &Console::show_shards, "shards, where they are, and what runs on them"},
      {"SHOW POOLS", &Console::show_pools, "server connections by thread, shard and user"},
      {"SHOW CLIENTS", &Console::show_clients, "client sessions, with the number that KILL takes"},
      {"SHOW SERVERS", &Console::show_servers, "idle server connections"},
      {"SHOW TABLES", &Console::show_tables, "distributed and reference tables"},
      {"SHOW TOPOLOGY", &Console::show_topology, "the whole topology as JSON"},
      {"SHOW STATS", &Console::show_stats, "statements by kind and thread"},
      {"SHOW MOVES", &Console::show_moves, "moves of rows between shards"},
      {"SHOW TRANSACTIONS", &Console::show_transactions, "transactions in doubt"},
      {"SHOW AUDIT", &Console::show_audit, "who changed the topology, newest first"},
      {"SHOW CONFIG", &Console::show_config, "the configuration in force"},
      {"SHOW VERSION", &Console::show_version, "the router's version"},
      {"PAUSE", &Console::pause, "let nothing new begin on the shards"},
      {"RESUME", &Console::resume, "go on after PAUSE"},
      {"RECONNECT", &Console::reconnect, "open new server connections as the old ones come back"},
      {"RELOAD", &Console::reload, "read the configuration file again"},
      {"KILL", &Console::kill, "KILL n: end the client session n"},
  };
  return kCommands;
}

net::Task<Result<ConsoleAnswer>> Console::run(std::string_view text) {
  Words words = split_words(text);
  if (words.empty()) {
    co_return ConsoleAnswer{};
  }
  const std::string first = upper(words[0]);
  const std::string two = words.size() > 1 ? first + " " + upper(words[1]) : first;
  std::vector<std::string> names;
  for (const Entry& entry : commands()) {
    if (entry.name == two || (entry.name == first && first != "SHOW")) {
      words.erase(words.begin(), words.begin() + (entry.name == two && two != first ? 2 : 1));
      co_return co_await (this->*entry.command)(std::move(words));
    }
    names.emplace_back(entry.name);
  }
  const auto near = nearest(two, names);
  co_return fail(
      ErrorCode::kSyntax, fmt::format("unknown console command \"{}\"", two),
      near ? fmt::format("did you mean {}? SHOW HELP lists all", *near) : "SHOW HELP lists all"
  );
}

// ---- protocol

void Console::send_description(const std::vector<std::string>& columns) {
  std::vector<wire::FieldDescription> fields;
  for (const std::string& column : columns) {
    fields.push_back({.name = column, .type_oid = kTextOid, .type_length = -1});
  }
  std::string bytes;
  if (columns.empty()) {
    wire::append_no_data(bytes);
  } else if (!wire::append_row_description(bytes, fields)) {
    return;
  }
  client_.send_copy(bytes);
}

void Console::send_answer(const ConsoleAnswer& answer, bool describe) {
  if (describe && !answer.columns.empty()) {
    send_description(answer.columns);
  }
  std::string bytes;
  for (const auto& row : answer.rows) {
    std::vector<wire::Value> values;
    for (const std::string& value : row) {
      values.emplace_back(as_bytes(value));
    }
    if (!wire::append_data_row(bytes, values)) {
      continue;  // over a gigabyte: not a row of ours
    }
  }
  if (answer.tag.empty()) {
    wire::append_empty_query(bytes);
  } else {
    wire::append_command_complete(bytes, answer.tag);
  }
  client_.send_copy(bytes);
}

net::Task<void> Console::query(net::Slice message) {
  std::string bytes;
  const auto decoded = wire::Query::decode(message.bytes().subspan(wire::kHeaderBytes));
  if (!decoded) {
    wire::append_error(bytes, decoded.error());
  } else if (const auto answer = co_await run(decoded->sql)) {
    send_answer(*answer, true);
  } else {
    wire::append_error(bytes, answer.error());
  }
  wire::append_ready(bytes, wire::TransactionStatus::kIdle);
  client_.send_copy(bytes);
}

net::Task<void> Console::batch(std::vector<engine::ClientMessage> messages, bool is_sync) {
  std::string bytes;
  for (const engine::ClientMessage& message : messages) {
    if (skips_to_sync_) {
      break;
    }
    const auto done = co_await on_message(&message);
    if (!done) {
      wire::append_error(bytes, done.error());
      skips_to_sync_ = true;
    }
  }
  if (is_sync) {
    skips_to_sync_ = false;
    wire::append_ready(bytes, wire::TransactionStatus::kIdle);
  }
  client_.send_copy(bytes);
}

net::Task<Result<>> Console::on_message(const engine::ClientMessage* message) {
  std::string bytes;
  switch (message->type) {
    case 'P': {
      SHERD_CO_TRY(const wire::Parse parse, wire::Parse::decode(message->body()));
      statements_[std::string(parse.statement)] = parse.sql;
      wire::append_parse_complete(bytes);
      break;
    }
    case 'B': {
      SHERD_CO_TRY(const wire::Bind bind, wire::Bind::decode(message->body()));
      const auto statement = statements_.find(std::string(bind.statement));
      if (statement == statements_.end()) {
        co_return fail(ErrorCode::kUndefinedPrepared, "prepared statement does not exist");
      }
      portals_[std::string(bind.portal)] = statement->second;
      wire::append_bind_complete(bytes);
      break;
    }
    case 'D': {
      SHERD_CO_TRY(const wire::Describe describe, wire::Describe::decode(message->body()));
      const bool is_statement = describe.target == wire::Target::kStatement;
      const auto& names = is_statement ? statements_ : portals_;
      const auto found = names.find(std::string(describe.name));
      if (found == names.end()) {
        co_return is_statement
            ? fail(ErrorCode::kUndefinedPrepared, "prepared statement does not exist")
            : fail(ErrorCode::kUndefinedCursor, "portal does not exist");
      }
      if (is_statement) {
        SHERD_CO_TRY_VOID(wire::append_parameter_description(bytes, {}));
        client_.send_copy(std::exchange(bytes, {}));
      }
      const std::string text = found->second;
      if (upper(text).starts_with("SHOW")) {  // what only shows can be run to learn its columns
        SHERD_CO_TRY(const ConsoleAnswer answer, co_await run(text));
        send_description(answer.columns);
      } else {
        send_description({});
      }
      break;
    }
    case 'E': {
      SHERD_CO_TRY(const wire::Execute execute, wire::Execute::decode(message->body()));
      const auto portal = portals_.find(std::string(execute.portal));
      if (portal == portals_.end()) {
        co_return fail(ErrorCode::kUndefinedCursor, "portal does not exist");
      }
      const std::string text = portal->second;
      SHERD_CO_TRY(const ConsoleAnswer answer, co_await run(text));
      send_answer(answer, false);
      break;
    }
    case 'C': {
      SHERD_CO_TRY(const wire::Close close, wire::Close::decode(message->body()));
      (close.target == wire::Target::kStatement ? statements_ : portals_)
          .erase(std::string(close.name));
      wire::append_close_complete(bytes);
      break;
    }
    default:
      co_return fail(ErrorCode::kProtocolViolation, "unexpected message");
  }
  client_.send_copy(bytes);
  co_return Result<>{};
}

// ---- commands

net::Task<Rows> Console::from_all_threads(std::function<Rows(WorkerThread&)> rows_of) {
  Rows all;
  net::Loop& loop = home_.loop();
  for (const auto& thread : home_.server().threads()) {
    net::OneShot<Rows> answer(loop);
    // The answer comes back through our own loop: a setter is not for other threads.
    auto reply = std::make_shared<net::OneShot<Rows>::Setter>(answer.setter());
    WorkerThread* const there = thread.get();
    there->loop().post([there, rows_of, reply = std::move(reply), &loop]() mutable {
      Rows rows = rows_of(*there);
      loop.post([reply = std::move(reply), rows = std::move(rows)]() mutable {
        reply->set(std::move(rows));
        reply.reset();
      });
    });
    Rows rows = co_await answer.wait();
    all.insert(all.end(), rows.begin(), rows.end());
  }
  co_return all;
}

net::Task<Result<ConsoleAnswer>> Console::show_help(Words) {
  ConsoleAnswer answer{.columns = {"command", "what"}, .tag = "SHOW"};
  for (const Entry& entry : commands()) {
    answer.rows.push_back({std::string(entry.name), std::string(entry.help)});
  }
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_shards(Words) {
  ConsoleAnswer answer{
      .columns =
          {"id", "shard", "host", "port", "database", "weight", "region", "active", "read_only",
           "home", "running"},
      .tag = "SHOW"
  };
  const auto snapshot = home_.worker().snapshot();
  const Rows running = co_await from_all_threads([snapshot](WorkerThread& thread) {
    Rows rows;
    for (const topology::Shard& shard : snapshot->shards) {
      rows.push_back({text_of(thread.worker().open_statements().running_on(shard.id))});
    }
    return rows;
  });
  for (std::size_t i = 0; i < snapshot->shards.size(); ++i) {
    const topology::Shard& shard = snapshot->shards[i];
    std::uint64_t count = 0;
    for (std::size_t at = i; at < running.size(); at += snapshot->shards.size()) {
      count += std::stoull(running[at][0]);
    }
    answer.rows.push_back(
        {text_of(index_of(shard.id)), shard.name, shard.primary.host, text_of(shard.primary.port),
         shard.primary.database, text_of(shard.weight), shard.region, yes(shard.active),
         yes(shard.read_only), yes(shard.id == snapshot->home), text_of(count)}
    );
  }
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_pools(Words) {
  ConsoleAnswer answer{
      .columns = {"thread", "shard", "user", "idle", "in_use", "waiting", "opened", "handed_out"},
      .tag = "SHOW"
  };
  answer.rows = co_await from_all_threads([](WorkerThread& thread) {
    Rows rows;
    for (const auto& info : thread.worker().pool_infos()) {
      rows.push_back(
          {text_of(thread.worker().index()), info.shard, info.user, text_of(info.counts.idle),
           text_of(info.counts.in_use), text_of(info.counts.waiting), text_of(info.counts.opened),
           text_of(info.counts.handed_out)}
      );
    }
    return rows;
  });
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_clients(Words) {
  ConsoleAnswer answer{
      .columns = {"number", "client", "state", "transaction", "statement"}, .tag = "SHOW"
  };
  answer.rows = co_await from_all_threads([](WorkerThread& thread) {
    Rows rows;
    for (const auto& [number, session] : thread.worker().sessions()) {
      const char status = static_cast<char>(session->status());
      rows.push_back(
          {text_of(number), session->port().describe(), session->is_busy() ? "active" : "idle",
           status == 'I' ? "none" : (status == 'T' ? "open" : "failed"), session->last_text()}
      );
    }
    return rows;
  });
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_servers(Words) {
  ConsoleAnswer answer{
      .columns = {"thread", "shard", "user", "server_process", "requests"}, .tag = "SHOW"
  };
  answer.rows = co_await from_all_threads([](WorkerThread& thread) {
    Rows rows;
    thread.worker().for_each_idle([&](const pgconn::Connection& connection) {
      rows.push_back(
          {text_of(thread.worker().index()), connection.options().shard, connection.options().user,
           text_of(connection.cancel_key().process_id), text_of(connection.requests())}
      );
    });
    return rows;
  });
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_tables(Words) {
  ConsoleAnswer answer{
      .columns = {"schema", "table", "kind", "key", "group", "strategy"}, .tag = "SHOW"
  };
  const auto snapshot = home_.worker().snapshot();
  for (const topology::Table& table : snapshot->tables) {
    const bool is_distributed = table.kind == topology::TableKind::kDistributed;
    const topology::Group* group = is_distributed ? snapshot->group(table.group) : nullptr;
    answer.rows.push_back(
        {table.schema, table.name, is_distributed ? "distributed" : "reference", table.key_column,
         group != nullptr ? group->name : "",
         group != nullptr ? std::string(strategy::name_of(group->spec.kind)) : ""}
    );
  }
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_topology(Words) {
  co_return ConsoleAnswer{
      .columns = {"epoch", "topology"},
      .rows =
          {{text_of(number_of(home_.worker().snapshot()->epoch)),
            catalog::topology_to_json(*home_.worker().snapshot())}},
      .tag = "SHOW"
  };
}

net::Task<Result<ConsoleAnswer>> Console::show_stats(Words) {
  ConsoleAnswer answer{
      .columns = {"thread", "statements", "single_shard", "multi_shard", "refused", "errors"},
      .tag = "SHOW"
  };
  answer.rows = co_await from_all_threads([](WorkerThread& thread) {
    const engine::WorkerStats& stats = thread.worker().stats();
    return Rows{
        {text_of(thread.worker().index()), text_of(stats.statements.load()),
         text_of(stats.single_shard.load()), text_of(stats.multi_shard.load()),
         text_of(stats.refused.load()), text_of(stats.errors.load())}
    };
  });
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_moves(Words) {
  co_return ConsoleAnswer{
      .columns = {"job", "region", "source", "target", "state", "rows"}, .tag = "SHOW"
  };
}

net::Task<Result<ConsoleAnswer>> Console::show_transactions(Words) {
  ConsoleAnswer answer{.columns = {"shard", "transaction", "age_seconds", "router"}, .tag = "SHOW"};
  std::vector<ShardId> shards;
  for (const topology::Shard& shard : home_.worker().snapshot()->shards) {
    shards.push_back(shard.id);
  }
  SHERD_CO_TRY(
      const std::vector<txn::InDoubt> found,
      co_await txn::list_in_doubt(
          home_.worker(), shards, home_.server().cluster().identity().cluster,
          Deadline::after(home_.loop().clock(), kLimit)
      )
  );
  for (const txn::InDoubt& one : found) {
    answer.rows.push_back(
        {home_.worker().shard_name(one.shard), one.name, fmt::format("{:.1f}", one.age_seconds),
         fmt::format("{:016x}", one.id.router)}
    );
  }
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_audit(Words) {
  ConsoleAnswer answer{.columns = {"epoch", "time", "who", "what"}, .tag = "SHOW"};
  SHERD_CO_TRY(const auto records, home_.server().cluster().store().audit(100));
  for (const catalog::AuditRecord& record : records) {
    const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(record.time);
    const std::time_t time = std::chrono::system_clock::to_time_t(seconds);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &utc);
    answer.rows.push_back({text_of(number_of(record.epoch)), text, record.who, record.what});
  }
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_config(Words) {
  ConsoleAnswer answer{.columns = {"line"}, .tag = "SHOW"};
  std::string_view text = home_.server().options().config_text;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    answer.rows.push_back({std::string(line)});
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  co_return answer;
}

net::Task<Result<ConsoleAnswer>> Console::show_version(Words) {
  co_return ConsoleAnswer{
      .columns = {"version"}, .rows = {{home_.server().options().version}}, .tag = "SHOW"
  };
}

net::Task<Result<ConsoleAnswer>> Console::pause(Words) {
  home_.server().cluster().set_paused(true);
  co_return ConsoleAnswer{.tag = "PAUSE"};
}

net::Task<Result<ConsoleAnswer>> Console::resume(Words) {
  home_.server().cluster().set_paused(false);
  co_return ConsoleAnswer{.tag = "RESUME"};
}

net::Task<Result<ConsoleAnswer>> Console::reconnect(Words) {
  co_await from_all_threads([](WorkerThread& thread) {
    thread.worker().renew_pools();
    return Rows{};
  });
  co_return ConsoleAnswer{.tag = "RECONNECT"};
}

net::Task<Result<ConsoleAnswer>> Console::reload(Words) {
  SHERD_CO_TRY_VOID(home_.server().reload());
  co_return ConsoleAnswer{.tag = "RELOAD"};
}

net::Task<Result<ConsoleAnswer>> Console::kill(Words words) {
  std::uint32_t number = 0;
  const std::string argument = words.empty() ? std::string() : words.front();
  const auto [end, ec] =
      std::from_chars(argument.data(), argument.data() + argument.size(), number);
  if (ec != std::errc{} || argument.empty() || end != argument.data() + argument.size()) {
    co_return fail(
        ErrorCode::kSyntax, "KILL needs the number of a client session",
        "SHOW CLIENTS lists them: KILL 42"
    );
  }
  const Rows killed = co_await from_all_threads([number](WorkerThread& thread) {
    for (Client* client : thread.clients()) {
      if (client->session() != nullptr && client->session()->process_id() == number) {
        client->shut_down(true);
        return Rows{{"killed"}};
      }
    }
    return Rows{};
  });
  if (killed.empty()) {
    co_return fail(
        ErrorCode::kUndefinedObject, fmt::format("there is no client session {}", number),
        "SHOW CLIENTS lists them"
    );
  }
  co_return ConsoleAnswer{.tag = "KILL"};
}

}  // namespace sherd::proxy
