#include "validate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include <sherd/base/text.hpp>

namespace sherd::config {
namespace {

constexpr std::size_t kMaxNameBytes = 63;  // PostgreSQL's own limit of a name

bool is_loopback(std::string_view host) {
  return host.empty() || host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'
           || c == '-' || c == '.' || c == ':';
  });
}

std::string mend_for_name(std::string_view word, const std::vector<std::string>& known) {
  if (const auto near = nearest(word, known)) {
    return fmt::format("did you mean \"{}\"?", *near);
  }
  return known.empty() ? "declare it first" : fmt::format("known: {}", fmt::join(known, ", "));
}

std::vector<std::string> shard_names(const Config& config) {
  std::vector<std::string> names;
  std::ranges::transform(config.shards, std::back_inserter(names), &Shard::id);
  return names;
}

/// Reports `name` at `path` unless it is a shard's.
void require_shard(
    const Config& config, std::string_view name, const std::string& path, Diagnostics& out
) {
  if (std::ranges::find(config.shards, name, &Shard::id) == config.shards.end()) {
    out.add_at(
        path, fmt::format("there is no shard \"{}\"", name),
        mend_for_name(name, shard_names(config))
    );
  }
}

template <class S>
void check_names_differ(
    const std::vector<S>& entries, std::string S::* name, std::string_view section,
    std::string_view option, Diagnostics& out
) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string& text = entries[i].*name;
    if (!text.empty() && !seen.insert(text).second) {
      out.add_at(
          fmt::format("{}[{}].{}", section, i, option),
          fmt::format("\"{}\" stands twice in [[{}]]", text, section),
          "give each entry its own name"
      );
    }
  }
}

void check_listen(const Config& config, Diagnostics& out) {
  const Listen& listen = config.listen;
  if (listen.host.empty() && listen.socket_dir.empty()) {
    out.add_at("listen.host", "nothing to listen on", "set host or socket_dir in [listen]");
  }
  if (!listen.socket_dir.empty() && listen.socket_dir.front() != '/') {
    out.add_at("listen.socket_dir", "socket_dir is not an absolute path", "begin it with /");
  }
  if (listen.auth == AuthMethod::kTrust && !is_loopback(listen.host)) {
    out.add_at(
        "listen.auth", "auth = \"trust\" would let anyone on the network in",
        "use auth = \"scram\", or listen on 127.0.0.1"
    );
  }
  if (config.cluster.database.empty() || config.cluster.database == "sherd") {
    out.add_at(
        "cluster.database", "this database name cannot be used",
        "choose another one; \"sherd\" is the console"
    );
  }
  if (config.state.path.empty()) {
    out.add_at("state.path", "no state file", "name one, such as \"sherd.db\"");
  }
}

void check_users(const Config& config, Diagnostics& out) {
  check_names_differ(config.users, &User::name, "users", "name", out);
  const bool trust = config.listen.auth == AuthMethod::kTrust;
  if (config.users.empty() && !trust) {
    out.add_at("users", "nobody can log in: there is no [[users]]", "add a user with a password");
  }
  for (std::size_t i = 0; i < config.users.size(); ++i) {
    const User& user = config.users[i];
    const std::string path = fmt::format("users[{}]", i);
    if (user.name.size() > kMaxNameBytes || user.name.find('\0') != std::string::npos) {
      out.add_at(path + ".name", "no PostgreSQL role can have this name", "use at most 63 bytes");
    }
    if (user.password.value.empty() && !trust) {
      out.add_at(
          path + ".password", fmt::format("user \"{}\" has no password", user.name),
          "set password, for example \"env:SHERD_PASSWORD\""
      );
    }
    if (user.shard_user.empty() && !user.shard_password.value.empty()) {
      out.add_at(
          path + ".shard_password", "shard_password without shard_user", "set shard_user too"
      );
    }
  }
}

void check_shard(const Shard& shard, const std::string& path, Diagnostics& out) {
  if (!shard.id.empty() && !is_plain_name(shard.id)) {
    out.add_at(
        path + ".id", fmt::format("\"{}\" cannot name a shard", shard.id),
        "use letters, digits and _ - . : only, at most 63"
    );
  }
  std::set<std::pair<std::string, std::uint16_t>> seen{{shard.host, shard.port}};
  for (std::size_t i = 0; i < shard.replicas.size(); ++i) {
    const Replica& replica = shard.replicas[i];
    if (!replica.host.empty() && !seen.emplace(replica.host, replica.port).second) {
      out.add_at(
          fmt::format("{}.replicas[{}].host", path, i),
          fmt::format("{}:{} is the primary or another replica", replica.host, replica.port),
          "give each server once"
      );
    }
  }
}

void check_shards(const Config& config, Diagnostics& out) {
  check_names_differ(config.shards, &Shard::id, "shards", "id", out);
  if (config.shards.empty()) {
    out.add_at("shards", "there is no shard", "add a [[shards]] with id, host and user");
  }
  std::set<std::tuple<std::string_view, std::uint16_t, std::string_view>> servers;
  for (std::size_t i = 0; i < config.shards.size(); ++i) {
    const Shard& shard = config.shards[i];
    const std::string path = fmt::format("shards[{}]", i);
    check_shard(shard, path, out);
    const std::string& database = shard.database.empty() ? config.cluster.database : shard.database;
    if (!shard.host.empty() && !servers.emplace(shard.host, shard.port, database).second) {
      // Every row of a distributed table would be there twice.
      out.add_at(
          path + ".host",
          fmt::format("shard \"{}\" is the same database as another shard", shard.id),
          "each shard needs a server or a database of its own"
      );
    }
  }
  if (!config.cluster.home_shard.empty()) {
    require_shard(config, config.cluster.home_shard, "cluster.home_shard", out);
  }
}

