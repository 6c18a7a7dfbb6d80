#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/localcluster/process.hpp>

namespace sherd::localcluster {

/// The folder with initdb and pg_ctl: PostgreSQL 15's on Debian, else what pg_config or PATH says.
[[nodiscard]] Result<std::filesystem::path> postgres_bin();

/// One PostgreSQL server of a local cluster: a data folder, a folder with its socket, no TCP.
struct LocalServer {
  std::string name;                  // "shard1"
  std::filesystem::path data;        // D/shard1
  std::filesystem::path socket_dir;  // short: a socket's path has at most 107 bytes
};

struct CreateOptions {
  std::string superuser = "postgres";
  std::string app_user = "app";  // a superuser too: this is a playground
  std::string app_database = "app";
  unsigned max_connections = 120;
  std::vector<std::string> extra_config{};  // lines of postgresql.conf
};

/// Creates the data folder of `server` unless it is there already (initdb, UTF-8, locale C.UTF-8,
/// trust on the socket).
[[nodiscard]] Result<> create_if_missing(
    const LocalServer& server, const CreateOptions& options, const RunAs& as
);
/// Starts it and waits until it accepts connections; does nothing if it runs already.
[[nodiscard]] Result<> start(const LocalServer& server, const RunAs& as);
/// Makes the application's role and database unless they exist. The server must run.
[[nodiscard]] Result<> prepare_database(
    const LocalServer& server, const CreateOptions& options, const RunAs& as
);
/// Stops it (fast) and waits. Good if it does not run.
[[nodiscard]] Result<> stop(const LocalServer& server, const RunAs& as);

}  // namespace sherd::localcluster
