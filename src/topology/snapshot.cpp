#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include <sherd/base/check.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::topology {
namespace {

Result<> misfit(std::string message, std::string hint = {}) {
  return fail(ErrorCode::kInvalidConfig, std::move(message), std::move(hint));
}

/// Integers of every width are one family, and text and varchar: their canonical forms and hashes
/// are equal.
bool same_family(pgtypes::KeyType a, pgtypes::KeyType b) {
  return a == b || (pgtypes::is_integer(a) && pgtypes::is_integer(b))
         || (pgtypes::is_text(a) && pgtypes::is_text(b));
}

Result<> check_shards(const Snapshot& snapshot) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < snapshot.shards.size(); ++i) {
    const Shard& shard = snapshot.shards[i];
    if (i > 0 && snapshot.shards[i - 1].id == shard.id) {
      return misfit(fmt::format("shard id {} is given twice", index_of(shard.id)));
    }
    if (shard.name.empty()) {
      return misfit(fmt::format("shard {} has no name", index_of(shard.id)));
    }
    if (!names.insert(shard.name).second) {
      return misfit(fmt::format("shard name \"{}\" is given twice", shard.name));
    }
  }
  if (!snapshot.shards.empty() && snapshot.shard(snapshot.home) == nullptr) {
    return misfit(fmt::format("the home shard {} is no shard", index_of(snapshot.home)));
  }
  return {};
}

Result<> check_groups(const Snapshot& snapshot) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < snapshot.groups.size(); ++i) {
    const Group& group = snapshot.groups[i];
    if (i > 0 && snapshot.groups[i - 1].id == group.id) {
      return misfit(fmt::format("group id {} is given twice", index_of(group.id)));
    }
    if (!names.insert(group.name).second) {
      return misfit(fmt::format("group name \"{}\" is given twice", group.name));
    }
    if (!group.placement) {
      return misfit(fmt::format("group \"{}\" has no placement", group.name));
    }
    if (group.placement->shards().empty()) {
      return misfit(fmt::format("group \"{}\" is placed on no shard", group.name));
    }
    std::optional<ShardId> unknown;
    group.placement->shards().for_each([&](ShardId id) {
      if (snapshot.shard(id) == nullptr) {
        unknown = id;
      }
    });
    if (unknown) {
      return misfit(fmt::format(
          "group \"{}\" is placed on shard {}, which is none", group.name, index_of(*unknown)
      ));
    }
  }
  return {};
}

Result<> check_key(const Snapshot& snapshot, const Table& table, const Group& group) {
  const RelationInfo* relation = snapshot.schema->find(table.schema, table.name);
  if (relation == nullptr) {
    return {};  // dropped behind our back: statements that name it get the server's own error
  }
  const Column* key = relation->column(table.key_column);
  if (key == nullptr) {
    return misfit(fmt::format(
        "table \"{}\" has no column \"{}\", its shard key", table.name, table.key_column
    ));
  }
  const auto type = pgtypes::key_type_of(key->type);
  if (!type || !same_family(*type, group.placement->spec().key_type)) {
    return misfit(fmt::format(
        "shard key \"{}\" of table \"{}\" is {}, its group \"{}\" has keys of type {}",
        table.key_column, table.name, key->type_name.empty() ? "of another type" : key->type_name,
        group.name, pgtypes::name_of(group.placement->spec().key_type)
    ));
  }
  return {};
}

Result<> check_table(const Snapshot& snapshot, const Table& table) {
  switch (table.kind) {
    case TableKind::kReference:
      return {};
    case TableKind::kLocal:
      return misfit(
          fmt::format("table \"{}\" is listed as local", table.name),
          "leave local tables out of the list"
      );
    case TableKind::kDistributed:
      break;
  }
  const Group* group = snapshot.group(table.group);
  if (group == nullptr) {
    return misfit(
        fmt::format("table \"{}\" is in group {}, which is none", table.name, index_of(table.group))
    );
  }
  if (table.key_column.empty()) {
    return misfit(fmt::format("distributed table \"{}\" has no shard key", table.name));
  }
  return check_key(snapshot, table, *group);
}

template <class Items, class Id>
auto* find_by_id(Items& items, Id id) noexcept {
  const auto found = std::lower_bound(
      items.begin(), items.end(), id, [](const auto& item, Id wanted) { return item.id < wanted; }
  );
  return found != items.end() && found->id == id ? &*found : nullptr;
}

template <class Items>
auto* find_by_name(Items& items, std::string_view name) noexcept {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.name == name; });
  return found != items.end() ? &*found : nullptr;
}

}  // namespace

Result<> Snapshot::seal() {
  const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
  std::sort(shards.begin(), shards.end(), by_id);
  std::sort(groups.begin(), groups.end(), by_id);
  if (!schema) {
    schema = std::make_shared<const Schema>();
  }
  SHERD_TRY_VOID(check_shards(*this));
  SHERD_TRY_VOID(check_groups(*this));
  tables_by_name_.clear();
  for (std::uint32_t i = 0; i < tables.size(); ++i) {
    SHERD_TRY_VOID(check_table(*this, tables[i]));
    if (!tables_by_name_.emplace(NamePair{tables[i].schema, tables[i].name}, i).second) {
      return misfit(fmt::format("table \"{}.{}\" is listed twice", tables[i].schema, tables[i].name)
      );
    }
  }
  return {};
}

const Shard* Snapshot::shard(ShardId id) const noexcept {
  return find_by_id(shards, id);
}
const Shard* Snapshot::shard_named(std::string_view name) const noexcept {
  return find_by_name(shards, name);
}
const Group* Snapshot::group(GroupId id) const noexcept {
  return find_by_id(groups, id);
}
const Group* Snapshot::group_named(std::string_view name) const noexcept {
  return find_by_name(groups, name);
}

const Table* Snapshot::table(std::string_view schema_name, std::string_view name) const {
  const auto found = tables_by_name_.find(NameView{schema_name, name});
  return found == tables_by_name_.end() ? nullptr : &tables[found->second];
}

ShardSet Snapshot::active_shards() const {
  ShardSet active;
  for (const Shard& shard : shards) {
    if (shard.active) {
      active.add(shard.id);
    }
  }
  return active;
}

void SnapshotHolder::publish(SnapshotPtr next) {
  SHERD_CHECK(next != nullptr);
  const std::lock_guard lock(mutex_);
  SHERD_CHECK(!current_ || current_->epoch < next->epoch);
  current_ = std::move(next);
  // Under the lock and after the pointer: who sees the new epoch finds at least this snapshot.
  epoch_.store(number_of(current_->epoch), std::memory_order_release);
}

SnapshotPtr SnapshotHolder::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

}  // namespace sherd::topology
