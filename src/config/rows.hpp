#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sherd/config/config.hpp>

// The option table itself: one row per option, one set of rows per section. Everything else in this
// room walks it.

namespace sherd::config {

/// A member that is an enumeration, read and written by the number of its choice.
template <class S>
struct ChoiceField {
  std::size_t (*get)(const S&);
  void (*set)(S&, std::size_t);
};

template <class S>
using Field = std::variant<
    std::string S::*, std::optional<std::string> S::*, Secret S::*, bool S::*, std::uint16_t S::*,
    std::uint32_t S::*, std::uint64_t S::*, std::int32_t S::*, double S::*, Milliseconds S::*,
    Size S::*, std::vector<std::string> S::*, std::map<std::string, std::string> S::*,
    std::vector<Replica> S::*, std::vector<Range> S::*, ChoiceField<S>>;

/// Smallest and largest value, in milliseconds or bytes where the type has a unit. A `double` must
/// be above `min`.
struct Bounds {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};

enum class Reload : std::uint8_t { kLive, kRestart };
enum class Presence : std::uint8_t { kOptional, kRequired };

template <class S>
struct Row {
  std::string_view name;
  Field<S> field;
  std::string_view doc;
  Reload reload = Reload::kLive;
  Bounds bounds{};
  std::span<const std::string_view> choices{
  };  // of a ChoiceField, or of a text that is one of a few
  Presence presence = Presence::kOptional;
};

/// The rows of section type S; the first row of a repeated section names its entries.
template <class S>
[[nodiscard]] std::span<const Row<S>> rows();

template <>
std::span<const Row<Listen>> rows<Listen>();
template <>
std::span<const Row<Admin>> rows<Admin>();
template <>
std::span<const Row<Tls>> rows<Tls>();
template <>
std::span<const Row<Pool>> rows<Pool>();
template <>
std::span<const Row<Health>> rows<Health>();
template <>
std::span<const Row<Limits>> rows<Limits>();
template <>
std::span<const Row<State>> rows<State>();
template <>
std::span<const Row<Cluster>> rows<Cluster>();
template <>
std::span<const Row<User>> rows<User>();
template <>
std::span<const Row<Shard>> rows<Shard>();
template <>
std::span<const Row<Replica>> rows<Replica>();
template <>
std::span<const Row<Table>> rows<Table>();
template <>
std::span<const Row<Range>> rows<Range>();

struct Section {
  std::string_view name;
  std::string_view doc;
};

/// Calls `visit(Section, member)` for each section in the order of the file; the member of a
/// repeated section is a vector.
template <class C, class Visit>
void for_each_section(C& config, Visit&& visit) {
  visit(Section{"listen", "Where clients connect."}, config.listen);
  visit(Section{"admin", "Metrics and health over HTTP."}, config.admin);
  visit(Section{"tls", "Encryption towards clients; reserved."}, config.tls);
  visit(Section{"pool", "Server connections, which clients share."}, config.pool);
  visit(Section{"health", "Probing of shards and replicas."}, config.health);
  visit(Section{"limits", "Bounds on what clients and statements may take."}, config.limits);
  visit(Section{"state", "Durable state of the cluster."}, config.state);
  visit(Section{"cluster", "What the shards are together."}, config.cluster);
  visit(Section{"users", "Who may log in."}, config.users);
  visit(Section{"shards", "The PostgreSQL servers."}, config.shards);
  visit(Section{"tables", "Tables to distribute at the start."}, config.tables);
}

template <class T>
inline constexpr bool kIsRepeated = false;
template <class T>
inline constexpr bool kIsRepeated<std::vector<T>> = true;

}  // namespace sherd::config
