#include <limits>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <sherd/engine/open_statements.hpp>

namespace sherd::engine {
namespace {

// Against a plain list of what is open, over thousands of random beginnings and ends.
TEST(OpenStatements, OldestIsThatOfTheStatementsUnderWay) {
  OpenStatements open;
  std::vector<OpenStatements::Ticket> tickets;
  std::mt19937 random(11);
  std::uint64_t epoch = 1;
  for (int i = 0; i < 20'000; ++i) {
    epoch += random() % 50 == 0 ? 1 : 0;
    if (tickets.empty() || random() % 2 == 0) {
      tickets.push_back(open.begin(Epoch(epoch)));
      tickets.back().add(ShardId(static_cast<std::uint32_t>(random() % 5)));
    } else {
      std::swap(tickets[random() % tickets.size()], tickets.back());
      tickets.pop_back();
    }
    std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
    for (const auto& ticket : tickets) {
      oldest = std::min(oldest, number_of(ticket.epoch()));
    }
    ASSERT_EQ(open.oldest(), oldest);
    ASSERT_EQ(open.running(), tickets.size());
  }
  tickets.clear();
  for (std::uint32_t shard = 0; shard < 5; ++shard) {
    EXPECT_EQ(open.running_on(ShardId(shard)), 0U);
  }
}

}  // namespace
}  // namespace sherd::engine
