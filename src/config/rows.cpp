#include "rows.hpp"

#include <array>

namespace sherd::config {
namespace {

template <class M>
struct MemberOf;
template <class S, class T>
struct MemberOf<T S::*> {
  using Class = S;
  using Type = T;
};

/// The field for an enumeration whose enumerators are numbered as its choices are.
template <auto Member>
constexpr auto choice() {
  using S = MemberOf<decltype(Member)>::Class;
  using E = MemberOf<decltype(Member)>::Type;
  return ChoiceField<S>{
      [](const S& s) { return static_cast<std::size_t>(s.*Member); },
      [](S& s, std::size_t i) { s.*Member = static_cast<E>(i); }
  };
}

using std::string_view;
constexpr std::array<string_view, 2> kAuthMethods = {"scram", "trust"};
constexpr std::array<string_view, 2> kPoolModes = {"transaction", "session"};
constexpr std::array<string_view, 1> kTlsModes = {"disable"};
constexpr std::array<string_view, 2> kTableKinds = {"distributed", "reference"};
constexpr std::array<string_view, 2> kHashFunctions = {"md5", "sha256"};
constexpr std::array<string_view, 6> kStrategies = {"slot",  "hash",       "consistent_hash",
                                                    "range", "geographic", "directory"};
constexpr std::array<string_view, 4> kFallbacks = {"slot", "hash", "consistent_hash", "range"};

constexpr auto kLive = Reload::kLive;
constexpr auto kRestart = Reload::kRestart;
constexpr auto kRequired = Presence::kRequired;
constexpr Bounds kAny{};
constexpr Bounds kAnyPort{0, 65'535};
constexpr Bounds kPort{1, 65'535};
constexpr Bounds kOneOrMore{1, 1'000'000};
constexpr Bounds kCount{0, 1'000'000'000};
constexpr Bounds kAtLeastOneMs{1, std::numeric_limits<std::int64_t>::max()};
constexpr Bounds kMessage{16 << 10, (1LL << 30) - 1};
constexpr Bounds kBuffer{4 << 10, 1LL << 40};
constexpr Bounds kSigned{-1'000'000, 1'000'000};

constexpr std::array kListen = {
    Row<Listen>{"host", &Listen::host, "Address to listen on; empty: none.", kRestart},
    Row<Listen>{"port", &Listen::port, "TCP port; 0 takes a free one.", kRestart, kAnyPort},
    Row<Listen>{
        "socket_dir", &Listen::socket_dir, "Folder of the unix socket; empty: none.", kRestart
    },
    Row<Listen>{
        "workers", &Listen::workers, "Worker threads; 0: one per processor.", kRestart, {0, 1024}
    },
    Row<Listen>{
        "auth", choice<&Listen::auth>(),
        "How clients prove who they are; trust asks for nothing and is allowed on loopback only.",
        kRestart, kAny, kAuthMethods
    },
};
constexpr std::array kAdmin = {
    Row<Admin>{"host", &Admin::host, "Address of the HTTP endpoint.", kRestart},
    Row<Admin>{"port", &Admin::port, "Port of the HTTP endpoint; 0: none.", kRestart, kAnyPort},
};
constexpr std::array kTls = {
    Row<Tls>{
        "mode", choice<&Tls::mode>(), "Encryption of client connections.", kRestart, kAny, kTlsModes
    },
};
constexpr std::array kPool = {
    Row<Pool>{
        "mode", choice<&Pool::mode>(),
        "When a server connection goes back to the pool: after each transaction, or when the "
        "client leaves.",
        kLive, kAny, kPoolModes
    },
    Row<Pool>{"size", &Pool::size, "Server connections per shard and user.", kLive, kOneOrMore},
    Row<Pool>{
        "connect_timeout", &Pool::connect_timeout,
        "How long connecting and logging in to a shard may take.", kLive, kAtLeastOneMs
    },
    Row<Pool>{
        "query_wait_timeout", &Pool::query_wait_timeout,
        "How long a statement waits for a server connection before it fails; 0: for ever."
    },
    Row<Pool>{
        "idle_timeout", &Pool::idle_timeout,
        "An unused server connection is closed after this; 0: never."
    },
    Row<Pool>{
        "max_lifetime", &Pool::max_lifetime,
        "A server connection older than this is closed when it comes back; 0: never."
    },
};
constexpr std::array kHealth = {
    Row<Health>{
        "probe_interval", &Health::probe_interval, "Time between two probes of a server.", kLive,
        kAtLeastOneMs
    },
    Row<Health>{
        "probe_timeout", &Health::probe_timeout, "A probe without an answer by then has failed.",
        kLive, kAtLeastOneMs
    },
    Row<Health>{
        "max_consecutive_failures",
        &Health::max_consecutive_failures,
        "Failed probes in a row until a server counts as down; as many good ones until it is up.",
        kLive,
        {1, 1'000}
    },
    Row<Health>{
        "max_replica_lag", &Health::max_replica_lag,
        "A replica further behind its primary gets no reads; 0: any lag is fine."
    },
};
constexpr std::array kLimits = {
    Row<Limits>{
        "max_clients", &Limits::max_clients, "Client connections at one time.", kLive, kOneOrMore
    },
    Row<Limits>{
        "max_unauthenticated", &Limits::max_unauthenticated,
        "Connections that have not logged in yet.", kLive, kOneOrMore
    },
    Row<Limits>{
        "login_rate", &Limits::login_rate, "Logins per second; 0: no limit.", kLive, kCount
    },
    Row<Limits>{
        "startup_timeout", &Limits::startup_timeout, "How long a client may take to log in.", kLive,
        kAtLeastOneMs
    },
    Row<Limits>{
        "statement_timeout", &Limits::statement_timeout,
        "Longest statement of any client; 0: no limit."
    },
    Row<Limits>{
        "drain_timeout", &Limits::drain_timeout,
        "How long an orderly stop waits for open transactions."
    },
    Row<Limits>{
        "message_bytes", &Limits::message_bytes, "Largest message taken from a client or a shard.",
        kLive, kMessage
    },
    Row<Limits>{
        "client_backlog_bytes", &Limits::client_backlog_bytes,
        "Rows kept for a slow client before the shard is no longer read.", kLive, kBuffer
    },
    Row<Limits>{
        "plan_cache_bytes", &Limits::plan_cache_bytes, "Cached plans of one worker.", kRestart,
        kBuffer
    },
    Row<Limits>{
        "prepared_bytes", &Limits::prepared_bytes, "Prepared statements of one client.", kLive,
        kBuffer
    },
    Row<Limits>{
        "merge_memory_bytes", &Limits::merge_memory_bytes,
        "Memory for merging the rows of one statement; past it the statement fails.", kLive, kBuffer
    },
    Row<Limits>{
        "gather_bytes", &Limits::gather_bytes,
        "Rows that one statement may gather on one shard, in bytes.", kLive, kBuffer
    },
    Row<Limits>{
        "gather_rows",
        &Limits::gather_rows,
        "Rows that one statement may gather on one shard.",
        kLive,
        {1, 1'000'000'000'000}
    },
};
constexpr std::array kState = {
    Row<State>{
        "path", &State::path, "The state file (SQLite), relative to the folder of this file.",
        kRestart
    },
};
constexpr std::array kCluster = {
    Row<Cluster>{
        "database", &Cluster::database, "The database name that clients connect to.", kRestart
    },
    Row<Cluster>{
        "home_shard", &Cluster::home_shard, "The shard of local tables; empty: the first one.",
        kRestart
    },
    Row<Cluster>{
        "recovery_interval", &Cluster::recovery_interval,
        "How often unfinished transactions over several shards are looked for.", kLive,
        kAtLeastOneMs
    },
};
constexpr std::array kUsers = {
    Row<User>{"name", &User::name, "The name that the client gives.", kLive, kAny, {}, kRequired},
    Row<User>{"password", &User::password, "The password, or a SCRAM-SHA-256 verifier of it."},
    Row<User>{"shard_user", &User::shard_user, "Role on the shards; empty: the shard's own user."},
    Row<User>{"shard_password", &User::shard_password, "Password of that role."},
    Row<User>{"admin", &User::admin, "May use the console database and change the cluster."},
};
constexpr std::array kShards = {
    Row<Shard>{
        "id",
        &Shard::id,
        "The shard's name everywhere; never to be changed.",
        kLive,
        kAny,
        {},
        kRequired
    },
    Row<Shard>{
        "host",
        &Shard::host,
        "Host name, address, or the folder of a unix socket.",
        kLive,
        kAny,
        {},
        kRequired
    },
    Row<Shard>{"port", &Shard::port, "Port of the server.", kLive, kPort},
    Row<Shard>{"database", &Shard::database, "Database on the server; empty: as in [cluster]."},
    Row<Shard>{
        "user", &Shard::user, "Role that the router logs in as.", kLive, kAny, {}, kRequired
    },
    Row<Shard>{"password", &Shard::password, "Its password."},
    Row<Shard>{
        "weight",
        &Shard::weight,
        "Share of the data compared with the other shards.",
        kLive,
        {0, 1'000'000}
    },
    Row<Shard>{"region", &Shard::region, "Region, for the geographic strategy."},
    Row<Shard>{"read_only", &Shard::read_only, "Refuse writes to this shard."},
    Row<Shard>{
        "priority", &Shard::priority, "Order among shards that could serve equally; larger first.",
        kLive, kSigned
    },
    Row<Shard>{"tags", &Shard::tags, "Words of your own."},
    Row<Shard>{"replicas", &Shard::replicas, "Streaming replicas of the server."},
};
constexpr std::array kReplicas = {
    Row<Replica>{
        "host",
        &Replica::host,
        "Host name, address, or the folder of a unix socket.",
        kLive,
        kAny,
        {},
        kRequired
    },
    Row<Replica>{"port", &Replica::port, "Port of the replica.", kLive, kPort},
};
constexpr std::array kTables = {
    Row<Table>{
        "name",
        &Table::name,
        "Name of the table, with its schema if that is not public.",
        kRestart,
        kAny,
        {},
        kRequired
    },
    Row<Table>{
        "kind", choice<&Table::kind>(), "Spread by key, or the same on every shard.", kRestart,
        kAny, kTableKinds
    },
    Row<Table>{"key", &Table::key, "The shard key: one column.", kRestart},
    Row<Table>{
        "colocate_with", &Table::colocate_with,
        "A table above whose equal keys shall live on the same shard.", kRestart
    },
    Row<Table>{
        "strategy", &Table::strategy, "How a key finds its shard.", kRestart, kAny, kStrategies
    },
    Row<Table>{
        "hash_function", &Table::hash_function, "Of hash and consistent_hash.", kRestart, kAny,
        kHashFunctions
    },
    Row<Table>{
        "virtual_nodes_per_shard",
        &Table::virtual_nodes_per_shard,
        "Of consistent_hash.",
        kRestart,
        {1, 100'000}
    },
    Row<Table>{"slots", &Table::slots, "Of slot: a power of two.", kRestart, {1, 65'536}},
    Row<Table>{"ranges", &Table::ranges, "Of range: which keys live where.", kRestart},
    Row<Table>{
        "allow_gaps", &Table::allow_gaps,
        "Of range: keys between the ranges are an error of the statement only.", kRestart
    },
    Row<Table>{
        "region_mapping", &Table::region_mapping, "Of geographic: key value to region.", kRestart
    },
    Row<Table>{
        "default_region", &Table::default_region,
        "Of geographic: the region of other values; empty: an error.", kRestart
    },
    Row<Table>{"pins", &Table::pins, "Of directory: key value to shard.", kRestart},
    Row<Table>{
        "fallback", &Table::fallback, "Of directory: the strategy of keys without a pin.", kRestart,
        kAny, kFallbacks
    },
};
constexpr std::array kRanges = {
    Row<Range>{"shard", &Range::shard, "The shard of these keys.", kRestart, kAny, {}, kRequired},
    Row<Range>{"low", &Range::low, "Smallest key, included; left out: no lower end.", kRestart},
    Row<Range>{"high", &Range::high, "Largest key, included; left out: no upper end.", kRestart},
};

}  // namespace

template <>
std::span<const Row<Listen>> rows<Listen>() {
  return kListen;
}
template <>
std::span<const Row<Admin>> rows<Admin>() {
  return kAdmin;
}
template <>
std::span<const Row<Tls>> rows<Tls>() {
  return kTls;
}
template <>
std::span<const Row<Pool>> rows<Pool>() {
  return kPool;
}
template <>
std::span<const Row<Health>> rows<Health>() {
  return kHealth;
}
template <>
std::span<const Row<Limits>> rows<Limits>() {
  return kLimits;
}
template <>
std::span<const Row<State>> rows<State>() {
  return kState;
}
template <>
std::span<const Row<Cluster>> rows<Cluster>() {
  return kCluster;
}
template <>
std::span<const Row<User>> rows<User>() {
  return kUsers;
}
template <>
std::span<const Row<Shard>> rows<Shard>() {
  return kShards;
}
template <>
std::span<const Row<Replica>> rows<Replica>() {
  return kReplicas;
}
template <>
std::span<const Row<Table>> rows<Table>() {
  return kTables;
}
template <>
std::span<const Row<Range>> rows<Range>() {
  return kRanges;
}

}  // namespace sherd::config
