#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kinds.hpp"

// Moves of keys that are named one by one: what geographic and directory placements have in common.

namespace sherd::strategy {

inline constexpr std::size_t kMaxNamedKeys = 1U << 20;

/// Canonical texts, sorted.
using KeyTexts = std::set<std::string>;

/// One move per (source, target, label) for those of `keys` whose owner differs. kUnsupported for a
/// key that has an owner before and none after.
/// @param label  groups keys and names their region; may return "".
[[nodiscard]] Result<std::vector<Move>> named_key_moves(
    const KeyTexts& keys, const Placement& before, const Placement& after,
    const std::function<std::string(const pgtypes::Key&)>& label
);

/// Calls visit(key) for each text. kInvalidParameterValue for one that is no key of `type`.
[[nodiscard]] Result<> for_each_key(
    pgtypes::KeyType type, const std::vector<std::string>& texts,
    const std::function<Result<>(const pgtypes::Key&)>& visit
);

[[nodiscard]] std::string text_of(const pgtypes::Key& key);

}  // namespace sherd::strategy
