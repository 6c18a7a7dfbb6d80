#include <array>

#include <gtest/gtest.h>

#include <sherd/base/text.hpp>

namespace sherd {
namespace {

TEST(QuoteIdentifier, DoublesQuotes) {
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
}

TEST(QuoteLiteral, EscapesBackslashesUnderEitherSetting) {
  EXPECT_EQ(quote_literal("it's"), "'it''s'");
  EXPECT_EQ(quote_literal("a\\'b"), " E'a\\\\''b'");
}

TEST(Nearest, FindsASlipOfThePenAndNothingElse) {
  const std::array<std::string, 2> names = {"listen", "limits"};
  EXPECT_EQ(nearest("lisen", names), "listen");
  EXPECT_EQ(nearest("weather", names), std::nullopt);
}

}  // namespace
}  // namespace sherd
