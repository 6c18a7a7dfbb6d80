#include "configuration.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>

#include <fmt/format.h>

#include <sherd/config/options.hpp>
#include <sherd/config/parse.hpp>
#include <sherd/wire/scram.hpp>

namespace sherd::program {
namespace {

namespace fs = std::filesystem;

Result<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(
        ErrorCode::kIo, fmt::format("cannot read {}", path.string()),
        "name the configuration with --config FILE; `sherd dev` writes one"
    );
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class MachineSecrets final : public config::SecretSource {
 public:
  explicit MachineSecrets(fs::path folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Result<std::string> environment(std::string_view name) const override {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) {
      return fail(
          ErrorCode::kUndefinedObject, fmt::format("environment variable {} is not set", name)
      );
    }
    return std::string(value);
  }
  [[nodiscard]] Result<std::string> file(std::string_view path) const override {
    SHERD_TRY(std::string text, read_file(folder_ / path));
    if (text.ends_with('\n')) {
      text.pop_back();
    }
    return text;
  }

 private:
  fs::path folder_;
};

Result<strategy::StrategySpec> spec_of(const config::Table& table) {
  const auto kind = strategy::kind_named(table.strategy);
  const auto fallback = strategy::kind_named(table.fallback);
  if (!kind || !fallback) {
    return fail(
        ErrorCode::kInvalidConfig, fmt::format("table \"{}\": strategy is not known", table.name)
    );
  }
  strategy::StrategySpec spec;
  spec.kind = *kind;
  spec.hash = table.hash_function == "sha256" ? strategy::HashFunction::kSha256
                                              : strategy::HashFunction::kMd5;
  spec.virtual_nodes_per_shard = table.virtual_nodes_per_shard;
  spec.slots = table.slots;
  for (const config::Range& range : table.ranges) {
    spec.ranges.push_back({.shard = range.shard, .low = range.low, .high = range.high});
  }
  spec.allow_gaps = table.allow_gaps;
  spec.region_mapping = table.region_mapping;
  if (!table.default_region.empty()) {
    spec.default_region = table.default_region;
  }
  if (spec.kind == strategy::StrategyKind::kDirectory) {
    strategy::StrategySpec below = spec;
    below.kind = *fallback;
    spec.fallback = std::make_shared<const strategy::StrategySpec>(std::move(below));
    spec.pins = table.pins;
  }
  return spec;
}

engine::ShardConfig shard_of(const config::Shard& shard, const config::Config& config) {
  engine::ShardConfig result;
  result.name = shard.id;
  result.primary = {
      .host = shard.host,
      .port = shard.port,
      .database = shard.database.empty() ? config.cluster.database : shard.database,
      .user = shard.user,
      .password = shard.password.value
  };
  for (const config::Replica& replica : shard.replicas) {
    topology::Endpoint endpoint = result.primary;
    endpoint.host = replica.host;
    endpoint.port = replica.port;
    result.replicas.push_back(std::move(endpoint));
  }
  result.weight = shard.weight;
  result.region = shard.region;
  result.read_only = shard.read_only;
  result.priority = shard.priority;
  result.tags = shard.tags;
  return result;
}

// Plain passwords become verifiers once, not at each login.
wire::StoredSecret secret_of(const std::string& password) {
  wire::StoredSecret secret = wire::StoredSecret::from_text(password);
  if (secret.kind() != wire::StoredSecret::Kind::kPlain) {
    return secret;
  }
  std::string salt;
  append_be(salt, system_random().next());
  append_be(salt, system_random().next());
  return wire::StoredSecret::from_text(
      wire::to_text(wire::make_scram_verifier(password, as_bytes(salt)))
  );
}

}  // namespace

Result<Loaded> load_configuration(const fs::path& path) {
  SHERD_TRY(const std::string text, read_file(path));
  const fs::path folder = fs::absolute(path).parent_path();
  auto parsed = config::parse(text, path.string(), MachineSecrets(folder));
  if (!parsed) {
    for (const Error& error : parsed.error()) {
      std::fprintf(stderr, "sherd: %s\n", to_string(error).c_str());
    }
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("{} has {} problem(s)", path.string(), parsed.error().size())
    );
  }
  Loaded loaded{.config = *std::move(parsed), .path = path, .state_path = {}};
  loaded.state_path = folder / loaded.config.state.path;
  return loaded;
}

std::size_t worker_count(const config::Config& config) {
  const std::size_t wanted =
      config.listen.workers != 0 ? config.listen.workers : std::thread::hardware_concurrency();
  return std::clamp<std::size_t>(wanted, 1, 255);  // a worker's number is 8 bits of a process id
}

Result<engine::Options> engine_options(const config::Config& config) {
  engine::Options options;
  options.database = config.cluster.database;
  options.home_shard = config.cluster.home_shard;
  options.workers = worker_count(config);
  options.pool_size = config.pool.size;
  options.connect_timeout = config.pool.connect_timeout;
  options.query_wait_timeout = config.pool.query_wait_timeout;
  options.idle_timeout = config.pool.idle_timeout;
  options.max_lifetime = config.pool.max_lifetime;
  options.recovery_interval = config.cluster.recovery_interval;
  options.plan_cache_bytes = config.limits.plan_cache_bytes.bytes;
  options.prepared_bytes = config.limits.prepared_bytes.bytes;
  options.merge_memory_bytes = config.limits.merge_memory_bytes.bytes;
  options.client_backlog_bytes = config.limits.client_backlog_bytes.bytes;
  options.message_bytes = static_cast<std::uint32_t>(config.limits.message_bytes.bytes);
  for (const config::Shard& shard : config.shards) {
    options.shards.push_back(shard_of(shard, config));
  }
  for (const config::Table& table : config.tables) {
    SHERD_TRY(strategy::StrategySpec spec, spec_of(table));
    options.tables.push_back(
        {.name = table.name,
         .is_reference = table.kind == config::TableKind::kReference,
         .key = table.key,
         .colocate_with = table.colocate_with,
         .spec = std::move(spec)}
    );
  }
  return options;
}

proxy::ServerOptions server_options(const config::Config& config) {
  proxy::ServerOptions options;
  options.host = config.listen.host;
  options.port = config.listen.port;
  options.socket_dir = config.listen.socket_dir;
  options.workers = worker_count(config);
  options.max_clients = config.limits.max_clients;
  options.startup_timeout = config.limits.startup_timeout;
  options.drain_timeout = config.limits.drain_timeout;
  options.version = std::string("sherd ") + SHERD_VERSION;
  for (const config::OptionValue& value : config::describe(config)) {
    options.config_text += value.option + " = " + value.value + "\n";
  }
  return options;
}

proxy::AccountsPtr accounts_of(const config::Config& config, std::string mock_key) {
  auto accounts = std::make_shared<proxy::Accounts>();
  accounts->method = config.listen.auth == config::AuthMethod::kTrust
                         ? wire::AuthMethod::kTrust
                         : wire::AuthMethod::kScramSha256;
  accounts->mock_key = std::move(mock_key);
  for (const config::User& user : config.users) {
    proxy::Accounts::Entry entry;
    entry.account = {
        .name = user.name,
        .shard_user = user.shard_user,
        .shard_password = user.shard_password.value
    };
    if (!user.password.value.empty()) {
      entry.secret = secret_of(user.password.value);
    }
    entry.is_admin = user.admin;
    accounts->by_name.emplace(user.name, std::move(entry));
  }
  return accounts;
}

}  // namespace sherd::program
