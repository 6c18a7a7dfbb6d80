#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <sherd/wire/frame.hpp>

namespace sherd::wire {
namespace {

// A buffer that once held a large message is given back; small ones are kept for the next.
constexpr std::size_t kKeepBufferBytes = 64 * 1024;

void clear_buffer(std::string& buffer) {
  if (buffer.capacity() > kKeepBufferBytes) {
    buffer = std::string();
  } else {
    buffer.clear();
  }
}

Bytes take(Bytes& chunk, std::size_t size) noexcept {
  const Bytes taken = chunk.first(size);
  chunk = chunk.subspan(size);
  return taken;
}

}  // namespace

Scan FrameScanner::next(Bytes& chunk, Frame& frame) noexcept {
  if (bad_) [[unlikely]] {
    return Scan::kBad;
  }
  if (chunk.empty()) {
    return Scan::kNeedMore;
  }
  if (header_bytes_ != 0 || body_missing_ != 0 || chunk.size() < kHeaderBytes) {
    return next_in_parts(chunk, frame);
  }
  std::memcpy(header_.data(), chunk.data(), kHeaderBytes);
  if (!take_header(frame)) [[unlikely]] {
    return Scan::kBad;
  }
  const std::uint64_t whole = kHeaderBytes + std::uint64_t{length_};
  const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(whole, chunk.size()));
  frame.starts = true;
  frame.raw = take(chunk, here);
  frame.body = frame.raw.subspan(kHeaderBytes);
  body_missing_ = whole - here;
  frame.ends = body_missing_ == 0;
  return Scan::kFound;
}

// A message whose header or body began in an earlier chunk, or whose header does not end in this
// one.
Scan FrameScanner::next_in_parts(Bytes& chunk, Frame& frame) noexcept {
  frame = Frame{};
  const std::byte* const begin = chunk.data();
  if (body_missing_ == 0) {
    frame.starts = header_bytes_ == 0;
    const std::size_t wanted = kHeaderBytes - header_bytes_;
    const Bytes part = take(chunk, std::min(wanted, chunk.size()));
    std::memcpy(header_.data() + header_bytes_, part.data(), part.size());
    header_bytes_ = static_cast<std::uint8_t>(header_bytes_ + part.size());
    if (header_bytes_ < kHeaderBytes) {
      frame.type = static_cast<char>(header_[0]);
      frame.raw = part;
      return Scan::kFound;
    }
    header_bytes_ = 0;
    if (!take_header(frame)) {
      return Scan::kBad;
    }
    body_missing_ = length_;
  }
  frame.type = static_cast<char>(header_[0]);
  frame.has_header = true;
  frame.length = length_;
  const auto here = static_cast<std::size_t>(std::min<std::uint64_t>(body_missing_, chunk.size()));
  frame.body = take(chunk, here);
  frame.raw = Bytes(begin, chunk.data());
  body_missing_ -= here;
  frame.ends = body_missing_ == 0;
  return Scan::kFound;
}

// Judges header_ and notes what it says.
bool FrameScanner::take_header(Frame& frame) noexcept {
  const auto field = load_be<std::uint32_t>(header_.data() + 1);
  frame.type = static_cast<char>(header_[0]);
  if (field < kLengthBytes || field > max_message_bytes_ || !is_known_type(sender_, frame.type))
      [[unlikely]] {
    bad_ = true;
    return false;
  }
  length_ = field - static_cast<std::uint32_t>(kLengthBytes);
  frame.has_header = true;
  frame.length = length_;
  return true;
}

Error FrameScanner::error() const {
  if (!bad_) {
    return Error{.message = "no error in the message stream"};
  }
  const char type = static_cast<char>(header_[0]);
  const auto field = load_be<std::uint32_t>(header_.data() + 1);
  const std::string_view name = message_name(sender_, type);
  if (name.empty()) {
    return Error{
        .code = ErrorCode::kProtocolViolation,
        .message = fmt::format(
            "invalid {} message type {}", sender_ == Side::kFrontend ? "frontend" : "backend",
            static_cast<unsigned>(header_[0])
        )
    };
  }
  if (field < kLengthBytes) {
    return Error{
        .code = ErrorCode::kProtocolViolation,
        .message = fmt::format("invalid length {} of a {} message", field, name)
    };
  }
  return Error{
      .code = ErrorCode::kProgramLimit,
      .message = fmt::format("{} message of {} bytes, limit {}", name, field, max_message_bytes_)
  };
}

void MessageAssembler::forget_delivered() {
  if (ready_) {
    clear_buffer(buffer_);
    ready_ = false;
  }
}

Scan MessageAssembler::next(Bytes& chunk, Message& message) {
  forget_delivered();
  Frame frame;
  while (true) {
    if (const Scan scan = scanner_.next(chunk, frame); scan != Scan::kFound) {
      return scan;
    }
    if (frame.starts && frame.ends) [[likely]] {
      message = Message{.type = frame.type, .body = frame.body, .raw = frame.raw};
      return Scan::kFound;
    }
    buffer_.append(as_text(frame.raw));
    if (frame.ends) {
      const Bytes raw = as_bytes(buffer_);
      message = Message{.type = frame.type, .body = raw.subspan(kHeaderBytes), .raw = raw};
      ready_ = true;
      return Scan::kFound;
    }
  }
}

bool StartupAssembler::take_length(const std::byte* from) noexcept {
  const auto field = load_be<std::uint32_t>(from);
  bad_ = field < 2 * kLengthBytes || field > max_bytes_;
  length_ = bad_ ? 0 : field;
  return !bad_;
}

Scan StartupAssembler::next(Bytes& chunk, Bytes& body) {
  if (bad_) {
    return Scan::kBad;
  }
  if (ready_) {
    clear_buffer(buffer_);
    ready_ = false;
  }
  if (length_ == 0) {
    const std::size_t wanted = kLengthBytes - buffer_.size();
    buffer_.append(as_text(take(chunk, std::min(wanted, chunk.size()))));
    if (buffer_.size() < kLengthBytes) {
      return Scan::kNeedMore;
    }
    if (!take_length(as_bytes(buffer_).data())) {
      return Scan::kBad;
    }
  }
  // Start-up packets are rare and small: always gathered.
  const std::size_t wanted = length_ - buffer_.size();
  buffer_.append(as_text(take(chunk, std::min(wanted, chunk.size()))));
  if (buffer_.size() < length_) {
    return Scan::kNeedMore;
  }
  length_ = 0;
  ready_ = true;
  body = as_bytes(buffer_).subspan(kLengthBytes);
  return Scan::kFound;
}

Error StartupAssembler::error() const {
  return Error{
      .code = ErrorCode::kProtocolViolation, .message = "invalid length of startup packet"
  };
}

}  // namespace sherd::wire
