#include <CLI/CLI.hpp>

#include <sherd/base/fault.hpp>

#include "commands.hpp"
#include "router.hpp"

namespace sherd::program {
namespace {

int run(int argc, char** argv) {
  CLI::App app("PostgreSQL in pieces that act as one", "sherd");
  app.set_version_flag("--version", std::string("sherd ") + SHERD_VERSION);
  app.require_subcommand(1);
  Common common;
  int status = 0;
  const auto command = [&](CLI::App* parent, const char* name, const char* what) {
    CLI::App* sub = parent->add_subcommand(name, what);
    sub->add_option("--config", common.config, "the router's configuration file")
        ->capture_default_str();
    sub->add_flag("--json", common.json, "print JSON");
    return sub;
  };

  DevOptions dev;
  CLI::App* dev_command = app.add_subcommand(
      "dev", "a cluster on this machine: creates and starts PostgreSQL shards, runs the router"
  );
  dev_command->add_option("--dir", dev.dir, "folder of the cluster");
  dev_command->add_option("--shards", dev.shards, "number of shards")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  dev_command->add_option("--port", dev.port, "port for clients; 0: any free one")
      ->capture_default_str();
  dev_command->add_option("--workers", dev.workers, "threads of the router; 0: one per processor");
  dev_command->callback([&] { status = run_dev(dev); });

  command(&app, "serve", "the router")->callback([&] { status = run_serve(common); });
  command(&app, "check", "every problem of a configuration and of the cluster behind it")
      ->callback([&] { status = run_check(common); });
  command(&app, "status", "the cluster at a glance")->callback([&] {
    status = run_status(common);
  });
  command(&app, "tables", "distributed and reference tables")->callback([&] {
    status = run_console(common, "SHOW TABLES");
  });
  command(&app, "transactions", "transactions in doubt")->callback([&] {
    status = run_console(common, "SHOW TRANSACTIONS");
  });

  std::string table;
  std::vector<std::string> keys;
  CLI::App* route = command(&app, "route", "where a key lives, and why");
  route->add_option("table", table, "a distributed table")->required();
  route->add_option("key", keys, "one or more keys")->required();
  route->callback([&] { status = run_route(common, table, keys); });

  std::string sql;
  CLI::App* explain = command(&app, "explain", "the distributed plan of a statement");
  explain->add_option("sql", sql, "the statement")->required();
  explain->callback([&] { status = run_explain(common, sql); });

  CLI::App* shards = app.add_subcommand("shards", "list, add or remove shards");
  shards->require_subcommand(1);
  command(shards, "list", "shards and what runs on them")->callback([&] {
    status = run_console(common, "SHOW SHARDS");
  });
  std::string name;
  std::string host;
  std::uint16_t port = 5432;
  CLI::App* add =
      command(shards, "add", "write a shard into the configuration, with the schema of the others");
  add->add_option("name", name, "its name")->required();
  add->add_option("--host", host, "host, or folder of a unix socket")->required();
  add->add_option("--port", port, "port")->capture_default_str();
  add->callback([&] { status = run_shards_add(common, name, host, port); });
  CLI::App* remove = command(shards, "remove", "take an empty shard out of the configuration");
  remove->add_option("name", name, "its name")->required();
  remove->callback([&] { status = run_shards_remove(common, name); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return status;
}

}  // namespace
}  // namespace sherd::program

int main(int argc, char** argv) {
  sherd::program::block_signals();
  if (const char* faults = std::getenv("SHERD_FAULT");
      faults != nullptr && !sherd::fault::arm_from_text(faults)) {
    std::fprintf(
        stderr, "sherd: SHERD_FAULT is malformed: name=crash or name=fail@3, joined by commas\n"
    );
    return 2;
  }
  return sherd::program::run(argc, argv);
}
