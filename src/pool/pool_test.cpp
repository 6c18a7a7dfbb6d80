#include <random>

#include <sherd/pool/pool.hpp>

#include "scripted_server.hpp"

namespace sherd::pool {
namespace {

using namespace testing_support;
using namespace std::chrono_literals;

// Takes a lease and keeps it in `held`, or notes why there is none.
struct Taker {
  Lease lease{};
  std::optional<Error> error{};
  bool is_done = false;
};

net::Task<void> take(ShardPool* pool, Taker* taker, Deadline deadline) {
  auto lease = co_await pool->acquire(deadline);
  if (lease) {
    taker->lease = *std::move(lease);
  } else {
    taker->error = lease.error();
  }
  taker->is_done = true;
}

class PoolTest : public ScriptedTest {
 protected:
  void SetUp() override {
    ScriptedTest::SetUp();
    server = std::make_unique<ScriptedServer>(*loop);
    tasks = std::make_unique<net::TaskGroup>(*loop);
  }
  void TearDown() override {
    tasks->cancel();
    EXPECT_TRUE(run_until([&] { return tasks->size() == 0; }));
    tasks.reset();
    takers.clear();
    pool.reset();
    server.reset();
    loop.reset();
  }
  void make_pool(PoolOptions options) {
    pool = std::make_unique<ShardPool>(*loop, server->options(), options);
  }
  Taker& start(Deadline deadline = soon()) {
    takers.push_back(std::make_unique<Taker>());
    tasks->spawn(take(pool.get(), takers.back().get(), deadline));
    return *takers.back();
  }
  /// A lease, at once or soon.
  Lease taken() {
    Taker& taker = start();
    EXPECT_TRUE(run_until([&] { return taker.is_done; }));
    EXPECT_FALSE(taker.error) << to_string(*taker.error);
    return std::move(taker.lease);
  }

