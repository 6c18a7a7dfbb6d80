#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sherd/base/ids.hpp>

namespace sherd::txn {

/// The name of a transaction over several shards: unique across clusters, routers and restarts, and
/// it tells where its decision is kept, so that any router can finish what another left.
struct GlobalId {
  std::string cluster{};       // id of the cluster
  std::uint64_t router = 0;    // random, new at each start of a router
  std::uint64_t sequence = 0;  // counts within the router
  ShardId decision_shard{};    // holds the commit record

  /// What the commit record is called: "sherd_<cluster>_<router>_<sequence>_<decision shard>".
  [[nodiscard]] std::string record_name() const;
  /// What the transaction is prepared as on `shard` (two shards may be databases of one server):
  /// record name and shard.
  [[nodiscard]] std::string prepared_name(ShardId shard) const;
  /// The reverse of prepared_name. nullopt: not one of ours.
  [[nodiscard]] static std::optional<GlobalId> parse(std::string_view prepared_name);
  friend bool operator==(const GlobalId&, const GlobalId&) = default;
};

}  // namespace sherd::txn
