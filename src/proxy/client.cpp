#include <algorithm>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/proxy/client.hpp>
#include <sherd/proxy/console.hpp>
#include <sherd/proxy/server.hpp>
#include <sherd/session/settings.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::proxy {
namespace {

constexpr std::string_view kConsoleDatabase = "sherd";
constexpr std::size_t kMaxBatchBytes = 1024 * 1024;  // a longer pipeline is run piece by piece
constexpr Duration kLastWordsLimit = std::chrono::seconds(2);

// Start-up parameters that are not settings.
bool is_identity(std::string_view name) {
  return name == "user" || name == "database" || name == "replication" || name == "options";
}

bool wants_replication(const wire::StartupMessage& startup) {
  const std::string* value = startup.find("replication");
  if (value == nullptr) {
    return false;
  }
  const std::string text = to_lower(*value);
  return text != "false" && text != "off" && text != "no" && text != "0";
}

// "-c a=b --c=d": what clients put into the parameter `options`.
session::SettingMap settings_of_options(std::string_view text) {
  session::SettingMap settings;
  std::vector<std::string> words(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else if (text[i] == ' ') {
      words.emplace_back();
    } else {
      words.back() += text[i];
    }
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word == "-c" && i + 1 < words.size()) {
      word = words[++i];
    } else if (word.starts_with("-c") || word.starts_with("--")) {
      word = word.substr(2);
    } else {
      continue;
    }
    if (const auto equals = word.find('='); equals != std::string::npos && equals > 0) {
      settings[to_lower(word.substr(0, equals))] = quote_literal(word.substr(equals + 1));
    }
  }
  return settings;
}

session::SettingMap settings_of(const wire::StartupMessage& startup) {
  session::SettingMap settings;
  if (const std::string* options = startup.find("options")) {
    settings = settings_of_options(*options);
  }
  for (const auto& [name, value] : startup.parameters) {
    if (!is_identity(name)) {
      settings[to_lower(name)] = quote_literal(value);
    }
  }
  return settings;
}

}  // namespace

Client::Client(WorkerThread& home, std::unique_ptr<net::Stream> stream, std::string peer)
    : home_(home),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      accounts_(home.server().accounts()),
      startup_(wire::TlsPolicy::kOff),
      assembler_(wire::Side::kFrontend, wire::kMaxAuthBytes),
      login_done_(home.loop()) {
  stream_->set_handler(this);
  login_timer_ = home_.loop().start_timer(
      home_.loop().now() + home_.server().options().startup_timeout,
      [this] {
        login_timer_ = net::TimerId::kNone;
        fatal({.code = ErrorCode::kTimeout, .message = "canceling authentication due to timeout"});
      }
  );
}

Client::~Client() {
  home_.loop().cancel_timer(login_timer_);
  stream_->close();
}

std::size_t Client::limit_bytes() const {
  return home_.server().cluster().options().client_backlog_bytes;
}

std::string Client::describe() const {
  return fmt::format("{}@{}", user_, peer_);
}

void Client::when_drained(std::function<void()> drained) {
  drained_ = std::move(drained);
  if (drained_ && stream_->queued_bytes() == 0) {
    home_.loop().defer([this] { on_drained(); });
  }
}

void Client::on_drained() {
  if (drained_) {
    std::exchange(drained_, {})();
  }
}

void Client::wake() {
  if (waiting_) {
    waiting_->set();
  }
}

void Client::interrupt() {
  is_interrupted_ = true;
  wake();
}

void Client::on_closed(const Error&) {
  is_closed_ = true;
  if (session_) {
    session_->client_gone();
  }
  on_drained();  // nobody takes what is queued any more
  login_done_.set();
  wake();
}

// An error after which the connection ends.
void Client::fatal(const Error& error) {
  if (phase_ == Phase::kClosed) {
    return;
  }
  std::string bytes;
  wire::append_error(bytes, error, wire::Severity::kFatal);
  stream_->send_copy(bytes);
  stream_->close_after_send(Deadline::after(home_.loop().clock(), kLastWordsLimit));
  phase_ = Phase::kClosed;
  on_closed(error);
}

void Client::shut_down(bool at_once) {
  is_shutting_down_ = true;
  const bool is_idle = session_ == nullptr || session_->is_idle();
  if (at_once || is_idle) {
    fatal(
        {.code = ErrorCode::kAdminShutdown,
         .message = "terminating connection due to administrator command"}
    );
  }
}

// ---- bytes in

