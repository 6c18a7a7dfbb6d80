#include <algorithm>
#include <array>

#include <sherd/exec/copy.hpp>
#include <sherd/exec/copy_source.hpp>
#include <sherd/exec/relay.hpp>
#include <sherd/exec/scatter.hpp>

#include "scripted_server.hpp"

namespace sherd::exec {
namespace {

using namespace testing_support;
using namespace std::chrono_literals;

// A client that takes what it is given when the test says so.
class SlowClient final : public ResultSink {
 public:
  explicit SlowClient(std::size_t limit = 1U << 30U) : limit_(limit) {}
  void send(net::Slice bytes) override { send_copy(bytes.text()); }
  void send_copy(std::string_view bytes) override {
    text += bytes;
    queued += bytes.size();
    most_queued = std::max(most_queued, queued);
  }
  [[nodiscard]] std::size_t queued_bytes() const override { return queued; }
  [[nodiscard]] std::size_t limit_bytes() const override { return limit_; }
  void when_drained(std::function<void()> drained) override { drained_ = std::move(drained); }
  void take_all() {
    queued = 0;
    if (drained_) {
      std::exchange(drained_, {})();
    }
  }
  [[nodiscard]] bool is_awaited() const { return static_cast<bool>(drained_); }

  std::string text{};
  std::size_t queued = 0;
  std::size_t most_queued = 0;

 private:
  std::size_t limit_;
  std::function<void()> drained_{};
};

net::Slice query_message(std::string_view sql) {
  std::string out;
  EXPECT_TRUE(wire::append_query(out, sql));
  return net::Slice::adopt(std::move(out));
}

// The letters of whole messages.
std::string types_of(std::string_view bytes) {
  std::string types;
  while (bytes.size() >= 5) {
    types += bytes.front();
    bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 1 + number_at(bytes, 1)));
  }
  return types;
}

class ExecTest : public ScriptedTest {
 protected:
  void SetUp() override {
    ScriptedTest::SetUp();
    for (std::size_t i = 0; i < 3; ++i) {
      servers.push_back(std::make_unique<ScriptedServer>(*loop, "s" + std::to_string(i + 1)));
      auto made = open(*servers.back());
      ASSERT_TRUE(made);
      connections.push_back(*std::move(made));
    }
  }
  void TearDown() override {
    connections.clear();
    servers.clear();
    loop.reset();
  }
  /// Server `index` answers every request with `reply`.
  void answer(std::size_t index, std::string reply) {
    servers[index]->when_message = [reply = std::move(reply)](Peer& peer, char, std::string_view) {
      peer.send(reply);
    };
  }
  [[nodiscard]] std::vector<ScatterPart> parts() {
    std::vector<ScatterPart> made;
    for (const auto& connection : connections) {
      made.push_back({.connection = connection.get(), .request = query_message("q")});
    }
    return made;
  }
  [[nodiscard]] std::vector<pgconn::Connection*> pointers() {
    std::vector<pgconn::Connection*> made;
    for (const auto& connection : connections) {
      made.push_back(connection.get());
    }
    return made;
  }
  /// The connection works: the next request is answered.
  void expect_usable(std::size_t index) {
    answer(index, complete("SELECT 0") + ready());
    const auto result = run(connections[index]->query("next", soon()));
    EXPECT_TRUE(result) << index << ": " << to_string(result.error());
  }
  /// Runs `scatter` with a client that takes everything whenever it is behind.
  [[nodiscard]] Result<ScatterOutcome> run_with(SlowClient& client, Scatter& scatter) {
    std::optional<Result<ScatterOutcome>> outcome;
    net::TaskGroup group(*loop);
    group.spawn(store(&scatter, &outcome));
    EXPECT_TRUE(run_until([&] {
      if (client.is_awaited()) {
        client.take_all();
      }
      return outcome.has_value();
    }));
    return outcome.value_or(fail(ErrorCode::kInternal, "it never ended"));
  }
  static net::Task<void> store(Scatter* scatter, std::optional<Result<ScatterOutcome>>* outcome) {
    *outcome = co_await scatter->run();
  }

