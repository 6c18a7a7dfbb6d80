#pragma once

#include <string>

#include "key_table.hpp"
#include "kinds.hpp"

namespace sherd::strategy {

/// Pins of single keys over a fallback.
class DirectoryPlacement final : public Placement {
 public:
  DirectoryPlacement(
      const StrategySpec& spec, const Roster& roster, KeyTable<ShardId> pins, PlacementPtr fallback
  );

  [[nodiscard]] std::optional<ShardId> try_owner(const pgtypes::Key& key) const noexcept override;
  void add_owners(const KeyRange& range, ShardSet& out) const override;
  [[nodiscard]] std::string explain(const pgtypes::Key& key) const override;
  [[nodiscard]] std::string layout() const override;
  [[nodiscard]] const KeyTable<ShardId>& pins() const noexcept { return pins_; }
  [[nodiscard]] const PlacementPtr& fallback() const noexcept { return fallback_; }

 protected:
  [[nodiscard]] Error no_owner(const pgtypes::Key& key) const override;

 private:
  KeyTable<ShardId> pins_;
  PlacementPtr fallback_;
};

}  // namespace sherd::strategy