  std::unique_ptr<ScriptedServer> server;
  std::unique_ptr<ShardPool> pool;
  std::unique_ptr<net::TaskGroup> tasks;
  std::vector<std::unique_ptr<Taker>> takers;
};

TEST_F(PoolTest, ReleasedConnectionIsUsedAgain) {
  make_pool({.size = 2});
  taken().release();
  EXPECT_EQ(pool->counts().idle, 1U);
  Lease again = taken();
  EXPECT_TRUE(again);
  EXPECT_EQ(pool->counts().opened, 1U);
  EXPECT_EQ(pool->counts().in_use, 1U);
}

TEST_F(PoolTest, DroppedLeaseIsDiscarded) {
  make_pool({.size = 2});
  {
    const Lease dropped = taken();
  }
  EXPECT_EQ(pool->counts().idle, 0U);
  EXPECT_EQ(pool->counts().in_use, 0U);
  EXPECT_TRUE(run_until([&] { return server->alive() == 0; }));
}

TEST_F(PoolTest, WaitersAreServedFirstComeFirstServed) {
  make_pool({.size = 1});
  Lease only = taken();
  for (int i = 0; i < 5; ++i) {
    start();
  }
  ASSERT_TRUE(run_until([&] { return pool->counts().waiting == 5; }));
  EXPECT_FALSE(pool->try_acquire());
  only.release();
  for (std::size_t i = 1; i <= 5; ++i) {  // the first taker was the holder
    ASSERT_TRUE(run_until([&] { return takers[i]->is_done; })) << i;
    for (std::size_t later = i + 1; later <= 5; ++later) {
      EXPECT_FALSE(takers[later]->is_done) << later << " before " << i;
    }
    takers[i]->lease.release();
  }
  EXPECT_EQ(pool->counts().opened, 1U);
}

TEST_F(PoolTest, NewcomerDoesNotOvertakeWaiters) {
  make_pool({.size = 1});
  Lease only = taken();
  const Taker& waiter = start();
  ASSERT_TRUE(run_until([&] { return pool->counts().waiting == 1; }));
  only.release();  // given to the waiter, which has not been resumed yet
  EXPECT_FALSE(pool->try_acquire());
  EXPECT_TRUE(run_until([&] { return waiter.is_done; }));
}

TEST_F(PoolTest, DeadlineThatPassesIsTooManyConnectionsAndLeavesTheQueue) {
  make_pool({.size = 1});
  Lease only = taken();
  const Taker& hasty = start(Deadline::after(system_clock(), 5ms));
  const Taker& patient = start();
  ASSERT_TRUE(run_until([&] { return hasty.is_done; }));
  EXPECT_EQ(hasty.error->code, ErrorCode::kTooManyConnections);
  EXPECT_EQ(pool->counts().waiting, 1U);
  only.release();
  EXPECT_TRUE(run_until([&] { return patient.is_done; }));
}

TEST_F(PoolTest, DiscardGivesTheSlotToAWaiterWhoOpens) {
  make_pool({.size = 1});
  Lease only = taken();
  const Taker& waiter = start();
  ASSERT_TRUE(run_until([&] { return pool->counts().waiting == 1; }));
  only.discard();
  ASSERT_TRUE(run_until([&] { return waiter.is_done; }));
  EXPECT_TRUE(waiter.lease);
  EXPECT_EQ(pool->counts().opened, 2U);
}

TEST_F(PoolTest, WaiterThatIsDestroyedAfterItsTurnWasGivenLosesNoSlot) {
  make_pool({.size = 1});
  Lease only = taken();
  start();
  ASSERT_TRUE(run_until([&] { return pool->counts().waiting == 1; }));
  tasks->cancel();
  only.release();  // its turn, in the same wake-up as its end
  ASSERT_TRUE(run_until([&] { return tasks->size() == 0; }));
  EXPECT_TRUE(taken());
}

TEST_F(PoolTest, ConnectionInATransactionDoesNotComeBack) {
  server->when_message = [](Peer& peer, char, std::string_view) {
    peer.send(complete("BEGIN") + ready(wire::TransactionStatus::kInTransaction));
  };
  make_pool({.size = 1});
  Lease lease = taken();
  EXPECT_TRUE(run(lease->query("BEGIN", soon())));
  lease.release();
  EXPECT_EQ(pool->counts().idle, 0U);
  EXPECT_EQ(pool->counts().in_use, 0U);
}

class Ignores final : public pgconn::ReplyHandler {
 public:
  void on_message(char, const net::Slice&) override {}
  void on_ready(wire::TransactionStatus) override {}
  void on_lost(const Error&) override {}
};

TEST_F(PoolTest, ConnectionWithAReplyOutstandingDoesNotComeBack) {
  make_pool({.size = 1});
  Ignores handler;
  Lease lease = taken();
  lease->expect(handler, pgconn::ReplyMode::kMessages);
  lease.release();
  EXPECT_EQ(pool->counts().idle, 0U);
}

TEST_F(PoolTest, IdleConnectionThatTheServerClosesIsForgotten) {
  make_pool({.size = 1});
  taken().release();
  server->peers.front()->close();
  ASSERT_TRUE(run_until([&] { return pool->counts().idle == 0; }));
  EXPECT_TRUE(taken());
}

TEST_F(PoolTest, FailedLoginGivesItsSlotBack) {
  server->when_login = [](Peer& peer) { peer.send_and_close(failure("53300", "too many")); };
  make_pool({.size = 1});
  const Taker& first = start();
  const Taker& second = start();
  ASSERT_TRUE(run_until([&] { return first.is_done && second.is_done; }));
  EXPECT_EQ(first.error->sqlstate(), "53300");
  EXPECT_EQ(second.error->sqlstate(), "53300");
  EXPECT_EQ(pool->counts().in_use, 0U);
}

TEST_F(PoolTest, ReapClosesWhatWasIdleForTooLong) {
  make_pool({.size = 3, .idle_timeout = 60s});
  Lease a = taken();
  Lease b = taken();
  a.release();
  b.release();
  pool->reap(loop->now() + 59s);
  EXPECT_EQ(pool->counts().idle, 2U);
  pool->reap(loop->now() + 61s);
  EXPECT_EQ(pool->counts().idle, 0U);
  EXPECT_EQ(pool->counts().in_use, 0U);
  EXPECT_TRUE(run_until([&] { return server->terminates == 2; }));
}

TEST_F(PoolTest, ReapClosesWhatHasLivedForTooLong) {
  make_pool({.size = 3, .idle_timeout = 0s, .max_lifetime = 60s});
  taken().release();
  pool->reap(loop->now() + 59s);
  EXPECT_EQ(pool->counts().idle, 1U);
  pool->reap(loop->now() + 61s);
  EXPECT_EQ(pool->counts().idle, 0U);
}

TEST_F(PoolTest, RenewClosesIdleNowAndLeasedWhenTheyComeBack) {
  make_pool({.size = 3});
  Lease leased = taken();
  taken().release();
  pool->renew();
  EXPECT_EQ(pool->counts().idle, 0U);
  leased.release();
  EXPECT_EQ(pool->counts().idle, 0U);
  EXPECT_EQ(pool->counts().in_use, 0U);
}

TEST_F(PoolTest, RenewLeavesAWaiterItsSlot) {
  make_pool({.size = 1});
  Lease only = taken();
  const Taker& waiter = start();
  ASSERT_TRUE(run_until([&] { return pool->counts().waiting == 1; }));
  run_for(1ms);
  pool->renew();
  only.release();
  ASSERT_TRUE(run_until([&] { return waiter.is_done; }));
  EXPECT_TRUE(waiter.lease);
  EXPECT_EQ(pool->counts().opened, 2U);
}

// Whatever happens in whatever order: never more connections than the size, and no slot is lost.
TEST_F(PoolTest, NoOrderOfEventsExceedsTheSizeOrLosesASlot) {
  constexpr std::size_t kSize = 3;
  make_pool({.size = kSize});
  std::mt19937 random(11);
  for (int step = 0; step < 1500; ++step) {
    Taker* taker = takers.empty() ? nullptr : takers[random() % takers.size()].get();
    switch (random() % 8) {
      case 0:
      case 1:
        if (takers.size() < 200) {
          start(random() % 2 == 0 ? soon() : Deadline::after(system_clock(), 300us));
        }
        break;
      case 2:
      case 3:
        if (taker != nullptr) {
          taker->lease.release();
        }
        break;
      case 4:
        if (taker != nullptr) {
          taker->lease.discard();
        }
        break;
      case 5:
        if (!server->peers.empty() && random() % 4 == 0) {
          server->peers[random() % server->peers.size()]->close();
        }
        break;
      case 6:
        if (random() % 20 == 0) {
          pool->renew();
        }
        break;
      default:
        run_for(100us);
    }
    const PoolCounts counts = pool->counts();
    ASSERT_LE(counts.idle + counts.in_use, kSize);
  }
  tasks->cancel();
  ASSERT_TRUE(run_until([&] { return tasks->size() == 0; }));
  takers.clear();
  EXPECT_EQ(pool->counts().in_use, 0U);
  std::vector<Lease> all;
  for (std::size_t i = 0; i < kSize; ++i) {
    all.push_back(taken());
    EXPECT_TRUE(all.back());
  }
}

}  // namespace
}  // namespace sherd::pool
