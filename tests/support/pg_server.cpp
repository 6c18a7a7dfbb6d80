#include "pg_server.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sherd::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kStartLimit{60};
constexpr std::chrono::seconds kStopLimit{20};
constexpr std::chrono::milliseconds kPollInterval{5};

std::unexpected<Error> broken(std::string message) {
  return fail(ErrorCode::kCannotConnect, std::move(message));
}

fs::path bin_folder() {
  if (const char* chosen = std::getenv("SHERD_PG_BIN")) {
    return chosen;
  }
  return "/usr/lib/postgresql/15/bin";
}

// Whom the server runs as: PostgreSQL refuses to be root.
struct Account {
  uid_t user;
  gid_t group;
};

Result<Account> server_account() {
  if (geteuid() != 0) {
    return Account{geteuid(), getegid()};
  }
  const passwd* entry = getpwnam("postgres");
  if (entry == nullptr) {
    return broken("there is no user postgres to run the server as");
  }
  return Account{entry->pw_uid, entry->pw_gid};
}

// Starts a program as the server's account, its output going to `log`. It does not outlive this
// process.
Result<pid_t> spawn(const std::vector<std::string>& command, const fs::path& log) {
  SHERD_TRY(const Account account, server_account());
  std::vector<char*> arguments;
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) {
    return broken(fmt::format("fork: {}", std::strerror(errno)));
  }
  if (child > 0) {
    return child;
  }
  // In the child: only what is safe between fork and exec.
  if (geteuid() == 0 && (setgid(account.group) != 0 || setuid(account.user) != 0)) {
    _exit(126);
  }
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (out < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0
      || getppid() != parent) {
    _exit(126);
  }
  setsid();  // Ctrl-C is for the test, which then stops the server
  execv(arguments.front(), arguments.data());
  _exit(127);
}

Result<> run(const std::vector<std::string>& command, const fs::path& log) {
  SHERD_TRY(const pid_t child, spawn(command, log));
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) {
      return broken(fmt::format("waitpid: {}", std::strerror(errno)));
    }
  }
  if (status != 0) {
    std::ifstream in(log);
    std::ostringstream text;
    text << in.rdbuf();
    return broken(fmt::format("{} failed: {}", command.front(), text.str()));
  }
  return {};
}

Result<fs::path> make_temporary_folder() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = fmt::format("{}/sherd-pg-XXXXXX", base != nullptr ? base : "/tmp");
  if (mkdtemp(pattern.data()) == nullptr) {
    return broken(fmt::format("mkdtemp: {}", std::strerror(errno)));
  }
  SHERD_TRY(const Account account, server_account());
  if (geteuid() == 0 && chown(pattern.c_str(), account.user, account.group) != 0) {
    return broken(fmt::format("chown: {}", std::strerror(errno)));
  }
  return fs::path(pattern);
}

// The cluster that all servers of this process are copied from.
class Template {
 public:
  ~Template() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] Result<fs::path> data() {
    if (folder_.empty()) {
      SHERD_TRY(folder_, make_temporary_folder());
      made_ =
          run({bin_folder() / "initdb", "-D", folder_ / "data", "-U", "postgres", "-A", "trust",
               "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"},
              folder_ / "initdb.log");
    }
    SHERD_TRY_VOID(made_);
    return folder_ / "data";
  }

 private:
  fs::path folder_{};
  Result<> made_{};
};

// A port that was free a moment ago.
Result<std::uint16_t> free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool good = fd >= 0 && bind(fd, generic, size) == 0 && getsockname(fd, generic, &size) == 0;
  if (fd >= 0) {
    close(fd);
  }
  return good ? Result<std::uint16_t>(ntohs(address.sin_port)) : broken("no free port");
}

}  // namespace

Result<> PgServer::make_folder() {
  SHERD_TRY(folder_, make_temporary_folder());
  return {};
}

Result<> PgServer::configure(const Options& options) {
  if (options.tcp) {
    SHERD_TRY(port_, free_port());
  }
  // Appended: the last setting of a name wins.
  std::ofstream out(folder_ / "data/postgresql.conf", std::ios::app);
  out << fmt::format(
      "\nlisten_addresses = '{}'\nport = {}\nunix_socket_directories = '{}'\n",
      options.tcp ? "127.0.0.1" : "", port_, folder_.string()
  );
  out << "fsync = off\nautovacuum = off\nfull_page_writes = off\nshared_buffers = 16MB\n"
         "max_connections = 50\nmax_prepared_transactions = 50\nlog_min_messages = log\n"
         "log_timezone = 'UTC'\ntimezone = 'UTC'\n";
  for (const std::string& line : options.config) {
    out << line << '\n';
  }
  out.close();
  return out ? Result<>{} : broken("cannot write postgresql.conf");
}

