#include "ring_placement.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include <fmt/format.h>

namespace sherd::strategy {
namespace {

constexpr std::uint32_t kMaxVirtualNodes = 100'000;
constexpr std::uint64_t kMaxRingPoints = 1U << 22;

// Stands for the owner of points whose shard is no member any more; allowed only while arcs are
// laid over them.
constexpr ShardId kGone{~std::uint32_t{0}};

const RingPlacement& ring_of(const Placement& placement) noexcept {
  return static_cast<const RingPlacement&>(placement);
}

Ring ring_from(std::span<const RingSource> sources, HashFunction hash, const Roster& roster) {
  Ring ring;
  for (const RingSource& source : sources) {
    const Member* member = roster.find(source.name);
    const ShardId owner = member == nullptr ? kGone : member->id;
    for (std::uint32_t i = 0; i < source.points; ++i) {
      const auto digest = digest_of(hash, fmt::format("{}:vnode:{}", source.name, i));
      ring.push_back({digest.value_or(Digest{}), owner});  // check_available came before
    }
  }
  std::ranges::sort(ring, {}, [](const RingPoint& p) { return std::pair(p.at, p.owner); });
  const auto doubles = std::ranges::unique(ring, {}, &RingPoint::at);
  ring.erase(doubles.begin(), doubles.end());
  return ring;
}

std::size_t index_at(const Ring& ring, const Digest& digest) noexcept {
  const auto at = std::ranges::lower_bound(ring, digest, {}, &RingPoint::at);
  return at == ring.end() ? 0 : static_cast<std::size_t>(at - ring.begin());
}

// Makes `digest` a point, so that an arc can end there; no key changes its owner.
void cut(Ring& ring, const Digest& digest) {
  const auto at = std::ranges::lower_bound(ring, digest, {}, &RingPoint::at);
  if (at == ring.end() || at->at != digest) {
    ring.insert(at, RingPoint{digest, (at == ring.end() ? ring.begin() : at)->owner});
  }
}

// Drops points that have the owner of the next one and are none of the ring's own: they cut
// nothing.
void simplify(Ring& ring, const Ring& own) {
  Ring kept;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    const ShardId next = ring[(i + 1) % ring.size()].owner;
    if (ring[i].owner != next || std::ranges::binary_search(own, ring[i].at, {}, &RingPoint::at)) {
      kept.push_back(ring[i]);
    }
  }
  ring = std::move(kept);
}

struct Arc {
  Digest low{};   // not included
  Digest high{};  // included; low >= high wraps
};

// Calls visit(arc, owner before, owner after) for the arcs between neighbouring points of either
// ring, joined where both owners go on, from the bottom up; the arc over the top comes first,
// unless it is joined to the last.
template <class Visit>
void for_each_arc(const Ring& before, const Ring& after, Visit&& visit) {
  std::vector<Digest> cuts;
  for (const Ring* ring : {&before, &after}) {
    for (const RingPoint& point : *ring) {
      cuts.push_back(point.at);
    }
  }
  std::ranges::sort(cuts);
  const auto doubles = std::ranges::unique(cuts);
  cuts.erase(doubles.begin(), doubles.end());
  const auto owners = [&](const Digest& at) {
    return std::pair(before[index_at(before, at)].owner, after[index_at(after, at)].owner);
  };
  // Begin behind a place where owners change, so that no joined arc is cut in two.
  const std::size_t count = cuts.size();
  std::size_t begin = 0;
  while (begin < count && owners(cuts[begin]) == owners(cuts[(begin + count - 1) % count])) {
    ++begin;
  }
  if (begin == count) {  // one pair of owners all round
    const auto [source, target] = owners(cuts[0]);
    visit(Arc{cuts[0], cuts[0]}, source, target);
    return;
  }
  for (std::size_t i = 0; i < count;) {
    const std::size_t first = (begin + i) % count;
    const auto pair = owners(cuts[first]);
    std::size_t length = 1;
    while (i + length < count && owners(cuts[(first + length) % count]) == pair) {
      ++length;
    }
    const Arc arc{cuts[(first + count - 1) % count], cuts[(first + length - 1) % count]};
    visit(arc, pair.first, pair.second);
    i += length;
  }
}

bool in_arc(const Arc& arc, const Digest& digest) noexcept {
  return arc.low < arc.high ? arc.low < digest && digest <= arc.high
                            : arc.low < digest || digest <= arc.high;
}

// Gives the arc to `target`. Where `source` is set, all of it must be that shard's.
bool give(Ring& ring, const Arc& arc, std::optional<ShardId> source, ShardId target) {
  cut(ring, arc.low);
  cut(ring, arc.high);
  const std::size_t last = index_at(ring, arc.high);
  std::size_t i = (index_at(ring, arc.low) + 1) % ring.size();
  while (true) {
    if (source && ring[i].owner != *source) {
      return false;
    }
    ring[i].owner = target;
    if (i == last) {
      return true;
    }
    i = (i + 1) % ring.size();
  }
}

std::optional<Arc> arc_of(std::string_view low, std::string_view high, HashFunction hash) noexcept {
  const auto from = digest_from_hex(low, hash);
  const auto to = digest_from_hex(high, hash);
  return from && to ? std::optional(Arc{*from, *to}) : std::nullopt;
}

Result<Arc> arc_of(const Region& region, HashFunction hash) {
  SHERD_TRY_VOID(expect_kind(region, RegionKind::kArc));
  const auto arc = arc_of(region.low, region.high, hash);
  if (!arc) {
    return fail(
        ErrorCode::kInvalidParameterValue,
        fmt::format("\"{}\" and \"{}\" are no {} digests", region.low, region.high, name_of(hash))
    );
  }
  return *arc;
}

Result<> check_size(std::span<const RingSource> sources) {
  std::uint64_t total = 0;
  for (const RingSource& source : sources) {
    total += source.points;
  }
  if (total == 0 || total > kMaxRingPoints) {
    return fail(
        ErrorCode::kInvalidConfig, fmt::format("the ring would have {} points", total),
        fmt::format("choose virtual_nodes_per_shard and weights for 1 to {}", kMaxRingPoints)
    );
  }
  return {};
}

PlacementPtr make(
    const StrategySpec& spec, const Roster& roster, std::vector<RingSource> sources, Ring ring
) {
  return std::make_shared<const RingPlacement>(spec, roster, std::move(sources), std::move(ring));
}

Result<PlacementPtr> compile_ring(const StrategySpec& spec, const Roster& roster) {
  SHERD_TRY_VOID(check_available(spec.hash));
  if (spec.virtual_nodes_per_shard == 0 || spec.virtual_nodes_per_shard > kMaxVirtualNodes) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("virtual_nodes_per_shard is {}", spec.virtual_nodes_per_shard),
        fmt::format("choose 1 to {}", kMaxVirtualNodes)
    );
  }
  std::vector<RingSource> sources;
  for (const Member& member : roster.members()) {
    const double points = std::min(
        spec.virtual_nodes_per_shard * member.weight, static_cast<double>(kMaxRingPoints + 1)
    );
    sources.push_back({member.name, static_cast<std::uint32_t>(points)});
  }
  SHERD_TRY_VOID(check_size(sources));
  Ring ring = ring_from(sources, spec.hash, roster);
  return make(spec, roster, std::move(sources), std::move(ring));
}

