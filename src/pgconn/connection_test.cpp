#include <array>

#include <sherd/pgconn/connection.hpp>

#include "scripted_server.hpp"

namespace sherd::pgconn {
namespace {

using namespace testing_support;
using namespace std::chrono_literals;

class ConnectionTest : public ScriptedTest {
 protected:
  [[nodiscard]] std::unique_ptr<Connection> opened(ScriptedServer& server) {
    auto connection = open(server);
    EXPECT_TRUE(connection) << to_string(connection.error());
    return connection ? *std::move(connection) : nullptr;
  }
  [[nodiscard]] Result<ResultSet> query(Connection& connection, std::string sql) {
    return run(connection.query(std::move(sql), soon()));
  }
};

// Remembers the answer, and lets a test step in.
class Recorder final : public ReplyHandler {
 public:
  void on_relay(net::Slice bytes) override { relayed += bytes.text(); }
  void on_message(char type, const net::Slice& whole) override {
    EXPECT_EQ(whole.text().front(), type);
    messages += type;
    if (when_message) {
      std::exchange(when_message, {})();
    }
  }
  void on_ready(wire::TransactionStatus) override { ++ends; }
  void on_lost(const Error& why) override {
    ++ends;
    error = why;
    if (when_lost) {
      std::exchange(when_lost, {})();
    }
  }

  std::string relayed{};
  std::string messages{};
  int ends = 0;
  std::optional<Error> error{};
  std::function<void()> when_message{};
  std::function<void()> when_lost{};
};

std::string query_message(std::string_view sql) {
  std::string out;
  EXPECT_TRUE(wire::append_query(out, sql));
  return out;
}

// Bytes that arrive one by one, each in a turn of its own.
void trickle(net::Loop& loop, Peer& peer, std::string bytes) {
  if (bytes.empty() || peer.is_closed()) {
    return;
  }
  peer.send(bytes.substr(0, 1));
  loop.start_timer(loop.now(), [&loop, &peer, rest = bytes.substr(1)]() mutable {
    trickle(loop, peer, std::move(rest));
  });
}

TEST_F(ConnectionTest, LoginNotesParametersAndTheCancelKey) {
  ScriptedServer server(*loop);
  const auto connection = opened(server);
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->parameters().find("server_version")->second, "15.0");
  EXPECT_EQ(connection->cancel_key().process_id, 7U);
  EXPECT_EQ(connection->cancel_key().secret, "keys");
  EXPECT_TRUE(connection->is_idle());
}

TEST_F(ConnectionTest, LoginByteByByteIsTheSameLogin) {
  ScriptedServer server(*loop);
  server.when_login = [&](Peer& peer) { trickle(*loop, peer, login_reply()); };
  EXPECT_TRUE(opened(server));
}

TEST_F(ConnectionTest, LoginLostAfterAnyByteIsAnError) {
  const std::string reply = login_reply();
  for (std::size_t cut = 0; cut < reply.size(); ++cut) {
    ScriptedServer server(*loop);
    server.when_login = [&](Peer& peer) { peer.send_and_close(reply.substr(0, cut)); };
    const auto connection = open(server);
    ASSERT_FALSE(connection) << cut;
    EXPECT_EQ(connection.error().code, ErrorCode::kConnectionFailed) << cut;
    EXPECT_EQ(connection.error().shard, "s1");
  }
}

TEST_F(ConnectionTest, LoginRefusedIsTheShardsOwnError) {
  ScriptedServer server(*loop);
  server.when_login = [](Peer& peer) { peer.send_and_close(failure("28000", "no such role")); };
  const auto connection = open(server);
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kShardError);
  EXPECT_EQ(connection.error().sqlstate(), "28000");
}

TEST_F(ConnectionTest, LoginThatIsNeverAnsweredTimesOut) {
  ScriptedServer server(*loop);
  server.when_login = [](Peer&) {};
  const auto connection =
      run(Connection::open(*loop, server.options(), Deadline::after(system_clock(), 5ms)));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kTimeout);
}

TEST_F(ConnectionTest, ReadyBeforeAuthenticationIsAViolation) {
  ScriptedServer server(*loop);
  server.when_login = [](Peer& peer) { peer.send(ready()); };
  const auto connection = open(server);
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kProtocolViolation);
}

TEST_F(ConnectionTest, NobodyThereIsCannotConnect) {
  ScriptedServer server(*loop);
  ConnectOptions options = server.options();
  options.address.port = 5433;
  const auto connection = run(Connection::open(*loop, options, soon()));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kCannotConnect);
}

std::string two_rows() {
  return description({"a", "b"}) + row({"1", "2"}) + row({"3", "4"}) + complete("SELECT 2")
         + ready();
}

