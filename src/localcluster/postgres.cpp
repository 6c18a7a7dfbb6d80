#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include <sherd/localcluster/postgres.hpp>

namespace sherd::localcluster {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr std::array<std::string_view, 3> kKnownFolders = {
    "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin"
};

Result<> make_folder(const fs::path& path, const RunAs& as) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) {
    return fail(
        ErrorCode::kIo, fmt::format("cannot create {}: {}", path.string(), ec.message()),
        "choose another folder with --dir"
    );
  }
  if (as.change && ::chown(path.c_str(), as.uid, as.gid) != 0) {
    return fail(ErrorCode::kIo, fmt::format("cannot give {} to the server's user", path.string()));
  }
  return {};
}

Result<Output> run_tool(
    std::string_view tool, std::vector<std::string> arguments, const RunAs& as, seconds limit
) {
  SHERD_TRY(const fs::path bin, postgres_bin());
  arguments.insert(arguments.begin(), (bin / tool).string());
  SHERD_TRY(Output output, run(arguments, as, limit));
  if (output.exit_status != 0) {
    return fail(Error{
        .code = ErrorCode::kIo,
        .message = fmt::format("{} ended with status {}", tool, output.exit_status),
        .detail = output.text,
        .hint = output.exit_status == 126
                    ? "the server's user cannot reach the folder: choose one with --dir"
                    : ""
    });
  }
  return output;
}

Result<Output> psql(
    const LocalServer& server, const CreateOptions& options, const RunAs& as, std::string sql
) {
  return run_tool(
      "psql",
      {"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", server.socket_dir.string(), "-U",
       options.superuser, "-d", "postgres", "-c", std::move(sql)},
      as, seconds(30)
  );
}

std::string configuration(const LocalServer& server, const CreateOptions& options) {
  std::string text = fmt::format(
      "# Written by sherd; edit freely, it is read again at each start.\n"
      "listen_addresses = ''\n"
      "unix_socket_directories = '{}'\n"
      "max_connections = {}\n"
      "max_prepared_transactions = {}   # writes on several shards commit in two phases\n"
      "wal_level = logical              # moves read the changes\n"
      "max_wal_size = '2GB'\n"
      "shared_buffers = '128MB'\n"
      "cluster_name = '{}'\n",
      server.socket_dir.string(), options.max_connections, options.max_connections, server.name
  );
  for (const std::string& line : options.extra_config) {
    text += line + "\n";
  }
  return text;
}

bool is_running(const LocalServer& server, const RunAs& as) {
  const auto status = run_tool("pg_ctl", {"-D", server.data.string(), "status"}, as, seconds(10));
  return status.has_value();
}

}  // namespace

Result<fs::path> postgres_bin() {
  for (const std::string_view folder : kKnownFolders) {
    if (fs::exists(fs::path(folder) / "initdb")) {
      return fs::path(folder);
    }
  }
  if (const char* path = std::getenv("PATH"); path != nullptr) {
    std::string_view rest = path;
    while (!rest.empty()) {
      const std::string_view folder = rest.substr(0, rest.find(':'));
      if (!folder.empty() && fs::exists(fs::path(folder) / "initdb")) {
        return fs::path(folder);
      }
      rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    }
  }
  return fail(
      ErrorCode::kIo, "PostgreSQL's initdb is not on this machine",
      "install postgresql-15 (make deps)"
  );
}

Result<> create_if_missing(
    const LocalServer& server, const CreateOptions& options, const RunAs& as
) {
  SHERD_TRY_VOID(make_folder(server.socket_dir, as));
  if (fs::exists(server.data / "PG_VERSION")) {
    return {};
  }
  SHERD_TRY_VOID(make_folder(server.data, as));
  SHERD_TRY(
      [[maybe_unused]] const Output made,
      run_tool(
          "initdb",
          {"-D", server.data.string(), "-U", options.superuser, "--auth=trust", "--encoding=UTF8",
           "--locale=C.UTF-8", "--no-sync"},
          as, seconds(120)
      )
  );
  std::ofstream conf(server.data / "postgresql.conf", std::ios::app);
  conf << configuration(server, options);
  conf.close();
  if (!conf) {
    return fail(
        ErrorCode::kIo, fmt::format("cannot write {}/postgresql.conf", server.data.string())
    );
  }
  return {};
}

Result<> start(const LocalServer& server, const RunAs& as) {
  if (is_running(server, as)) {
    return {};
  }
  auto started = run_tool(
      "pg_ctl",
      {"-D", server.data.string(), "-l", (server.data / "server.log").string(), "-w", "-t", "60",
       "start"},
      as, seconds(90)
  );
  if (!started) {
    started.error().hint = fmt::format("see {}/server.log", server.data.string());
    return std::unexpected(std::move(started).error());
  }
  return {};
}

Result<> prepare_database(
    const LocalServer& server, const CreateOptions& options, const RunAs& as
) {
  SHERD_TRY(
      const Output role,
      psql(
          server, options, as,
          fmt::format("SELECT 1 FROM pg_roles WHERE rolname = '{}'", options.app_user)
      )
  );
  if (role.text.empty()) {
    SHERD_TRY(
        [[maybe_unused]] const Output made,
        psql(
            server, options, as, fmt::format("CREATE ROLE \"{}\" LOGIN SUPERUSER", options.app_user)
        )
    );
  }
  SHERD_TRY(
      const Output database,
      psql(
          server, options, as,
          fmt::format("SELECT 1 FROM pg_database WHERE datname = '{}'", options.app_database)
      )
  );
  if (database.text.empty()) {
    SHERD_TRY(
        [[maybe_unused]] const Output made,
        psql(
            server, options, as,
            fmt::format(
                "CREATE DATABASE \"{}\" OWNER \"{}\"", options.app_database, options.app_user
            )
        )
    );
  }
  return {};
}

Result<> stop(const LocalServer& server, const RunAs& as) {
  if (!is_running(server, as)) {
    return {};
  }
  SHERD_TRY(
      [[maybe_unused]] const Output stopped,
      run_tool(
          "pg_ctl", {"-D", server.data.string(), "-m", "fast", "-w", "-t", "60", "stop"}, as,
          seconds(90)
      )
  );
  return {};
}

}  // namespace sherd::localcluster
