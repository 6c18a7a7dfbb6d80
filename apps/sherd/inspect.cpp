#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sherd/base/text.hpp>
#include <sherd/catalog/schema_reader.hpp>
#include <sherd/catalog/store.hpp>

#include "ask.hpp"
#include "commands.hpp"
#include "configuration.hpp"
#include "schema_copy.hpp"

namespace sherd::program {
namespace {

namespace fs = std::filesystem;
constexpr Duration kLimit = std::chrono::seconds(15);

Result<topology::Snapshot> load_topology(const Loaded& loaded) {
  SHERD_TRY(
      const auto store,
      catalog::Store::open(loaded.state_path.string(), system_clock(), system_random())
  );
  return store->load();
}

const topology::Table* find_table(const topology::Snapshot& snapshot, const std::string& name) {
  const auto found = std::ranges::find_if(snapshot.tables, [&](const topology::Table& table) {
    return name == table.name || name == table.schema + "." + table.name;
  });
  return found == snapshot.tables.end() ? nullptr : &*found;
}

Result<nlohmann::json> route_keys(
    const Loaded& loaded, const std::string& name, const std::vector<std::string>& keys
) {
  SHERD_TRY(const topology::Snapshot snapshot, load_topology(loaded));
  const topology::Table* table = find_table(snapshot, name);
  if (table == nullptr || table->kind != topology::TableKind::kDistributed) {
    std::vector<std::string> names;
    for (const topology::Table& one : snapshot.tables) {
      names.push_back(one.name);
    }
    const auto near = nearest(name, names);
    return fail(
        ErrorCode::kUndefinedTable,
        table == nullptr
            ? fmt::format("\"{}\" is not a distributed table", name)
            : fmt::format("\"{}\" is a reference table: its rows are on every shard", name),
        near && table == nullptr ? fmt::format("did you mean \"{}\"?", *near)
                                 : "`sherd tables` lists them"
    );
  }
  const auto group = std::ranges::find(snapshot.groups, table->group, &topology::Group::id);
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& text : keys) {
    std::string scratch;
    SHERD_TRY(const pgtypes::Key key, pgtypes::key_from_text(group->spec.key_type, text, scratch));
    SHERD_TRY(const ShardId owner, group->placement->owner(key));
    const auto shard = std::ranges::find(snapshot.shards, owner, &topology::Shard::id);
    list.push_back({{"key", text}, {"shard", shard->name}, {"why", group->placement->explain(key)}}
    );
  }
  return list;
}

}  // namespace

int run_route(
    const Common& common, const std::string& table, const std::vector<std::string>& keys
) {
  const auto loaded = load_configuration(common.config);
  if (!loaded) {
    return print_error(loaded.error(), common.json);
  }
  const auto routes = route_keys(*loaded, table, keys);
  if (!routes) {
    return print_error(routes.error(), common.json);
  }
  if (common.json) {
    fmt::print("{}\n", routes->dump(2));
    return 0;
  }
  for (const auto& route : *routes) {
    fmt::print(
        "{} -> {}  ({})\n", route["key"].get<std::string>(), route["shard"].get<std::string>(),
        route["why"].get<std::string>()
    );
  }
  return 0;
}

int run_explain(const Common& common, const std::string& sql) {
  const auto rows = ask_router(common, "", "EXPLAIN " + sql);
  if (!rows) {
    return print_error(rows.error(), common.json);
  }
  print_rows(*rows, common.json);
  return 0;
}

int run_console(const Common& common, const std::string& command) {
  const auto rows = ask_router(common, "sherd", command);
  if (!rows) {
    return print_error(rows.error(), common.json);
  }
  print_rows(*rows, common.json);
  return 0;
}

namespace {

int print_status_as_json(const Common& common) {
  nlohmann::json all = nlohmann::json::object();
  for (const char* what : {"version", "shards", "tables", "stats"}) {
    const auto rows = ask_router(common, "sherd", fmt::format("SHOW {}", what));
    if (!rows) {
      return print_error(rows.error(), true);
    }
    all[what] = to_json(*rows);
  }
  fmt::print("{}\n", all.dump(2));
  return 0;
}

}  // namespace

int run_status(const Common& common) {
  if (common.json) {
    return print_status_as_json(common);
  }
  int status = 0;
  for (const char* command : {"SHOW VERSION", "SHOW SHARDS", "SHOW TABLES", "SHOW STATS"}) {
    fmt::print("-- {}\n", command);
    status = run_console(common, command);
    if (status != 0) {
      return status;
    }
    fmt::print("\n");
  }
  return status;
}

// ---- check

