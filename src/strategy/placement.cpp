#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/strategy/placement.hpp>

#include "key_table.hpp"
#include "kinds.hpp"

namespace sherd::strategy {
namespace {

// In the order of StrategyKind.
const std::array<const KindRow*, 6>& rows() noexcept {
  static const std::array<const KindRow*, 6> kRows = {
      &kHashRow, &kConsistentHashRow, &kRangeRow, &kGeographicRow, &kSlotRow, &kDirectoryRow,
  };
  return kRows;
}

Result<> check_key_type(const StrategySpec& spec) {
  using enum pgtypes::KeyType;
  const bool is_ordered_only = spec.key_type == kDate || spec.key_type == kTimestamp
                               || spec.key_type == kTimestamptz || spec.key_type == kNumeric;
  if (is_ordered_only && !row_of(spec.kind).takes_ordered_keys) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format(
            "strategy {} cannot take a key of type {}", name_of(spec.kind),
            pgtypes::name_of(spec.key_type)
        ),
        "use strategy range for it, or a key of type smallint, integer, bigint, text, varchar or "
        "uuid"
    );
  }
  return {};
}

Result<KeyTable<bool>> table_of(pgtypes::KeyType type, const std::vector<std::string>& texts) {
  KeyTable<bool> table;
  std::string scratch;
  for (const std::string& text : texts) {
    const auto key = pgtypes::key_from_text(type, text, scratch);
    if (!key) {
      return fail(ErrorCode::kInvalidParameterValue, key.error().message);
    }
    table.set(*key, true);
  }
  return table;
}

Result<RegionFilter> filter_without_exceptions(const StrategySpec& spec, const Region& region) {
  if (region.kind == RegionKind::kRest) {
    return RegionFilter([](const pgtypes::Key&) { return true; });
  }
  if (region.kind == RegionKind::kKeys) {
    SHERD_TRY(auto table, table_of(spec.key_type, region.keys));
    return RegionFilter([table = std::move(table)](const pgtypes::Key& key) {
      return table.find(key) != nullptr;
    });
  }
  return row_of(spec.kind).filter(spec, region);
}

bool same_kind_of_keys(pgtypes::KeyType a, pgtypes::KeyType b) noexcept {
  return a == b || (pgtypes::is_integer(a) && pgtypes::is_integer(b))
         || (pgtypes::is_text(a) && pgtypes::is_text(b));
}

}  // namespace

const KindRow& row_of(StrategyKind kind) noexcept {
  return *rows()[static_cast<std::size_t>(kind)];
}

std::string_view name_of(StrategyKind kind) noexcept {
  return row_of(kind).name;
}

std::optional<StrategyKind> kind_named(std::string_view name) noexcept {
  const auto at = std::ranges::find(rows(), name, [](const KindRow* row) { return row->name; });
  return at == rows().end() ? std::nullopt : std::optional((*at)->kind);
}

Result<PlacementPtr> compile_again(const Placement& current, const Roster& roster) {
  return row_of(current.spec().kind).compile(current.spec(), roster);
}

Result<> expect_kind(const Region& region, RegionKind kind) {
  if (region.kind != kind) {
    return fail(
        ErrorCode::kInvalidParameterValue,
        fmt::format("\"{}\" is no region of this strategy", region.description)
    );
  }
  return {};
}

Result<pgtypes::OwnedKey> declared_key(
    pgtypes::KeyType type, std::string_view text, std::string_view user
) {
  std::string scratch;
  const auto key = pgtypes::key_from_text(type, text, scratch);
  if (!key) {
    return fail(
        ErrorCode::kInvalidConfig, fmt::format("{}: {}", user, key.error().message),
        key.error().hint.empty() ? fmt::format("write a value of type {}", pgtypes::name_of(type))
                                 : key.error().hint
    );
  }
  return pgtypes::OwnedKey(*key);
}

std::string printed(const pgtypes::Key& key) {
  constexpr std::size_t kShown = 60;
  std::string scratch;
  const std::string_view text = pgtypes::canonical_text(key, scratch);
  if (pgtypes::is_integer(key.type) || key.type == pgtypes::KeyType::kNumeric) {
    return std::string(text.substr(0, kShown));
  }
  std::size_t end = std::min(text.size(), kShown);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;  // not within a character
  }
  return quote_literal(text.substr(0, end)) + (end < text.size() ? "…" : "");
}

Result<ShardId> Placement::owner(const pgtypes::Key& key) const {
  if (const auto shard = try_owner(key)) [[likely]] {
    return *shard;
  }
  return fail(no_owner(key));
}

