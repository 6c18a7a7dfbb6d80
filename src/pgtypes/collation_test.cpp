#include <gmock/gmock.h>
#include <gnu/libc-version.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/collation.hpp>

namespace sherd::pgtypes {
namespace {

using testing::HasSubstr;

CollationFacts libc(std::string locale, std::string version) {
  return {.name = "x", .provider = 'c', .locale = std::move(locale), .version = std::move(version)};
}

TEST(Collation, BytesCompareUnsigned) {
  const Collation& order = Collation::bytes();
  EXPECT_TRUE(order.compare("a", "b") < 0);
  EXPECT_TRUE(order.compare("a", "aa") < 0);
  EXPECT_TRUE(order.compare("z", "\xC3\xA9") < 0);
  EXPECT_TRUE(order.compare("x", "x") == 0);
  EXPECT_TRUE(order.is_bytes());
}

TEST(Collation, CAndPosixAreBytesWithoutAVersion) {
  for (const char* locale : {"C", "POSIX"}) {
    const auto made = Collation::make(libc(locale, ""));
    ASSERT_TRUE(made);
    EXPECT_TRUE((*made)->is_bytes());
  }
}

TEST(Collation, BuiltinProviderSortsByCodePoint) {
  const auto made = Collation::make({.name = "b", .provider = 'b', .locale = "C.UTF-8"});
  ASSERT_TRUE(made);
  EXPECT_TRUE((*made)->is_bytes());
}

TEST(Collation, IcuIsRefusedWithAHint) {
  const auto made =
      Collation::make({.name = "und-x-icu", .provider = 'i', .locale = "und", .version = "153.14"});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(made.error().hint, HasSubstr("COLLATE \"C\""));
}

TEST(Collation, OtherVersionOfTheCLibraryIsRefused) {
  EXPECT_FALSE(Collation::make(libc("en_US.UTF-8", "1.0")));
  EXPECT_FALSE(Collation::make(libc("en_US.UTF-8", "")));
  EXPECT_FALSE(Collation::make(libc("C.UTF-8", "2.34")));
  EXPECT_FALSE(Collation::make(libc("C.UTF-8", "")));
}

TEST(Collation, LocaleThatIsNotHereIsRefused) {
  EXPECT_FALSE(Collation::make(libc("xx_XX.UTF-8", gnu_get_libc_version())));
}

TEST(Collation, OtherEncodingIsRefused) {
  CollationFacts facts = libc("C.UTF-8", gnu_get_libc_version());
  facts.encoding = "LATIN1";
  EXPECT_FALSE(Collation::make(facts));
}

TEST(Collation, NondeterministicIsRefused) {
  CollationFacts facts = libc("C.UTF-8", gnu_get_libc_version());
  facts.deterministic = false;
  EXPECT_FALSE(Collation::make(facts));
}

TEST(Collation, VerifiedLocaleComparesByTheLocaleThenByBytes) {
  const auto made = Collation::make(libc("C.UTF-8", gnu_get_libc_version()));
  if (!made) {
    GTEST_SKIP() << to_string(made.error());
  }
  EXPECT_TRUE((*made)->compare("Z", "a") < 0);
  EXPECT_TRUE((*made)->compare("z", "\xC3\xA9") < 0);
  const std::string text(5000, 'x');  // longer than the copy on the stack
  EXPECT_TRUE((*made)->compare(text, text + "y") < 0);
  EXPECT_TRUE((*made)->compare(text, text) == 0);
}

TEST(CollationSet, NamesOfByteOrderAreAlwaysKnown) {
  const CollationSet set;
  for (const char* name : {"C", "POSIX", "ucs_basic", "pg_catalog.C"}) {
    EXPECT_TRUE(set.find(name)) << name;
    EXPECT_TRUE(set.is_deterministic(name)) << name;
  }
}

TEST(CollationSet, EmptyNameIsTheDatabasesDefault) {
  CollationSet set;
  EXPECT_FALSE(set.find(""));
  EXPECT_TRUE(set.is_deterministic(""));
  set.add({.name = "default", .locale = "C"});
  EXPECT_TRUE(set.find(""));
  EXPECT_TRUE(set.find("default"));
}

TEST(CollationSet, ReasonOfARefusalIsKept) {
  CollationSet set;
  set.add({.name = "de-x-icu", .provider = 'i', .locale = "de", .deterministic = false});
  const auto found = set.find("de-x-icu");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("de-x-icu"));
  EXPECT_FALSE(set.is_deterministic("de-x-icu"));
  EXPECT_FALSE(set.is_deterministic("unheard of"));
}

}  // namespace
}  // namespace sherd::pgtypes
