#include "resolver.hpp"

#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <netdb.h>

namespace sherd::net {

namespace {

struct Question {
  Address address;
  std::shared_ptr<Mailbox> mailbox;
  ResolveCallback done;
};

/// The threads come with questions and end when none is left. Never destroyed, since a look-up may
/// take longer than the program.
class Resolver {
 public:
  void ask(Question question) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(question));
    if (threads_ < kThreads) {
      ++threads_;
      std::thread([this] { answer_all(); }).detach();
    }
  }

 private:
  static constexpr std::size_t kThreads = 8;

  void answer_all() {
    while (true) {
      Question question;
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) {
          --threads_;
          return;
        }
        question = std::move(waiting_.front());
        waiting_.pop_front();
      }
      Endpoints endpoints = resolve_now(question.address, false);
      question.mailbox->post([done = std::move(question.done),
                              found = std::move(endpoints)]() mutable { done(std::move(found)); });
    }
  }

  std::mutex mutex_;
  std::deque<Question> waiting_;  // guarded by mutex_
  std::size_t threads_ = 0;       // guarded by mutex_
};

}  // namespace

Endpoints resolve_now(const Address& address, bool is_passive) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (is_passive ? AI_PASSIVE : 0);
  addrinfo* list = nullptr;
  const std::string port = fmt::format("{}", address.port);
  const int status = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &list);
  if (status != 0) {
    return fail(
        ErrorCode::kCannotConnect,
        fmt::format("could not look up host \"{}\": {}", address.host, ::gai_strerror(status))
    );
  }
  std::vector<Endpoint> endpoints;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    endpoints.push_back(make_endpoint(info->ai_addr, info->ai_addrlen));
  }
  ::freeaddrinfo(list);
  return endpoints;
}

void resolve(Address address, std::shared_ptr<Mailbox> mailbox, ResolveCallback done) {
  static auto* const resolver = new Resolver;
  resolver->ask({std::move(address), std::move(mailbox), std::move(done)});
}

}  // namespace sherd::net
