#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What sherd.toml says, as plain values. The defaults stand here and nowhere else: the option table
// (options.hpp) reads them from a default-constructed value.

namespace sherd::config {

using Milliseconds = std::chrono::milliseconds;  // 0 means "no limit" where an option allows it

/// Text that is never printed: not by describe, not by diff, not in an error.
struct Secret {
  std::string value{};
  friend bool operator==(const Secret&, const Secret&) = default;
};

/// A number of bytes, written "64MiB".
struct Size {
  std::uint64_t bytes = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

enum class AuthMethod : std::uint8_t { kScram, kTrust };
enum class PoolMode : std::uint8_t { kTransaction, kSession };
enum class TlsMode : std::uint8_t {
  kDisable
};  // others are named in the file format, not built yet

struct Listen {
  std::string host{"127.0.0.1"};  // "" listens on no TCP address
  std::uint16_t port = 6432;
  std::string socket_dir{};   // "" listens on no unix socket
  std::uint32_t workers = 0;  // threads; 0: one per processor
  AuthMethod auth = AuthMethod::kScram;
};

struct Admin {
  std::string host{"127.0.0.1"};
  std::uint16_t port = 0;  // 0: no HTTP endpoint
};

struct Tls {
  TlsMode mode = TlsMode::kDisable;
};

struct Pool {
  PoolMode mode = PoolMode::kTransaction;
  std::uint32_t size = 20;  // server connections per shard and user, over all workers
  Milliseconds connect_timeout{5'000};
  Milliseconds query_wait_timeout{30'000};
  Milliseconds idle_timeout{600'000};
  Milliseconds max_lifetime{3'600'000};
};

struct Health {
  Milliseconds probe_interval{1'000};
  Milliseconds probe_timeout{2'000};
  std::uint32_t max_consecutive_failures = 3;
  Size max_replica_lag{16U << 20};
};

struct Limits {
  std::uint32_t max_clients = 1'000;
  std::uint32_t max_unauthenticated = 200;
  std::uint32_t login_rate = 0;  // logins per second; 0: no limit
  Milliseconds startup_timeout{15'000};
  Milliseconds statement_timeout{0};
  Milliseconds drain_timeout{30'000};  // how long SIGTERM waits for open transactions
  Size message_bytes{256U << 20};
  Size client_backlog_bytes{256U << 10};
  Size plan_cache_bytes{32U << 20};    // per worker
  Size prepared_bytes{4U << 20};       // per client
  Size merge_memory_bytes{64U << 20};  // per statement
  Size gather_bytes{256U << 20};       // per statement
  std::uint64_t gather_rows = 1'000'000;
};

struct State {
  std::string path{"sherd.db"};  // relative to the folder of the configuration file
};

struct Cluster {
  std::string database{"app"};  // the name that clients connect to
  std::string home_shard{};     // where local tables live; "" : the first shard
  Milliseconds recovery_interval{5'000};
};

struct User {
  std::string name{};
  Secret password{};         // or a verifier "SCRAM-SHA-256$…"; "" only with auth = "trust"
  std::string shard_user{};  // "": the shard's own user
  Secret shard_password{};
  bool admin = false;  // may use the console
};

struct Replica {
  std::string host{};
  std::uint16_t port = 5432;
};

struct Shard {
  std::string id{};    // its name everywhere
  std::string host{};  // a folder (starting with '/') for a unix socket
  std::uint16_t port = 5432;
  std::string database{};  // "": cluster.database
  std::string user{};
  Secret password{};
  double weight = 1.0;
  std::string region{};
  bool read_only = false;
  std::int32_t priority = 0;
  std::vector<std::string> tags{};
  std::vector<Replica> replicas{};
};

/// One inclusive range; a bound left out is open.
struct Range {
  std::string shard{};
  std::optional<std::string> low{};
  std::optional<std::string> high{};
};

enum class TableKind : std::uint8_t { kDistributed, kReference };

/// A table that the router distributes when it starts, if the durable state does not know it yet.
struct Table {
  std::string name{};  // "users" or "schema.users"
  TableKind kind = TableKind::kDistributed;
  std::string key{};
  std::string colocate_with{};
  std::string strategy{"slot"};  // hash, consistent_hash, range, geographic, slot, directory
  std::string hash_function{"md5"};
  std::uint32_t virtual_nodes_per_shard = 150;
  std::uint32_t slots = 4096;
  std::vector<Range> ranges{};
  bool allow_gaps = false;
  std::map<std::string, std::string> region_mapping{};
  std::string default_region{};  // "": an unknown region is an error
  std::map<std::string, std::string> pins{};
  std::string fallback{"slot"};  // of directory
};

struct Config {
  Listen listen{};
  Admin admin{};
  Tls tls{};
  Pool pool{};
  Health health{};
  Limits limits{};
  State state{};
  Cluster cluster{};
  std::vector<User> users{};
  std::vector<Shard> shards{};
  std::vector<Table> tables{};
};

}  // namespace sherd::config