  std::vector<std::unique_ptr<ScriptedServer>> servers{};
  std::vector<std::unique_ptr<pgconn::Connection>> connections{};
};

std::string rows(int from, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    out += row({std::to_string(from + i)});
  }
  return out;
}

std::string answer_of(int from, int count) {
  return description({"a"}) + rows(from, count) + complete("SELECT " + std::to_string(count))
         + ready();
}

// ---- Relay

class RelayTest : public ExecTest {
 protected:
  [[nodiscard]] Result<RelayOutcome> relay(SlowClient& client) {
    Relay relay(*loop, *connections[0], client);
    connections[0]->expect(relay, pgconn::ReplyMode::kRelay);
    connections[0]->send(query_message("q"));
    EXPECT_TRUE(run_until([&] {
      if (client.is_awaited()) {
        client.take_all();
      }
      return relay.is_done();
    }));
    return run(relay.wait());
  }
};

TEST_F(RelayTest, PassesEverythingButReady) {
  SlowClient client;
  const std::string body = description({"a"}) + rows(1, 5) + complete("SELECT 5");
  answer(0, body + ready(wire::TransactionStatus::kInTransaction));
  const auto outcome = relay(client);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->status, wire::TransactionStatus::kInTransaction);
  EXPECT_TRUE(client.text == body);
}

TEST_F(RelayTest, ErrorGoesThroughAndIsKnown) {
  SlowClient client;
  answer(0, failure("22012", "division by zero") + ready());
  const auto outcome = relay(client);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->failed);
  EXPECT_EQ(outcome->sqlstate, "22012");
}

TEST_F(RelayTest, ShardLostInMidAnswerIsAnError) {
  SlowClient client;
  servers[0]->when_message = [](Peer& peer, char, std::string_view) {
    peer.send_and_close(description({"a"}) + rows(1, 5));
  };
  const auto outcome = relay(client);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kConnectionFailed);
}

