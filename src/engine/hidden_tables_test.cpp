#include <gtest/gtest.h>

#include <sherd/engine/hidden_tables.hpp>
#include <sherd/sql/analyze.hpp>

namespace sherd::engine {
namespace {

topology::Snapshot snapshot_with_functions() {
  topology::Schema::Parts parts;
  parts.functions["direct"].source = "SELECT count(*) FROM public.Users";
  parts.functions["indirect"].source = "BEGIN RETURN direct() + 1; END";
  parts.functions["through_view"].source = "SELECT n FROM adults";
  parts.functions["harmless"].source = "SELECT $1 + 1 -- usersX, my_users";
  parts.functions["lower"].is_builtin = true;
  topology::RelationInfo view;
  view.schema = "public";
  view.name = "adults";
  view.kind = topology::RelationKind::kView;
  view.view_definition = " SELECT users.n FROM users WHERE users.age > 17;";
  parts.relations.push_back(view);
  topology::Snapshot snapshot;
  snapshot.shards.resize(2);
  snapshot.tables.push_back({.schema = "public", .name = "users"});
  snapshot.schema = std::make_shared<const topology::Schema>(std::move(parts));
  return snapshot;
}

bool reaches(std::string_view text) {
  const HiddenTables hidden(snapshot_with_functions());
  const auto analysis = sql::analyze(text, {});
  EXPECT_TRUE(analysis) << text;
  return hidden.reached_by(*analysis->statements.front(), text);
}

TEST(HiddenTables, AreReachedThroughFunctionsViewsAndCode) {
  for (const char* text :
       {"SELECT direct()", "SELECT INDIRECT()", "SELECT 1 FROM through_view()",
        "INSERT INTO t VALUES (direct())", "UPDATE t SET a = indirect()",
        "SELECT * FROM t JOIN u ON t.a = direct()", "CALL direct()",
        "DO $$ BEGIN DELETE FROM users; END $$"}) {
    EXPECT_TRUE(reaches(text)) << text;
  }
}

TEST(HiddenTables, AreNotReachedByOtherFunctions) {
  for (const char* text :
       {"SELECT harmless(1)", "SELECT lower('users')", "SELECT direct FROM t",
        "DO $$ BEGIN DELETE FROM user_settings; END $$"}) {
    EXPECT_FALSE(reaches(text)) << text;
  }
}

}  // namespace
}  // namespace sherd::engine
