#include "range_moves.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "key_order.hpp"

namespace sherd::strategy {
namespace {

using pgtypes::Key;
using pgtypes::OwnedKey;

// A place between keys: right before a key, right after one (only where there is no next key to be
// before of), or one of the ends of the line.
struct Cut {
  enum class Side : std::uint8_t { kBottom, kBefore, kAfter, kTop };
  Side side = Side::kBottom;
  std::optional<OwnedKey> key{};
};

std::strong_ordering compare(const Cut& a, const Cut& b) {
  using enum Cut::Side;
  if (!a.key || !b.key) {
    const auto rank = [](const Cut& c) { return c.key ? 1 : c.side == kBottom ? 0 : 2; };
    return rank(a) <=> rank(b);
  }
  const auto order = pgtypes::compare(a.key->get(), b.key->get());
  return order != 0 ? order : a.side <=> b.side;
}

bool is_less(const Cut& a, const Cut& b) {
  return compare(a, b) < 0;
}

Cut start_of(const Interval& interval) {
  return interval.low ? Cut{Cut::Side::kBefore, interval.low} : Cut{};
}

Cut end_of(const Interval& interval) {
  if (!interval.high) {
    return Cut{.side = Cut::Side::kTop};
  }
  auto next = next_key(interval.high->get());
  return next ? Cut{Cut::Side::kBefore, std::move(next)} : Cut{Cut::Side::kAfter, interval.high};
}

// Walks along sorted intervals; `owner_at` must be asked in ascending order.
class Walker {
 public:
  explicit Walker(std::span<const Interval> intervals) : intervals_(intervals) {}

  [[nodiscard]] std::optional<ShardId> owner_at(const Cut& cut) {
    while (next_ < intervals_.size() && !is_less(cut, end_of(intervals_[next_]))) {
      ++next_;
    }
    if (next_ == intervals_.size() || is_less(cut, start_of(intervals_[next_]))) {
      return std::nullopt;
    }
    return intervals_[next_].owner;
  }

 private:
  std::span<const Interval> intervals_;
  std::size_t next_ = 0;
};

struct Piece {
  Cut start;
  Cut end;
  std::optional<ShardId> before;
  std::optional<ShardId> after;
};

// The line cut where either list has a bound, neighbours with the same two owners joined.
std::vector<Piece> pieces_of(std::span<const Interval> before, std::span<const Interval> after) {
  std::vector<Cut> cuts;
  for (const auto& intervals : {before, after}) {
    for (const Interval& interval : intervals) {
      cuts.push_back(start_of(interval));
      cuts.push_back(end_of(interval));
    }
  }
  std::ranges::sort(cuts, is_less);
  const auto doubles =
      std::ranges::unique(cuts, [](const Cut& a, const Cut& b) { return compare(a, b) == 0; });
  cuts.erase(doubles.begin(), doubles.end());
  Walker old_owners(before);
  Walker new_owners(after);
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
    const auto source = old_owners.owner_at(cuts[i]);
    const auto target = new_owners.owner_at(cuts[i]);
    if (!pieces.empty() && pieces.back().before == source && pieces.back().after == target) {
      pieces.back().end = cuts[i + 1];
    } else {
      pieces.push_back({cuts[i], cuts[i + 1], source, target});
    }
  }
  return pieces;
}

// The inclusive bounds of a piece. One that has an owner on both sides begins before a key and ends
// behind one, as intervals do.
Interval interval_of(const Piece& piece) {
  Interval interval;
  interval.low = piece.start.key;
  if (piece.end.side == Cut::Side::kAfter) {
    interval.high = piece.end.key;
  } else if (piece.end.key) {
    interval.high = previous_key(piece.end.key->get());
  }
  return interval;
}

std::string text_of(const std::optional<OwnedKey>& key) {
  std::string scratch;
  return key ? std::string(pgtypes::canonical_text(key->get(), scratch)) : std::string();
}

Region region_of(const Interval& interval) {
  return Region{
      .description = to_string(interval),
      .low = text_of(interval.low),
      .high = text_of(interval.high),
      .kind = RegionKind::kInterval,
      .open_low = !interval.low,
      .open_high = !interval.high,
  };
}

std::unexpected<Error> not_the_sources(const Move& move) {
  return fail(
      ErrorCode::kNotInPrerequisiteState,
      fmt::format("{} does not all belong to the move's source", move.region.description),
      "plan the moves again from the placement as it is now"
  );
}

// Cuts intervals at `cut`, so that none reaches over it. False where the type is too dense to say
// it.
bool split_at(std::vector<Interval>& intervals, const Cut& cut) {
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    if (!is_less(start_of(intervals[i]), cut) || !is_less(cut, end_of(intervals[i]))) {
      continue;
    }
    const auto left_high = previous_key(cut.key->get());
    if (cut.side != Cut::Side::kBefore || !left_high) {
      return false;
    }
    Interval right = intervals[i];
    right.low = cut.key;
    intervals[i].high = left_high;
    intervals.insert(intervals.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(right));
    return true;
  }
  return true;
}

}  // namespace

