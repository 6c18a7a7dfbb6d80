#include <CLI/CLI.hpp>

#include <sherd/base/fault.hpp>

#include "commands.hpp"
#include "router.hpp"

namespace sherd::program {
namespace {

// The commands, and where their options are put before one of them runs. Stays where it is: the
// parser points into it.
class CommandLine {
 public:
  CommandLine() {
    app_.set_version_flag("--version", std::string("sherd ") + SHERD_VERSION);
    app_.require_subcommand(1);
    add_dev();
    add_plain();
    add_route();
    add_explain();
    add_shards();
  }
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : 2;
    }
    return status_;
  }

 private:
  CLI::App* add(CLI::App* parent, const char* name, const char* what) {
    CLI::App* sub = parent->add_subcommand(name, what);
    sub->add_option("--config", common_.config, "the router's configuration file")
        ->capture_default_str();
    sub->add_flag("--json", common_.json, "print JSON");
    return sub;
  }

  void add_dev() {
    CLI::App* dev = app_.add_subcommand(
        "dev", "a cluster on this machine: creates and starts PostgreSQL shards, runs the router"
    );
    dev->add_option("--dir", dev_.dir, "folder of the cluster");
    dev->add_option("--shards", dev_.shards, "number of shards")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    dev->add_option("--port", dev_.port, "port for clients; 0: any free one")
        ->capture_default_str();
    dev->add_option("--workers", dev_.workers, "threads of the router; 0: one per processor");
    dev->callback([this] { status_ = run_dev(dev_); });
  }

  void add_plain() {
    add(&app_, "serve", "the router")->callback([this] { status_ = run_serve(common_); });
    add(&app_, "check", "every problem of a configuration and of the cluster behind it")
        ->callback([this] { status_ = run_check(common_); });
    add(&app_, "status", "the cluster at a glance")->callback([this] {
      status_ = run_status(common_);
    });
    add(&app_, "tables", "distributed and reference tables")->callback([this] {
      status_ = run_console(common_, "SHOW TABLES");
    });
    add(&app_, "transactions", "transactions in doubt")->callback([this] {
      status_ = run_console(common_, "SHOW TRANSACTIONS");
    });
  }

  void add_route() {
    CLI::App* route = add(&app_, "route", "where a key lives, and why");
    route->add_option("table", table_, "a distributed table")->required();
    route->add_option("key", keys_, "one or more keys")->required();
    route->callback([this] { status_ = run_route(common_, table_, keys_); });
  }

  void add_explain() {
    CLI::App* explain = add(&app_, "explain", "the distributed plan of a statement");
    explain->add_option("sql", sql_, "the statement")->required();
    explain->callback([this] { status_ = run_explain(common_, sql_); });
  }

  void add_shards() {
    CLI::App* shards = app_.add_subcommand("shards", "list, add or remove shards");
    shards->require_subcommand(1);
    add(shards, "list", "shards and what runs on them")->callback([this] {
      status_ = run_console(common_, "SHOW SHARDS");
    });
    CLI::App* added =
        add(shards, "add", "write a shard into the configuration, with the schema of the others");
    added->add_option("name", shard_, "its name")->required();
    added->add_option("--host", host_, "host, or folder of a unix socket")->required();
    added->add_option("--port", port_, "port")->capture_default_str();
    added->callback([this] { status_ = run_shards_add(common_, shard_, host_, port_); });
    CLI::App* removed = add(shards, "remove", "take an empty shard out of the configuration");
    removed->add_option("name", shard_, "its name")->required();
    removed->callback([this] { status_ = run_shards_remove(common_, shard_); });
  }

  CLI::App app_{"PostgreSQL in pieces that act as one", "sherd"};
  int status_ = 0;
  Common common_{};
  DevOptions dev_{};
  std::string table_{};
  std::vector<std::string> keys_{};
  std::string sql_{};
  std::string shard_{};
  std::string host_{};
  std::uint16_t port_ = 5432;
};

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
  return sherd::program::CommandLine().run(argc, argv);
}
