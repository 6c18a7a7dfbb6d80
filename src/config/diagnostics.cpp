#include "diagnostics.hpp"

#include <utility>

#include <fmt/format.h>

namespace sherd::config {

Place Diagnostics::place_of(std::string path) const {
  while (!path.empty()) {
    if (const auto found = places_.find(path); found != places_.end()) {
      return found->second;
    }
    const auto cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
  return {};
}

void Diagnostics::add(Place place, std::string reason, std::string mend) {
  std::string where =
      place.line == 0 ? file_name_ : fmt::format("{}:{}:{}", file_name_, place.line, place.column);
  errors_.emplace(
      place,
      Error{
          .code = ErrorCode::kInvalidConfig,
          .message = fmt::format("{}: {}", where, reason),
          .hint = std::move(mend)
      }
  );
}

std::vector<Error> Diagnostics::take() {
  std::vector<Error> sorted;
  for (auto& [place, error] : errors_) {
    sorted.push_back(std::move(error));
  }
  errors_.clear();
  return sorted;
}

}  // namespace sherd::config
