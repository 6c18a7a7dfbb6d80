#include "slot_placement.hpp"

#include <bit>
#include <map>

#include <fmt/format.h>

#include "apportion.hpp"

namespace sherd::strategy {
namespace {

constexpr std::uint32_t kMaxSlots = 65536;

Result<> check_spec(const StrategySpec& spec) {
  if (!std::has_single_bit(spec.slots) || spec.slots > kMaxSlots) {
    return fail(
        ErrorCode::kInvalidConfig, fmt::format("{} slots are not possible", spec.slots),
        fmt::format("use a power of two up to {}, such as 4096", kMaxSlots)
    );
  }
  return {};
}

Result<> check_enough(const StrategySpec& spec, const Roster& roster) {
  SHERD_TRY_VOID(check_spec(spec));
  if (roster.members().size() > spec.slots) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format(
            "{} slots cannot be spread over {} shards", spec.slots, roster.members().size()
        ),
        "declare more slots"
    );
  }
  return {};
}

PlacementPtr make(const StrategySpec& spec, const Roster& roster, PartMap map) {
  return std::make_shared<const SlotPlacement>(spec, roster, std::move(map));
}

Result<PlacementPtr> compile_slot(const StrategySpec& spec, const Roster& roster) {
  SHERD_TRY_VOID(check_enough(spec, roster));
  const std::vector<std::uint32_t> held(roster.members().size());
  return make(spec, roster, contiguous(roster, apportion(spec.slots, roster.weights(), held)));
}

Result<PlacementPtr> read_slot(
    const StrategySpec& spec, const Roster& roster, const std::vector<std::string>& head,
    LayoutReader& reader
) {
  SHERD_TRY_VOID(check_spec(spec));
  if (head.size() != 2 || head[1] != std::to_string(spec.slots)) {
    return reader.damaged(fmt::format("expected \"slot {}\"", spec.slots));
  }
  SHERD_TRY(PartMap map, read_runs(reader, spec.slots, roster));
  return make(spec, roster, std::move(map));
}

const PartMap& map_of(const Placement& placement) noexcept {
  return static_cast<const SlotPlacement&>(placement).map();
}

// Owners keep all they may; what is past their share goes, highest slots first, to those below
// theirs.
Result<PlacementPtr> rebalance_slot(const Placement& current, const Roster& roster) {
  SHERD_TRY_VOID(check_enough(current.spec(), roster));
  PartMap map = map_of(current);
  const std::vector<Member>& members = roster.members();
  std::map<ShardId, std::uint32_t> held;
  for (const ShardId owner : map) {
    ++held[owner];
  }
  std::vector<std::uint32_t> counts;
  for (const Member& member : members) {
    counts.push_back(held[member.id]);
  }
  const auto shares = apportion(current.spec().slots, roster.weights(), counts);
  std::map<ShardId, std::uint32_t> surplus = held;  // of shards that leave: all
  std::vector<ShardId> wanted;
  for (std::size_t i = 0; i < members.size(); ++i) {
    surplus[members[i].id] = counts[i] - std::min(counts[i], shares[i]);
    wanted.insert(wanted.end(), shares[i] - std::min(counts[i], shares[i]), members[i].id);
  }
  for (std::size_t slot = map.size(); slot-- > 0 && !wanted.empty();) {
    std::uint32_t& left = surplus[map[slot]];
    if (left > 0) {
      --left;
      map[slot] = wanted.back();
      wanted.pop_back();
    }
  }
  return make(current.spec(), roster, std::move(map));
}

Result<std::vector<Move>> difference_slot(const Placement& before, const Placement& after) {
  if (before.spec().slots != after.spec().slots) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("the placements have {} and {} slots", before.spec().slots, after.spec().slots)
    );
  }
  return part_moves(map_of(before), map_of(after), RegionKind::kSlots);
}

Result<PlacementPtr> apply_slot(
    const Placement& current, std::span<const Move> moves, const Roster& roster
) {
  for (const Move& move : moves) {
    if (move.region.modulus != current.spec().slots) {
      return fail(ErrorCode::kInvalidParameterValue, "a move counts in another number of slots");
    }
  }
  SHERD_TRY(PartMap map, with_moves(map_of(current), moves, RegionKind::kSlots, roster));
  return make(current.spec(), roster, std::move(map));
}

Result<RegionFilter> filter_slot(const StrategySpec&, const Region& region) {
  SHERD_TRY_VOID(expect_kind(region, RegionKind::kSlots));
  SHERD_TRY(const NumberRun run, part_bounds(region));
  if (!std::has_single_bit(region.modulus)) {
    return fail(ErrorCode::kInvalidParameterValue, "the number of slots is no power of two");
  }
  return RegionFilter([run, mask = std::uint64_t{region.modulus} - 1](const pgtypes::Key& key) {
    const std::uint64_t slot = pgtypes::partition_hash(key) & mask;
    return slot >= run.low && slot <= run.high;
  });
}

}  // namespace

SlotPlacement::SlotPlacement(const StrategySpec& spec, const Roster& roster, PartMap map)
    : Placement(spec, roster.members(), owners_in(map)),
      map_(std::move(map)),
      mask_(map_.size() - 1) {}

std::optional<ShardId> SlotPlacement::try_owner(const pgtypes::Key& key) const noexcept {
  if (!fits(key)) [[unlikely]] {
    return std::nullopt;
  }
  return map_[pgtypes::partition_hash(key) & mask_];
}

std::string SlotPlacement::explain(const pgtypes::Key& key) const {
  if (!fits(key)) {
    return no_owner(key).message;
  }
  const auto slot = static_cast<std::uint32_t>(pgtypes::partition_hash(key) & mask_);
  return fmt::format(
      "slot {} of {} (slots {})", slot, map_.size(), to_string(run_around(map_, slot))
  );
}

std::string SlotPlacement::layout() const {
  std::string out;
  append_line(out, name_of(StrategyKind::kSlot), std::to_string(map_.size()));
  append_runs(map_, members(), out);
  return out;
}

const KindRow kSlotRow = {
    .kind = StrategyKind::kSlot,
    .name = "slot",
    .takes_ordered_keys = false,
    .compile = compile_slot,
    .read = read_slot,
    .rebalance = rebalance_slot,
    .difference = difference_slot,
    .apply = apply_slot,
    .filter = filter_slot,
};

}  // namespace sherd::strategy
