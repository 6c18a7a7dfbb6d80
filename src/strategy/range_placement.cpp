#include "range_placement.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "key_order.hpp"
#include "range_moves.hpp"

namespace sherd::strategy {
namespace {

using pgtypes::Key;
using pgtypes::OwnedKey;

constexpr std::size_t kMaxRanges = 1U << 20;

bool is_below(const std::optional<OwnedKey>& high, const std::optional<OwnedKey>& low) {
  return high && low && pgtypes::compare(high->get(), low->get()) < 0;
}

bool low_order(const Interval& a, const Interval& b) {
  if (!a.low || !b.low) {
    return !a.low && b.low;
  }
  return pgtypes::compare(a.low->get(), b.low->get()) < 0;
}

Result<std::optional<OwnedKey>> bound(
    const StrategySpec& spec, const std::optional<std::string>& text, std::string_view user,
    bool is_low
) {
  if (!text) {
    return std::nullopt;
  }
  SHERD_TRY(OwnedKey key, declared_key(spec.key_type, *text, user));
  const bool at_end =
      is_low ? is_first_key(spec.key_type, key.get()) : is_last_key(spec.key_type, key.get());
  return at_end ? std::nullopt : std::optional(std::move(key));
}

Result<Interval> declared_interval(
    const StrategySpec& spec, const RangeSpec& range, const Roster& roster
) {
  const std::string user =
      fmt::format("range ({}, {})", range.low.value_or("open"), range.high.value_or("open"));
  Interval interval;
  SHERD_TRY(interval.owner, roster.id_of(range.shard, user));
  SHERD_TRY(interval.low, bound(spec, range.low, user, true));
  SHERD_TRY(interval.high, bound(spec, range.high, user, false));
  if (is_below(interval.high, interval.low)) {
    return fail(
        ErrorCode::kInvalidConfig, fmt::format("{} of {} is upside down", user, range.shard),
        "write the lower bound first; both bounds belong to the range"
    );
  }
  return interval;
}

// Sorts, and refuses overlaps and (unless allowed) gaps between neighbours.
Result<> arrange(const StrategySpec& spec, std::vector<Interval>& intervals) {
  std::ranges::sort(intervals, low_order);
  for (std::size_t i = 1; i < intervals.size(); ++i) {
    const Interval& left = intervals[i - 1];
    const Interval& right = intervals[i];
    if (!is_below(left.high, right.low)) {
      return fail(
          ErrorCode::kInvalidConfig,
          fmt::format("ranges {} and {} overlap", to_string(left), to_string(right)),
          "bounds are inclusive: begin the next range behind the end of this one"
      );
    }
    const auto next = next_key(left.high->get());
    if (spec.allow_gaps || (next && pgtypes::equal(next->get(), right.low->get()))) {
      continue;
    }
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("there is a gap between ranges {} and {}", to_string(left), to_string(right)),
        "close it, or declare allow_gaps if no such keys exist (numeric ranges always have gaps)"
    );
  }
  return {};
}

Result<PlacementPtr> build(
    const StrategySpec& spec, const Roster& roster, std::span<const RangeSpec> ranges
) {
  if (ranges.empty() || ranges.size() > kMaxRanges) {
    return fail(
        ErrorCode::kInvalidConfig, fmt::format("{} ranges are declared", ranges.size()),
        "give at least one shard a range of keys"
    );
  }
  std::vector<Interval> intervals;
  for (const RangeSpec& range : ranges) {
    SHERD_TRY(Interval interval, declared_interval(spec, range, roster));
    intervals.push_back(std::move(interval));
  }
  SHERD_TRY_VOID(arrange(spec, intervals));
  return std::make_shared<const RangePlacement>(spec, roster, std::move(intervals));
}

Result<PlacementPtr> compile_range(const StrategySpec& spec, const Roster& roster) {
  return build(spec, roster, spec.ranges);
}

// One line per interval: all shard | from low shard | to high shard | between low high shard.
std::optional<RangeSpec> range_in(const std::vector<std::string>& w) {
  if (w.size() == 2 && w[0] == "all") {
    return RangeSpec{.shard = w[1]};
  }
  if (w.size() == 3 && w[0] == "from") {
    return RangeSpec{.shard = w[2], .low = w[1]};
  }
  if (w.size() == 3 && w[0] == "to") {
    return RangeSpec{.shard = w[2], .high = w[1]};
  }
  if (w.size() == 4 && w[0] == "between") {
    return RangeSpec{.shard = w[3], .low = w[1], .high = w[2]};
  }
  return std::nullopt;
}

Result<PlacementPtr> read_range(
    const StrategySpec& spec, const Roster& roster, const std::vector<std::string>& head,
    LayoutReader& reader
) {
  if (head.size() != 1) {
    return reader.damaged("expected \"range\"");
  }
  std::vector<RangeSpec> ranges;
  while (true) {
    SHERD_TRY(const auto words, reader.next());
    if (!words) {
      break;
    }
    const auto range = range_in(*words);
    if (!range) {
      return reader.damaged("expected all, from, to or between, and a shard");
    }
    ranges.push_back(*range);
  }
  return build(spec, roster, ranges);
}

const std::vector<Interval>& intervals_of(const Placement& placement) noexcept {
  return static_cast<const RangePlacement&>(placement).intervals();
}

Result<std::vector<Move>> difference_range(const Placement& before, const Placement& after) {
  return range_moves(intervals_of(before), intervals_of(after));
}

Result<PlacementPtr> apply_range(
    const Placement& current, std::span<const Move> moves, const Roster& roster
) {
  std::vector<Interval> intervals = intervals_of(current);
  for (const Move& move : moves) {
    SHERD_TRY_VOID(roster.check_id(move.target));
    SHERD_TRY(intervals, with_move(current.spec(), std::move(intervals), move));
  }
  return std::make_shared<const RangePlacement>(
      current.spec(), roster, joined(std::move(intervals))
  );
}

Result<RegionFilter> filter_range(const StrategySpec& spec, const Region& region) {
  SHERD_TRY(Interval bounds, bounds_of(spec, region));
  return RegionFilter([bounds = std::move(bounds)](const Key& key) { return holds(bounds, key); });
}

ShardSet owners_in(const std::vector<Interval>& intervals) {
  ShardSet owners;
  for (const Interval& interval : intervals) {
    owners.add(interval.owner);
  }
  return owners;
}

}  // namespace