TEST_F(RelayTest, SlowClientPausesTheShard) {
  constexpr std::size_t kLimit = 64 * 1024;
  SlowClient client(kLimit);
  std::string large = description({"a"});
  for (int i = 0; i < 400; ++i) {
    large += row({std::string(10'000, 'x')});
  }
  large += complete("SELECT 400");
  answer(0, large + ready());
  const auto outcome = relay(client);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(client.text == large);
  EXPECT_LT(client.most_queued, kLimit + 512 * 1024) << "the shard was not paused";
  expect_usable(0);
}

TEST_F(RelayTest, ConnectionPausedBehindItsLastByteHearsTheNextAnswer) {
  SlowClient client(1);  // everything is too much
  answer(0, answer_of(1, 3));
  Relay relay(*loop, *connections[0], client);
  connections[0]->expect(relay, pgconn::ReplyMode::kRelay);
  connections[0]->send(query_message("q"));
  ASSERT_TRUE(run_until([&] { return relay.is_done(); }));
  expect_usable(0);
}

TEST_F(RelayTest, EndIsToldWhateverItWas) {
  for (const bool is_lost : {false, true}) {
    SlowClient client;
    servers[0]->when_message = [&](Peer& peer, char, std::string_view) {
      is_lost ? peer.close() : peer.send(failure("42P01", "no table") + ready());
    };
    Relay relay(*loop, *connections[0], client);
    int told = 0;
    relay.set_finished([&] { ++told; });
    connections[0]->expect(relay, pgconn::ReplyMode::kRelay);
    connections[0]->send(query_message("COPY t FROM STDIN"));
    ASSERT_TRUE(run_until([&] { return relay.is_done(); }));
    EXPECT_EQ(told, 1);
  }
}

// ---- Scatter

class ScatterTest : public ExecTest {};

TEST_F(ScatterTest, ConcatenatesRowsAndCountsThem) {
  for (std::size_t i = 0; i < 3; ++i) {
    answer(i, answer_of(static_cast<int>(i) * 10, 4));
  }
  SlowClient client;
  Scatter scatter(*loop, client, parts(), {});
  const auto outcome = run_with(client, scatter);
  ASSERT_TRUE(outcome) << to_string(outcome.error());
  EXPECT_EQ(outcome->tag, "SELECT 12");
  EXPECT_EQ(types_of(client.text), "T" + std::string(12, 'D'));
}

TEST_F(ScatterTest, OneShardMayEndLongBeforeTheOthersBegin) {
  for (std::size_t slow = 0; slow < 3; ++slow) {
    for (std::size_t i = 0; i < 3; ++i) {
      answer(i, answer_of(0, 2));
    }
    servers[slow]->when_message = [&](Peer& peer, char, std::string_view) {
      loop->start_timer(loop->now() + 5ms, [&peer] { peer.send(answer_of(0, 2)); });
    };
    SlowClient client;
    Scatter scatter(*loop, client, parts(), {});
    const auto outcome = run_with(client, scatter);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->tag, "SELECT 6");
    for (std::size_t i = 0; i < 3; ++i) {
      expect_usable(i);
    }
  }
}

TEST_F(ScatterTest, FirstErrorWinsAndTheOthersAreCancelled) {
  std::array<Peer*, 3> asked{};
  for (std::size_t i = 0; i < 3; ++i) {
    servers[i]->when_message = [&, i](Peer& peer, char, std::string_view) {
      asked[i] = &peer;
      if (i == 1) {
        peer.send(failure("22012", "division by zero") + ready());
      }  // the others work for ever, until they are cancelled
    };
    servers[i]->when_cancel = [&, i] { asked[i]->send(failure("57014", "canceled") + ready()); };
  }
  SlowClient client;
  Scatter scatter(*loop, client, parts(), {});
  const auto outcome = run_with(client, scatter);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().sqlstate(), "22012");
  EXPECT_EQ(outcome.error().shard, "s2");
  EXPECT_EQ(servers[0]->cancels, 1);
  EXPECT_EQ(servers[1]->cancels, 0);
  EXPECT_EQ(servers[2]->cancels, 1);
  for (std::size_t i = 0; i < 3; ++i) {
    expect_usable(i);
  }
}

TEST_F(ScatterTest, LostShardIsAnErrorAndTheOthersStayUsable) {
  for (std::size_t i = 0; i < 3; ++i) {
    answer(i, answer_of(0, 2));
  }
  servers[2]->when_message = [](Peer& peer, char, std::string_view) {
    peer.send_and_close(description({"a"}) + rows(0, 1));
  };
  SlowClient client;
  Scatter scatter(*loop, client, parts(), {});
  const auto outcome = run_with(client, scatter);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kConnectionFailed);
  EXPECT_TRUE(connections[2]->is_broken());
  expect_usable(0);
  expect_usable(1);
}

TEST_F(ScatterTest, ShardsThatDisagreeOnColumnsAreRefused) {
  answer(0, answer_of(0, 2));
  answer(1, answer_of(0, 2));
  answer(2, description({"a", "b"}) + row({"1", "2"}) + complete("SELECT 1") + ready());
  SlowClient client;
  Scatter scatter(*loop, client, parts(), {});
  const auto outcome = run_with(client, scatter);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, ErrorCode::kUnsupported);
}

TEST_F(ScatterTest, MaxRowsSuspends) {
  for (std::size_t i = 0; i < 3; ++i) {
    answer(i, answer_of(0, 100));
  }
  SlowClient client;
  Scatter scatter(*loop, client, parts(), {.max_rows = 7});
  const auto outcome = run_with(client, scatter);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->suspended);
  EXPECT_EQ(types_of(client.text), "T" + std::string(7, 'D'));
  for (std::size_t i = 0; i < 3; ++i) {
    expect_usable(i);
  }
}

