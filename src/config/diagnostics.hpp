#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>

namespace sherd::config {

struct Place {
  std::uint32_t line = 0;  // 1-based; 0: not in the file
  std::uint32_t column = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

/// Gathers the errors of one file, and remembers where each option stood, so that a later check can
/// point at it. Options have paths: "pool.size", "shards[2].port".
class Diagnostics {
 public:
  explicit Diagnostics(std::string_view file_name) : file_name_(file_name) {}

  void remember(std::string path, Place place) { places_.insert_or_assign(std::move(path), place); }
  /// The option was given in the file.
  [[nodiscard]] bool was_given(const std::string& path) const { return places_.contains(path); }
  /// Where `path` stood, or the nearest thing around it that stood anywhere.
  [[nodiscard]] Place place_of(std::string path) const;

  void add(Place place, std::string reason, std::string mend);
  /// An error about the option (or entry, or section) at `path`.
  void add_at(const std::string& path, std::string reason, std::string mend) {
    add(place_of(path), std::move(reason), std::move(mend));
  }

  [[nodiscard]] bool clean() const noexcept { return errors_.empty(); }
  /// The errors in the order of the file.
  [[nodiscard]] std::vector<Error> take();

 private:
  std::string file_name_;
  std::map<std::string, Place> places_{};
  std::multimap<Place, Error> errors_{};  // equal places keep the order of their errors
};

}  // namespace sherd::config
