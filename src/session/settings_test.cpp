#include <random>

#include <gtest/gtest.h>

#include <sherd/session/settings.hpp>

namespace sherd::session {
namespace {

TEST(Settings, RolledBackSetIsUndone) {
  Settings settings;
  settings.set("timezone", "'UTC'");
  const auto before = settings.session_fingerprint();
  settings.begin();
  settings.set("timezone", "'Asia/Tokyo'");
  settings.rollback();
  EXPECT_EQ(settings.effective("timezone"), "'UTC'");
  EXPECT_EQ(settings.session_fingerprint(), before);
}

TEST(Settings, SetLocalToDefaultHidesTheSessionsValueForTheTransaction) {
  Settings settings;
  settings.set("work_mem", "'5MB'");
  settings.begin();
  settings.set_local("work_mem", std::string(Settings::kDefault));
  EXPECT_EQ(settings.effective("work_mem"), std::nullopt);
  EXPECT_EQ(settings.replay(), "SET LOCAL \"work_mem\" TO DEFAULT;");
  settings.commit();
  EXPECT_EQ(settings.effective("work_mem"), "'5MB'");
}

TEST(Settings, SetAfterASavepointIsNoticed) {
  Settings settings;
  settings.begin();
  settings.set("a", "1");
  settings.savepoint("s");
  settings.set_local("b", "2");
  EXPECT_TRUE(settings.session_is_same_at_savepoints());
  settings.set("a", "2");
  EXPECT_FALSE(settings.session_is_same_at_savepoints());
}

TEST(Settings, SetLocalEndsWithItsTransaction) {
  Settings settings;
  settings.begin();
  settings.set_local("work_mem", "'1MB'");
  EXPECT_EQ(settings.effective("work_mem"), "'1MB'");
  EXPECT_FALSE(settings.session_values().contains("work_mem"));
  settings.commit();
  EXPECT_EQ(settings.effective("work_mem"), std::nullopt);
}

TEST(Settings, RollbackToRestoresTheInnermostSavepointOfThatName) {
  Settings settings;
  settings.begin();
  settings.set("a", "1");
  settings.savepoint("s");
  settings.set("a", "2");
  settings.savepoint("s");
  settings.set("a", "3");
  ASSERT_TRUE(settings.rollback_to("s"));
  EXPECT_EQ(settings.effective("a"), "2");
  ASSERT_TRUE(settings.release("s"));
  ASSERT_TRUE(settings.rollback_to("s"));
  EXPECT_EQ(settings.effective("a"), "1");
  EXPECT_EQ(settings.rollback_to("t").error().code, ErrorCode::kInvalidSavepoint);
}

TEST(Settings, ResetGoesBackToWhatTheClientConnectedWith) {
  Settings settings({{"datestyle", "'ISO, DMY'"}});
  settings.set("datestyle", "'German'");
  settings.set("work_mem", "'1MB'");
  settings.reset("datestyle");
  EXPECT_EQ(settings.effective("datestyle"), "'ISO, DMY'");
  settings.reset_all();
  EXPECT_EQ(settings.session_values(), (SettingMap{{"datestyle", "'ISO, DMY'"}}));
}

TEST(Settings, ReplayPutsEachSetLocalAtItsLevel) {
  Settings settings;
  settings.begin();
  settings.set_local("a", "1");
  settings.savepoint("s");
  settings.set_local("a", "2");
  settings.set_local("b", "3");
  EXPECT_EQ(
      settings.replay(),
      "SET LOCAL \"a\" TO 1;SAVEPOINT \"s\";SET LOCAL \"a\" TO 2;SET LOCAL \"b\" TO 3;"
  );
}

// Whatever a connection had, after the transition it has what is wanted, and nothing else.
TEST(Transition, LeadsFromAnyMapToAnyOther) {
  std::mt19937 random(7);
  const auto generated = [&] {
    SettingMap map;
    for (const char* name : {"a", "b", "c", "d"}) {
      if (random() % 2 == 0) {
        map[name] = std::to_string(random() % 3);
      }
    }
    return map;
  };
  for (int i = 0; i < 2000; ++i) {
    const SettingMap from = generated();
    const SettingMap to = generated();
    SettingMap state = from;
    std::string_view sql;
    const std::string text = transition(from, to);
    sql = text;
    while (!sql.empty()) {
      const std::string_view statement = sql.substr(0, sql.find(';'));
      sql.remove_prefix(statement.size() + 1);
      if (statement.starts_with("RESET")) {
        state.erase(std::string(statement.substr(7, 1)));
      } else {
        state[std::string(statement.substr(5, 1))] = statement.substr(statement.rfind(' ') + 1);
      }
    }
    ASSERT_EQ(state, to) << text;
    ASSERT_EQ(text.empty(), from == to);
    ASSERT_EQ(fingerprint(from) == fingerprint(to), from == to);
  }
}

}  // namespace
}  // namespace sherd::session