// "points 150 shard1" lines make the ring, "arc low high shard" lines say where owners differ from
// it.
Result<PlacementPtr> read_ring(
    const StrategySpec& spec, const Roster& roster, const std::vector<std::string>& head,
    LayoutReader& reader
) {
  SHERD_TRY_VOID(check_available(spec.hash));
  if (head.size() != 2 || hash_named(head[1]) != spec.hash) {
    return reader.damaged(fmt::format("expected \"consistent_hash {}\"", name_of(spec.hash)));
  }
  std::vector<RingSource> sources;
  std::vector<std::pair<Arc, ShardId>> arcs;
  while (true) {
    SHERD_TRY(const auto words, reader.next());
    if (!words) {
      break;
    }
    const auto& w = *words;
    if (w.size() == 3 && w[0] == "points" && arcs.empty()) {
      const auto points = parse_number(w[1], kMaxRingPoints);
      if (!points) {
        return reader.damaged("expected a number of points");
      }
      sources.push_back({w[2], static_cast<std::uint32_t>(*points)});
      continue;
    }
    const auto arc = w.size() == 4 && w[0] == "arc" ? arc_of(w[1], w[2], spec.hash) : std::nullopt;
    if (!arc) {
      return reader.damaged("expected points or an arc");
    }
    SHERD_TRY(const ShardId owner, roster.id_of(w[3], "the placement layout"));
    arcs.emplace_back(*arc, owner);
  }
  SHERD_TRY_VOID(check_size(sources));
  const Ring own = ring_from(sources, spec.hash, roster);
  Ring ring = own;
  for (const auto& [arc, owner] : arcs) {
    (void)give(ring, arc, std::nullopt, owner);  // no source to disagree with
  }
  if (std::ranges::find(ring, kGone, &RingPoint::owner) != ring.end()) {
    return reader.damaged("the ring has points of a shard that is no member");
  }
  simplify(ring, own);
  return make(spec, roster, std::move(sources), std::move(ring));
}

