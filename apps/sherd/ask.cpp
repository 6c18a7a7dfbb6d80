#include "ask.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "configuration.hpp"

namespace sherd::program {
namespace {

constexpr Duration kLimit = std::chrono::seconds(60);

net::Task<Result<pgconn::ResultSet>> ask(
    net::Loop& loop, pgconn::ConnectOptions options, std::string sql
) {
  const Deadline deadline = Deadline::after(loop.clock(), kLimit);
  SHERD_CO_TRY(
      auto connection, co_await pgconn::Connection::open(loop, std::move(options), deadline)
  );
  auto rows = co_await connection->query(std::move(sql), deadline);
  if (connection->is_idle()) {
    connection->terminate();
  }
  co_return rows;
}

}  // namespace

Result<pgconn::ResultSet> ask_router(
    const Common& common, const std::string& database, const std::string& sql
) {
  SHERD_TRY(const Loaded loaded, load_configuration(common.config));
  if (loaded.config.users.empty()) {
    return fail(ErrorCode::kInvalidConfig, "no user is configured", "add a [[users]] entry");
  }
  const auto admin = std::ranges::find_if(loaded.config.users, &config::User::admin);
  const config::User& user =
      admin != loaded.config.users.end() ? *admin : loaded.config.users.front();
  SHERD_TRY(auto loop, net::Loop::create());
  const bool has_tcp = !loaded.config.listen.host.empty();
  pgconn::ConnectOptions options;
  options.address = {
      .host = has_tcp ? loaded.config.listen.host : loaded.config.listen.socket_dir,
      .port = loaded.config.listen.port
  };
  options.user = user.name;
  options.password = user.password.value;
  options.database = database.empty() ? loaded.config.cluster.database : database;
  options.shard = "router";
  auto rows = net::blocking_run(*loop, ask(*loop, std::move(options), sql));
  if (!rows && rows.error().code == ErrorCode::kCannotConnect) {
    rows.error().message = fmt::format(
        "the router does not answer at {}:{}", loaded.config.listen.host, loaded.config.listen.port
    );
    rows.error().shard.clear();
    rows.error().hint = "start it: sherd serve --config " + common.config;
  }
  return rows;
}

nlohmann::json to_json(const pgconn::ResultSet& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& row : rows.rows) {
    nlohmann::json object;
    for (std::size_t i = 0; i < row.size(); ++i) {
      object[rows.fields[i].name] = row[i] ? nlohmann::json(*row[i]) : nlohmann::json();
    }
    list.push_back(std::move(object));
  }
  return list;
}

void print_rows(const pgconn::ResultSet& rows, bool json) {
  if (json) {
    fmt::print("{}\n", to_json(rows).dump(2));
    return;
  }
  std::vector<std::size_t> widths;
  for (const auto& field : rows.fields) {
    widths.push_back(field.name.size());
  }
  for (const auto& row : rows.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].value_or("").size());
    }
  }
  const auto print_line = [&](auto&& text_of) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      line += fmt::format("{:<{}}  ", text_of(i), widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  };
  if (widths.size() > 1) {
    print_line([&](std::size_t i) { return rows.fields[i].name; });
  }
  for (const auto& row : rows.rows) {
    print_line([&](std::size_t i) { return row[i].value_or(""); });
  }
}

int print_error(const Error& error, bool json) {
  if (json) {
    const nlohmann::json object{
        {"error", error.message},
        {"detail", error.detail},
        {"hint", error.hint},
        {"shard", error.shard},
        {"sqlstate", std::string(error.sqlstate())}
    };
    fmt::print("{}\n", object.dump(2));
  } else {
    std::fprintf(stderr, "sherd: %s\n", to_string(error).c_str());
  }
  return 1;
}

}  // namespace sherd::program
