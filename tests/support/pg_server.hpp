#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <sherd/base/error.hpp>

struct pg_conn;  // libpq

namespace sherd::testing {

/// A private PostgreSQL server in a folder of its own, on a unix socket there; gone without a trace
/// when the object is destroyed. When the test dies instead, the kernel stops the server and the
/// folder (sherd-pg-… in TMPDIR) stays. Works for root (the server then runs as user postgres) and
/// for any other user. The cluster is copied from one that is made once per process. Not
/// thread-safe; start it from a thread that outlives it. SHERD_PG_BIN names other binaries.
class PgServer {
 public:
  struct Options {
    std::vector<std::string> config{};  // lines of postgresql.conf: "wal_level = logical"
    bool tcp = false;                   // listen on 127.0.0.1 too, at a free port
  };

  /// Initialises, starts and waits until it answers. kCannotConnect with the end of the log if it
  /// does not. The superuser is "postgres", without a password; fsync and autovacuum are off unless
  /// `options` say otherwise.
  [[nodiscard]] static Result<std::unique_ptr<PgServer>> start(const Options& options);
  [[nodiscard]] static Result<std::unique_ptr<PgServer>> start() { return start(Options{}); }
  /// A streaming replica of `primary` (which needs no preparation), at the same state, read-only.
  [[nodiscard]] static Result<std::unique_ptr<PgServer>> start_replica(
      const PgServer& primary, const Options& options
  );
  ~PgServer();
  PgServer(const PgServer&) = delete;
  PgServer& operator=(const PgServer&) = delete;

  /// For libpq: "host=/tmp/… port=5432 user=postgres dbname=postgres".
  [[nodiscard]] std::string connection_string(std::string_view database = "postgres") const;
  [[nodiscard]] const std::filesystem::path& socket_folder() const noexcept { return folder_; }
  /// Also the number in the socket's name.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] bool is_running() const noexcept { return pid_ > 0; }
  [[nodiscard]] std::string log() const;

  /// Fast shutdown; waits for its end.
  void stop();
  /// kill -9 of the postmaster; its children see that and end by themselves.
  void crash();
  /// Starts a stopped or crashed server on the same data, socket and port.
  [[nodiscard]] Result<> restart();

 private:
  PgServer() = default;
  [[nodiscard]] Result<> make_folder();
  [[nodiscard]] Result<> configure(const Options& options);
  [[nodiscard]] Result<> launch();
  [[nodiscard]] Result<> wait_until_ready();
  void end(int signal);

  std::filesystem::path folder_{};  // data, socket and log
  std::uint16_t port_ = 5432;
  pid_t pid_ = -1;
};

/// A libpq connection for tests: one call, all rows as text.
class PgSession {
 public:
  [[nodiscard]] static Result<PgSession> open(const std::string& connection_string);
  PgSession(PgSession&&) noexcept = default;
  PgSession& operator=(PgSession&&) noexcept = default;

  using Row = std::vector<std::optional<std::string>>;
  /// Runs `sql`; kShardError with the server's message and SQLSTATE where it fails. The rows of the
  /// last statement.
  [[nodiscard]] Result<std::vector<Row>> query(const std::string& sql);
  /// With text parameters $1, $2, …
  [[nodiscard]] Result<std::vector<Row>> query(
      const std::string& sql, const std::vector<std::string>& parameters
  );
  [[nodiscard]] pg_conn* raw() const noexcept { return connection_.get(); }

 private:
  struct Close {
    void operator()(pg_conn* connection) const noexcept;
  };
  explicit PgSession(pg_conn* connection) : connection_(connection) {}
  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace sherd::testing