TEST_F(ScatterTest, SlowClientPausesTheShards) {
  constexpr std::size_t kLimit = 64 * 1024;
  std::string large = description({"a"});
  for (int i = 0; i < 200; ++i) {
    large += row({std::string(10'000, '1')});
  }
  for (std::size_t i = 0; i < 3; ++i) {
    answer(i, large + complete("SELECT 200") + ready());
  }
  SlowClient client(kLimit);
  Scatter scatter(*loop, client, parts(), {});
  const auto outcome = run_with(client, scatter);
  ASSERT_TRUE(outcome) << to_string(outcome.error());
  EXPECT_EQ(outcome->tag, "SELECT 600");
  EXPECT_EQ(types_of(client.text), "T" + std::string(600, 'D'));
  EXPECT_LT(client.most_queued, kLimit + 512 * 1024) << "the shards were not paused";
  for (std::size_t i = 0; i < 3; ++i) {
    expect_usable(i);
  }
}

TEST_F(ScatterTest, TagsOfWritesAreSummedAndSilentPartsAreNot) {
  answer(0, complete("UPDATE 2") + ready());
  answer(1, complete("UPDATE 3") + ready());
  answer(2, complete("UPDATE 100") + ready());
  SlowClient client;
  auto asked = parts();
  asked[2].answers = false;
  Scatter scatter(*loop, client, std::move(asked), {.sums_tags = true});
  const auto outcome = run_with(client, scatter);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->tag, "UPDATE 5");
  EXPECT_EQ(client.text, "");
}

// ---- COPY

class CopyInTest : public ExecTest {
 protected:
  void SetUp() override {
    ExecTest::SetUp();
    for (std::size_t i = 0; i < 3; ++i) {
      servers[i]->when_message = [this, i](Peer& peer, char type, std::string_view body) {
        on_copy(i, peer, type, body);
      };
    }
  }
  void on_copy(std::size_t index, Peer& peer, char type, std::string_view body) {
    std::string out;
    switch (type) {
      case 'Q':
        EXPECT_TRUE(wire::append_copy_response(
            out, wire::BackendType::kCopyInResponse, wire::Format::kText, {}
        ));
        return peer.send(index == refusing ? failure("42P01", "no table") + ready() : out);
      case 'd':
        copied[index] += body;
        return;
      case 'c':
        return peer.send(
            index == failing ? failure("23505", "duplicate") + ready()
                             : complete("COPY 2") + ready()
        );
      case 'f':
        ++aborted;
        return peer.send(failure("57014", "COPY from stdin failed") + ready());
      default:
        return;
    }
  }
  /// Rows go by the first digit of their key.
  [[nodiscard]] static Result<std::size_t> route(std::optional<Bytes> key) {
    if (!key) {
      return fail(ErrorCode::kNullKey, "no key");
    }
    return static_cast<std::size_t>(as_text(*key).front() - '0');
  }
  [[nodiscard]] std::unique_ptr<CopyIn> make() {
    return std::make_unique<CopyIn>(
        *loop, pointers(), CopyInOptions{.key_field = 0, .table = "t"}, &CopyInTest::route
    );
  }

  std::array<std::string, 3> copied{};
  std::size_t refusing = 99;
  std::size_t failing = 99;
  int aborted = 0;
};

TEST_F(CopyInTest, RowsGoToTheirShardsHoweverTheDataIsCut) {
  const std::string data = "0\ta\n1\tb\n2\tc\n0\td\n1\te\n2\tf\n";
  for (std::size_t cut = 0; cut <= data.size(); ++cut) {
    copied = {};
    const auto copy = make();
    ASSERT_TRUE(run(copy->begin({"COPY t FROM STDIN"})));
    ASSERT_TRUE(copy->feed(as_bytes(std::string_view(data).substr(0, cut))));
    ASSERT_TRUE(copy->feed(as_bytes(std::string_view(data).substr(cut))));
    const auto count = run(copy->finish());
    ASSERT_TRUE(count);
    EXPECT_EQ(*count, 6U);
    EXPECT_EQ(copied[0], "0\ta\n0\td\n");
    EXPECT_EQ(copied[2], "2\tc\n2\tf\n");
  }
}

TEST_F(CopyInTest, ShardThatRefusesFailsAllAndNothingIsKept) {
  refusing = 1;
  const auto copy = make();
  const auto begun = run(copy->begin({"COPY t FROM STDIN"}));
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().sqlstate(), "42P01");
  run(copy->abort("another shard refused"));
  EXPECT_EQ(aborted, 2);
  EXPECT_TRUE(connections[0]->is_idle());
  EXPECT_TRUE(connections[1]->is_idle());
}

TEST_F(CopyInTest, RowWithoutAKeyIsAnErrorThatNamesItsLine) {
  const auto copy = make();
  ASSERT_TRUE(run(copy->begin({"COPY t FROM STDIN"})));
  const auto fed = copy->feed(as_bytes("0\ta\n\\N\tb\n"));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kNullKey);
  EXPECT_NE(fed.error().detail.find("line 2"), std::string::npos);
  run(copy->abort("bad row"));
  EXPECT_EQ(aborted, 3);
}

