#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace sherd {

/// Number of a shard: given once by the catalog, never reused, small enough to index a table.
enum class ShardId : std::uint32_t {};
/// Number of a colocation group.
enum class GroupId : std::uint32_t {};
/// Version of the topology; only grows.
enum class Epoch : std::uint64_t {};

[[nodiscard]] constexpr std::uint32_t index_of(ShardId id) noexcept {
  return static_cast<std::uint32_t>(id);
}
[[nodiscard]] constexpr std::uint32_t index_of(GroupId id) noexcept {
  return static_cast<std::uint32_t>(id);
}
[[nodiscard]] constexpr std::uint64_t number_of(Epoch epoch) noexcept {
  return static_cast<std::uint64_t>(epoch);
}

/// PostgreSQL object id of a type.
using Oid = std::uint32_t;

}  // namespace sherd