Result<std::vector<Move>> difference_ring(const Placement& before, const Placement& after) {
  const HashFunction hash = before.spec().hash;
  if (hash != after.spec().hash) {
    return fail(ErrorCode::kUnsupported, "the placements have different hash functions");
  }
  std::vector<Move> moves;
  for_each_arc(
      ring_of(before).ring(), ring_of(after).ring(),
      [&](const Arc& arc, ShardId source, ShardId target) {
        if (source == target) {
          return;
        }
        const std::string low = to_hex(arc.low, hash);
        const std::string high = to_hex(arc.high, hash);
        moves.push_back(Move{
            .region =
                {.description = fmt::format("arc ({}, {}]", low.substr(0, 8), high.substr(0, 8)),
                 .low = low,
                 .high = high,
                 .kind = RegionKind::kArc},
            .source = source,
            .target = target,
        });
      }
  );
  std::ranges::sort(moves, {}, [](const Move& move) { return std::string_view(move.region.high); });
  return moves;
}

Result<PlacementPtr> apply_ring(
    const Placement& current, std::span<const Move> moves, const Roster& roster
) {
  const RingPlacement& placement = ring_of(current);
  Ring ring = placement.ring();
  for (const Move& move : moves) {
    SHERD_TRY_VOID(roster.check_id(move.target));
    SHERD_TRY(const Arc arc, arc_of(move.region, current.spec().hash));
    if (!give(ring, arc, move.source, move.target)) {
      return fail(
          ErrorCode::kNotInPrerequisiteState,
          fmt::format("{} does not all belong to the move's source", move.region.description),
          "plan the moves again from the placement as it is now"
      );
    }
  }
  simplify(ring, ring_from(placement.sources(), current.spec().hash, roster));
  return make(current.spec(), roster, placement.sources(), std::move(ring));
}

Result<RegionFilter> filter_ring(const StrategySpec& spec, const Region& region) {
  SHERD_TRY(const Arc arc, arc_of(region, spec.hash));
  SHERD_TRY_VOID(check_available(spec.hash));
  return RegionFilter([arc, hash = spec.hash](const pgtypes::Key& key) {
    const auto digest = digest_of(hash, key);
    return digest && in_arc(arc, *digest);
  });
}

ShardSet owners_in(const Ring& ring) {
  ShardSet owners;
  for (const RingPoint& point : ring) {
    owners.add(point.owner);
  }
  return owners;
}

}  // namespace

RingPlacement::RingPlacement(
    const StrategySpec& spec, const Roster& roster, std::vector<RingSource> sources, Ring ring
)
    : Placement(spec, roster.members(), owners_in(ring)),
      ring_(std::move(ring)),
      sources_(std::move(sources)),
      hash_(spec.hash) {
  fill_buckets();
}

