#include "roster.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <sherd/base/text.hpp>

namespace sherd::strategy {
namespace {

bool is_printable(std::string_view name) noexcept {
  return std::ranges::none_of(name, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

Result<> check_member(const Member& member) {
  if (member.name.empty() || !is_printable(member.name)) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("shard {} has an empty or unprintable name", index_of(member.id)),
        "give each shard a name of printable characters"
    );
  }
  if (!(member.weight > 0) || !std::isfinite(member.weight)) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("shard \"{}\" has weight {}", member.name, member.weight),
        "a weight is a positive number; to empty a shard, leave it out and rebalance"
    );
  }
  return {};
}

}  // namespace

Result<Roster> Roster::make(std::span<const Member> members) {
  if (members.empty()) {
    return fail(ErrorCode::kInvalidConfig, "there is no shard to place keys on", "add a shard");
  }
  if (members.size() > kMaxMembers) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("more than {} shards", kMaxMembers));
  }
  Roster roster;
  roster.members_.assign(members.begin(), members.end());
  std::ranges::sort(roster.members_, {}, &Member::name);
  std::set<ShardId> ids;
  for (std::size_t i = 0; i < roster.members_.size(); ++i) {
    const Member& member = roster.members_[i];
    SHERD_TRY_VOID(check_member(member));
    if (i > 0 && roster.members_[i - 1].name == member.name) {
      return fail(
          ErrorCode::kInvalidConfig, fmt::format("two shards are named \"{}\"", member.name),
          "give each shard a name of its own"
      );
    }
    if (!ids.insert(member.id).second) {
      return fail(
          ErrorCode::kInvalidConfig, fmt::format("two shards have the id {}", index_of(member.id))
      );
    }
  }
  return roster;
}

std::vector<double> Roster::weights() const {
  std::vector<double> weights;
  weights.reserve(members_.size());
  for (const Member& member : members_) {
    weights.push_back(member.weight);
  }
  return weights;
}

const Member* Roster::find(std::string_view name) const noexcept {
  const auto at = std::ranges::lower_bound(members_, name, {}, [](const Member& m) {
    return std::string_view(m.name);
  });
  return at != members_.end() && at->name == name ? &*at : nullptr;
}

Result<ShardId> Roster::id_of(std::string_view name, std::string_view user) const {
  if (const Member* member = find(name)) {
    return member->id;
  }
  std::vector<std::string> names;
  for (const Member& member : members_) {
    names.push_back(member.name);
  }
  const auto meant = nearest(name, names);
  return fail(
      ErrorCode::kInvalidConfig,
      fmt::format("{} names shard \"{}\", which does not exist", user, name),
      meant ? fmt::format("did you mean \"{}\"?", *meant) : "add the shard first"
  );
}

Result<> Roster::check_id(ShardId id) const {
  if (std::ranges::find(members_, id, &Member::id) == members_.end()) {
    return fail(ErrorCode::kInvalidConfig, fmt::format("there is no shard {}", index_of(id)));
  }
  return {};
}

std::string name_of(std::span<const Member> members, ShardId id) {
  const auto at = std::ranges::find(members, id, &Member::id);
  return at == members.end() ? fmt::format("shard {}", index_of(id)) : at->name;
}

}  // namespace sherd::strategy
