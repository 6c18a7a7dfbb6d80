#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sherd/localcluster/postgres.hpp>

#include "commands.hpp"
#include "router.hpp"
#include "schema_copy.hpp"

namespace sherd::program {
namespace {

namespace fs = std::filesystem;
using localcluster::LocalServer;

constexpr std::size_t kMaxSocketDir = 85;  // a socket's path has at most 107 bytes

fs::path default_dir() {
  if (::geteuid() == 0) {
    return "/var/lib/sherd/dev";  // root's own folder is closed to the servers' user
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : ".") / ".local/share/sherd/dev";
}

std::vector<LocalServer> servers_in(const fs::path& dir, unsigned count) {
  // In a deep folder the sockets go to a short one of their own, named after it.
  fs::path sockets = dir / "sockets";
  if (sockets.string().size() + 8 > kMaxSocketDir) {
    sockets = fmt::format("/tmp/sherd-{:x}", std::hash<std::string>{}(dir.string()));
  }
  std::vector<LocalServer> servers;
  for (unsigned i = 1; i <= count; ++i) {
    const std::string name = fmt::format("shard{}", i);
    servers.push_back({.name = name, .data = dir / name, .socket_dir = sockets / name});
  }
  return servers;
}

Result<> start_server(const LocalServer& server, const localcluster::RunAs& as) {
  localcluster::CreateOptions options;
  if (std::getenv("SHERD_DEV_NO_FSYNC")
      != nullptr) {  // for tests: nothing there must survive a power cut
    options.extra_config = {"fsync = off", "full_page_writes = off"};
  }
  SHERD_TRY_VOID(localcluster::create_if_missing(server, options, as));
  SHERD_TRY_VOID(localcluster::start(server, as));
  return localcluster::prepare_database(server, options, as);
}

Result<> start_all(const std::vector<LocalServer>& servers, const localcluster::RunAs& as) {
  std::vector<std::future<Result<>>> starting;
  for (const LocalServer& server : servers) {
    starting.push_back(std::async(std::launch::async, [&] { return start_server(server, as); }));
  }
  Result<> outcome{};
  for (auto& one : starting) {
    if (auto done = one.get(); !done && outcome) {
      outcome = std::move(done);
    }
  }
  return outcome;
}

void stop_all(const std::vector<LocalServer>& servers, const localcluster::RunAs& as) {
  std::vector<std::future<void>> stopping;
  for (const LocalServer& server : servers) {
    stopping.push_back(std::async(std::launch::async, [&] {
      if (const auto done = localcluster::stop(server, as); !done) {
        std::fprintf(
            stderr, "sherd: %s: %s\n", server.name.c_str(), to_string(done.error()).c_str()
        );
      }
    }));
  }
}

std::string configuration(
    const DevOptions& options, const std::vector<LocalServer>& servers, const fs::path& dir
) {
  std::string text = fmt::format(
      "# Written by `sherd dev`, anew at each start. Trust authentication: for this machine only.\n"
      "[listen]\nhost = \"127.0.0.1\"\nport = {}\nworkers = {}\nauth = \"trust\"\n\n"
      "[cluster]\ndatabase = \"app\"\n\n[state]\npath = \"{}\"\n\n"
      "[[users]]\nname = \"app\"\nadmin = true\n",
      options.port, options.workers, (dir / "sherd.db").string()
  );
  for (const LocalServer& server : servers) {
    text += fmt::format(
        "\n[[shards]]\nid = \"{}\"\nhost = \"{}\"\nport = 5432\ndatabase = \"app\"\nuser = "
        "\"app\"\n",
        server.name, server.socket_dir.string()
    );
  }
  return text;
}

// Shards that an earlier start made stay in the cluster: their rows are part of it.
unsigned shards_there(const fs::path& dir) {
  unsigned count = 0;
  while (fs::exists(dir / fmt::format("shard{}", count + 1) / "PG_VERSION")) {
    ++count;
  }
  return count;
}

topology::Endpoint endpoint_of(const LocalServer& server) {
  return {.host = server.socket_dir.string(), .port = 5432, .database = "app", .user = "app"};
}

Result<> write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) {
    return fail(
        ErrorCode::kIo, fmt::format("cannot write {}", path.string()), "choose another --dir"
    );
  }
  return {};
}

Result<> run_cluster(
    const DevOptions& options, const fs::path& dir, const std::vector<LocalServer>& servers,
    const localcluster::RunAs& as
) {
  const unsigned there = shards_there(dir);
  SHERD_TRY_VOID(start_all(servers, as));
  for (std::size_t i = there; there > 0 && i < servers.size(); ++i) {
    SHERD_TRY_VOID(copy_schema(endpoint_of(servers.front()), endpoint_of(servers[i])));
  }
  SHERD_TRY_VOID(write_file(dir / "sherd.toml", configuration(options, servers, dir)));
  SHERD_TRY(Loaded loaded, load_configuration(dir / "sherd.toml"));
  Router router(std::move(loaded));
  SHERD_TRY_VOID(router.start());
  if (options.port == 0) {  // now it is known: write it down for the other commands
    DevOptions bound = options;
    bound.port = router.port();
    SHERD_TRY_VOID(write_file(dir / "sherd.toml", configuration(bound, servers, dir)));
  }
  fmt::print("sherd ready: postgresql://app@127.0.0.1:{}/app\n", router.port());
  std::fflush(stdout);
  router.run();
  fmt::print("sherd: stopping\n");
  std::fflush(stdout);
  router.stop();
  return {};
}

}  // namespace

int run_dev(const DevOptions& options) {
  const fs::path dir = fs::absolute(options.dir.empty() ? default_dir() : fs::path(options.dir));
  const auto as = localcluster::server_user();
  if (!as) {
    std::fprintf(stderr, "sherd: %s\n", to_string(as.error()).c_str());
    return 1;
  }
  std::error_code ec;
  fs::create_directories(dir, ec);
  if (ec) {
    std::fprintf(stderr, "sherd: cannot create %s: %s\n", dir.c_str(), ec.message().c_str());
    return 1;
  }
  const std::vector<LocalServer> servers =
      servers_in(dir, std::max(options.shards, shards_there(dir)));
  fmt::print("sherd: {} shards in {}\n", servers.size(), dir.string());
  std::fflush(stdout);
  const auto done = run_cluster(options, dir, servers, *as);
  if (!done) {
    std::fprintf(stderr, "sherd: %s\n", to_string(done.error()).c_str());
  }
  stop_all(servers, *as);
  return done ? 0 : 1;
}

}  // namespace sherd::program
