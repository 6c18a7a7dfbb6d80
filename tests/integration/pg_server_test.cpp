// The server fixture that other tests stand on.

#include "pg_server.hpp"

#include <csignal>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace sherd::testing {
namespace {

std::string one(PgSession& session, const std::string& sql) {
  const auto rows = session.query(sql);
  EXPECT_TRUE(rows.has_value()) << to_string(rows.error());
  return rows && !rows->empty() ? rows->at(0).at(0).value_or("NULL") : "";
}

TEST(PgServer, ConfigurationLinesAreInForce) {
  auto server =
      PgServer::start({.config = {"wal_level = logical", "max_prepared_transactions = 3"}});
  ASSERT_TRUE(server.has_value()) << to_string(server.error());
  auto session = PgSession::open((*server)->connection_string());
  ASSERT_TRUE(session.has_value());
  EXPECT_EQ(one(*session, "SHOW wal_level"), "logical");
  EXPECT_EQ(one(*session, "SHOW max_prepared_transactions"), "3");
}

TEST(PgServer, NothingIsLeftWhenItIsGone) {
  std::filesystem::path folder;
  pid_t pid = 0;
  {
    auto server = PgServer::start();
    ASSERT_TRUE(server.has_value()) << to_string(server.error());
    folder = (*server)->socket_folder();
    pid = (*server)->pid();
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_NE(kill(pid, 0), 0);
}

TEST(PgServer, BadConfigurationIsAnErrorWithTheLog) {
  const auto server = PgServer::start({.config = {"no_such_setting = 1"}});
  ASSERT_FALSE(server.has_value());
  EXPECT_NE(server.error().message.find("no_such_setting"), std::string::npos);
}

TEST(PgServer, CommittedRowsSurviveACrash) {
  auto server = PgServer::start({.config = {"fsync = on"}});
  ASSERT_TRUE(server.has_value()) << to_string(server.error());
  {
    auto session = PgSession::open((*server)->connection_string());
    ASSERT_TRUE(session.has_value());
    (void)one(*session, "CREATE TABLE t AS SELECT 42 AS x");
  }
  (*server)->crash();
  EXPECT_FALSE((*server)->is_running());
  const auto restarted = (*server)->restart();
  ASSERT_TRUE(restarted.has_value()) << to_string(restarted.error());
  auto session = PgSession::open((*server)->connection_string());
  ASSERT_TRUE(session.has_value());
  EXPECT_EQ(one(*session, "SELECT x FROM t"), "42");
}

TEST(PgServer, ReplicaFollowsItsPrimary) {
  auto primary =
      PgServer::start({.config = {"synchronous_standby_names = '*'", "synchronous_commit = local"}}
      );
  ASSERT_TRUE(primary.has_value()) << to_string(primary.error());
  auto replica = PgServer::start_replica(**primary, {.tcp = true});
  ASSERT_TRUE(replica.has_value()) << to_string(replica.error());
  auto writer = PgSession::open((*primary)->connection_string());
  ASSERT_TRUE(writer.has_value());
  (void)one(*writer, "SET synchronous_commit = remote_apply");  // returns when the replica has it
  (void)one(*writer, "CREATE TABLE t AS SELECT 7 AS x");
  auto reader = PgSession::open(
      "host=127.0.0.1 port=" + std::to_string((*replica)->port()) + " user=postgres dbname=postgres"
  );
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(one(*reader, "SELECT pg_is_in_recovery()"), "t");
  EXPECT_EQ(one(*reader, "SELECT x FROM t"), "7");
}

}  // namespace
}  // namespace sherd::testing