TEST_F(ConnectionTest, QueryGathersRowsHoweverTheyAreCut) {
  ScriptedServer server(*loop);
  server.when_message = [&](Peer& peer, char type, std::string_view body) {
    EXPECT_EQ(type, 'Q');
    EXPECT_EQ(body, std::string_view("SELECT 1\0", 9));
    trickle(*loop, peer, two_rows());
  };
  const auto connection = opened(server);
  const auto result = query(*connection, "SELECT 1");
  ASSERT_TRUE(result) << to_string(result.error());
  ASSERT_EQ(result->rows.size(), 2U);
  EXPECT_EQ(result->rows[1][0], "3");
  EXPECT_EQ(result->fields[1].name, "b");
  EXPECT_EQ(result->tag, "SELECT 2");
}

TEST_F(ConnectionTest, QueryLostAfterAnyByteIsAnErrorAndBreaksTheConnection) {
  const std::string reply = two_rows();
  for (std::size_t cut = 0; cut < reply.size(); ++cut) {
    ScriptedServer server(*loop);
    server.when_message = [&](Peer& peer, char, std::string_view) {
      peer.send_and_close(reply.substr(0, cut));
    };
    const auto connection = opened(server);
    const auto result = query(*connection, "SELECT 1");
    ASSERT_FALSE(result) << cut;
    EXPECT_EQ(result.error().code, ErrorCode::kConnectionFailed) << cut;
    EXPECT_TRUE(connection->is_broken());
    EXPECT_FALSE(query(*connection, "SELECT 1"));
  }
}

TEST_F(ConnectionTest, QueryThatTheShardRefusesLeavesTheConnectionUsable) {
  ScriptedServer server(*loop);
  server.when_message = [](Peer& peer, char, std::string_view body) {
    peer.send(body.starts_with("bad") ? failure("42601", "syntax") + ready() : two_rows());
  };
  const auto connection = opened(server);
  const auto refused = query(*connection, "bad");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sqlstate(), "42601");
  EXPECT_TRUE(query(*connection, "good"));
}

TEST_F(ConnectionTest, QueryThatIsNotAnsweredInTimeBreaksTheConnection) {
  ScriptedServer server(*loop);
  server.when_message = [](Peer&, char, std::string_view) {};
  const auto connection = opened(server);
  const auto result = run(connection->query("SELECT 1", Deadline::after(system_clock(), 5ms)));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
  EXPECT_TRUE(connection->is_broken());
}

TEST_F(ConnectionTest, PipelinedRequestsAreAnsweredInOrder) {
  ScriptedServer server(*loop);
  server.when_message = [](Peer& peer, char, std::string_view body) {
    peer.send(
        complete(body.substr(0, 1)) + (body.starts_with("b") ? description({"x"}) : "") + ready()
    );
  };
  const auto connection = opened(server);
  Recorder first;
  Recorder second;
  connection->expect(first, ReplyMode::kMessages);
  connection->expect(second, ReplyMode::kMessages);
  connection->send_copy(query_message("a") + query_message("b"));
  EXPECT_EQ(connection->outstanding(), 2U);
  ASSERT_TRUE(run_until([&] { return second.ends == 1; }));
  EXPECT_EQ(first.messages, "C");
  EXPECT_EQ(second.messages, "CT");
  EXPECT_TRUE(connection->is_idle());
}

TEST_F(ConnectionTest, LostConnectionTellsEveryWaitingHandlerOnce) {
  ScriptedServer server(*loop);
  server.when_message = [](Peer& peer, char, std::string_view) {
    peer.send_and_close(complete("x") + ready() + complete("y"));
  };
  const auto connection = opened(server);
  std::array<Recorder, 3> handlers;
  for (Recorder& handler : handlers) {
    connection->expect(handler, ReplyMode::kMessages);
  }
  connection->send_copy(query_message("a"));
  ASSERT_TRUE(run_until([&] { return handlers[2].ends == 1; }));
  EXPECT_FALSE(handlers[0].error);
  EXPECT_TRUE(handlers[1].error);
  EXPECT_EQ(handlers[0].ends + handlers[1].ends + handlers[2].ends, 3);
}