struct StrategyOption {
  std::string_view option;
  std::array<std::string_view, 2> strategies;  // that know it
};
constexpr std::array kStrategyOptions = {
    StrategyOption{"hash_function", {"hash", "consistent_hash"}},
    StrategyOption{"virtual_nodes_per_shard", {"consistent_hash", ""}},
    StrategyOption{"slots", {"slot", ""}},
    StrategyOption{"ranges", {"range", ""}},
    StrategyOption{"allow_gaps", {"range", ""}},
    StrategyOption{"region_mapping", {"geographic", ""}},
    StrategyOption{"default_region", {"geographic", ""}},
    StrategyOption{"pins", {"directory", ""}},
    StrategyOption{"fallback", {"directory", ""}},
};

/// An option that has no effect is a mistake of the operator's, and silence would hide it.
void check_options_fit(const Table& table, const std::string& path, Diagnostics& out) {
  const bool own = table.kind == TableKind::kDistributed && table.colocate_with.empty();
  const auto fits = [&](const StrategyOption& row, std::string_view strategy) {
    return std::ranges::find(row.strategies, strategy) != row.strategies.end();
  };
  for (const StrategyOption& row : kStrategyOptions) {
    const std::string option = fmt::format("{}.{}", path, row.option);
    const bool used = own
                      && (fits(row, table.strategy)
                          || (table.strategy == "directory" && fits(row, table.fallback)));
    if (out.was_given(option) && !used) {
      out.add_at(
          option, fmt::format("{} has no effect on table \"{}\"", row.option, table.name),
          own ? fmt::format("leave it out, or choose strategy = \"{}\"", row.strategies.front())
              : "leave it out: the placement is not this table's own"
      );
    }
  }
  if (!own && out.was_given(path + ".strategy")) {
    out.add_at(
        path + ".strategy", fmt::format("table \"{}\" has no strategy of its own", table.name),
        "leave strategy out for reference tables and with colocate_with"
    );
  }
}

void check_strategy(const Config& config, std::size_t index, Diagnostics& out) {
  const Table& table = config.tables[index];
  const std::string path = fmt::format("tables[{}]", index);
  if (!std::has_single_bit(table.slots)) {
    out.add_at(path + ".slots", "slots is not a power of two", "take 4096, or 1024 for few shards");
  }
  const bool by_range =
      table.strategy == "range" || (table.strategy == "directory" && table.fallback == "range");
  if (by_range && table.ranges.empty()) {
    out.add_at(path + ".strategy", "strategy range needs ranges", "add [[tables.ranges]] entries");
  }
  for (std::size_t i = 0; i < table.ranges.size(); ++i) {
    if (!table.ranges[i].shard.empty()) {
      require_shard(
          config, table.ranges[i].shard, fmt::format("{}.ranges[{}].shard", path, i), out
      );
    }
  }
  for (const auto& [key, shard] : table.pins) {
    require_shard(config, shard, path + ".pins", out);
  }
  std::set<std::string> regions;
  for (const auto& [value, region] : table.region_mapping) {
    regions.insert(region);
  }
  if (!table.default_region.empty()) {
    regions.insert(table.default_region);
  }
  for (const std::string& region : regions) {
    if (std::ranges::find(config.shards, region, &Shard::region) == config.shards.end()) {
      out.add_at(
          path + ".region_mapping", fmt::format("no shard is in region \"{}\"", region),
          "set region on a shard, or mend the name"
      );
    }
  }
}

void check_colocation(const Config& config, std::size_t index, Diagnostics& out) {
  const Table& table = config.tables[index];
  if (table.colocate_with.empty()) {
    return;
  }
  const auto above = config.tables.begin() + static_cast<std::ptrdiff_t>(index);
  const auto found = std::find_if(config.tables.begin(), above, [&](const Table& other) {
    return other.name == table.colocate_with && other.kind == TableKind::kDistributed;
  });
  if (found == above) {
    out.add_at(
        fmt::format("tables[{}].colocate_with", index),
        fmt::format(
            "no distributed table \"{}\" stands above \"{}\"", table.colocate_with, table.name
        ),
        "declare that table first"
    );
  }
}

void check_tables(const Config& config, Diagnostics& out) {
  check_names_differ(config.tables, &Table::name, "tables", "name", out);
  for (std::size_t i = 0; i < config.tables.size(); ++i) {
    const Table& table = config.tables[i];
    const std::string path = fmt::format("tables[{}]", i);
    const bool reference = table.kind == TableKind::kReference;
    if (!reference && table.key.empty()) {
      out.add_at(
          path, fmt::format("table \"{}\" has no key", table.name),
          "set key to the shard key's column"
      );
    }
    if (reference && (!table.key.empty() || !table.colocate_with.empty())) {
      out.add_at(
          path, fmt::format("reference table \"{}\" has key or colocate_with", table.name),
          "leave them out: its rows are on every shard"
      );
    }
    check_options_fit(table, path, out);
    check_strategy(config, i, out);
    check_colocation(config, i, out);
  }
}

}  // namespace

void validate(const Config& config, Diagnostics& diagnostics) {
  check_listen(config, diagnostics);
  check_users(config, diagnostics);
  check_shards(config, diagnostics);
  check_tables(config, diagnostics);
}

}  // namespace sherd::config
