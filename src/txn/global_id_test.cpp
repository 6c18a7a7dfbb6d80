#include <gtest/gtest.h>

#include <sherd/txn/global_id.hpp>

namespace sherd::txn {
namespace {

TEST(GlobalId, PreparedNameParsesBack) {
  const GlobalId id{
      .cluster = "a1_b2",
      .router = 0xFEDCBA9876543210U,
      .sequence = 42,
      .decision_shard = ShardId(3)
  };
  EXPECT_EQ(GlobalId::parse(id.prepared_name(ShardId(7))), id);
  EXPECT_NE(id.prepared_name(ShardId(7)), id.prepared_name(ShardId(8)));
  EXPECT_LT(id.prepared_name(ShardId(7)).size(), 200U);  // PostgreSQL's limit
}

TEST(GlobalId, NamesOfOthersAreNotOurs) {
  for (const char* name :
       {"", "sherd_", "pg_1_2_3_4", "sherd_c_x_1_1_1", "sherd_c_1_1_1", "sherd__1_1_1_1"}) {
    EXPECT_EQ(GlobalId::parse(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace sherd::txn
