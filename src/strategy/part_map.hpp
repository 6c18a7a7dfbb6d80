#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/base/shard_set.hpp>
#include <sherd/strategy/placement.hpp>

#include "layout.hpp"
#include "roster.hpp"

// What `slot` and `hash` have in common: numbered parts of equal size, each with an owner.

namespace sherd::strategy {

/// Parts that a change of the number of parts may come to in between (1000 to 1001 shards:
/// 1001000).
inline constexpr std::uint32_t kMaxParts = 1U << 22;

/// The owner of each part. Never empty.
using PartMap = std::vector<ShardId>;

[[nodiscard]] ShardSet owners_in(const PartMap& map);
/// The run of parts round `part` that belong to one owner.
[[nodiscard]] NumberRun run_around(const PartMap& map, std::uint32_t part) noexcept;
/// "1024-2047", or "7".
[[nodiscard]] std::string to_string(NumberRun run);
/// Contiguous runs of parts of the given sizes, in the order of `roster`.
[[nodiscard]] PartMap contiguous(const Roster& roster, std::span<const std::uint32_t> sizes);
/// The same owners with each part p split into p, p + size, p + 2 × size, … `count` must be a
/// multiple of the size: a number modulo `count` keeps its owner.
[[nodiscard]] PartMap refined(const PartMap& map, std::uint32_t count);

/// Appends one line per run.
void append_runs(const PartMap& map, std::span<const Member> members, std::string& out);
/// Reads lines of runs to the end. kInvalidConfig where parts are missing, doubled, or owned by an
/// unknown shard.
[[nodiscard]] Result<PartMap> read_runs(
    LayoutReader& reader, std::uint32_t count, const Roster& roster
);

/// The runs of parts whose owner differs. Both maps have the same size.
[[nodiscard]] std::vector<Move> part_moves(
    const PartMap& before, const PartMap& after, RegionKind kind
);
/// Applies moves of `kind`; refines the map where a move counts in more parts.
[[nodiscard]] Result<PartMap> with_moves(
    PartMap map, std::span<const Move> moves, RegionKind kind, const Roster& roster
);
/// The bounds of a region of parts. kInvalidParameterValue for what is none.
[[nodiscard]] Result<NumberRun> part_bounds(const Region& region);

}  // namespace sherd::strategy