Result<> PgServer::launch() {
  SHERD_TRY(
      pid_, spawn({bin_folder() / "postgres", "-D", folder_ / "data"}, folder_ / "server.log")
  );
  return wait_until_ready();
}

Result<> PgServer::wait_until_ready() {
  const auto limit = steady_clock::now() + kStartLimit;
  while (steady_clock::now() < limit) {
    if (PQping(connection_string().c_str()) == PQPING_OK) {
      return {};
    }
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return broken("the server ended: " + log());
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  return broken("the server does not answer: " + log());
}

Result<std::unique_ptr<PgServer>> PgServer::start(const Options& options) {
  static Template cluster;
  SHERD_TRY(const fs::path source, cluster.data());
  std::unique_ptr<PgServer> server(new PgServer);
  SHERD_TRY_VOID(server->make_folder());
  const fs::path data = server->folder_ / "data";
  SHERD_TRY_VOID(run({"/bin/cp", "-a", source, data}, server->folder_ / "server.log"));
  SHERD_TRY_VOID(server->configure(options));
  SHERD_TRY_VOID(server->launch());
  return server;
}

Result<std::unique_ptr<PgServer>> PgServer::start_replica(
    const PgServer& primary, const Options& options
) {
  std::unique_ptr<PgServer> server(new PgServer);
  SHERD_TRY_VOID(server->make_folder());
  SHERD_TRY_VOID(
      run({bin_folder() / "pg_basebackup", "-D", server->folder_ / "data", "-d",
           primary.connection_string(), "-R", "-X", "stream", "-c", "fast", "--no-sync"},
          server->folder_ / "server.log")
  );
  SHERD_TRY_VOID(server->configure(options));
  SHERD_TRY_VOID(server->launch());
  return server;
}

PgServer::~PgServer() {
  end(SIGQUIT);
  std::error_code ignored;
  if (!folder_.empty()) {
    fs::remove_all(folder_, ignored);
  }
}

std::string PgServer::connection_string(std::string_view database) const {
  return fmt::format("host={} port={} user=postgres dbname={}", folder_.string(), port_, database);
}

std::string PgServer::log() const {
  std::ifstream in(folder_ / "server.log");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void PgServer::end(int signal) {
  if (pid_ <= 0) {
    return;
  }
  kill(pid_, signal);
  const auto limit = steady_clock::now() + kStopLimit;
  while (waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (steady_clock::now() >= limit) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      break;
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  pid_ = -1;
}

void PgServer::stop() {
  end(SIGINT);
}

void PgServer::crash() {
  end(SIGKILL);
}

Result<> PgServer::restart() {
  stop();
  return launch();
}

void PgSession::Close::operator()(pg_conn* connection) const noexcept {
  PQfinish(connection);
}

Result<PgSession> PgSession::open(const std::string& connection_string) {
  PgSession session(PQconnectdb(connection_string.c_str()));
  if (PQstatus(session.raw()) != CONNECTION_OK) {
    return broken(PQerrorMessage(session.raw()));
  }
  return session;
}

Result<std::vector<PgSession::Row>> PgSession::query(const std::string& sql) {
  return query(sql, {});
}

Result<std::vector<PgSession::Row>> PgSession::query(
    const std::string& sql, const std::vector<std::string>& parameters
) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) {
    values.push_back(parameter.c_str());
  }
  PGresult* raw_result = parameters.empty()
                             ? PQexec(raw(), sql.c_str())
                             : PQexecParams(
                                   raw(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                   values.data(), nullptr, nullptr, 0
                               );
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(raw_result, &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    const char* message = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
    return fail(Error{
        .code = ErrorCode::kShardError,
        .message = message != nullptr ? message : PQerrorMessage(raw()),
        .sqlstate_of_shard = state != nullptr ? state : "08006",
    });
  }
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (int c = 0; c < PQnfields(result.get()); ++c) {
      const int row = static_cast<int>(r);
      const bool is_null = PQgetisnull(result.get(), row, c) != 0;
      rows[r].push_back(
          is_null ? std::nullopt
                  : std::optional(std::string(
                        PQgetvalue(result.get(), row, c),
                        static_cast<std::size_t>(PQgetlength(result.get(), row, c))
                    ))
      );
    }
  }
  return rows;
}

}  // namespace sherd::testing