void Client::on_bytes(net::Slice chunk) {
  Bytes rest = chunk.bytes();
  if (phase_ == Phase::kStartup) {
    on_startup_bytes(rest);
  }
  if (phase_ == Phase::kLogin || phase_ == Phase::kReady) {
    take_messages(chunk, rest);
  }
}

void Client::on_startup_bytes(Bytes& rest) {
  using Next = wire::StartupMachine::Next;
  std::string out;
  const Next next = startup_.next(rest, out);
  if (!out.empty()) {
    stream_->send_copy(out);
  }
  switch (next) {
    case Next::kNeedMore:
      return;
    case Next::kCancel:
      home_.server().cancel(startup_.cancel().process_id, startup_.cancel().secret);
      phase_ = Phase::kClosed;
      stream_->close();
      return on_closed({});
    case Next::kStartup:
      return begin_login();
    case Next::kStartTls:
    case Next::kFail:
      return fatal(startup_.error());
  }
}

void Client::begin_login() {
  phase_ = Phase::kLogin;
  user_ = startup_.user();
  database_ = startup_.database();
  const Accounts::Entry* entry = accounts_->find(user_);
  const bool is_stranger = entry == nullptr && !accounts_->allow_unlisted;
  if (is_stranger && accounts_->method == wire::AuthMethod::kTrust) {
    return fatal(
        {.code = ErrorCode::kInvalidAuthorization,
         .message = fmt::format("role \"{}\" does not exist", user_),
         .hint = "add it to [[users]] of the router's configuration"}
    );
  }
  auth_.emplace(
      wire::ServerAuth::Settings{
          .method = accounts_->method,
          .user = user_,
          .secret = entry != nullptr ? entry->secret : std::nullopt,
          .mock_key = accounts_->mock_key
      },
      home_.server().cluster().random()
  );
  std::string out;
  const wire::AuthProgress progress = auth_->start(out);
  stream_->send_copy(out);
  if (progress == wire::AuthProgress::kDone) {
    logged_in();
  }
}

void Client::on_login_message(const wire::Message& message) {
  std::string out;
  const auto progress = auth_->on_message(message.type, message.body, out);
  if (!progress) {
    return fatal(progress.error());
  }
  stream_->send_copy(out);
  if (*progress == wire::AuthProgress::kDone) {
    logged_in();
  }
}

void Client::logged_in() {
  phase_ = Phase::kReady;
  is_authenticated_ = true;
  home_.loop().cancel_timer(login_timer_);
  login_timer_ = net::TimerId::kNone;
  assembler_.set_limit(home_.server().cluster().options().message_bytes);
  login_done_.set();
}

void Client::take_messages(const net::Slice& chunk, Bytes rest) {
  wire::Message message;
  wire::Scan scan = wire::Scan::kNeedMore;
  while ((phase_ == Phase::kLogin || phase_ == Phase::kReady)
         && (scan = assembler_.next(rest, message)) == wire::Scan::kFound) {
    if (phase_ == Phase::kLogin) {
      on_login_message(message);
      continue;
    }
    const bool is_inside =
        message.raw.data() >= chunk.data()
        && message.raw.data() + message.raw.size() <= chunk.data() + chunk.size();
    const auto offset = static_cast<std::size_t>(message.raw.data() - chunk.data());
    push(
        message.type, is_inside ? chunk.sub(offset, message.raw.size())
                                : net::Slice::copy_of(as_text(message.raw))
    );
  }
  if (scan == wire::Scan::kBad) {
    fatal(assembler_.error());
  }
}

void Client::push(char type, net::Slice whole) {
  inbox_bytes_ += whole.size();
  inbox_.push_back({.type = type, .whole = std::move(whole)});
  if (inbox_bytes_ > limit_bytes()) {
    stream_->pause();
  }
  wake();
}

net::Task<Result<engine::ClientMessage>> Client::next() {
  while (inbox_.empty() && !is_closed_ && !is_interrupted_) {
    waiting_ = std::make_unique<net::OneShot<>>(home_.loop());
    co_await waiting_->wait();
    waiting_.reset();
  }
  if (std::exchange(is_interrupted_, false) && inbox_.empty()) {
    co_return sherd::fail(ErrorCode::kQueryCanceled, "interrupted");
  }
  if (inbox_.empty()) {
    co_return sherd::fail(ErrorCode::kConnectionFailed, "the client is gone");
  }
  engine::ClientMessage message = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= message.whole.size();
  if (inbox_bytes_ <= limit_bytes() / 2 && stream_->is_paused() && !is_closed_) {
    stream_->resume();
  }
  co_return message;
}

// ---- the conversation