Error Placement::no_owner(const pgtypes::Key& key) const {
  if (!fits(key)) {
    return Error{
        .code = ErrorCode::kInternal,
        .message = fmt::format(
            "a key of type {} was asked of a placement of {} keys", pgtypes::name_of(key.type),
            pgtypes::name_of(spec_.key_type)
        ),
    };
  }
  return Error{
      .code = ErrorCode::kInternal,
      .message = "the cryptographic library refused to compute a digest",
  };
}

bool Placement::add_enumerated(const KeyRange& range, ShardSet& out) const {
  if (!range.low || !range.high || !fits(*range.low) || !fits(*range.high)) {
    return false;
  }
  const auto add = [&](const pgtypes::Key& key) {
    if (const auto shard = try_owner(key)) {
      out.add(*shard);
    }
  };
  const auto order = pgtypes::compare(*range.low, *range.high);
  if (order > 0 || (order == 0 && !(range.low_inclusive && range.high_inclusive))) {
    return true;  // no key at all
  }
  if (order == 0) {
    add(*range.low);
    return true;
  }
  if (!pgtypes::is_integer(spec_.key_type)) {
    return false;
  }
  const std::int64_t low = range.low->integer;
  const std::int64_t high = range.high->integer;
  if (static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) >= kEnumerableKeys) {
    return false;
  }
  for (std::int64_t value = low + (range.low_inclusive ? 0 : 1);
       value < high || (value == high && range.high_inclusive); ++value) {
    add(pgtypes::integer_key(spec_.key_type, value));
    if (value == high) {
      break;  // the greatest integer has no next one
    }
  }
  return true;
}

void Placement::add_owners(const KeyRange& range, ShardSet& out) const {
  if (!add_enumerated(range, out)) {
    out.unite(shards_);
  }
}

Result<PlacementPtr> compile(const StrategySpec& spec, std::span<const Member> members) {
  return compile(spec, members, {});
}

Result<PlacementPtr> compile(
    const StrategySpec& spec, std::span<const Member> members, std::string_view layout
) {
  SHERD_TRY_VOID(check_key_type(spec));
  SHERD_TRY(const Roster roster, Roster::make(members));
  const KindRow& row = row_of(spec.kind);
  if (layout.empty()) {
    return row.compile(spec, roster);
  }
  LayoutReader reader(layout);
  SHERD_TRY(const auto head, reader.next());
  if (layout.size() > kMaxLayoutBytes || !head || head->front() != row.name) {
    return reader.damaged(fmt::format("expected a layout of strategy {}", row.name));
  }
  return row.read(spec, roster, *head, reader);
}

Result<PlacementPtr> rebalanced(const Placement& current, std::span<const Member> members) {
  SHERD_TRY(const Roster roster, Roster::make(members));
  return row_of(current.spec().kind).rebalance(current, roster);
}

Result<PlacementPtr> moved(
    const Placement& current, std::span<const Move> moves, std::span<const Member> members
) {
  SHERD_TRY(const Roster roster, Roster::make(members));
  return row_of(current.spec().kind).apply(current, moves, roster);
}

Result<std::vector<Move>> difference(const Placement& before, const Placement& after) {
  if (before.spec().kind != after.spec().kind
      || !same_kind_of_keys(before.spec().key_type, after.spec().key_type)) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "no moves lead from strategy {} of {} keys to {} of {} keys",
            name_of(before.spec().kind), pgtypes::name_of(before.spec().key_type),
            name_of(after.spec().kind), pgtypes::name_of(after.spec().key_type)
        ),
        "make a new colocation group and copy the tables into it"
    );
  }
  return row_of(before.spec().kind).difference(before, after);
}

Result<RegionFilter> region_filter(const StrategySpec& spec, const Region& region) {
  SHERD_TRY(auto contains, filter_without_exceptions(spec, region));
  if (region.except.empty()) {
    return contains;
  }
  SHERD_TRY(auto except, table_of(spec.key_type, region.except));
  return RegionFilter([contains = std::move(contains),
                       except = std::move(except)](const pgtypes::Key& key) {
    return contains(key) && except.find(key) == nullptr;
  });
}

std::map<ShardId, std::uint64_t> distribution(
    const Placement& placement, std::span<const pgtypes::Key> keys
) {
  std::map<ShardId, std::uint64_t> counts;
  for (const pgtypes::Key& key : keys) {
    if (const auto shard = placement.try_owner(key)) {
      ++counts[*shard];
    }
  }
  return counts;
}

}  // namespace sherd::strategy
