#include "geographic_placement.hpp"

#include <fmt/format.h>

#include "key_moves.hpp"

namespace sherd::strategy {
namespace {

using pgtypes::Key;
using Regions = std::map<std::string, ShardId>;

Result<Regions> regions_of(const Roster& roster) {
  Regions regions;
  for (const Member& member : roster.members()) {
    if (!member.region.empty() && !regions.emplace(member.region, member.id).second) {
      return fail(
          ErrorCode::kInvalidConfig,
          fmt::format("region \"{}\" has more than one shard", member.region),
          "give each shard a region of its own"
      );
    }
  }
  if (regions.empty()) {
    return fail(ErrorCode::kInvalidConfig, "no shard has a region", "give each shard a region");
  }
  return regions;
}

Result<Place> place_in(const Regions& regions, const std::string& region, std::string_view user) {
  const auto at = regions.find(region);
  if (at == regions.end()) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("{} is region \"{}\", where no shard is", user, region),
        "give a shard that region, or correct the name"
    );
  }
  return Place{at->second, region};
}

Result<PlacementPtr> make(
    const StrategySpec& spec, const Roster& roster, KeyTable<Place> places,
    std::optional<Place> rest
) {
  if (places.entries().size() > kMaxNamedKeys) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("more than {} mapped keys", kMaxNamedKeys));
  }
  if (places.empty() && !rest) {
    return fail(
        ErrorCode::kInvalidConfig, "no key has a region",
        "fill region_mapping, or set default_region"
    );
  }
  return std::make_shared<const GeographicPlacement>(
      spec, roster, std::move(places), std::move(rest)
  );
}

Result<PlacementPtr> compile_geographic(const StrategySpec& spec, const Roster& roster) {
  SHERD_TRY(const Regions regions, regions_of(roster));
  KeyTable<Place> places;
  for (const auto& [text, region] : spec.region_mapping) {
    const std::string user = fmt::format("region_mapping of \"{}\"", text);
    SHERD_TRY(const auto key, declared_key(spec.key_type, text, user));
    SHERD_TRY(Place place, place_in(regions, region, user));
    if (!places.set(key.get(), std::move(place))) {
      return fail(
          ErrorCode::kInvalidConfig, fmt::format("{} is given twice", user),
          "two of the texts are one value"
      );
    }
  }
  // A region's own name is a key too, where the mapping does not say otherwise and the type can
  // hold it.
  std::string scratch;
  for (const auto& [region, owner] : regions) {
    const auto key = pgtypes::key_from_text(spec.key_type, region, scratch);
    if (key && places.find(*key) == nullptr) {
      places.set(*key, Place{owner, region});
    }
  }
  std::optional<Place> rest;
  if (spec.default_region) {
    SHERD_TRY(rest, place_in(regions, *spec.default_region, "default_region"));
  }
  return make(spec, roster, std::move(places), std::move(rest));
}

// Lines: key value shard region | rest shard region.
Result<PlacementPtr> read_geographic(
    const StrategySpec& spec, const Roster& roster, const std::vector<std::string>& head,
    LayoutReader& reader
) {
  if (head.size() != 1) {
    return reader.damaged("expected \"geographic\"");
  }
  KeyTable<Place> places;
  std::optional<Place> rest;
  while (true) {
    SHERD_TRY(const auto words, reader.next());
    if (!words) {
      break;
    }
    const auto& w = *words;
    const bool is_rest = w.size() == 3 && w[0] == "rest" && !rest;
    if (!is_rest && !(w.size() == 4 && w[0] == "key")) {
      return reader.damaged("expected a key or the rest, its shard and its region");
    }
    SHERD_TRY(const ShardId owner, roster.id_of(w[w.size() - 2], "the placement layout"));
    Place place{owner, w.back()};
    if (is_rest) {
      rest = std::move(place);
      continue;
    }
    SHERD_TRY(const auto key, declared_key(spec.key_type, w[1], "the placement layout"));
    if (!places.set(key.get(), std::move(place))) {
      return reader.damaged("the key is given twice");
    }
  }
  return make(spec, roster, std::move(places), std::move(rest));
}

const GeographicPlacement& self(const Placement& placement) noexcept {
  return static_cast<const GeographicPlacement&>(placement);
}

Result<std::vector<Move>> difference_geographic(const Placement& before, const Placement& after) {
  KeyTexts keys;
  for (const Placement* placement : {&before, &after}) {
    for (const auto& entry : self(*placement).places().entries()) {
      keys.insert(text_of(entry.key.get()));
    }
  }
  const auto region_before = [&](const Key& key) {
    const Place* place = self(before).places().find(key);
    const auto& rest = self(before).rest();
    return place != nullptr ? "region " + place->region : rest ? "region " + rest->region : "";
  };
  SHERD_TRY(auto moves, named_key_moves(keys, before, after, region_before));
  const auto& source = self(before).rest();
  const auto& target = self(after).rest();
  if (source && !target) {
    return fail(
        ErrorCode::kUnsupported, "keys of no known region have a shard before and none after",
        "keep a default_region"
    );
  }
  if (source && source->owner != target->owner) {
    Region region{.description = "all other keys", .kind = RegionKind::kRest};
    region.except.assign(keys.begin(), keys.end());
    moves.push_back({std::move(region), source->owner, target->owner});
  }
  return moves;
}

