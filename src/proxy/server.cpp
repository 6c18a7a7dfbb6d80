#include <fmt/format.h>
#include <unistd.h>

#include <sherd/proxy/client.hpp>
#include <sherd/proxy/server.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::proxy {
namespace {

constexpr Duration kDrainPause = std::chrono::milliseconds(20);

std::string peer_name(int fd) {
  const auto peer = net::peer_address(fd);
  if (!peer) {
    return "?";
  }
  return peer->is_unix() ? std::string("local") : net::to_string(*peer);
}

}  // namespace

WorkerThread::WorkerThread(Server& server, std::unique_ptr<net::Loop> loop, std::size_t index)
    : server_(server),
      loop_(std::move(loop)),
      worker_(std::make_unique<engine::Worker>(*loop_, server.cluster(), index)),
      tasks_(std::make_unique<net::TaskGroup>(*loop_)) {
  server.cluster().add_worker(*worker_);
}

WorkerThread::~WorkerThread() {
  join();
}

void WorkerThread::start() {
  thread_ = std::thread([this] { loop_->run(); });
}

void WorkerThread::join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void WorkerThread::add(int fd) {
  std::string peer = peer_name(fd);
  std::unique_ptr<net::Stream> stream = loop_->adopt(fd);
  if (!server_.may_connect()) {
    server_.disconnected();
    std::string out;
    wire::append_error(
        out,
        Error{.code = ErrorCode::kTooManyConnections, .message = "sorry, too many clients already"},
        wire::Severity::kFatal
    );
    stream->send_copy(out);
    stream->close_after_send(Deadline::after(loop_->clock(), std::chrono::seconds(1)));
    return;
  }
  tasks_->spawn(serve(std::make_unique<Client>(*this, std::move(stream), std::move(peer))));
}

net::Task<void> WorkerThread::serve(std::unique_ptr<Client> client) {
  clients_.insert(client.get());
  co_await client->run();
  clients_.erase(client.get());
  server_.disconnected();
}

void WorkerThread::stop(Deadline deadline) {
  loop_->post([this, deadline] { tasks_->spawn(drain(deadline)); });
}

net::Task<void> WorkerThread::drain(Deadline deadline) {
  while (!clients_.empty()) {
    const bool is_late = deadline.passed(loop_->clock().now());
    const std::vector<Client*> now(clients_.begin(), clients_.end());
    for (Client* client : now) {
      client->shut_down(is_late);
    }
    co_await net::sleep_until(*loop_, loop_->clock().now() + kDrainPause);
  }
  loop_->stop();
}

Server::Server(engine::Cluster& cluster, ServerOptions options, AccountsPtr accounts)
    : cluster_(cluster), options_(std::move(options)), accounts_(std::move(accounts)) {}

Server::~Server() {
  stop();
}

AccountsPtr Server::accounts() const {
  const std::scoped_lock lock(mutex_);
  return accounts_;
}

void Server::set_accounts(AccountsPtr accounts) {
  const std::scoped_lock lock(mutex_);
  accounts_ = std::move(accounts);
}

Result<> Server::start(net::Loop& control) {
  for (std::size_t i = 0; i < options_.workers; ++i) {
    SHERD_TRY(auto loop, net::Loop::create({.engine = options_.engine}));
    threads_.push_back(std::make_unique<WorkerThread>(*this, std::move(loop), i));
  }
  const auto accepted = [this](int fd) {
    WorkerThread& thread = *threads_[next_thread_++ % threads_.size()];
    thread.loop().post([&thread, fd] { thread.add(fd); });
  };
  if (!options_.host.empty()) {
    SHERD_TRY(
        auto listener, control.listen({.host = options_.host, .port = options_.port}, accepted)
    );
    port_ = listener->address().port;
    listeners_.push_back(std::move(listener));
  }
  if (!options_.socket_dir.empty()) {
    const std::uint16_t port = port_ != 0 ? port_ : options_.port;
    SHERD_TRY(auto listener, control.listen({.host = options_.socket_dir, .port = port}, accepted));
    listeners_.push_back(std::move(listener));
  }
  for (const auto& thread : threads_) {
    thread->start();
  }
  return {};
}

void Server::stop() {
  listeners_.clear();
  const Deadline deadline = Deadline::after(system_clock(), options_.drain_timeout);
  for (const auto& thread : threads_) {
    thread->stop(deadline);
  }
  for (const auto& thread : threads_) {
    thread->join();
  }
  threads_.clear();
}

void Server::cancel(std::uint32_t process_id, std::string secret) {
  const std::size_t index = process_id & 0xFF;
  if (index >= threads_.size()) {
    return;
  }
  WorkerThread& thread = *threads_[index];
  thread.loop().post([&thread, process_id, secret = std::move(secret)] {
    engine::Session* session = thread.worker().session(process_id);
    if (session != nullptr && session->secret() == secret) {
      session->cancel();
    }
  });
}

}  // namespace sherd::proxy