net::Task<void> Client::run() {
  co_await login_done_.wait();
  if (phase_ != Phase::kReady) {
    co_return;
  }
  const auto greeted = co_await greet();
  if (!greeted) {
    fatal(greeted.error());
    co_return;
  }
  co_await serve();
  if (session_) {
    co_await session_->end();
  }
  if (phase_ != Phase::kClosed) {
    stream_->close_after_send(Deadline::after(home_.loop().clock(), kLastWordsLimit));
  }
}

net::Task<Result<>> Client::greet() {
  const Accounts::Entry* entry = accounts_->find(user_);
  std::string out;
  std::map<std::string, std::string> parameters;
  std::uint32_t process_id = 0;
  std::string secret(4, '\0');
  if (wants_replication(startup_.startup())) {
    co_return sherd::fail(
        ErrorCode::kUnsupported, "replication connections are not available through the router",
        "connect to a shard directly"
    );
  }
  if (database_ == kConsoleDatabase) {
    if (entry == nullptr ? !accounts_->allow_unlisted : !entry->is_admin) {
      co_return sherd::fail(
          ErrorCode::kInsufficientPrivilege,
          fmt::format("user \"{}\" may not use the console", user_),
          "set admin = true in its [[users]] entry"
      );
    }
    console_ = std::make_unique<Console>(home_, *this);
    parameters = Console::parameters();
  } else if (database_ != home_.server().cluster().options().database) {
    co_return sherd::fail(
        ErrorCode::kInvalidCatalog, fmt::format("database \"{}\" does not exist", database_),
        fmt::format(
            "connect to \"{}\", or to the console \"{}\"",
            home_.server().cluster().options().database, kConsoleDatabase
        )
    );
  } else {
    engine::Account account = entry != nullptr ? entry->account : engine::Account{};
    account.name = user_;
    session_ = std::make_unique<engine::Session>(
        home_.worker(), *this, std::move(account), settings_of(startup_.startup())
    );
    SHERD_CO_TRY(parameters, co_await session_->start());
    process_id = session_->process_id();
    secret = session_->secret();
  }
  for (const auto& [name, value] : parameters) {
    wire::append_parameter_status(out, name, value);
  }
  wire::append_backend_key_data(out, process_id, as_bytes(secret));
  wire::append_ready(out, wire::TransactionStatus::kIdle);
  stream_->send_copy(out);
  co_return Result<>{};
}

net::Task<void> Client::serve() {
  while (!is_closed_) {
    auto message = co_await next();
    if (!message) {
      if (is_closed_) {
        co_return;
      }
      continue;  // an interrupt that came late
    }
    const bool goes_on = co_await handle(*std::move(message));
    if (!goes_on) {
      co_return;
    }
    if (is_shutting_down_ && session_ && session_->is_idle()) {
      shut_down(true);
    }
  }
}

// False: the client has said good-bye.
net::Task<bool> Client::handle(engine::ClientMessage message) {
  switch (message.type) {
    case 'Q':
      if (!batch_.empty()) {
        co_await run_batch(false);
      }
      if (console_) {
        co_await console_->query(std::move(message.whole));
      } else {
        co_await session_->query(std::move(message.whole));
      }
      co_return true;
    case 'P':
    case 'B':
    case 'D':
    case 'E':
    case 'C':
      batch_bytes_ += message.whole.size();
      batch_.push_back(std::move(message));
      if (batch_bytes_ > kMaxBatchBytes) {
        co_await run_batch(false);
      }
      co_return true;
    case 'H':
      co_await run_batch(false);
      co_return true;
    case 'S':
      co_await run_batch(true);
      co_return true;
    case 'd':
    case 'c':
    case 'f':
      co_return true;  // what was under way when a COPY failed
    case 'X':
      co_return false;
    case 'F': {
      std::string out;
      wire::append_error(
          out,
          Error{
              .code = ErrorCode::kUnsupported,
              .message = "the function call protocol is not available through the router",
              .hint = "use SELECT function(...)"
          }
      );
      wire::append_ready(out, session_ ? session_->status() : wire::TransactionStatus::kIdle);
      stream_->send_copy(out);
      co_return true;
    }
    default:
      fatal(
          {.code = ErrorCode::kProtocolViolation,
           .message = fmt::format("unexpected message type '{}'", message.type)}
      );
      co_return false;
  }
}

net::Task<void> Client::run_batch(bool is_sync) {
  std::vector<engine::ClientMessage> messages = std::exchange(batch_, {});
  batch_bytes_ = 0;
  if (console_) {
    co_await console_->batch(std::move(messages), is_sync);
  } else {
    co_await session_->batch(std::move(messages), is_sync);
  }
}

}  // namespace sherd::proxy