namespace {

struct Finding {
  std::string shard;
  std::string problem;
  std::string mend;
};

struct ShardFacts {
  std::string name;
  std::string fingerprint;
  std::string encoding;
  std::string collation;
};

net::Task<Result<ShardFacts>> inspect_shard(
    net::Loop& loop, engine::ShardConfig config, std::vector<Finding>* findings
) {
  const Deadline deadline = Deadline::after(loop.clock(), kLimit);
  pgconn::ConnectOptions options;
  options.address = {.host = config.primary.host, .port = config.primary.port};
  options.user = config.primary.user;
  options.password = config.primary.password;
  options.database = config.primary.database;
  options.shard = config.name;
  SHERD_CO_TRY(
      auto connection, co_await pgconn::Connection::open(loop, std::move(options), deadline)
  );
  SHERD_CO_TRY(
      const pgconn::ResultSet settings,
      co_await connection->query(
          "SELECT current_setting('max_prepared_transactions')::int, "
          "current_setting('max_connections')::int, "
          "current_setting('wal_level'), current_setting('server_version_num')::int, "
          "pg_is_in_recovery(), "
          "has_database_privilege(current_database(), 'CREATE')",
          deadline
      )
  );
  const auto& row = settings.rows.at(0);
  const auto number = [&](std::size_t i) { return std::stol(row.at(i).value_or("0")); };
  if (number(0) == 0) {
    findings->push_back(
        {config.name, "max_prepared_transactions is 0: writes on several shards cannot commit",
         fmt::format("set it to {} in postgresql.conf and restart the server", number(1))}
    );
  }
  if (row.at(2) != "logical") {
    findings->push_back(
        {config.name,
         fmt::format("wal_level is {}: rows cannot be moved away", row.at(2).value_or("?")),
         "set wal_level = logical and restart the server"}
    );
  }
  if (number(3) < 150000) {
    findings->push_back(
        {config.name, fmt::format("PostgreSQL {} is older than 15", number(3) / 10000), "upgrade it"
        }
    );
  }
  if (row.at(4) == "t") {
    findings->push_back(
        {config.name, "the server is a standby", "name the primary as the shard's host"}
    );
  }
  if (row.at(5) != "t") {
    findings->push_back(
        {config.name, "the user may not create the schema \"sherd\"",
         "GRANT CREATE ON DATABASE, or create it as described in the documentation"}
    );
  }
  std::vector<catalog::RowSet> results;
  for (const std::string& query : catalog::schema_queries()) {
    SHERD_CO_TRY(pgconn::ResultSet result, co_await connection->query(query, deadline));
    results.push_back(std::move(result.rows));
  }
  connection->terminate();
  SHERD_CO_TRY(const topology::Schema schema, catalog::schema_from_rows(results));
  co_return ShardFacts{
      .name = config.name,
      .fingerprint = schema.parts().fingerprint,
      .encoding = schema.parts().encoding,
      .collation = schema.parts().database_collation
  };
}

void compare(const std::vector<ShardFacts>& facts, std::vector<Finding>& findings) {
  for (std::size_t i = 1; i < facts.size(); ++i) {
    if (facts[i].fingerprint != facts[0].fingerprint) {
      findings.push_back(
          {facts[i].name, fmt::format("its schema differs from {}'s", facts[0].name),
           "make them the same: DDL goes through the router, an empty shard takes pg_dump "
           "--schema-only"}
      );
    }
    if (facts[i].encoding != facts[0].encoding || facts[i].collation != facts[0].collation) {
      findings.push_back(
          {facts[i].name, "its database has another encoding or collation",
           fmt::format(
               "create it with ENCODING '{}' LC_COLLATE '{}'", facts[0].encoding, facts[0].collation
           )}
      );
    }
  }
}

}  // namespace

int run_check(const Common& common) {
  const auto loaded = load_configuration(common.config);
  if (!loaded) {
    return print_error(loaded.error(), common.json);
  }
  const auto options = engine_options(loaded->config);
  auto loop = net::Loop::create();
  if (!options || !loop) {
    return print_error(!options ? options.error() : loop.error(), common.json);
  }
  std::vector<Finding> findings;
  std::vector<ShardFacts> facts;
  for (const engine::ShardConfig& shard : options->shards) {
    auto one = net::blocking_run(**loop, inspect_shard(**loop, shard, &findings));
    if (one) {
      facts.push_back(*std::move(one));
    } else {
      findings.push_back(
          {shard.name, to_string(one.error()),
           "start the server, or mend host, port, user and password"}
      );
    }
  }
  compare(facts, findings);
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"shard", finding.shard}, {"problem", finding.problem}, {"mend", finding.mend}}
    );
    if (!common.json) {
      fmt::print("{}: {}\n    {}\n", finding.shard, finding.problem, finding.mend);
    }
  }
  if (common.json) {
    fmt::print("{}\n", list.dump(2));
  } else if (findings.empty()) {
    fmt::print("{}: {} shards, no problem found\n", common.config, facts.size());
  }
  return findings.empty() ? 0 : 1;
}