TEST_F(ConnectionTest, RelayPassesRowsUntouchedAndLooksIntoTheRest) {
  const std::string large = row({std::string(100'000, '7')});
  const std::string rows = description({"a"}) + large + large + complete("SELECT 2");
  ScriptedServer server(*loop);
  server.when_message = [&](Peer& peer, char, std::string_view) {
    std::string notice;
    wire::append_notice(notice, {.severity = "NOTICE", .code = "00000", .message = "n"});
    peer.send(rows + notice + ready());
  };
  const auto connection = opened(server);
  Recorder handler;
  connection->expect(handler, ReplyMode::kRelay);
  connection->send_copy(query_message("a"));
  ASSERT_TRUE(run_until([&] { return handler.ends == 1; }));
  EXPECT_TRUE(handler.relayed == rows);
  EXPECT_EQ(handler.messages, "N");
}

TEST_F(ConnectionTest, IdleConnectionHearsNewsAndStays) {
  ScriptedServer server(*loop);
  const auto connection = opened(server);
  std::string news;
  wire::append_parameter_status(news, "TimeZone", "UTC");
  wire::append_notice(news, {.severity = "NOTICE", .code = "00000", .message = "n"});
  wire::append_notification(news, 1, "c", "p");
  server.peers.front()->send(news);
  ASSERT_TRUE(run_until([&] { return connection->parameters().contains("TimeZone"); }));
  EXPECT_TRUE(connection->is_idle());
}

// Each of these breaks an idle connection: what nobody asked for, what is no message.
class BreaksIdleTest : public ConnectionTest, public testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(
    Bytes, BreaksIdleTest,
    testing::Values(
        ready(), complete("SELECT 1"), row({"1"}), failure("57P01", "going down"),
        std::string("\0\0\0\0\0", 5), std::string("?abcdefgh"), message('Z'),
        std::string("E\0\0\0\3", 5), std::string("D\x7f\xff\xff\xff", 5)
    )
);

TEST_P(BreaksIdleTest, AndTellsWhoeverKeepsIt) {
  ScriptedServer server(*loop);
  auto connection = opened(server);
  bool is_lost = false;
  connection->set_idle_lost([&] {
    is_lost = true;
    connection.reset();  // as the pool does
  });
  server.peers.front()->send(GetParam());
  EXPECT_TRUE(run_until([&] { return is_lost; }));
}

TEST_P(BreaksIdleTest, AndCanBeDestroyedLater) {
  ScriptedServer server(*loop);
  auto connection = opened(server);
  server.peers.front()->send(GetParam());
  ASSERT_TRUE(run_until([&] { return connection->is_broken(); }));
  connection.reset();
}

TEST_F(ConnectionTest, HandlerMayDestroyTheConnectionInsideAMessage) {
  ScriptedServer server(*loop);
  server.when_message = [](Peer& peer, char, std::string_view) { peer.send(two_rows()); };
  auto connection = opened(server);
  Recorder handler;
  handler.when_message = [&] { connection.reset(); };
  connection->expect(handler, ReplyMode::kMessages);
  connection->send_copy(query_message("a"));
  ASSERT_TRUE(run_until([&] { return !connection; }));
  run_for(1ms);
  EXPECT_EQ(handler.messages, "T");
}

TEST_F(ConnectionTest, HandlerMayDestroyTheConnectionWhenItIsLost) {
  ScriptedServer server(*loop);
  server.when_message = [](Peer& peer, char, std::string_view) { peer.send("?????????"); };
  auto connection = opened(server);
  Recorder first;
  Recorder second;
  first.when_lost = [&] { connection.reset(); };
  connection->expect(first, ReplyMode::kMessages);
  connection->expect(second, ReplyMode::kMessages);
  connection->send_copy(query_message("a"));
  ASSERT_TRUE(run_until([&] { return !connection; }));
  EXPECT_EQ(first.ends, 1);
}

TEST_F(ConnectionTest, PausedConnectionReadsNothingUntilItResumes) {
  ScriptedServer server(*loop);
  server.when_message = [](Peer& peer, char, std::string_view) { peer.send(two_rows()); };
  const auto connection = opened(server);
  Recorder handler;
  connection->expect(handler, ReplyMode::kMessages);
  connection->pause();
  connection->send_copy(query_message("a"));
  run_for(5ms);
  EXPECT_EQ(handler.messages, "");
  connection->resume();
  EXPECT_TRUE(run_until([&] { return handler.ends == 1; }));
}

TEST_F(ConnectionTest, CancelReachesTheServerAndEndsWithIt) {
  ScriptedServer server(*loop);
  const auto connection = opened(server);
  EXPECT_TRUE(
      run(Connection::cancel(*loop, server.options().address, connection->cancel_key(), soon()))
  );
  EXPECT_EQ(server.cancels, 1);
}

TEST_F(ConnectionTest, TerminateSaysGoodbye) {
  ScriptedServer server(*loop);
  auto connection = opened(server);
  connection->terminate();
  connection.reset();
  EXPECT_TRUE(run_until([&] { return server.terminates == 1; }));
}

}  // namespace
}  // namespace sherd::pgconn
