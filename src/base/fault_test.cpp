#include <gtest/gtest.h>

#include <sherd/base/fault.hpp>

namespace sherd {
namespace {

TEST(FaultPoint, FailsOnlyTheNthTimeItIsReached) {
  fault::disarm_all();
  ASSERT_TRUE(fault::arm_from_text("a.b=fail@2"));
  EXPECT_FALSE(fault::fails_at("a.b"));
  EXPECT_FALSE(fault::fails_at("other"));
  EXPECT_TRUE(fault::fails_at("a.b"));
  EXPECT_FALSE(fault::fails_at("a.b"));
  EXPECT_EQ(fault::reached(), (std::vector<std::string>{"a.b", "other"}));
  fault::disarm_all();
}

TEST(FaultPoint, MalformedTextIsRefused) {
  EXPECT_FALSE(fault::arm_from_text("a.b"));
  EXPECT_FALSE(fault::arm_from_text("a.b=explode"));
  EXPECT_FALSE(fault::arm_from_text("a.b=fail@x"));
  fault::disarm_all();
}

}  // namespace
}  // namespace sherd