// ---- shards

namespace {

Result<> append_shard(const Common& common, const std::string& entry) {
  std::ofstream file(common.config, std::ios::app);
  file << entry;
  file.close();
  if (!file) {
    return fail(ErrorCode::kIo, fmt::format("cannot write {}", common.config));
  }
  return {};
}

Result<> add_shard(
    const Common& common, const std::string& name, const std::string& host, std::uint16_t port
) {
  SHERD_TRY(const Loaded loaded, load_configuration(common.config));
  SHERD_TRY(const engine::Options options, engine_options(loaded.config));
  if (options.shards.empty()) {
    return fail(ErrorCode::kInvalidConfig, "no shard is configured to take the schema from");
  }
  for (const engine::ShardConfig& shard : options.shards) {
    if (shard.name == name) {
      return fail(
          ErrorCode::kDuplicateObject, fmt::format("shard \"{}\" is configured already", name)
      );
    }
  }
  const engine::ShardConfig& home = options.shards.front();
  engine::ShardConfig added = home;
  added.name = name;
  added.primary.host = host;
  added.primary.port = port;
  SHERD_TRY(auto loop, net::Loop::create());
  std::vector<Finding> findings;
  SHERD_TRY(const ShardFacts here, net::blocking_run(*loop, inspect_shard(*loop, home, &findings)));
  SHERD_TRY(
      const ShardFacts there, net::blocking_run(*loop, inspect_shard(*loop, added, &findings))
  );
  if (here.fingerprint != there.fingerprint) {
    SHERD_TRY_VOID(copy_schema(home.primary, added.primary));
  }
  SHERD_TRY_VOID(append_shard(
      common,
      fmt::format(
          "\n[[shards]]\nid = \"{}\"\nhost = \"{}\"\nport = {}\ndatabase = \"{}\"\nuser = \"{}\"\n",
          name, host, port, added.primary.database, added.primary.user
      )
  ));
  return {};
}

Result<> remove_shard(const Common& common, const std::string& name) {
  SHERD_TRY(const Loaded loaded, load_configuration(common.config));
  SHERD_TRY(const topology::Snapshot snapshot, load_topology(loaded));
  const auto shard = std::ranges::find(snapshot.shards, name, &topology::Shard::name);
  if (shard == snapshot.shards.end()) {
    return fail(
        ErrorCode::kUndefinedObject, fmt::format("there is no shard \"{}\"", name),
        "`sherd shards list` lists them"
    );
  }
  const bool owns = std::ranges::any_of(snapshot.groups, [&](const topology::Group& group) {
    return group.placement->shards().contains(shard->id);
  });
  if (shard->id == snapshot.home || owns) {
    return fail(
        ErrorCode::kNotInPrerequisiteState,
        fmt::format(
            "shard \"{}\" is not empty{}", name,
            shard->id == snapshot.home ? ": it is the home shard" : ""
        ),
        "move its rows to other shards first"
    );
  }
  std::ifstream in(common.config);
  std::string text(std::istreambuf_iterator<char>(in), {});
  std::string kept;
  bool is_dropping = false;
  for (std::size_t at = 0; at < text.size();) {  // whole [[shards]] blocks, found by their id
    const std::size_t next = text.find("\n[", at + 1);
    const std::string block = text.substr(at, next == std::string::npos ? next : next + 1 - at);
    const bool is_it = block.starts_with("[[shards]]")
                       && block.find(fmt::format("id = \"{}\"", name)) != std::string::npos;
    is_dropping = is_dropping || is_it;
    kept += is_it ? "" : block;
    at = next == std::string::npos ? text.size() : next + 1;
  }
  if (!is_dropping) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("no [[shards]] entry of {} has id = \"{}\"", common.config, name)
    );
  }
  std::ofstream out(common.config, std::ios::trunc);
  out << kept;
  out.close();
  if (!out) {
    return fail(ErrorCode::kIo, fmt::format("cannot write {}", common.config));
  }
  return {};
}

}  // namespace

int run_shards_add(
    const Common& common, const std::string& name, const std::string& host, std::uint16_t port
) {
  const auto added = add_shard(common, name, host, port);
  if (!added) {
    return print_error(added.error(), common.json);
  }
  fmt::print("shard \"{}\" is in {}; restart the router to let it join\n", name, common.config);
  return 0;
}

int run_shards_remove(const Common& common, const std::string& name) {
  const auto removed = remove_shard(common, name);
  if (!removed) {
    return print_error(removed.error(), common.json);
  }
  fmt::print("shard \"{}\" is out of {}; restart the router to let it go\n", name, common.config);
  return 0;
}

}  // namespace sherd::program
