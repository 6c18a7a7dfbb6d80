#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/catalog/schema_reader.hpp>

namespace sherd::catalog {
namespace {

using Row = std::vector<std::optional<std::string>>;

/// A schema of one table with a unique index, as a shard whose object ids begin at `first_oid`
/// tells it.
std::vector<RowSet> answers(std::uint32_t first_oid) {
  const std::string users = std::to_string(first_oid);
  const std::string mood = std::to_string(first_oid + 1);
  std::vector<RowSet> results(10);
  results[1] = {Row{"8"}};
  results[2] = {Row{"en_US.UTF-8", "2.36", "c", "", "UTF8", "150004"}};
  results[3] = {Row{users, "public", "users", "r", "f", "f", "t", "f", std::nullopt}};
  results[4] = {
      Row{users, "id", "20", "bigint", "-1", "t", "", "nextval('public.s'::regclass)", "", "f"},
      Row{users, "mood", mood, "public.mood", "-1", "f", "", std::nullopt, "d", "t"}
  };
  results[5] = {Row{users, "i", "f", ""}, Row{users, "i", "f", "id"}, Row{users, "pk", "t", "id"}};
  results[6] = {Row{users, "fk", "public", "m", "mood", "x"}};
  results[7] = {
      Row{"random", "f", "f", "f", "t", "v", std::nullopt},
      Row{"max", "t", "f", "f", "t", "i", std::nullopt},
      Row{"mine", "f", "t", "t", "f", "s", "SELECT 1"}
  };
  results[8] = {Row{"constraint", "public.users.pk", "PRIMARY KEY (id)"}};
  return results;
}

std::string fingerprint(const std::vector<RowSet>& results) {
  return schema_from_rows(results)->parts().fingerprint;
}

TEST(SchemaFromRows, FillsEveryField) {
  const auto schema = schema_from_rows(answers(16384));
  ASSERT_TRUE(schema.has_value());
  const topology::RelationInfo* users = schema->find("public", "users");
  ASSERT_NE(users, nullptr);
  EXPECT_TRUE(users->has_triggers);
  EXPECT_FALSE(users->has_rules);
  ASSERT_EQ(users->columns.size(), 2U);
  EXPECT_TRUE(users->columns[0].not_null);
  EXPECT_EQ(users->columns[0].default_expression, "nextval('public.s'::regclass)");
  EXPECT_EQ(users->columns[1].type, 16385U);
  EXPECT_EQ(users->columns[1].identity, 'd');
  EXPECT_TRUE(users->columns[1].generated);
  ASSERT_EQ(users->unique.size(), 2U);
  EXPECT_THAT(users->unique[0].columns, testing::ElementsAre("", "id"));
  EXPECT_TRUE(users->unique[1].is_primary);
  EXPECT_THAT(users->foreign_keys.at(0).target_columns, testing::ElementsAre("x"));
  EXPECT_EQ(schema->function("random")->volatility, topology::Volatility::kVolatile);
  EXPECT_EQ(schema->function("random")->source, "");
  EXPECT_EQ(schema->function("mine")->source, "SELECT 1");
  EXPECT_TRUE(schema->function("max")->is_aggregate);
  EXPECT_FALSE(schema->function("mine")->is_builtin);
  EXPECT_EQ(schema->parts().server_version_num, 150004U);
  EXPECT_EQ(schema->parts().database_collation, "en_US.UTF-8");
}

TEST(SchemaFromRows, FingerprintDoesNotDependOnObjectIds) {
  EXPECT_EQ(fingerprint(answers(16384)), fingerprint(answers(99999)));
}

TEST(SchemaFromRows, FingerprintDoesNotDependOnTheServersMinorVersion) {
  auto other = answers(16384);
  other[2][0][5] = "150020";
  EXPECT_EQ(fingerprint(answers(16384)), fingerprint(other));
}

TEST(SchemaFromRows, AnyOtherDifferenceChangesTheFingerprint) {
  const auto base = answers(16384);
  // {answer, row, column} of everything that is neither an object id nor told again by a
  // definition.
  for (const std::size_t column : {0, 1, 2, 3, 4}) {
    auto other = base;
    other[2][0][column] = "x";
    EXPECT_NE(fingerprint(base), fingerprint(other)) << column;
  }
  for (const std::size_t column : {1, 3, 5, 6, 7, 8, 9}) {
    auto other = base;
    other[4][0][column] = column == 5 ? "f" : column == 9 ? "t" : "x";
    EXPECT_NE(fingerprint(base), fingerprint(other)) << column;
  }
  for (const std::size_t column : {0, 1, 2}) {
    auto other = base;
    other[8][0][column] = "x";
    EXPECT_NE(fingerprint(base), fingerprint(other)) << column;
  }
}

TEST(SchemaFromRows, AnswersOfAnotherShapeAreRefused) {
  for (std::size_t i = 1; i < 9; ++i) {
    auto wide = answers(16384);
    wide[i].front().push_back("more");
    EXPECT_EQ(schema_from_rows(wide).error().code, ErrorCode::kProtocolViolation) << i;
  }
  auto few = answers(16384);
  few.pop_back();
  EXPECT_FALSE(schema_from_rows(few).has_value());
  auto no_database = answers(16384);
  no_database[2].clear();
  EXPECT_FALSE(schema_from_rows(no_database).has_value());
}

TEST(SchemaQueries, BeginAndEndOneReadOnlyTransaction) {
  const std::vector<std::string> queries = schema_queries();
  EXPECT_THAT(queries.front(), testing::HasSubstr("READ ONLY"));
  EXPECT_EQ(queries.back(), "COMMIT");
}

}  // namespace
}  // namespace sherd::catalog
