#include <array>

#include <gtest/gtest.h>

#include <sherd/wire/backend.hpp>
#include <sherd/wire/build.hpp>
#include <sherd/wire/startup.hpp>

#include "wire_testing.hpp"

namespace sherd::wire {
namespace {

using Next = StartupMachine::Next;

std::string startup_packet(std::vector<StartupParameter> parameters, std::uint16_t minor = 0) {
  std::string out;
  EXPECT_TRUE(append_startup(out, {.minor = minor, .parameters = std::move(parameters)}));
  return out;
}
const std::string kLogin = startup_packet({{"user", "app"}});
std::string ssl_request() {
  std::string out;
  append_ssl_request(out);
  return out;
}
std::string gss_request() {
  std::string out;
  append_gss_enc_request(out);
  return out;
}

// Feeds `bytes` and says how it went.
struct Trace {
  Next last = Next::kNeedMore;
  std::string sent{};
  std::string rest{};
};
Trace feed(StartupMachine& machine, std::string_view bytes) {
  Trace trace;
  Bytes chunk = as_bytes(bytes);
  do {
    trace.last = machine.next(chunk, trace.sent);
  } while (trace.last == Next::kNeedMore && !chunk.empty());
  trace.rest = as_text(chunk);
  return trace;
}

TEST(StartupMachine, PlainStartupGivesUserAndDatabase) {
  StartupMachine machine(TlsPolicy::kOff);
  const Trace trace = feed(machine, startup_packet({{"user", "app"}, {"DateStyle", "ISO"}}));
  ASSERT_EQ(trace.last, Next::kStartup);
  EXPECT_EQ(machine.user(), "app");
  EXPECT_EQ(machine.database(), "app");
  EXPECT_EQ(*machine.startup().find("DateStyle"), "ISO");
  EXPECT_TRUE(trace.sent.empty());
}

TEST(StartupMachine, EmptyDatabaseIsTheUsersName) {
  StartupMachine machine(TlsPolicy::kOff);
  ASSERT_EQ(
      feed(machine, startup_packet({{"database", ""}, {"user", "app"}})).last, Next::kStartup
  );
  EXPECT_EQ(machine.database(), "app");
}

TEST(StartupMachine, EncryptionRequestsAreDeclinedOnceEach) {
  StartupMachine machine(TlsPolicy::kOff);
  EXPECT_EQ(feed(machine, gss_request()).sent, "N");
  EXPECT_EQ(feed(machine, ssl_request()).sent, "N");
  EXPECT_EQ(feed(machine, kLogin).last, Next::kStartup);
  EXPECT_FALSE(machine.is_encrypted());
}

TEST(StartupMachine, SecondRequestOfAKindIsRefused) {
  for (const std::string& request : {ssl_request(), gss_request()}) {
    StartupMachine machine(TlsPolicy::kOff);
    EXPECT_EQ(feed(machine, request).last, Next::kNeedMore);
    EXPECT_EQ(feed(machine, request).last, Next::kFail);
  }
}

TEST(StartupMachine, TlsThenStartup) {
  for (const TlsPolicy policy : {TlsPolicy::kOptional, TlsPolicy::kRequired}) {
    StartupMachine machine(policy);
    const Trace trace = feed(machine, ssl_request());
    EXPECT_EQ(trace.last, Next::kStartTls);
    EXPECT_EQ(trace.sent, "S");
    machine.on_tls();
    EXPECT_EQ(feed(machine, kLogin).last, Next::kStartup);
    EXPECT_TRUE(machine.is_encrypted());
  }
}

TEST(StartupMachine, BytesBehindAnEncryptionRequestAreRefused) {
  for (const std::string& request : {ssl_request(), gss_request()}) {
    for (const TlsPolicy policy : {TlsPolicy::kOff, TlsPolicy::kOptional, TlsPolicy::kRequired}) {
      StartupMachine machine(policy);
      const Trace trace = feed(machine, request + kLogin);
      EXPECT_EQ(trace.last, Next::kFail);
      EXPECT_TRUE(trace.sent.empty());
    }
  }
}

TEST(StartupMachine, PlainBytesBeforeTheHandshakeAreRefused) {
  StartupMachine machine(TlsPolicy::kOptional);
  EXPECT_EQ(feed(machine, ssl_request()).last, Next::kStartTls);
  EXPECT_EQ(feed(machine, kLogin).last, Next::kFail);
}

TEST(StartupMachine, PlainStartupIsRefusedWhereTlsIsRequired) {
  StartupMachine machine(TlsPolicy::kRequired);
  EXPECT_EQ(feed(machine, kLogin).last, Next::kFail);
  EXPECT_EQ(machine.error().code, ErrorCode::kInvalidAuthorization);
}

TEST(StartupMachine, CancelRequestNeedsNoTls) {
  StartupMachine machine(TlsPolicy::kRequired);
  std::string bytes;
  append_cancel_request(bytes, 42, as_bytes("key!"));
  EXPECT_EQ(feed(machine, bytes).last, Next::kCancel);
  EXPECT_EQ(machine.cancel(), (CancelRequest{.process_id = 42, .secret = "key!"}));
}

TEST(StartupMachine, SecondStartupIsRefused) {
  StartupMachine machine(TlsPolicy::kOff);
  const Trace trace = feed(machine, kLogin + kLogin);
  EXPECT_EQ(trace.last, Next::kStartup);
  EXPECT_EQ(trace.rest, kLogin);
  EXPECT_EQ(feed(machine, kLogin).last, Next::kFail);
  EXPECT_EQ(machine.error().code, ErrorCode::kProtocolViolation);
}

TEST(StartupMachine, NewerMinorAndUnknownOptionsAreNegotiatedDown) {
  StartupMachine machine(TlsPolicy::kOff);
  const Trace trace =
      feed(machine, startup_packet({{"_pq_.x", "1"}, {"user", "app"}, {"_pq_.y", ""}}, 2));
  ASSERT_EQ(trace.last, Next::kStartup);
  ASSERT_EQ(trace.sent.substr(0, 1), "v");
  const auto answer = NegotiateProtocolVersion::decode(as_bytes(trace.sent).subspan(5));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->newest_minor, 0U);
  EXPECT_EQ(answer->unknown_options, (std::vector<std::string_view>{"_pq_.x", "_pq_.y"}));
  EXPECT_EQ(machine.startup().find("_pq_.x"), nullptr);
  EXPECT_EQ(machine.startup().minor, 0);
}

TEST(StartupMachine, OtherMajorVersionIsUnsupported) {
  for (const std::uint32_t version : {0x00020000U, 0x00040000U, 0U}) {
    StartupMachine machine(TlsPolicy::kOff);
    std::string bytes;
    append_be<std::uint32_t>(bytes, 8);
    append_be(bytes, version);
    EXPECT_EQ(feed(machine, bytes).last, Next::kFail);
    EXPECT_EQ(machine.error().code, ErrorCode::kUnsupported);
  }
}

TEST(StartupMachine, MissingUserIsRefused) {
  for (const auto& parameters :
       std::vector<std::vector<StartupParameter>>{{}, {{"database", "app"}}, {{"user", ""}}}) {
    StartupMachine machine(TlsPolicy::kOff);
    EXPECT_EQ(feed(machine, startup_packet(parameters)).last, Next::kFail);
    EXPECT_EQ(machine.error().code, ErrorCode::kInvalidAuthorization);
  }
}

TEST(StartupMachine, SameOutcomeByteByByte) {
  StartupMachine machine(TlsPolicy::kOff);
  std::string sent;
  Next last = Next::kNeedMore;
  for (const std::string& packet : {ssl_request(), kLogin}) {
    for (Bytes chunk : testing::cut_evenly(as_bytes(packet), 1)) {
      EXPECT_EQ(last, Next::kNeedMore);
      last = machine.next(chunk, sent);
    }
  }
  EXPECT_EQ(last, Next::kStartup);
  EXPECT_EQ(sent, "N");
}

}  // namespace
}  // namespace sherd::wire
