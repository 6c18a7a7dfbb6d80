#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sherd::program {

/// What every command gets. Exit status: 0 done, 1 failed.
struct Common {
  std::string config = "sherd.toml";
  bool json = false;
};

struct DevOptions {
  std::string dir{};
  unsigned shards = 3;
  std::uint16_t port = 6432;
  unsigned workers = 0;
};

int run_dev(const DevOptions& options);
int run_serve(const Common& common);
int run_check(const Common& common);
int run_route(const Common& common, const std::string& table, const std::vector<std::string>& keys);
int run_explain(const Common& common, const std::string& sql);
int run_status(const Common& common);
/// One console command, printed as a table or as JSON.
int run_console(const Common& common, const std::string& command);
int run_shards_add(
    const Common& common, const std::string& name, const std::string& host, std::uint16_t port
);
int run_shards_remove(const Common& common, const std::string& name);

}  // namespace sherd::program