TEST_F(CopyInTest, ShardThatFailsAtTheEndIsTheError) {
  failing = 2;
  const auto copy = make();
  ASSERT_TRUE(run(copy->begin({"COPY t FROM STDIN"})));
  ASSERT_TRUE(copy->feed(as_bytes("0\ta\n")));
  const auto count = run(copy->finish());
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().sqlstate(), "23505");
  EXPECT_EQ(count.error().shard, "s3");
}

class CopySourceTest : public ExecTest {};

std::string copy_stream(std::size_t pieces, std::size_t piece_bytes) {
  std::string out;
  EXPECT_TRUE(
      wire::append_copy_response(out, wire::BackendType::kCopyOutResponse, wire::Format::kText, {})
  );
  for (std::size_t i = 0; i < pieces; ++i) {
    EXPECT_TRUE(wire::append_copy_data(out, as_bytes(std::string(piece_bytes, 'x'))));
  }
  wire::append_copy_done(out);
  return out + complete("COPY " + std::to_string(pieces)) + ready();
}

net::Task<Result<std::size_t>> drain(CopySource* source) {
  std::size_t pieces = 0;
  while (true) {
    SHERD_CO_TRY(const std::optional<net::Slice> piece, co_await source->next());
    if (!piece) {
      co_return pieces;
    }
    ++pieces;
  }
}

TEST_F(CopySourceTest, GivesEveryPieceAndHearsTheNextAnswer) {
  // Sizes around the mark at which the shard is paused: its last byte may come with the pause.
  for (const std::size_t pieces : {0U, 1U, 127U, 128U, 129U, 130U, 131U, 132U, 400U}) {
    answer(0, copy_stream(pieces, 8 * 1024));
    CopySource source(*loop, *connections[0]);
    ASSERT_TRUE(source.start("COPY t TO STDOUT"));
    run_for(2ms);
    const auto count = run(drain(&source));
    ASSERT_TRUE(count);
    EXPECT_EQ(*count, pieces);
    expect_usable(0);
  }
}

TEST_F(CopySourceTest, ErrorInTheMiddleIsTheShards) {
  std::string stream = copy_stream(3, 10);
  stream.resize(stream.size() - (complete("COPY 3") + ready()).size() - 5);
  answer(0, stream + failure("57014", "canceled") + ready());
  CopySource source(*loop, *connections[0]);
  ASSERT_TRUE(source.start("COPY t TO STDOUT"));
  const auto count = run(drain(&source));
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().sqlstate(), "57014");
  expect_usable(0);
}

TEST_F(CopySourceTest, CopyOutTakesOneShardAfterTheOther) {
  for (std::size_t i = 0; i < 3; ++i) {
    answer(i, copy_stream(2, 10));
  }
  SlowClient client;
  const auto count = run(copy_out(*loop, client, pointers(), "COPY t TO STDOUT", false));
  ASSERT_TRUE(count);
  EXPECT_EQ(*count, 6U);
  EXPECT_EQ(types_of(client.text), "Hddddddc");
}

}  // namespace
}  // namespace sherd::exec
