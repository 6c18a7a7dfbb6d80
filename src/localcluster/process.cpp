#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sherd/localcluster/process.hpp>

namespace sherd::localcluster {
namespace {

constexpr std::size_t kOutputLimitBytes = 64 * 1024;

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* argv, const RunAs& as, int out) {
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::setpgid(0, 0);  // Ctrl-C at the terminal is for us; servers are stopped by us, in order
  if (as.change
      && (::setgroups(0, nullptr) != 0 || ::setgid(as.gid) != 0 || ::setuid(as.uid) != 0)) {
    ::_exit(126);
  }
  if (as.change && ::chdir("/") != 0) {  // the caller's folder may be closed to that user
    ::_exit(126);
  }
  ::execv(argv[0], argv);
  ::_exit(127);
}

int exit_status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Takes what has arrived; false when there is nothing now.
bool take(int in, std::string& text, int wait_ms, short& events) {
  pollfd waiting{.fd = in, .events = POLLIN, .revents = 0};
  (void)::poll(&waiting, 1, wait_ms);
  events = waiting.revents;
  char buffer[4096];
  const ssize_t got = (events & POLLIN) != 0 ? ::read(in, buffer, sizeof buffer) : 0;
  if (got <= 0) {
    return false;
  }
  text.append(buffer, static_cast<std::size_t>(got));
  if (text.size() > kOutputLimitBytes) {
    text.erase(0, text.size() - kOutputLimitBytes);
  }
  return true;
}

// Reads until the program closes its output or has ended; a daemon that it left behind may hold the
// pipe open, so the end of the program counts, not the end of the stream.
Result<int> drain(pid_t pid, int in, std::chrono::milliseconds limit, std::string& text) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (true) {
    short events = 0;
    if (take(in, text, 20, events)) {
      continue;
    }
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      while (take(in, text, 0, events)) {  // its last words, said since we looked
      }
      return exit_status_of(status);
    }
    if (std::chrono::steady_clock::now() > until) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      return fail(ErrorCode::kTimeout, fmt::format("no end after {} ms", limit.count()));
    }
    if ((events & (POLLHUP | POLLERR)) != 0) {
      ::usleep(2000);  // output closed, program still running
    }
  }
}

}  // namespace

Result<RunAs> server_user() {
  if (::geteuid() != 0) {
    return RunAs{};
  }
  const passwd* entry = ::getpwnam("postgres");
  if (entry == nullptr) {
    return fail(
        ErrorCode::kIo, "PostgreSQL refuses to run as root, and there is no user \"postgres\"",
        "install postgresql-15 (make deps), or run as an ordinary user"
    );
  }
  return RunAs{.uid = entry->pw_uid, .gid = entry->pw_gid, .change = true};
}

Result<Output> run(
    const std::vector<std::string>& arguments, const RunAs& as, std::chrono::milliseconds limit
) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return fail(ErrorCode::kIo, fmt::format("pipe: {}", std::strerror(errno)));
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(argv.data(), as, ends[1]);
  }
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return fail(ErrorCode::kIo, fmt::format("fork: {}", std::strerror(errno)));
  }
  Output output;
  auto status = drain(pid, ends[0], limit, output.text);
  ::close(ends[0]);
  if (!status) {
    status.error().message = arguments.front() + ": " + status.error().message;
    return std::unexpected(std::move(status).error());
  }
  output.exit_status = *status;
  return output;
}

}  // namespace sherd::localcluster
