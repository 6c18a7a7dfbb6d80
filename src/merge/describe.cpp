#include <algorithm>

#include <fmt/format.h>

#include <sherd/merge/recipe.hpp>

namespace sherd::merge {
namespace {

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string describe_groups(const Recipe& recipe) {
  const auto keys = std::ranges::count(recipe.combine, Combine::kGroupKey);
  const auto partial = recipe.combine.size() - static_cast<std::size_t>(keys);
  if (keys == 0) {
    return fmt::format("combine {} to one row", counted(partial, "partial aggregate"));
  }
  const std::string grouped =
      fmt::format("group by {}", counted(static_cast<std::size_t>(keys), "column"));
  return partial == 0
             ? grouped
             : fmt::format("{}, combine {}", grouped, counted(partial, "partial aggregate"));
}

}  // namespace

std::string describe(const Recipe& recipe) {
  const std::string sorted = counted(recipe.order.size(), "column");
  std::string text;
  if (recipe.groups()) {
    text = describe_groups(recipe);
  }
  if (recipe.distinct) {
    text += text.empty() ? "distinct" : ", distinct";
  }
  if (text.empty()) {
    text = recipe.order.empty() ? "concat" : "merge by " + sorted;
  } else if (!recipe.order.empty()) {
    text += ", sort by " + sorted;
  }
  if (recipe.limit) {
    text += fmt::format(", limit {}", *recipe.limit);
  }
  if (recipe.offset != 0) {
    text += fmt::format(", offset {}", recipe.offset);
  }
  return text;
}

}  // namespace sherd::merge
