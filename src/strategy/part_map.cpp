#include "part_map.hpp"

#include <numeric>
#include <optional>

#include <fmt/format.h>

namespace sherd::strategy {
namespace {

// Calls visit(run) for each run of parts of one owner, in order.
template <class Visit>
void for_each_run(const PartMap& map, Visit&& visit) {
  for (std::uint32_t low = 0; low < map.size();) {
    std::uint32_t high = low;
    while (high + 1 < map.size() && map[high + 1] == map[low]) {
      ++high;
    }
    visit(NumberRun{low, high});
    low = high + 1;
  }
}

Result<> apply(PartMap& map, const Move& move) {
  SHERD_TRY(const NumberRun run, part_bounds(move.region));
  const auto size = static_cast<std::uint32_t>(map.size());
  // A part of the region's modulus is several parts of a finer map.
  for (std::uint32_t base = 0; base < size; base += move.region.modulus) {
    for (std::uint32_t part = base + run.low; part <= base + run.high; ++part) {
      if (map[part] != move.source) {
        return fail(
            ErrorCode::kNotInPrerequisiteState,
            fmt::format("{} do not all belong to the move's source", move.region.description),
            "plan the moves again from the placement as it is now"
        );
      }
      map[part] = move.target;
    }
  }
  return {};
}

}  // namespace

ShardSet owners_in(const PartMap& map) {
  ShardSet owners;
  for_each_run(map, [&](NumberRun run) { owners.add(map[run.low]); });
  return owners;
}

NumberRun run_around(const PartMap& map, std::uint32_t part) noexcept {
  NumberRun run{part, part};
  while (run.low > 0 && map[run.low - 1] == map[part]) {
    --run.low;
  }
  while (run.high + 1 < map.size() && map[run.high + 1] == map[part]) {
    ++run.high;
  }
  return run;
}

std::string to_string(NumberRun run) {
  return run.low == run.high ? fmt::format("{}", run.low) : fmt::format("{}-{}", run.low, run.high);
}

PartMap contiguous(const Roster& roster, std::span<const std::uint32_t> sizes) {
  PartMap map;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    map.insert(map.end(), sizes[i], roster.members()[i].id);
  }
  return map;
}

PartMap refined(const PartMap& map, std::uint32_t count) {
  PartMap fine;
  fine.reserve(count);
  while (fine.size() < count) {
    fine.insert(fine.end(), map.begin(), map.end());
  }
  return fine;
}

void append_runs(const PartMap& map, std::span<const Member> members, std::string& out) {
  for_each_run(map, [&](NumberRun run) {
    append_line(out, to_string(run), name_of(members, map[run.low]));
  });
}

Result<PartMap> read_runs(LayoutReader& reader, std::uint32_t count, const Roster& roster) {
  PartMap map;
  map.reserve(count);
  while (true) {
    SHERD_TRY(const auto words, reader.next());
    if (!words) {
      break;
    }
    const auto run = words->size() == 2 ? parse_run((*words)[0], count - 1) : std::nullopt;
    if (!run || run->low != map.size()) {
      return reader.damaged("expected the next parts in order and their shard");
    }
    SHERD_TRY(const ShardId owner, roster.id_of((*words)[1], "the placement layout"));
    map.insert(map.end(), run->high - run->low + 1, owner);
  }
  if (map.size() != count) {
    return reader.damaged(fmt::format("{} of {} parts have no shard", count - map.size(), count));
  }
  return map;
}

std::vector<Move> part_moves(const PartMap& before, const PartMap& after, RegionKind kind) {
  std::vector<Move> moves;
  const std::string_view word = kind == RegionKind::kSlots ? "slot" : "part";
  const auto size = static_cast<std::uint32_t>(before.size());
  for (std::uint32_t low = 0; low < size;) {
    std::uint32_t high = low;
    while (high + 1 < size && before[high + 1] == before[low] && after[high + 1] == after[low]) {
      ++high;
    }
    if (before[low] != after[low]) {
      const NumberRun run{low, high};
      std::string text = fmt::format("{}{} {}", word, low == high ? "" : "s", to_string(run));
      if (kind == RegionKind::kParts) {
        text += fmt::format(" of {}", size);
      }
      moves.push_back(Move{
          .region =
              {.description = std::move(text),
               .low = std::to_string(low),
               .high = std::to_string(high),
               .kind = kind,
               .modulus = size},
          .source = before[low],
          .target = after[low],
      });
    }
    low = high + 1;
  }
  return moves;
}

Result<NumberRun> part_bounds(const Region& region) {
  const std::uint32_t modulus = region.modulus;
  if (modulus >= 1 && modulus <= kMaxParts) {
    const auto low = parse_number(region.low, modulus - 1);
    const auto high = parse_number(region.high, modulus - 1);
    if (low && high && *low <= *high) {
      return NumberRun{static_cast<std::uint32_t>(*low), static_cast<std::uint32_t>(*high)};
    }
  }
  return fail(
      ErrorCode::kInvalidParameterValue,
      fmt::format("\"{}\" to \"{}\" of {} are no parts", region.low, region.high, modulus)
  );
}

Result<PartMap> with_moves(
    PartMap map, std::span<const Move> moves, RegionKind kind, const Roster& roster
) {
  std::uint64_t count = map.size();
  for (const Move& move : moves) {
    if (move.region.kind != kind || move.region.modulus == 0) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("a move of {} is none of this strategy", move.region.description)
      );
    }
    count = std::lcm(count, std::uint64_t{move.region.modulus});
    if (count > kMaxParts) {
      return fail(ErrorCode::kInvalidParameterValue, fmt::format("more than {} parts", kMaxParts));
    }
    SHERD_TRY_VOID(roster.check_id(move.target));
  }
  if (count != map.size()) {
    map = refined(map, static_cast<std::uint32_t>(count));
  }
  for (const Move& move : moves) {
    SHERD_TRY_VOID(apply(map, move));
  }
  return map;
}

}  // namespace sherd::strategy
