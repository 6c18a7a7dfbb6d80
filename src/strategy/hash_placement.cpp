#include "hash_placement.hpp"

#include <numeric>

#include <fmt/format.h>

#include "apportion.hpp"

namespace sherd::strategy {
namespace {

constexpr std::uint32_t kMaxCompiledParts = 65536;

PlacementPtr make(const StrategySpec& spec, const Roster& roster, PartMap map) {
  return std::make_shared<const HashPlacement>(spec, roster, std::move(map));
}

Result<PlacementPtr> compile_hash(const StrategySpec& spec, const Roster& roster) {
  SHERD_TRY_VOID(check_available(spec.hash));
  SHERD_TRY(const auto sizes, smallest_integers(roster.weights(), kMaxCompiledParts));
  return make(spec, roster, contiguous(roster, sizes));
}

Result<PlacementPtr> read_hash(
    const StrategySpec& spec, const Roster& roster, const std::vector<std::string>& head,
    LayoutReader& reader
) {
  SHERD_TRY_VOID(check_available(spec.hash));
  const auto parts = head.size() == 3 ? parse_number(head[2], kMaxParts) : std::nullopt;
  if (!parts || *parts == 0 || hash_named(head[1]) != spec.hash) {
    return reader.damaged(
        fmt::format("expected \"hash {}\" and a number of parts", name_of(spec.hash))
    );
  }
  SHERD_TRY(PartMap map, read_runs(reader, static_cast<std::uint32_t>(*parts), roster));
  return make(spec, roster, std::move(map));
}

const PartMap& map_of(const Placement& placement) noexcept {
  return static_cast<const HashPlacement&>(placement).map();
}

Result<std::vector<Move>> difference_hash(const Placement& before, const Placement& after) {
  if (before.spec().hash != after.spec().hash) {
    return fail(ErrorCode::kUnsupported, "the placements have different hash functions");
  }
  const PartMap& old_map = map_of(before);
  const PartMap& new_map = map_of(after);
  // Numbers equal modulo the least common multiple are equal modulo both.
  const std::uint64_t parts =
      std::lcm(std::uint64_t{old_map.size()}, std::uint64_t{new_map.size()});
  if (parts > kMaxParts) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "a change from {} to {} parts cuts the keys into {} classes", old_map.size(),
            new_map.size(), parts
        ),
        "change the weights in smaller steps, or to simpler proportions"
    );
  }
  const auto count = static_cast<std::uint32_t>(parts);
  return part_moves(refined(old_map, count), refined(new_map, count), RegionKind::kParts);
}

Result<PlacementPtr> apply_hash(
    const Placement& current, std::span<const Move> moves, const Roster& roster
) {
  SHERD_TRY(PartMap map, with_moves(map_of(current), moves, RegionKind::kParts, roster));
  return make(current.spec(), roster, std::move(map));
}

Result<RegionFilter> filter_hash(const StrategySpec& spec, const Region& region) {
  SHERD_TRY_VOID(expect_kind(region, RegionKind::kParts));
  SHERD_TRY(const NumberRun run, part_bounds(region));
  SHERD_TRY_VOID(check_available(spec.hash));
  return RegionFilter([run, hash = spec.hash, modulus = region.modulus](const pgtypes::Key& key) {
    const auto digest = digest_of(hash, key);
    const std::uint32_t part = digest ? modulo(*digest, hash, modulus) : modulus;
    return part >= run.low && part <= run.high;
  });
}

}  // namespace

HashPlacement::HashPlacement(const StrategySpec& spec, const Roster& roster, PartMap map)
    : Placement(spec, roster.members(), owners_in(map)), map_(std::move(map)), hash_(spec.hash) {}

std::optional<std::uint32_t> HashPlacement::part_of(const pgtypes::Key& key) const noexcept {
  if (!fits(key)) [[unlikely]] {
    return std::nullopt;
  }
  const auto digest = digest_of(hash_, key);
  if (!digest) [[unlikely]] {
    return std::nullopt;
  }
  return modulo(*digest, hash_, static_cast<std::uint32_t>(map_.size()));
}

std::optional<ShardId> HashPlacement::try_owner(const pgtypes::Key& key) const noexcept {
  const auto part = part_of(key);
  return part ? std::optional(map_[*part]) : std::nullopt;
}

std::string HashPlacement::explain(const pgtypes::Key& key) const {
  const auto part = part_of(key);
  if (!part) {
    return no_owner(key).message;
  }
  return fmt::format(
      "{} part {} of {} (parts {})", name_of(hash_), *part, map_.size(),
      to_string(run_around(map_, *part))
  );
}

std::string HashPlacement::layout() const {
  std::string out;
  append_line(out, name_of(StrategyKind::kHash), name_of(hash_), std::to_string(map_.size()));
  append_runs(map_, members(), out);
  return out;
}

const KindRow kHashRow = {
    .kind = StrategyKind::kHash,
    .name = "hash",
    .takes_ordered_keys = false,
    .compile = compile_hash,
    .read = read_hash,
    .rebalance = compile_again,
    .difference = difference_hash,
    .apply = apply_hash,
    .filter = filter_hash,
};

}  // namespace sherd::strategy
