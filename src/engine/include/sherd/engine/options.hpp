#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sherd/base/clock.hpp>
#include <sherd/strategy/placement.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::engine {

/// What an operator says about one shard.
struct ShardConfig {
  std::string name{};
  topology::Endpoint primary{};
  std::vector<topology::Endpoint> replicas{};
  double weight = 1.0;
  std::string region{};
  bool read_only = false;
  std::int32_t priority = 0;
  std::vector<std::string> tags{};
};

/// A table that is to be distributed when the router starts, unless it is already.
struct TableConfig {
  std::string name{};  // "users" or "schema.users"
  bool is_reference = false;
  std::string key{};
  std::string colocate_with{};
  strategy::StrategySpec spec{};
};

struct Options {
  std::string database{"app"};  // what clients connect to
  std::string home_shard{};     // "": the first
  std::size_t workers = 1;
  std::size_t pool_size = 20;  // per shard and user, over all workers
  Duration connect_timeout = std::chrono::seconds(5);
  Duration query_wait_timeout = std::chrono::seconds(30);
  Duration idle_timeout = std::chrono::minutes(10);
  Duration max_lifetime = std::chrono::hours(1);
  Duration recovery_interval = std::chrono::seconds(5);
  std::size_t plan_cache_bytes = std::size_t{32} << 20;    // per worker
  std::size_t prepared_bytes = std::size_t{4} << 20;       // per client
  std::size_t merge_memory_bytes = std::size_t{64} << 20;  // per statement
  std::size_t client_backlog_bytes = std::size_t{256} << 10;
  std::uint32_t message_bytes = 256U << 20;
  std::vector<ShardConfig> shards{};
  std::vector<TableConfig> tables{};
};

/// As whom a session reaches the shards. Empty: as the shard's own user.
struct Account {
  std::string name{};  // what the client said
  std::string shard_user{};
  std::string shard_password{};
};

}  // namespace sherd::engine
