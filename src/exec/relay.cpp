#include <sherd/exec/relay.hpp>

namespace sherd::exec {

Relay::Relay(net::Loop& loop, pgconn::Connection& connection, ResultSink& sink, Swallow swallow)
    : connection_(connection), sink_(sink), swallow_(swallow), done_(loop) {}

Relay::~Relay() {
  if (is_waiting_for_client_) {
    sink_.when_drained({});
  }
}

void Relay::forward(net::Slice bytes) {
  has_sent_ = true;
  sink_.send(std::move(bytes));
  if (sink_.queued_bytes() > sink_.limit_bytes() && !is_waiting_for_client_) {
    is_waiting_for_client_ = true;
    connection_.pause();
    sink_.when_drained([this] {
      is_waiting_for_client_ = false;
      connection_.resume();
    });
  }
}

void Relay::on_relay(net::Slice bytes) {
  forward(std::move(bytes));
}

bool Relay::swallows(char type) noexcept {
  unsigned* const left = type == '1'   ? &swallow_.parse_complete
                         : type == '2' ? &swallow_.bind_complete
                         : type == '3' ? &swallow_.close_complete
                                       : nullptr;
  if (left == nullptr || *left == 0) {
    return false;
  }
  --*left;
  return true;
}

void Relay::on_message(char type, const net::Slice& whole) {
  if (swallows(type)) {
    return;
  }
  if (type == 'E') {
    outcome_.failed = true;
    if (const auto fields = wire::ErrorFields::decode(whole.bytes().subspan(wire::kHeaderBytes))) {
      outcome_.sqlstate = fields->code;
    }
  }
  forward(whole);
  if (type == 'G' && copy_in_) {
    copy_in_();
  }
}

void Relay::on_ready(wire::TransactionStatus status) {
  outcome_.status = status;
  connection_.resume();  // paused behind its last byte: the next request needs its ears
  end(outcome_);
}

void Relay::on_lost(const Error& error) {
  end(std::unexpected(error));
}

void Relay::end(Result<RelayOutcome> outcome) {
  done_.set(std::move(outcome));
  if (finished_) {
    finished_();
  }
}

}  // namespace sherd::exec