RangePlacement::RangePlacement(
    const StrategySpec& spec, const Roster& roster, std::vector<Interval> intervals
)
    : Placement(spec, roster.members(), owners_in(intervals)),
      intervals_(std::move(intervals)),
      is_exact_(is_integral(spec.key_type)) {
  std::vector<std::uint64_t> lows;
  for (const Interval& interval : intervals_) {
    lows.push_back(interval.low ? order_word(interval.low->get()) : 0);
    highs_.push_back(interval.high ? order_word(interval.high->get()) : ~std::uint64_t{0});
    owners_.push_back(interval.owner);
  }
  lows_ = WordSearch(std::move(lows));
}

std::optional<std::size_t> RangePlacement::find(const Key& key) const noexcept {
  const std::uint64_t word = order_word(key);
  std::size_t behind = lows_.count_up_to(word);  // the interval is the one before this
  if (!is_exact_) {
    // Among intervals that begin with the same word the whole keys decide.
    const std::size_t begin = word == 0 ? 0 : lows_.count_up_to(word - 1);
    const auto first = intervals_.begin();
    const auto above = std::partition_point(
        first + static_cast<std::ptrdiff_t>(begin), first + static_cast<std::ptrdiff_t>(behind),
        [&](const Interval& i) { return !i.low || pgtypes::compare(i.low->get(), key) <= 0; }
    );
    behind = static_cast<std::size_t>(above - first);
  }
  if (behind == 0) {
    return std::nullopt;
  }
  const std::size_t at = behind - 1;
  if (word > highs_[at]) {
    return std::nullopt;
  }
  if (!is_exact_ && word == highs_[at] && intervals_[at].high
      && pgtypes::compare(key, intervals_[at].high->get()) > 0) {
    return std::nullopt;
  }
  return at;
}

