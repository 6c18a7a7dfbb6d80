#include "directory_placement.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "key_moves.hpp"

namespace sherd::strategy {
namespace {

using pgtypes::Key;

// Ranges are compared with each pin up to here; beyond, every owner of a pin is taken.
constexpr std::size_t kMaxPinsCompared = 1024;

Result<> check_spec(const StrategySpec& spec) {
  if (!spec.fallback) {
    return fail(
        ErrorCode::kInvalidConfig, "a directory has no fallback strategy",
        "name the strategy that places keys without a pin, such as slot"
    );
  }
  if (spec.fallback->kind == StrategyKind::kDirectory) {
    return fail(
        ErrorCode::kInvalidConfig, "the fallback of a directory is a directory",
        "put all pins into one directory"
    );
  }
  if (spec.fallback->key_type != spec.key_type) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format(
            "a directory of {} keys has a fallback for {} keys", pgtypes::name_of(spec.key_type),
            pgtypes::name_of(spec.fallback->key_type)
        ),
        "declare both for the type of the key column"
    );
  }
  return {};
}

Result<PlacementPtr> make(
    const StrategySpec& spec, const Roster& roster, KeyTable<ShardId> pins, PlacementPtr fallback
) {
  if (pins.entries().size() > kMaxNamedKeys) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("more than {} pins", kMaxNamedKeys));
  }
  return std::make_shared<const DirectoryPlacement>(
      spec, roster, std::move(pins), std::move(fallback)
  );
}

Result<PlacementPtr> compile_directory(const StrategySpec& spec, const Roster& roster) {
  SHERD_TRY_VOID(check_spec(spec));
  KeyTable<ShardId> pins;
  for (const auto& [text, shard] : spec.pins) {
    const std::string user = fmt::format("the pin of \"{}\"", text);
    SHERD_TRY(const auto key, declared_key(spec.key_type, text, user));
    SHERD_TRY(const ShardId owner, roster.id_of(shard, user));
    if (!pins.set(key.get(), owner)) {
      return fail(
          ErrorCode::kInvalidConfig, fmt::format("{} is given twice", user),
          "two of the texts are one value"
      );
    }
  }
  SHERD_TRY(auto fallback, compile(*spec.fallback, roster.members()));
  return make(spec, roster, std::move(pins), std::move(fallback));
}

// Lines: pin value shard; then a line "fallback" and the fallback's layout.
Result<PlacementPtr> read_directory(
    const StrategySpec& spec, const Roster& roster, const std::vector<std::string>& head,
    LayoutReader& reader
) {
  SHERD_TRY_VOID(check_spec(spec));
  if (head.size() != 1) {
    return reader.damaged("expected \"directory\"");
  }
  KeyTable<ShardId> pins;
  while (true) {
    SHERD_TRY(const auto words, reader.next());
    if (!words || (words->size() != 1 && words->size() != 3)) {
      return reader.damaged("expected a pin or the fallback");
    }
    const auto& w = *words;
    if (w[0] == "fallback" && w.size() == 1 && !reader.rest().empty()) {
      break;
    }
    if (w[0] != "pin" || w.size() != 3) {
      return reader.damaged("expected a pin or the fallback");
    }
    SHERD_TRY(const auto key, declared_key(spec.key_type, w[1], "the placement layout"));
    SHERD_TRY(const ShardId owner, roster.id_of(w[2], "the placement layout"));
    if (!pins.set(key.get(), owner)) {
      return reader.damaged("the key is pinned twice");
    }
  }
  SHERD_TRY(auto fallback, compile(*spec.fallback, roster.members(), reader.rest()));
  return make(spec, roster, std::move(pins), std::move(fallback));
}

const DirectoryPlacement& self(const Placement& placement) noexcept {
  return static_cast<const DirectoryPlacement&>(placement);
}

Result<PlacementPtr> rebalance_directory(const Placement& current, const Roster& roster) {
  const DirectoryPlacement& directory = self(current);
  for (const auto& pin : directory.pins().entries()) {
    if (!roster.check_id(pin.value)) {
      return fail(
          ErrorCode::kInvalidConfig,
          fmt::format(
              "key {} is pinned to {}, which is to leave", printed(pin.key.get()),
              name_of(current.members(), pin.value)
          ),
          "pin it to another shard first"
      );
    }
  }
  SHERD_TRY(auto fallback, rebalanced(*directory.fallback(), roster.members()));
  return make(current.spec(), roster, directory.pins(), std::move(fallback));
}

// Takes the keys out of the region.
Result<> leave_out(
    const StrategySpec& spec, const std::vector<std::string>& texts, Region& region
) {
  if (region.kind == RegionKind::kKeys) {
    std::erase_if(region.keys, [&](const std::string& key) {
      return std::ranges::binary_search(texts, key);
    });
    return {};
  }
  SHERD_TRY(const auto contains, region_filter(spec, region));
  SHERD_TRY_VOID(for_each_key(spec.key_type, texts, [&](const Key& key) -> Result<> {
    if (contains(key)) {
      region.except.push_back(text_of(key));
    }
    return {};
  }));
  std::ranges::sort(region.except);
  return {};
}

// The fallback's moves without the keys that are pinned before or after, and those keys one by one.
Result<std::vector<Move>> difference_directory(const Placement& before, const Placement& after) {
  KeyTexts pinned;
  for (const Placement* placement : {&before, &after}) {
    for (const auto& pin : self(*placement).pins().entries()) {
      pinned.insert(text_of(pin.key.get()));
    }
  }
  SHERD_TRY(auto moves, difference(*self(before).fallback(), *self(after).fallback()));
  const std::vector<std::string> texts(pinned.begin(), pinned.end());
  for (Move& move : moves) {
    SHERD_TRY_VOID(leave_out(*before.spec().fallback, texts, move.region));
  }
  std::erase_if(moves, [](const Move& move) {
    return move.region.kind == RegionKind::kKeys && move.region.keys.empty();
  });
  SHERD_TRY(auto single, named_key_moves(pinned, before, after, [](const Key&) {
              return std::string();
            }));
  moves.insert(
      moves.end(), std::make_move_iterator(single.begin()), std::make_move_iterator(single.end())
  );
  return moves;
}

