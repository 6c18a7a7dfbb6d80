#pragma once

#include "kinds.hpp"
#include "part_map.hpp"

namespace sherd::strategy {

/// PostgreSQL's own hash partition value, low bits.
class SlotPlacement final : public Placement {
 public:
  /// @param map  one owner per slot; its size is spec.slots, a power of two.
  SlotPlacement(const StrategySpec& spec, const Roster& roster, PartMap map);

  [[nodiscard]] std::optional<ShardId> try_owner(const pgtypes::Key& key) const noexcept override;
  [[nodiscard]] std::string explain(const pgtypes::Key& key) const override;
  [[nodiscard]] std::string layout() const override;
  [[nodiscard]] const PartMap& map() const noexcept { return map_; }

 private:
  PartMap map_;
  std::uint64_t mask_;
};

}  // namespace sherd::strategy
