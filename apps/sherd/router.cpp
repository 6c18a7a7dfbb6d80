#include "router.hpp"

#include <csignal>
#include <cstdio>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include <sherd/catalog/store.hpp>
#include <sherd/config/options.hpp>

namespace sherd::program {
namespace {

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

void block_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Router::Router(Loaded loaded) : loaded_(std::move(loaded)) {
  append_be(mock_key_, system_random().next());
  append_be(mock_key_, system_random().next());
}

Router::~Router() {
  stop();
}

// Two routers on one state would each undo what the other knows. The lock ends with the process.
Result<> Router::lock_state() {
  const std::string path = loaded_.state_path.string() + ".lock";
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) {
    return fail(
        ErrorCode::kIo, fmt::format("cannot write {}", path),
        "let [state] path name a file in a folder that this user may write to"
    );
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    return fail(
        ErrorCode::kObjectInUse,
        fmt::format("the state {} is in use by another router", loaded_.state_path.string()),
        "end that one first, or name another file in [state] path"
    );
  }
  return {};
}

Result<> Router::start() {
  SHERD_TRY_VOID(lock_state());
  SHERD_TRY(loop_, net::Loop::create());
  SHERD_TRY(
      auto store, catalog::Store::open(loaded_.state_path.string(), system_clock(), system_random())
  );
  SHERD_TRY(engine::Options options, engine_options(loaded_.config));
  const std::size_t workers = options.workers;
  cluster_ =
      std::make_unique<engine::Cluster>(std::move(options), std::move(store), system_random());
  control_ = std::make_unique<engine::Worker>(*loop_, *cluster_, workers);
  cluster_->add_worker(*control_);
  tasks_ = std::make_unique<net::TaskGroup>(*loop_);
  SHERD_TRY_VOID(net::blocking_run(*loop_, cluster_->start(*control_)));
  server_ = std::make_unique<proxy::Server>(
      *cluster_, server_options(loaded_.config), accounts_of(loaded_.config, mock_key_)
  );
  server_->set_reload([this] { return reload(); });
  SHERD_TRY_VOID(server_->start(*loop_));
  loaded_.config.listen.port = server_->port();  // known now, where any free one was asked for
  return {};
}

// What can change while clients are connected: who may log in. The rest is named and needs a
// restart.
Result<> Router::reload() {
  SHERD_TRY(Loaded next, load_configuration(loaded_.path));
  if (next.config.listen.port == 0) {
    next.config.listen.port = loaded_.config.listen.port;
  }
  std::string needs_restart;
  for (const config::Change& change : config::diff(loaded_.config, next.config)) {
    if (!change.option.starts_with("users")) {
      needs_restart += (needs_restart.empty() ? "" : ", ") + change.option;
    }
  }
  server_->set_accounts(accounts_of(next.config, mock_key_));
  loaded_.config.users = next.config.users;
  if (!needs_restart.empty()) {
    return fail(
        ErrorCode::kNotInPrerequisiteState,
        fmt::format("users are reloaded; these changes need a restart: {}", needs_restart),
        "restart the router (SIGTERM drains it)"
    );
  }
  return {};
}

net::Task<void> Router::housekeeping() {
  co_await cluster_->housekeeping(*control_);
}

void Router::run() {
  tasks_->spawn(housekeeping());
  std::thread signals([this] {
    const sigset_t set = watched_signals();
    while (true) {
      int signal = 0;
      sigwait(&set, &signal);
      if (signal != SIGHUP) {
        break;
      }
      if (const auto done = reload(); !done) {
        std::fprintf(stderr, "sherd: %s\n", to_string(done.error()).c_str());
      }
    }
    loop_->stop();
  });
  loop_->run();
  signals.join();
}

void Router::stop() {
  if (server_) {
    server_->stop();
    server_.reset();
  }
  if (tasks_ && cluster_) {
    cluster_->stop_housekeeping();
    net::blocking_run(*loop_, tasks_->join());
    tasks_.reset();
  }
  control_.reset();
  cluster_.reset();
  loop_.reset();
  if (lock_ >= 0) {
    ::close(std::exchange(lock_, -1));
  }
}

}  // namespace sherd::program