std::unexpected<Error> not_the_sources(const Move& move) {
  return fail(
      ErrorCode::kNotInPrerequisiteState,
      fmt::format("{} does not all belong to the move's source", move.region.description),
      "plan the moves again from the placement as it is now"
  );
}

Result<> apply_one(
    const StrategySpec& spec, KeyTable<Place>& places, std::optional<Place>& rest, const Move& move
) {
  const bool is_rest = move.region.kind == RegionKind::kRest;
  if (!is_rest) {
    SHERD_TRY_VOID(expect_kind(move.region, RegionKind::kKeys));
  }
  if (is_rest && (!rest || rest->owner != move.source)) {
    return not_the_sources(move);
  }
  // Keys named in the rest's exceptions keep the place they have, so they get one of their own.
  SHERD_TRY_VOID(for_each_key(
      spec.key_type, is_rest ? move.region.except : move.region.keys,
      [&](const Key& key) -> Result<> {
        const Place* found = places.find(key);
        if (found == nullptr && !rest) {
          return is_rest ? Result<>{} : not_the_sources(move);
        }
        Place place = found != nullptr ? *found : *rest;
        if (!is_rest && place.owner != move.source) {
          return not_the_sources(move);
        }
        place.owner = is_rest ? place.owner : move.target;
        places.set(key, std::move(place));
        return {};
      }
  ));
  if (is_rest) {
    rest->owner = move.target;
  }
  return {};
}

Result<PlacementPtr> apply_geographic(
    const Placement& current, std::span<const Move> moves, const Roster& roster
) {
  KeyTable<Place> places = self(current).places();
  std::optional<Place> rest = self(current).rest();
  for (const Move& move : moves) {
    SHERD_TRY_VOID(roster.check_id(move.target));
    SHERD_TRY_VOID(apply_one(current.spec(), places, rest, move));
  }
  return make(current.spec(), roster, std::move(places), std::move(rest));
}

Result<RegionFilter> filter_geographic(const StrategySpec&, const Region& region) {
  return fail(expect_kind(region, RegionKind::kKeys).error());  // kKeys and kRest never come here
}

ShardSet owners_in(const KeyTable<Place>& places, const std::optional<Place>& rest) {
  ShardSet owners;
  for (const auto& entry : places.entries()) {
    owners.add(entry.value.owner);
  }
  if (rest) {
    owners.add(rest->owner);
  }
  return owners;
}

}  // namespace

GeographicPlacement::GeographicPlacement(
    const StrategySpec& spec, const Roster& roster, KeyTable<Place> places,
    std::optional<Place> rest
)
    : Placement(spec, roster.members(), owners_in(places, rest)),
      places_(std::move(places)),
      rest_(std::move(rest)) {}

const Place* GeographicPlacement::find(const Key& key) const noexcept {
  if (!fits(key)) [[unlikely]] {
    return nullptr;
  }
  const Place* place = places_.find(key);
  return place != nullptr ? place : rest_ ? &*rest_ : nullptr;
}

std::optional<ShardId> GeographicPlacement::try_owner(const Key& key) const noexcept {
  const Place* place = find(key);
  return place != nullptr ? std::optional(place->owner) : std::nullopt;
}

std::string GeographicPlacement::explain(const Key& key) const {
  const Place* place = find(key);
  if (place == nullptr) {
    return no_owner(key).message;
  }
  const bool by_default = rest_ && place == &*rest_;
  return fmt::format("region {}{}", place->region, by_default ? " by default" : "");
}

Error GeographicPlacement::no_owner(const Key& key) const {
  if (!fits(key)) {
    return Placement::no_owner(key);
  }
  return Error{
      .code = ErrorCode::kNoShardForKey,
      .message = fmt::format("{} is no known region", printed(key)),
      .hint = "map it to a region, or set default_region",
  };
}

std::string GeographicPlacement::layout() const {
  std::string out;
  append_line(out, name_of(StrategyKind::kGeographic));
  std::map<std::string, const Place*> sorted;
  for (const auto& entry : places_.entries()) {
    sorted.emplace(text_of(entry.key.get()), &entry.value);
  }
  for (const auto& [text, place] : sorted) {
    append_line(out, "key", text, name_of(members(), place->owner), place->region);
  }
  if (rest_) {
    append_line(out, "rest", name_of(members(), rest_->owner), rest_->region);
  }
  return out;
}

const KindRow kGeographicRow = {
    .kind = StrategyKind::kGeographic,
    .name = "geographic",
    .takes_ordered_keys = false,
    .compile = compile_geographic,
    .read = read_geographic,
    .rebalance = compile_again,
    .difference = difference_geographic,
    .apply = apply_geographic,
    .filter = filter_geographic,
};

}  // namespace sherd::strategy
