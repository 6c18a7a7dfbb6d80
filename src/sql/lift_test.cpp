#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <sherd/sql/lift.hpp>

#include "sql_generator_test.hpp"

namespace sherd::sql {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Lifted lifted(std::string_view text, bool standard = true) {
  Lifted out;
  lift(text, standard, out);
  return out;
}

std::vector<std::string> raws(const Lifted& out) {
  std::vector<std::string> found;
  for (const Literal& literal : out.literals) {
    found.emplace_back(literal.raw);
  }
  return found;
}

std::string decoded(std::string_view text, bool standard = true) {
  const Lifted out = lifted(text, standard);
  std::string scratch;
  const auto value = decode(out.literals.at(0), scratch);
  return value ? std::string(*value) : "ERROR";
}

TEST(Lift, TextsThatDifferInLiteralsOnlyHaveOneKey) {
  EXPECT_EQ(
      lifted("SELECT a FROM t WHERE id = 1").key, lifted("SELECT a FROM t WHERE id = 12345").key
  );
  EXPECT_EQ(lifted("x = 'a'").key, lifted("x = E'it\\'s'").key);
  EXPECT_EQ(lifted("x = 'a'").key, lifted("x = $q$ $ $q$").key);
  EXPECT_EQ(lifted("x = 'a'").hash, lifted("x = 'b'").hash);
}

TEST(Lift, KindOfLiteralIsPartOfTheKey) {
  const std::string integer = lifted("x = 1").key;
  EXPECT_NE(integer, lifted("x = 1.5").key);
  EXPECT_NE(integer, lifted("x = '1'").key);
  EXPECT_NE(integer, lifted("x = -1").key);
  EXPECT_NE(lifted("b'1'").key, lifted("x'1'").key);
}

TEST(Lift, LiteralsAreFoundWhereTheyStand) {
  EXPECT_THAT(
      raws(lifted("1, 2.5,.5 , 3e4, 5e-6 'x''y' B'01' x'fF' E'\\'' $$a$$ $t$b$$c$t$ n'z'")),
      ElementsAre("1", "2.5", ".5", "3e4", "5e-6", "x''y", "01", "fF", "\\'", "a", "b$$c", "z")
  );
  EXPECT_THAT(raws(lifted("a1 t$1 \"1 'x\" $1 /* '2' /* 3 */ 4 */ -- 5\n 6")), ElementsAre("6"));
}

TEST(Lift, SpanCoversQuotesAndPrefix) {
  const std::string text = "a = E'x' AND b = $q$y$q$";
  const Lifted out = lifted(text);
  EXPECT_EQ(out.literals.at(0).span.of(text), "E'x'");
  EXPECT_EQ(out.literals.at(1).span.of(text), "$q$y$q$");
}

TEST(Lift, OperatorsDoNotHideLiteralsOrComments) {
  EXPECT_THAT(raws(lifted("a>-5")), ElementsAre("5"));
  EXPECT_THAT(raws(lifted("a+--5\n6")), ElementsAre("6"));
  EXPECT_THAT(raws(lifted("a*/*5*/6")), ElementsAre("6"));
  EXPECT_THAT(raws(lifted("a@-5||'x'")), ElementsAre("5", "x"));
}

TEST(Lift, BackslashEndsNothingWithStandardStringsOff) {
  EXPECT_THAT(raws(lifted("'a\\' , 'b'", true)), ElementsAre("a\\", "b"));
  EXPECT_THAT(raws(lifted("'a\\' , '", false)), ElementsAre("a\\' , "));
}

TEST(Lift, DoubtIsReported) {
  for (const char* text :
       {"'open", "\"open", "/* open", "/* /* */", "$q$ open", "1a", "0x1F", "1_000", "1..2",
        "'a'\n'b'", "'a' 'b'", "U&'x'", "u&\"x\"", "\x01", "a \x0b b", "$1a", "$ 1", "a { b",
        "E'a' -- c\n 'b'"}) {
    EXPECT_FALSE(lifted(text).certain) << text;
  }
}

TEST(Lift, OrdinaryTextIsCertain) {
  for (const char* text :
       {"", ";", "SELECT 1", "a.b.c", "'it''s'", "x::int[]", "a[1:2]", "\"U&x\"", "u & 'x'", "t.*",
        "$1", "é = 'ü'", "'a', 'b'", "1e5", "a->>'b'", "N'x'"}) {
    EXPECT_TRUE(lifted(text).certain) << text;
  }
}

TEST(Lift, SecondStatementIsSeen) {
  EXPECT_FALSE(lifted("SELECT 1;").multiple);
  EXPECT_FALSE(lifted("SELECT ';' ; -- x ; y").multiple);
  EXPECT_TRUE(lifted("SELECT 1; SELECT 2").multiple);
  EXPECT_TRUE(lifted("SELECT 1;;").multiple);
}

TEST(Lift, CommentIsSeen) {
  EXPECT_TRUE(lifted("SELECT /*+ hint */ 1").has_comment);
  EXPECT_FALSE(lifted("SELECT '/* no */'").has_comment);
}

TEST(Lift, BuffersAreUsedAgain) {
  Lifted out;
  lift("SELECT 'long enough to be on the heap, surely', 1, 2, 3", true, out);
  const char* key = out.key.data();
  const Literal* literals = out.literals.data();
  lift("SELECT 'x', 2", true, out);
  EXPECT_EQ(out.key.data(), key);
  EXPECT_EQ(out.literals.data(), literals);
  EXPECT_EQ(out.literals.size(), 2U);
}

TEST(Decode, EscapesAreResolved) {
  EXPECT_EQ(decoded("'plain'"), "plain");
  EXPECT_EQ(decoded("'it''s'''"), "it's'");
  EXPECT_EQ(decoded("E'a\\nb\\t\\\\\\'''c'"), "a\nb\t\\''c");
  EXPECT_EQ(decoded("E'\\101\\x42\\u0043\\U00000044'"), "ABCD");
  EXPECT_EQ(decoded("E'\\u00fc\\ud83d\\ude00'"), "ü😀");
  EXPECT_EQ(decoded("'a\\nb'", true), "a\\nb");
  EXPECT_EQ(decoded("'a\\nb'", false), "a\nb");
  EXPECT_EQ(decoded("$$a\\n''b$$"), "a\\n''b");
  EXPECT_EQ(decoded("'50'"), "50");
}

TEST(Decode, BadEscapesAreErrors) {
  for (const char* text :
       {"E'\\u12'", "E'\\uD800'", "E'\\uD800x'", "E'\\000'", "E'\\U00110000'", "E'\\v'"}) {
    EXPECT_EQ(decoded(text), "ERROR") << text;
  }
}

// A key that is lifted again (its marks are doubt) must never look certain: no text can forge
// another's key.
TEST(Lift, KeysAreNotTexts) {
  SqlGenerator generator(7);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = generator.statement();
    const Lifted out = lifted(text);
    ASSERT_TRUE(out.certain) << text;
    if (!out.literals.empty()) {
      EXPECT_FALSE(lifted(out.key).certain) << text;
    }
  }
}

TEST(Lift, EveryPrefixOfATextIsLifted) {
  const std::string text =
      "SELECT E'a\\'' || $q$x$q$, 1.5e+7, \"n\" /* c */ FROM t -- x\n WHERE U&'d' = X'0f'";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    const Lifted out = lifted(text.substr(0, length));
    EXPECT_LE(out.key.size(), length);
    for (const Literal& literal : out.literals) {
      EXPECT_LE(literal.span.end(), length);
    }
  }
}

}  // namespace
}  // namespace sherd::sql
