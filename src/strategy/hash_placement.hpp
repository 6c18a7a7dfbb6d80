#pragma once

#include "digest.hpp"
#include "kinds.hpp"
#include "part_map.hpp"

namespace sherd::strategy {

/// A digest modulo the number of parts.
class HashPlacement final : public Placement {
 public:
  /// @param map  one owner per part, 1..kMaxParts of them.
  HashPlacement(const StrategySpec& spec, const Roster& roster, PartMap map);

  [[nodiscard]] std::optional<ShardId> try_owner(const pgtypes::Key& key) const noexcept override;
  [[nodiscard]] std::string explain(const pgtypes::Key& key) const override;
  [[nodiscard]] std::string layout() const override;
  [[nodiscard]] const PartMap& map() const noexcept { return map_; }

 private:
  [[nodiscard]] std::optional<std::uint32_t> part_of(const pgtypes::Key& key) const noexcept;

  PartMap map_;
  HashFunction hash_;
};

}  // namespace sherd::strategy
