#include "key_moves.hpp"

#include <tuple>

#include <fmt/format.h>

namespace sherd::strategy {
namespace {

std::string describe(const std::vector<std::string>& keys, const std::string& label) {
  if (!label.empty()) {
    return label;
  }
  if (keys.size() == 1) {
    return fmt::format("key {}", keys.front());
  }
  return fmt::format("{} keys from {} to {}", keys.size(), keys.front(), keys.back());
}

}  // namespace

std::string text_of(const pgtypes::Key& key) {
  std::string scratch;
  return std::string(pgtypes::canonical_text(key, scratch));
}

Result<> for_each_key(
    pgtypes::KeyType type, const std::vector<std::string>& texts,
    const std::function<Result<>(const pgtypes::Key&)>& visit
) {
  std::string scratch;
  for (const std::string& text : texts) {
    const auto key = pgtypes::key_from_text(type, text, scratch);
    if (!key) {
      return fail(ErrorCode::kInvalidParameterValue, key.error().message);
    }
    SHERD_TRY_VOID(visit(*key));
  }
  return {};
}

Result<std::vector<Move>> named_key_moves(
    const KeyTexts& keys, const Placement& before, const Placement& after,
    const std::function<std::string(const pgtypes::Key&)>& label
) {
  std::map<std::tuple<ShardId, ShardId, std::string>, std::vector<std::string>> groups;
  std::string scratch;
  for (const std::string& text : keys) {
    SHERD_TRY(const auto key, pgtypes::key_from_text(before.spec().key_type, text, scratch));
    const auto source = before.try_owner(key);
    const auto target = after.try_owner(key);
    if (!source || source == target) {
      continue;
    }
    if (!target) {
      return fail(
          ErrorCode::kUnsupported,
          fmt::format("key {} has a shard before and none after", printed(key)),
          "keep a place for it, or set a default"
      );
    }
    groups[{*source, *target, label(key)}].push_back(text);
  }
  std::vector<Move> moves;
  for (auto& [group, texts] : groups) {
    const auto& [source, target, name] = group;
    Region region{.description = describe(texts, name), .kind = RegionKind::kKeys};
    region.keys = std::move(texts);
    moves.push_back({std::move(region), source, target});
  }
  return moves;
}

}  // namespace sherd::strategy
