#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/wire/message.hpp>

/// Cutting a byte stream into messages. The peer chooses where chunks end: every class here takes a
/// stream cut at any byte, also inside a header. Lengths are 64-bit inside; nothing is allocated
/// for a length that was only announced. None of the classes is thread-safe.
namespace sherd::wire {

/// What a step over a chunk found.
enum class Scan : std::uint8_t {
  kFound,     // one piece or message; call again for the next
  kNeedMore,  // the chunk is used up
  kBad,       // the stream is no protocol: error() says why; the connection must be closed
};

/// The part of one message that lies in one chunk. A message cut by chunk borders gives several.
struct Frame {
  char type = 0;
  bool starts = false;       // the message's first byte is raw.front()
  bool has_header = false;   // the length is known: the header ends in this piece or before it
  bool ends = false;         // the message's last byte is raw.back()
  std::uint32_t length = 0;  // bytes of the whole body; 0 until has_header
  Bytes raw{};               // header bytes included; borrowed from the chunk
  Bytes body{};              // the part of raw behind the header
};

/// Walks chunks by headers and never copies: for relaying. A piece that ends before the header does
/// has no body, and `has_header` is false.
class FrameScanner {
 public:
  /// @param sender  types that this side never sends are a protocol violation.
  /// @param max_message_bytes  limit on the length field, 4..kMaxMessageBytes.
  explicit FrameScanner(Side sender, std::uint32_t max_message_bytes = kMaxMessageBytes) noexcept
      : max_message_bytes_(max_message_bytes), sender_(sender) {}

  /// Takes the next piece from the front of `chunk` and shortens `chunk` by it.
  /// Cost: O(1) per message, independent of its length.
  [[nodiscard]] Scan next(Bytes& chunk, Frame& frame) noexcept;

  /// True if the next byte begins a message.
  [[nodiscard]] bool at_boundary() const noexcept {
    return header_bytes_ == 0 && body_missing_ == 0 && !bad_;
  }
  /// Body bytes of the message under way that have not come yet.
  [[nodiscard]] std::uint64_t missing_bytes() const noexcept { return body_missing_; }
  /// Applies to headers read from now on.
  void set_limit(std::uint32_t max_message_bytes) noexcept {
    max_message_bytes_ = max_message_bytes;
  }
  /// Why the last next() was kBad: kProtocolViolation (unknown type, length below 4) or
  /// kProgramLimit (length over the limit). Stays bad for good.
  [[nodiscard]] Error error() const;

 private:
  [[nodiscard]] bool take_header(Frame& frame) noexcept;
  [[nodiscard]] Scan next_in_parts(Bytes& chunk, Frame& frame) noexcept;

  std::uint32_t max_message_bytes_;
  std::uint32_t length_ = 0;        // of the body of the message under way
  std::uint64_t body_missing_ = 0;  // of the message under way
  std::array<std::byte, kHeaderBytes> header_{};
  std::uint8_t header_bytes_ = 0;  // so many of the header have come; 0 at a boundary and in a body
  Side sender_;
  bool bad_ = false;
};

/// One whole message. Views live until the next call of next() and as long as the chunk.
struct Message {
  char type = 0;
  Bytes body{};
  Bytes raw{};  // header and body, for passing it on
};

/// Gives whole messages: a view into the chunk where the message lies in it, otherwise gathered in
/// a buffer that grows with the bytes received and never beyond the limit.
class MessageAssembler {
 public:
  /// See FrameScanner. A message over the limit is refused at its header, before buffering.
  explicit MessageAssembler(
      Side sender, std::uint32_t max_message_bytes = kMaxMessageBytes
  ) noexcept
      : scanner_(sender, max_message_bytes) {}

  /// Takes bytes from the front of `chunk` up to the end of the next message.
  [[nodiscard]] Scan next(Bytes& chunk, Message& message);

  [[nodiscard]] bool at_boundary() const noexcept { return scanner_.at_boundary(); }
  [[nodiscard]] std::size_t buffered_bytes() const noexcept { return ready_ ? 0 : buffer_.size(); }
  void set_limit(std::uint32_t max_message_bytes) noexcept {
    scanner_.set_limit(max_message_bytes);
  }
  [[nodiscard]] Error error() const { return scanner_.error(); }

 private:
  void forget_delivered();

  FrameScanner scanner_;
  std::string buffer_{};
  bool ready_ = false;  // buffer_ holds a message that the caller has seen
};

/// The same for the first packets of a client, which have no type: length, then body.
class StartupAssembler {
 public:
  explicit StartupAssembler(std::uint32_t max_bytes = kMaxStartupBytes) noexcept
      : max_bytes_(max_bytes) {}

  /// @param body  the packet behind its length field, at least four bytes (the code or version);
  ///              lives until the next call and as long as the chunk.
  [[nodiscard]] Scan next(Bytes& chunk, Bytes& body);

  /// kProtocolViolation: the length is below 8 or over the limit.
  [[nodiscard]] Error error() const;

 private:
  [[nodiscard]] bool take_length(const std::byte* from) noexcept;

  std::uint32_t max_bytes_;
  std::uint32_t length_ = 0;  // of the length field of the packet under way; 0 until known
  std::string buffer_{};
  bool ready_ = false;
  bool bad_ = false;
};

}  // namespace sherd::wire
