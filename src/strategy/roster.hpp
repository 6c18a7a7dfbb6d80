#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/strategy/placement.hpp>

namespace sherd::strategy {

inline constexpr std::size_t kMaxMembers = 65536;

/// The members of a placement, checked, sorted by name: the order in which strategies lay shards
/// out.
class Roster {
 public:
  /// kInvalidConfig for no members, names or ids that repeat, empty or unprintable names, a weight
  /// that is not positive and finite.
  [[nodiscard]] static Result<Roster> make(std::span<const Member> members);

  [[nodiscard]] const std::vector<Member>& members() const noexcept { return members_; }
  [[nodiscard]] std::vector<double> weights() const;
  /// nullptr if there is none. Cost: O(log n).
  [[nodiscard]] const Member* find(std::string_view name) const noexcept;
  /// kInvalidConfig with the nearest name as hint. @param user  what names the shard: "range [1,
  /// 2]".
  [[nodiscard]] Result<ShardId> id_of(std::string_view name, std::string_view user) const;
  /// kInvalidConfig where no member has `id`.
  [[nodiscard]] Result<> check_id(ShardId id) const;

 private:
  std::vector<Member> members_{};
};

/// The name of `id` among `members`; "shard 7" if it is none of them. Cost: O(n).
[[nodiscard]] std::string name_of(std::span<const Member> members, ShardId id);

}  // namespace sherd::strategy
