#pragma once

#include <optional>
#include <string>

#include "key_table.hpp"
#include "kinds.hpp"

namespace sherd::strategy {

/// Where a value of the key lives, and the region that says so.
struct Place {
  ShardId owner{};
  std::string region;
};

/// Region to shard; the key is a region's name, or a value that is mapped to one.
class GeographicPlacement final : public Placement {
 public:
  /// @param places  every key that is known; never empty.
  /// @param rest    where all other keys live, if they have a place.
  GeographicPlacement(
      const StrategySpec& spec, const Roster& roster, KeyTable<Place> places,
      std::optional<Place> rest
  );

  [[nodiscard]] std::optional<ShardId> try_owner(const pgtypes::Key& key) const noexcept override;
  [[nodiscard]] std::string explain(const pgtypes::Key& key) const override;
  [[nodiscard]] std::string layout() const override;
  [[nodiscard]] const KeyTable<Place>& places() const noexcept { return places_; }
  [[nodiscard]] const std::optional<Place>& rest() const noexcept { return rest_; }

 protected:
  [[nodiscard]] Error no_owner(const pgtypes::Key& key) const override;

 private:
  [[nodiscard]] const Place* find(const pgtypes::Key& key) const noexcept;

  KeyTable<Place> places_;
  std::optional<Place> rest_;
};

}  // namespace sherd::strategy
