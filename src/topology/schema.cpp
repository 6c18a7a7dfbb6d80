#include <utility>

#include <sherd/topology/schema.hpp>

namespace sherd::topology {

const Column* RelationInfo::column(std::string_view wanted) const noexcept {
  const auto index = column_index(wanted);
  return index ? &columns[*index] : nullptr;
}

std::optional<std::uint32_t> RelationInfo::column_index(std::string_view wanted) const noexcept {
  for (std::uint32_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == wanted) {
      return i;
    }
  }
  return std::nullopt;
}

Schema::Schema(Parts parts) : parts_(std::move(parts)) {
  by_name_.reserve(parts_.relations.size());
  for (std::uint32_t i = 0; i < parts_.relations.size(); ++i) {
    const RelationInfo& relation = parts_.relations[i];
    by_name_.emplace(NamePair{relation.schema, relation.name}, i);
  }
}

const RelationInfo* Schema::find(std::string_view schema, std::string_view name) const {
  const auto found = by_name_.find(NameView{schema, name});
  return found == by_name_.end() ? nullptr : &parts_.relations[found->second];
}

const FunctionInfo* Schema::function(std::string_view name) const {
  const auto found = parts_.functions.find(name);
  return found == parts_.functions.end() ? nullptr : &found->second;
}

}  // namespace sherd::topology
