#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/engine/set_config.hpp>
#include <sherd/sql/analyze.hpp>

namespace sherd::engine {
namespace {

using testing::ElementsAre;

const sql::Statement& statement(std::string_view text) {
  static std::shared_ptr<const sql::Statement> held;
  held = sql::analyze(text, {})->statements.front();
  return *held;
}

std::vector<Argument> arguments(const std::vector<std::string>& values) {
  std::vector<Argument> made;
  for (const std::string& value : values) {
    made.push_back({.value = value});
  }
  return made;
}

TEST(SetConfig, OnlyTheSoleCallIsSet) {
  EXPECT_NE(find_set_config(statement("SELECT set_config('a', 'b', false)")), nullptr);
  EXPECT_NE(find_set_config(statement("SELECT pg_catalog.set_config($1, $2, $3) AS x")), nullptr);
  for (const char* text :
       {"SELECT set_config('a', 'b', false), 1", "SELECT set_config('a', 'b', false) FROM t",
        "SELECT * FROM set_config('a', 'b', false)", "SELECT my.set_config('a', 'b', false)",
        "SELECT set_config('a', 'b', false)::int"}) {
    EXPECT_EQ(find_set_config(statement(text)), nullptr) << text;
  }
  EXPECT_TRUE(calls_set_config(statement("SELECT * FROM set_config('a', 'b', false)")));
  EXPECT_TRUE(calls_set_config(statement("SELECT 1, set_config('a', 'b', false)")));
  EXPECT_FALSE(calls_set_config(statement("SELECT 1")));
}

TEST(SetConfig, ArgumentsBecomeSet) {
  const auto set = to_set(arguments({"TimeZone", "Asia/Tokyo", "t"}));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->name, "timezone");
  EXPECT_TRUE(set->local);
  EXPECT_THAT(set->values, ElementsAre("Asia/Tokyo"));
  EXPECT_THAT(to_set(arguments({"datestyle", "ISO, MDY", "f"}))->values, ElementsAre("ISO, MDY"));
}

TEST(SetConfig, ListsOfNamesAreTakenApart) {
  const auto path = [](const char* text) { return to_set(arguments({"search_path", text, "f"})); };
  EXPECT_THAT(path("")->values, ElementsAre(""));
  EXPECT_THAT(path(" A , \"B c\",$user")->values, ElementsAre("a", "B c", "$user"));
  for (const char* text : {"a,", "a b", "\"a", "\"a\"\"b\""}) {
    EXPECT_FALSE(path(text)) << text;
  }
}

TEST(SetConfig, WhatSetCannotSayIsRefused) {
  EXPECT_FALSE(to_set(arguments({"a", "b"})));
  EXPECT_FALSE(to_set(arguments({"a", "b", "maybe"})));
  EXPECT_FALSE(to_set(arguments({"sherd.shard", "b", "f"})));
  EXPECT_FALSE(to_set({{.value = "a"}, {.value = std::nullopt}, {.value = "f"}}));
}

}  // namespace
}  // namespace sherd::engine
