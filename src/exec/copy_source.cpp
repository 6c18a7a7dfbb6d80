#include <sherd/exec/copy_source.hpp>
#include <sherd/wire/build.hpp>

namespace sherd::exec {
namespace {

constexpr std::size_t kHighWaterBytes = 1024 * 1024;

}  // namespace

Result<> CopySource::start(const std::string& sql) {
  std::string request;
  SHERD_TRY_VOID(wire::append_query(request, sql));
  connection_.expect(*this, pgconn::ReplyMode::kMessages);
  connection_.send_copy(request);
  return {};
}

net::Task<Result<std::optional<net::Slice>>> CopySource::next() {
  while (pieces_.empty() && !is_done_) {
    waiting_ = std::make_unique<net::OneShot<>>(loop_);
    co_await waiting_->wait();
    waiting_.reset();
  }
  if (pieces_.empty()) {
    if (error_) {
      co_return std::unexpected(*error_);
    }
    co_return std::nullopt;
  }
  net::Slice piece = std::move(pieces_.front());
  pieces_.pop_front();
  held_bytes_ -= piece.size();
  if (held_bytes_ < kHighWaterBytes / 2 && !is_done_) {
    connection_.resume();
  }
  co_return piece;
}

void CopySource::wake() {
  if (waiting_) {
    waiting_->set();
  }
}

void CopySource::on_message(char type, const net::Slice& whole) {
  if (type == 'd') {
    held_bytes_ += whole.size();
    pieces_.push_back(net::Slice::copy_of(whole.text()));  // not to hold the loop's receive buffers
    if (held_bytes_ > kHighWaterBytes) {
      connection_.pause();
    }
    wake();
  } else if (type == 'E') {
    const auto fields = wire::ErrorFields::decode(whole.bytes().subspan(wire::kHeaderBytes));
    error_ = fields ? wire::to_error(*fields, connection_.options().shard) : fields.error();
  }
}

void CopySource::on_ready(wire::TransactionStatus) {
  connection_.resume();  // paused behind its last byte: the next request needs its ears
  is_done_ = true;
  wake();
}

void CopySource::on_lost(const Error& error) {
  error_ = error;
  is_done_ = true;
  wake();
}

}  // namespace sherd::exec
