#include <gtest/gtest.h>

#include <sherd/wire/build.hpp>
#include <sherd/wire/frame.hpp>

#include "wire_testing.hpp"

namespace sherd::wire {
namespace {

using testing::cut_at;
using testing::cut_evenly;
using testing::cut_randomly;
using testing::SeededRandom;

struct Owned {
  char type;
  std::string body;
  bool operator==(const Owned&) const = default;
};

// Messages of generated types and lengths, and what they are.
struct Stream {
  std::string bytes;
  std::vector<Owned> messages;
};

Stream make_stream(SeededRandom& random, std::size_t count) {
  Stream stream;
  for (std::size_t i = 0; i < count; ++i) {
    const char type = "DTCZSEN"[random.below(7)];
    const std::string body = random.text(random.chance(10) ? 3000 : 12, "abc");
    stream.bytes.push_back(type);
    append_be(stream.bytes, static_cast<std::uint32_t>(body.size() + kLengthBytes));
    stream.bytes += body;
    stream.messages.push_back({type, body});
  }
  return stream;
}

std::vector<Owned> assemble(std::span<const Bytes> chunks) {
  MessageAssembler assembler(Side::kBackend);
  std::vector<Owned> messages;
  for (Bytes chunk : chunks) {
    Message message;
    while (assembler.next(chunk, message) == Scan::kFound) {
      EXPECT_EQ(message.raw.size(), message.body.size() + kHeaderBytes);
      messages.push_back({message.type, std::string(as_text(message.body))});
    }
    EXPECT_TRUE(chunk.empty());
  }
  EXPECT_TRUE(assembler.at_boundary());
  EXPECT_EQ(assembler.buffered_bytes(), 0U);
  return messages;
}

// Puts the messages together from the pieces, and the stream from the raw pieces.
Stream scan(std::span<const Bytes> chunks) {
  FrameScanner scanner(Side::kBackend);
  Stream stream;
  for (Bytes chunk : chunks) {
    Frame frame;
    while (scanner.next(chunk, frame) == Scan::kFound) {
      EXPECT_FALSE(frame.raw.empty());
      stream.bytes += as_text(frame.raw);
      if (frame.starts) {
        stream.messages.push_back({frame.type, ""});
      }
      Owned& current = stream.messages.back();
      EXPECT_EQ(frame.type, current.type);
      current.body += as_text(frame.body);
      EXPECT_TRUE(frame.has_header || frame.body.empty());
      if (frame.ends) {
        EXPECT_EQ(current.body.size(), frame.length);
      }
      EXPECT_EQ(frame.ends, scanner.at_boundary());
    }
  }
  return stream;
}

TEST(FrameScanner, PiecesMakeUpTheStreamWhereverItIsCut) {
  SeededRandom random(1);
  for (int round = 0; round < 200; ++round) {
    const Stream stream = make_stream(random, 1 + random.below(8));
    const Stream seen = scan(cut_randomly(as_bytes(stream.bytes), random, 1 + random.below(40)));
    ASSERT_EQ(seen.bytes, stream.bytes);
    ASSERT_EQ(seen.messages, stream.messages);
  }
}

TEST(FrameScanner, HeaderInPartsShowsTypeFirstAndLengthLater) {
  FrameScanner scanner(Side::kBackend);
  const std::string bytes("Z\0\0\0\5I", 6);
  Bytes chunk = as_bytes(bytes).first(3);
  Frame frame;
  ASSERT_EQ(scanner.next(chunk, frame), Scan::kFound);
  EXPECT_TRUE(frame.starts);
  EXPECT_FALSE(frame.has_header);
  EXPECT_EQ(frame.type, 'Z');
  EXPECT_FALSE(scanner.at_boundary());
  chunk = as_bytes(bytes).subspan(3, 2);
  ASSERT_EQ(scanner.next(chunk, frame), Scan::kFound);
  EXPECT_TRUE(frame.has_header);
  EXPECT_EQ(frame.length, 1U);
  EXPECT_FALSE(frame.ends);
  EXPECT_EQ(scanner.missing_bytes(), 1U);
  chunk = as_bytes(bytes).subspan(5);
  ASSERT_EQ(scanner.next(chunk, frame), Scan::kFound);
  EXPECT_TRUE(frame.ends);
  EXPECT_EQ(as_text(frame.body), "I");
}

TEST(MessageAssembler, SameMessagesWhole) {
  SeededRandom random(2);
  const Stream stream = make_stream(random, 300);
  EXPECT_EQ(assemble(std::vector{as_bytes(stream.bytes)}), stream.messages);
}

TEST(MessageAssembler, SameMessagesByteByByte) {
  SeededRandom random(3);
  const Stream stream = make_stream(random, 100);
  EXPECT_EQ(assemble(cut_evenly(as_bytes(stream.bytes), 1)), stream.messages);
}

TEST(MessageAssembler, SameMessagesCutAnywhere) {
  SeededRandom random(4);
  const Stream stream = make_stream(random, 12);
  for (std::size_t at = 0; at <= stream.bytes.size(); ++at) {
    ASSERT_EQ(assemble(cut_at(as_bytes(stream.bytes), at)), stream.messages) << at;
  }
}

TEST(MessageAssembler, WholeMessageIsAViewIntoTheChunk) {
  MessageAssembler assembler(Side::kBackend);
  std::string bytes;
  append_ready(bytes, TransactionStatus::kIdle);
  Bytes chunk = as_bytes(bytes);
  Message message;
  ASSERT_EQ(assembler.next(chunk, message), Scan::kFound);
  EXPECT_EQ(message.raw.data(), as_bytes(bytes).data());
}

Error refusal(Side side, std::uint32_t limit, std::string_view bytes, std::size_t chunk_size) {
  MessageAssembler assembler(side, limit);
  for (Bytes chunk : cut_evenly(as_bytes(bytes), chunk_size)) {
    Message message;
    if (assembler.next(chunk, message) == Scan::kBad) {
      EXPECT_LE(assembler.buffered_bytes(), kHeaderBytes);
      EXPECT_EQ(assembler.next(chunk, message), Scan::kBad);  // and for good
      return assembler.error();
    }
  }
  return Error{.message = "was not refused"};
}

struct Refusal {
  std::string_view header;
  ErrorCode code;
};

TEST(MessageAssembler, BadHeaderIsRefusedBeforeAnythingIsBuffered) {
  const Refusal refusals[] = {
      {{"D\x3f\xff\xff\xff", 5}, ErrorCode::kProgramLimit},  // 1 GiB - 1
      {{"D\xff\xff\xff\xff", 5}, ErrorCode::kProgramLimit},  // 4 GiB - 1: no wrap
      {{"D\0\0\0\3", 5}, ErrorCode::kProtocolViolation},     // less than itself
      {{"D\0\0\0\0", 5}, ErrorCode::kProtocolViolation},
      {{"Q\0\0\0\5", 5}, ErrorCode::kProtocolViolation},  // no server sends a Query
      {{"\0\0\0\0\5", 5}, ErrorCode::kProtocolViolation},
  };
  for (const Refusal& expected : refusals) {
    for (const std::size_t chunk_size : {1U, 2U, 5U}) {
      EXPECT_EQ(refusal(Side::kBackend, 1 << 20, expected.header, chunk_size).code, expected.code)
          << expected.header << chunk_size;
    }
  }
}

TEST(MessageAssembler, LimitIsTheLengthField) {
  const std::string_view at_limit(
      "D\0\0\0\x0a"
      "123456",
      11
  );
  EXPECT_EQ(refusal(Side::kBackend, 10, at_limit, 11).message, "was not refused");
  EXPECT_EQ(refusal(Side::kBackend, 9, at_limit, 11).code, ErrorCode::kProgramLimit);
}

TEST(MessageAssembler, AnnouncedGigabyteCostsOnlyWhatCame) {
  MessageAssembler assembler(Side::kBackend);
  const std::string begin(
      "d\x3f\xff\xff\xff"
      "abc",
      8
  );
  Bytes chunk = as_bytes(begin);
  Message message;
  EXPECT_EQ(assembler.next(chunk, message), Scan::kNeedMore);
  EXPECT_EQ(assembler.buffered_bytes(), begin.size());
}

TEST(MessageAssembler, TypesOfTheOtherSideAreRefused) {
  for (int type = 0; type < 256; ++type) {
    for (const Side side : {Side::kFrontend, Side::kBackend}) {
      std::string bytes(1, static_cast<char>(type));
      append_be<std::uint32_t>(bytes, kLengthBytes);
      const bool was_refused =
          refusal(side, kMaxMessageBytes, bytes, 5).message != "was not refused";
      EXPECT_EQ(was_refused, !is_known_type(side, static_cast<char>(type))) << type;
    }
  }
}

TEST(StartupAssembler, PacketArrivesWhereverItIsCut) {
  std::string bytes;
  ASSERT_TRUE(append_startup(bytes, {.parameters = {{"user", "app"}, {"database", "shop"}}}));
  const std::size_t first = bytes.size();
  append_cancel_request(bytes, 7, as_bytes("key!"));
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    StartupAssembler assembler;
    std::vector<std::string> bodies;
    for (Bytes chunk : cut_at(as_bytes(bytes), at)) {
      Bytes body;
      while (assembler.next(chunk, body) == Scan::kFound) {
        bodies.emplace_back(as_text(body));
      }
    }
    ASSERT_EQ(bodies.size(), 2U) << at;
    EXPECT_EQ(bodies[0], bytes.substr(4, first - 4));
    EXPECT_EQ(bodies[1], bytes.substr(first + 4));
  }
}

TEST(StartupAssembler, LengthOutsideTheBoundsIsRefused) {
  for (const std::uint32_t length : {0U, 4U, 7U, kMaxStartupBytes + 1, 0x47455420U, ~0U}) {
    std::string bytes;
    append_be(bytes, length);
    StartupAssembler assembler;
    Bytes chunk = as_bytes(bytes);
    Bytes body;
    EXPECT_EQ(assembler.next(chunk, body), Scan::kBad) << length;
    EXPECT_EQ(assembler.error().code, ErrorCode::kProtocolViolation);
  }
}

}  // namespace
}  // namespace sherd::wire