std::optional<ShardId> RangePlacement::try_owner(const Key& key) const noexcept {
  if (!fits(key)) [[unlikely]] {
    return std::nullopt;
  }
  const auto at = find(key);
  return at ? std::optional(owners_[*at]) : std::nullopt;
}

void RangePlacement::add_owners(const KeyRange& range, ShardSet& out) const {
  if ((range.low && !fits(*range.low)) || (range.high && !fits(*range.high))) {
    out.unite(shards());
    return;
  }
  // Exclusive bounds become inclusive where the type has neighbours.
  std::optional<OwnedKey> low = range.low ? std::optional(OwnedKey(*range.low)) : std::nullopt;
  std::optional<OwnedKey> high = range.high ? std::optional(OwnedKey(*range.high)) : std::nullopt;
  bool low_inclusive = range.low_inclusive;
  bool high_inclusive = range.high_inclusive;
  if (low && !low_inclusive) {
    if (auto next = next_key(low->get())) {
      low = std::move(next);
      low_inclusive = true;
    }
  }
  if (high && !high_inclusive) {
    if (auto previous = previous_key(high->get())) {
      high = std::move(previous);
      high_inclusive = true;
    }
  }
  if (is_below(high, low)
      || (low && high && !(low_inclusive && high_inclusive) && !is_below(low, high))) {
    return;  // nothing lies between
  }
  const auto begins_late = [&](const Interval& i) {
    const auto order =
        high && i.low ? pgtypes::compare(i.low->get(), high->get()) : std::strong_ordering::less;
    return order > 0 || (order == 0 && !high_inclusive);
  };
  const auto ends_early = [&](const Interval& i) {
    const auto order =
        low && i.high ? pgtypes::compare(i.high->get(), low->get()) : std::strong_ordering::greater;
    return order < 0 || (order == 0 && !low_inclusive);
  };
  for (auto i = std::ranges::partition_point(intervals_, ends_early);
       i != intervals_.end() && !begins_late(*i); ++i) {
    out.add(i->owner);
  }
}

std::string RangePlacement::explain(const Key& key) const {
  const auto at = fits(key) ? find(key) : std::nullopt;
  return at ? fmt::format("key {} in range {}", printed(key), to_string(intervals_[*at]))
            : no_owner(key).message;
}

Error RangePlacement::no_owner(const Key& key) const {
  if (!fits(key)) {
    return Placement::no_owner(key);
  }
  return Error{
      .code = ErrorCode::kNoShardForKey,
      .message = fmt::format("key {} lies outside every range", printed(key)),
      .hint = "add a range that holds it",
  };
}

std::string RangePlacement::layout() const {
  std::string out;
  append_line(out, name_of(StrategyKind::kRange));
  std::string low;
  std::string high;
  for (const Interval& interval : intervals_) {
    low = interval.low ? std::string(pgtypes::canonical_text(interval.low->get(), low)) : "";
    high = interval.high ? std::string(pgtypes::canonical_text(interval.high->get(), high)) : "";
    const std::string owner = name_of(members(), interval.owner);
    if (interval.low && interval.high) {
      append_line(out, "between", low, high, owner);
    } else if (interval.low) {
      append_line(out, "from", low, owner);
    } else if (interval.high) {
      append_line(out, "to", high, owner);
    } else {
      append_line(out, "all", owner);
    }
  }
  return out;
}

const KindRow kRangeRow = {
    .kind = StrategyKind::kRange,
    .name = "range",
    .takes_ordered_keys = true,
    .compile = compile_range,
    .read = read_range,
    .rebalance = compile_again,
    .difference = difference_range,
    .apply = apply_range,
    .filter = filter_range,
};

}  // namespace sherd::strategy
