#include <gtest/gtest.h>

#include <sherd/base/error.hpp>

namespace sherd {
namespace {

TEST(ErrorTable, EveryCodeHasItsOwnRow) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kShardError); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(error_row(code).code, code) << i;
    EXPECT_EQ(error_row(code).sqlstate.size(), 5U) << i;
  }
}

TEST(Error, ShardsOwnSqlstateWins) {
  const Error error{.code = ErrorCode::kShardError, .message = "m", .sqlstate_of_shard = "23505"};
  EXPECT_EQ(error.sqlstate(), "23505");
}

Result<int> half(int n) {
  if (n % 2 != 0) {
    return fail(ErrorCode::kOutOfRange, "odd", "pass an even number");
  }
  return n / 2;
}

Result<int> quarter(int n) {
  SHERD_TRY(const int h, half(n));
  return half(h);
}

TEST(SherdTry, ReturnsTheFirstError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(to_string(quarter(6).error()), "odd; pass an even number");
}

}  // namespace
}  // namespace sherd