void RingPlacement::fill_buckets() {
  const auto bits = static_cast<unsigned>(std::bit_width(ring_.size()));
  bucket_shift_ = 64 - bits;
  buckets_.resize(std::size_t{1} << bits);
  ids_ = shards().to_vector();
  std::vector<std::uint16_t> places;  // of each point's owner
  for (const RingPoint& point : ring_) {
    const auto at = std::ranges::lower_bound(ids_, point.owner);
    places.push_back(static_cast<std::uint16_t>(at - ids_.begin()));
  }
  std::size_t next = 0;
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    const std::size_t first = next;
    bucket_starts_.push_back(static_cast<std::uint32_t>(first));
    while (next < ring_.size() && ring_[next].at.words[0] >> bucket_shift_ == b) {
      ++next;
    }
    Bucket& bucket = buckets_[b];
    bucket.owners = {places[first % places.size()], places[(first + 1) % places.size()]};
    bucket.needs_search = next - first > 1 ? 1 : 0;
    // Nothing lies above the middle of an empty bucket, so that all of it goes to the first point
    // behind it.
    bucket.middle = next == first ? 0x7fff'ffff : middle_of(ring_[first].at);
  }
}

ShardId RingPlacement::owner_of(const Digest& digest) const noexcept {
  const Bucket& bucket = buckets_[digest.words[0] >> bucket_shift_];
  const std::uint32_t middle = middle_of(digest);
  const bool is_behind = middle > bucket.middle;
  if ((is_behind && bucket.needs_search) || middle == bucket.middle) [[unlikely]] {
    return ring_[position(digest)].owner;
  }
  return ids_[bucket.owners[is_behind ? 1 : 0]];
}

std::size_t RingPlacement::position(const Digest& digest) const noexcept {
  std::size_t i = bucket_starts_[digest.words[0] >> bucket_shift_];
  while (i < ring_.size() && ring_[i].at < digest) {
    ++i;
  }
  return i == ring_.size() ? 0 : i;
}

std::optional<ShardId> RingPlacement::try_owner(const pgtypes::Key& key) const noexcept {
  if (!fits(key)) [[unlikely]] {
    return std::nullopt;
  }
  const auto digest = digest_of(hash_, key);
  if (!digest) [[unlikely]] {
    return std::nullopt;
  }
  return owner_of(*digest);
}

std::string RingPlacement::explain(const pgtypes::Key& key) const {
  const auto digest = fits(key) ? digest_of(hash_, key) : std::nullopt;
  if (!digest) {
    return no_owner(key).message;
  }
  const std::size_t at = position(*digest);
  return fmt::format(
      "{} {}: ring point {} of {} ({})", name_of(hash_), to_hex(*digest, hash_), at, ring_.size(),
      to_hex(ring_[at].at, hash_)
  );
}

std::string RingPlacement::layout() const {
  std::string out;
  append_line(out, name_of(StrategyKind::kConsistentHash), name_of(hash_));
  for (const RingSource& source : sources_) {
    append_line(out, "points", std::to_string(source.points), source.name);
  }
  std::map<ShardId, std::string_view> names;
  for (const Member& member : members()) {
    names.emplace(member.id, member.name);
  }
  const auto roster = Roster::make(members());
  const Ring own = roster ? ring_from(sources_, hash_, *roster) : Ring{};
  for_each_arc(own, ring_, [&](const Arc& arc, ShardId made, ShardId owner) {
    if (made != owner) {
      append_line(out, "arc", to_hex(arc.low, hash_), to_hex(arc.high, hash_), names[owner]);
    }
  });
  return out;
}

const KindRow kConsistentHashRow = {
    .kind = StrategyKind::kConsistentHash,
    .name = "consistent_hash",
    .takes_ordered_keys = false,
    .compile = compile_ring,
    .read = read_ring,
    .rebalance = compile_again,
    .difference = difference_ring,
    .apply = apply_ring,
    .filter = filter_ring,
};

}  // namespace sherd::strategy