std::string to_string(const Interval& interval) {
  const std::string low = interval.low ? "[" + printed(interval.low->get()) : "(open";
  return low + ", " + (interval.high ? printed(interval.high->get()) + "]" : "open)");
}

bool holds(const Interval& interval, const Key& key) noexcept {
  return (!interval.low || pgtypes::compare(interval.low->get(), key) <= 0)
         && (!interval.high || pgtypes::compare(key, interval.high->get()) <= 0);
}

Result<std::vector<Move>> range_moves(
    std::span<const Interval> before, std::span<const Interval> after
) {
  std::vector<Move> moves;
  for (const Piece& piece : pieces_of(before, after)) {
    if (!piece.before || piece.before == piece.after) {
      continue;
    }
    if (!piece.after) {
      const auto place = piece.start.key ? printed(piece.start.key->get()) : "the lowest key";
      return fail(
          ErrorCode::kUnsupported,
          fmt::format("keys from {} on have a shard before and none after", place),
          "let the new ranges cover all that the old ones do"
      );
    }
    moves.push_back({region_of(interval_of(piece)), *piece.before, *piece.after});
  }
  return moves;
}

Result<Interval> bounds_of(const StrategySpec& spec, const Region& region) {
  SHERD_TRY_VOID(expect_kind(region, RegionKind::kInterval));
  Interval interval;
  if (!region.open_low) {
    SHERD_TRY(interval.low, declared_key(spec.key_type, region.low, region.description));
  }
  if (!region.open_high) {
    SHERD_TRY(interval.high, declared_key(spec.key_type, region.high, region.description));
  }
  return interval;
}

Result<std::vector<Interval>> with_move(
    const StrategySpec& spec, std::vector<Interval> intervals, const Move& move
) {
  SHERD_TRY(const Interval bounds, bounds_of(spec, move.region));
  const Cut start = start_of(bounds);
  const Cut end = end_of(bounds);
  if (!split_at(intervals, start) || !split_at(intervals, end)) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("a range cannot be cut at the bounds of {}", move.region.description)
    );
  }
  Cut reached = start;
  for (Interval& interval : intervals) {
    if (is_less(start_of(interval), start) || !is_less(start_of(interval), end)) {
      continue;
    }
    if (interval.owner != move.source || compare(start_of(interval), reached) != 0) {
      return not_the_sources(move);
    }
    interval.owner = move.target;
    reached = end_of(interval);
  }
  if (compare(reached, end) != 0) {
    return not_the_sources(move);
  }
  return intervals;
}

std::vector<Interval> joined(std::vector<Interval> intervals) {
  std::vector<Interval> result;
  for (Interval& interval : intervals) {
    if (!result.empty() && result.back().owner == interval.owner
        && compare(end_of(result.back()), start_of(interval)) == 0) {
      result.back().high = interval.high;
    } else {
      result.push_back(std::move(interval));
    }
  }
  return result;
}

}  // namespace sherd::strategy
