#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include <sherd/pgconn/statements.hpp>

namespace sherd::pgconn {
namespace {

// A model of the server: what was parsed and not closed is there. Whatever the order of uses, a
// statement that is used without being new is there, and the bytes stay below the bound.
TEST(StatementCache, NeverNamesAStatementThatTheServerHasNot) {
  StatementCache cache(10'000);
  std::mt19937 random(3);
  std::map<std::string, std::string> on_server;  // name -> key
  for (int i = 0; i < 20'000; ++i) {
    const std::string key =
        "SELECT " + std::string(random() % 300, 'x') + std::to_string(random() % 40);
    const auto use = cache.use(key);
    for (const std::string& name : use.evicted) {
      ASSERT_EQ(on_server.erase(name), 1U);
    }
    if (use.is_new) {
      ASSERT_TRUE(on_server.emplace(use.name, key).second);
    }
    ASSERT_EQ(on_server.at(use.name), key);
    ASSERT_EQ(on_server.size(), cache.size());
    ASSERT_LE(cache.bytes(), 10'000U);
    if (random() % 50 == 0) {
      cache.forget(key);
      on_server.erase(use.name);
    }
  }
}

TEST(StatementCache, StatementOverTheBoundIsKeptAlone) {
  StatementCache cache(100);
  EXPECT_TRUE(cache.use(std::string(1000, 'a')).is_new);
  EXPECT_FALSE(cache.use(std::string(1000, 'a')).is_new);
  EXPECT_EQ(cache.use("b").evicted.size(), 1U);
}

}  // namespace
}  // namespace sherd::pgconn