// Pins the region's exceptions where they are, for the fallback moves on under them.
Result<> pin_exceptions(
    const StrategySpec& spec, KeyTable<ShardId>& pins, const Placement& fallback, const Move& move
) {
  return for_each_key(spec.key_type, move.region.except, [&](const Key& key) -> Result<> {
    const auto owner = fallback.try_owner(key);
    if (owner && pins.find(key) == nullptr) {
      pins.set(key, *owner);
    }
    return {};
  });
}

Result<> move_keys(
    const StrategySpec& spec, KeyTable<ShardId>& pins, const Placement& fallback, const Move& move
) {
  return for_each_key(spec.key_type, move.region.keys, [&](const Key& key) -> Result<> {
    const ShardId* pin = pins.find(key);
    const auto owner = pin != nullptr ? std::optional(*pin) : fallback.try_owner(key);
    if (owner != move.source) {
      return fail(
          ErrorCode::kNotInPrerequisiteState,
          fmt::format("key {} does not belong to the move's source", printed(key)),
          "plan the moves again from the placement as it is now"
      );
    }
    pins.set(key, move.target);
    return {};
  });
}

Result<PlacementPtr> apply_directory(
    const Placement& current, std::span<const Move> moves, const Roster& roster
) {
  KeyTable<ShardId> pins = self(current).pins();
  PlacementPtr fallback = self(current).fallback();
  for (const Move& move : moves) {
    SHERD_TRY_VOID(roster.check_id(move.target));
    if (move.region.kind == RegionKind::kKeys) {
      SHERD_TRY_VOID(move_keys(current.spec(), pins, *fallback, move));
      continue;
    }
    SHERD_TRY_VOID(pin_exceptions(current.spec(), pins, *fallback, move));
    Move bare = move;
    if (move.region.kind != RegionKind::kRest) {
      bare.region.except.clear();
    }
    SHERD_TRY(fallback, moved(*fallback, {&bare, 1}, roster.members()));
  }
  return make(current.spec(), roster, std::move(pins), std::move(fallback));
}

Result<RegionFilter> filter_directory(const StrategySpec& spec, const Region& region) {
  SHERD_TRY_VOID(check_spec(spec));
  return region_filter(*spec.fallback, region);
}

ShardSet owners_in(const KeyTable<ShardId>& pins, const Placement& fallback) {
  ShardSet owners = fallback.shards();
  for (const auto& pin : pins.entries()) {
    owners.add(pin.value);
  }
  return owners;
}

bool is_within(const KeyRange& range, const Key& key) noexcept {
  const auto low = range.low ? pgtypes::compare(key, *range.low) : std::strong_ordering::greater;
  const auto high = range.high ? pgtypes::compare(key, *range.high) : std::strong_ordering::less;
  return (low > 0 || (low == 0 && range.low_inclusive))
         && (high < 0 || (high == 0 && range.high_inclusive));
}

}  // namespace

DirectoryPlacement::DirectoryPlacement(
    const StrategySpec& spec, const Roster& roster, KeyTable<ShardId> pins, PlacementPtr fallback
)
    : Placement(spec, roster.members(), owners_in(pins, *fallback)),
      pins_(std::move(pins)),
      fallback_(std::move(fallback)) {}

std::optional<ShardId> DirectoryPlacement::try_owner(const Key& key) const noexcept {
  if (!fits(key)) [[unlikely]] {
    return std::nullopt;
  }
  const ShardId* pin = pins_.find(key);
  return pin != nullptr ? std::optional(*pin) : fallback_->try_owner(key);
}

void DirectoryPlacement::add_owners(const KeyRange& range, ShardSet& out) const {
  if (add_enumerated(range, out)) {
    return;
  }
  fallback_->add_owners(range, out);
  const bool comparable = (!range.low || fits(*range.low)) && (!range.high || fits(*range.high))
                          && pins_.entries().size() <= kMaxPinsCompared;
  for (const auto& pin : pins_.entries()) {
    if (!comparable || is_within(range, pin.key.get())) {
      out.add(pin.value);
    }
  }
}

std::string DirectoryPlacement::explain(const Key& key) const {
  if (fits(key) && pins_.find(key) != nullptr) {
    return fmt::format("key {} is pinned", printed(key));
  }
  return fallback_->explain(key);
}

Error DirectoryPlacement::no_owner(const Key& key) const {
  auto owner = fallback_->owner(key);
  return owner ? Placement::no_owner(key) : std::move(owner).error();
}

std::string DirectoryPlacement::layout() const {
  std::string out;
  append_line(out, name_of(StrategyKind::kDirectory));
  std::map<std::string, ShardId> sorted;
  for (const auto& pin : pins_.entries()) {
    sorted.emplace(text_of(pin.key.get()), pin.value);
  }
  for (const auto& [text, owner] : sorted) {
    append_line(out, "pin", text, name_of(members(), owner));
  }
  append_line(out, "fallback");
  return out + fallback_->layout();
}

const KindRow kDirectoryRow = {
    .kind = StrategyKind::kDirectory,
    .name = "directory",
    .takes_ordered_keys = true,
    .compile = compile_directory,
    .read = read_directory,
    .rebalance = rebalance_directory,
    .difference = difference_directory,
    .apply = apply_directory,
    .filter = filter_directory,
};

}  // namespace sherd::strategy
