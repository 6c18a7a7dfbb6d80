#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <sherd/localcluster/postgres.hpp>

namespace sherd::localcluster {
namespace {

namespace fs = std::filesystem;

class LocalServerTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sherd-lc-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    fs::permissions(root_, fs::perms::all);
    server_ = {.name = "shard1", .data = root_ / "data", .socket_dir = root_ / "s"};
  }
  void TearDown() override {
    const auto as = server_user();
    if (as) {
      EXPECT_TRUE(stop(server_, *as));
    }
    fs::remove_all(root_);
  }

  fs::path root_;
  LocalServer server_;
};

TEST_F(LocalServerTest, IsCreatedOnceStartedTwiceAndStopped) {
  const auto as = server_user();
  ASSERT_TRUE(as) << to_string(as.error());
  CreateOptions options;
  options.extra_config = {"fsync = off"};
  for (int i = 0; i < 2; ++i) {
    auto created = create_if_missing(server_, options, *as);
    ASSERT_TRUE(created) << to_string(created.error());
    auto started = start(server_, *as);
    ASSERT_TRUE(started) << to_string(started.error());
    auto prepared = prepare_database(server_, options, *as);
    ASSERT_TRUE(prepared) << to_string(prepared.error());
  }
  EXPECT_TRUE(fs::exists(server_.socket_dir / ".s.PGSQL.5432"));
  ASSERT_TRUE(stop(server_, *as));
  EXPECT_FALSE(fs::exists(server_.socket_dir / ".s.PGSQL.5432"));
}

TEST(Run, ProgramThatDoesNotEndIsEnded) {
  const auto output = run({"/bin/sleep", "30"}, RunAs{}, std::chrono::milliseconds(100));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::kTimeout);
}

TEST(Run, ReportsStatusAndOutput) {
  const auto output =
      run({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, RunAs{}, std::chrono::seconds(5));
  ASSERT_TRUE(output);
  EXPECT_EQ(output->exit_status, 3);
  EXPECT_EQ(output->text, "out\nerr\n");
}

}  // namespace
}  // namespace sherd::localcluster
