#include <algorithm>

#include <fmt/format.h>

#include "statements.hpp"

// UPDATE, DELETE, MERGE, TRUNCATE, LOCK, VACUUM and kin.

namespace sherd::plan {
namespace {

/// What UPDATE and DELETE have in common.
struct Write {
  const sql::Relation& target;
  bool has_returning;
  bool has_other_tables;  // FROM, USING
  bool current_of;
};

Plan finished(Plan plan, const Write& write) {
  plan.writes = true;
  plan.returns_rows = write.has_returning;
  return plan;
}

std::unexpected<Error> refuse_spread(std::string_view why) {
  return refuse(
      fmt::format("a change on several shards {}", why),
      "confine it to one shard by its key, or change the tables one after the other"
  );
}

/// A change of rows on several shards: every shard changes its own, by itself.
Result<Plan> write_all(const Input& input, const Survey& survey, const Points& points) {
  for (const Confinement& one : points.all()) {
    if (one.key.block != 0 || one.key.relation != 0) {
      return refuse_spread("cannot read other distributed tables yet");
    }
  }
  if (survey.local) {
    return refuse_spread("cannot read local tables");
  }
  SHERD_TRY_VOID(check_functions(input.statement, input.schema(), FunctionUse::kMultiWrite));
  SHERD_TRY_VOID(check_steady(input.statement, input.schema(), FunctionUse::kMultiWrite));
  return plan_for(
      input, PlanKind::kWriteAll, points.all().front().shards.to_vector(), "rows of several shards"
  );
}

Result<Plan> write_distributed(const Input& input, const Write& write, const Named& target) {
  if (write.current_of) {
    return refuse(
        "WHERE CURRENT OF is not supported for distributed tables", "name the row by its key"
    );
  }
  if (target.info != nullptr && target.info->has_rules) {
    return refuse(
        fmt::format("\"{}\" has rules, which rewrite changes", target.table->name), "drop the rules"
    );
  }
  SHERD_TRY(const Survey found, survey(input));
  const Points points(input, found.scope);
  SHERD_TRY(auto single, confine(input, found, points));
  if (single) {
    return finished(*std::move(single), write);
  }
  SHERD_TRY(Plan plan, write_all(input, found, points));
  return finished(std::move(plan), write);
}

Result<Plan> write_copies(
    const Input& input, const Write& write, const Named& target, bool is_update
) {
  SHERD_TRY(const Survey found, survey(input));
  if (found.distributed || found.local) {
    return refuse(
        "a change of a reference table cannot read distributed or local tables",
        "read the values first and pass them as literals or parameters"
    );
  }
  if (write.current_of) {
    return refuse(
        "WHERE CURRENT OF is not supported for reference tables", "name the row by its key"
    );
  }
  if (is_update && write.has_other_tables) {
    return refuse(
        "UPDATE … FROM of a reference table may take another partner on every shard",
        "use a subquery that gives one value"
    );
  }
  SHERD_TRY_VOID(check_copies(input, target));
  return finished(
      plan_for(
          input, PlanKind::kWriteCopies, every_shard(input),
          "reference table: every shard has a copy"
      ),
      write
  );
}

Result<Plan> write_local(const Input& input, const Write& write) {
  SHERD_TRY(Survey found, survey(input));
  found.local = true;
  found.local_name = write.target.name;
  if (!found.distributed) {
    return finished(plan_at_home(input, "local tables"), write);
  }
  const Points points(input, found.scope);
  SHERD_TRY(auto single, confine(input, found, points));
  if (!single) {
    return fail(ErrorCode::kInternal, "a local table's shard is not the home shard");
  }
  return finished(*std::move(single), write);
}

Result<Plan> plan_write(
    const Input& input, const Write& write, const Named& target, bool is_update
) {
  switch (target.kind) {
    case RelationClass::kDistributed:
      return write_distributed(input, write, target);
    case RelationClass::kReference:
      return input.topology().shards.size() == 1 && target.table != nullptr
                 ? Result<Plan>(finished(plan_at_home(input, "the only shard"), write))
                 : write_copies(input, write, target, is_update);
    default:
      return write_local(input, write);
  }
}

/// `value` is what the key must be already, or the key itself.
bool keeps_key(const Input& input, const sql::Operand& value, const Named& target) {
  const auto scope = Scope::build(input);
  if (!scope) {
    return false;
  }
  const Points points(input, *scope);
  const Confinement* one = points.of(0, 0);
  if (one == nullptr || target.key_column() == nullptr) {
    return false;
  }
  if (value.kind == sql::Operand::Kind::kColumn) {
    return scope->resolve(0, value.column) == one->key;
  }
  const KeyColumn column = key_column_of(target.key_column()->type);
  std::string scratch;
  const auto set = constant_of(input.literals, input.parameters, value, column, true, scratch);
  if (!set || !set->is_key()) {
    return false;
  }
  const pgtypes::OwnedKey wanted(set->key);
  return std::ranges::any_of(one->operands, [&](const KeyOperand& condition) {
    const auto must = constant_of(
        input.literals, input.parameters, *condition.operand, condition.column, false, scratch
    );
    return must && must->is_key() && pgtypes::equal(must->key, wanted.get());
  });
}

Result<> check_set(const Input& input, const sql::Update& update, const Named& target) {
  for (std::size_t i = 0; i < update.set_columns.size(); ++i) {
    if (update.set_columns[i] != target.table->key_column) {
      continue;
    }
    if (i >= update.set_values.size() || !keeps_key(input, update.set_values[i], target)) {
      return refuse(
          fmt::format("UPDATE cannot change the shard key \"{}\"", target.table->key_column),
          "delete the row and insert it again with the new key"
      );
    }
  }
  return {};
}

struct Targets {
  bool distributed = false;
  bool reference = false;
  bool local = false;
  bool unknown = false;  // a name that is no table's: an index, or a mistake
  [[nodiscard]] bool shared() const noexcept { return distributed || reference; }
};

Result<Targets> look_at(const Input& input, const std::vector<sql::Relation>& relations) {
  Targets found;
  for (const sql::Relation& relation : relations) {
    SHERD_TRY(const Named named, resolve_target(input, relation));
    found.distributed = found.distributed || named.distributed();
    found.reference = found.reference || named.reference();
    found.local = found.local || named.kind == RelationClass::kLocal;
    found.unknown = found.unknown || named.info == nullptr;
  }
  return found;
}

/// Some declared table has a foreign key to one of `relations`: TRUNCATE … CASCADE reaches it.
bool is_referenced_by_shared(const Input& input, const std::vector<sql::Relation>& relations) {
  const topology::Snapshot& topology = input.topology();
  return std::ranges::any_of(topology.tables, [&](const topology::Table& table) {
    const topology::RelationInfo* info = topology.schema->find(table.schema, table.name);
    return info != nullptr
           && std::ranges::any_of(info->foreign_keys, [&](const topology::ForeignKey& key) {
                return std::ranges::any_of(relations, [&](const sql::Relation& relation) {
                  return relation.name == key.target;
                });
              });
  });
}

Plan everywhere(const Input& input, std::string reason) {
  return plan_for(input, PlanKind::kAllShards, every_shard(input), std::move(reason));
}

}  // namespace

Result<> check_copies(const Input& input, const Named& target) {
  if (target.table == nullptr || target.info == nullptr) {
    return refuse(
        "a view over reference tables cannot be written to yet", "write to the table itself"
    );
  }
  if (target.info->has_triggers || target.info->has_rules) {
    return refuse(
        fmt::format(
            "reference table \"{}\" has triggers or rules, which may do another thing on every "
            "shard",
            target.info->name
        ),
        "drop them, or distribute the table"
    );
  }
  SHERD_TRY_VOID(check_functions(input.statement, input.schema(), FunctionUse::kCopies));
  return check_steady(input.statement, input.schema(), FunctionUse::kCopies);
}

Result<Plan> plan_update(const Input& input, const sql::Update& update) {
  SHERD_TRY(const Named target, resolve_target(input, update.target));
  if (target.distributed()) {
    SHERD_TRY_VOID(check_set(input, update, target));
  }
  const Write write{update.target, update.has_returning, update.has_from, update.where_current_of};
  return plan_write(input, write, target, true);
}

Result<Plan> plan_delete(const Input& input, const sql::Delete& deletion) {
  SHERD_TRY(const Named target, resolve_target(input, deletion.target));
  const Write write{
      deletion.target, deletion.has_returning, deletion.has_using, deletion.where_current_of
  };
  return plan_write(input, write, target, false);
}

Result<Plan> plan_merge_into(const Input& input, const sql::Merge& merge) {
  SHERD_TRY(const Named target, resolve_target(input, merge.target));
  SHERD_TRY(const Survey found, survey(input));
  if (target.distributed() || target.reference() || found.distributed) {
    return refuse(
        "MERGE is supported for local tables only", "use INSERT … ON CONFLICT, UPDATE and DELETE"
    );
  }
  Plan plan = plan_at_home(input, "local tables");
  plan.writes = true;
  return plan;
}

Result<Plan> plan_truncate(const Input& input, const sql::Truncate& truncate) {
  SHERD_TRY(const Targets found, look_at(input, truncate.targets));
  const bool spreads =
      found.shared() || (truncate.cascade && is_referenced_by_shared(input, truncate.targets));
  Plan plan = spreads ? everywhere(input, "every shard empties its part")
                      : plan_at_home(input, "local tables");
  plan.writes = true;
  return plan;
}

Result<Plan> plan_lock(const Input& input, const sql::Lock& lock) {
  SHERD_TRY(const Targets found, look_at(input, lock.targets));
  return found.shared() ? everywhere(input, "every shard locks its part")
                        : plan_at_home(input, "local tables");
}

Result<Plan> plan_maintenance(const Input& input, const sql::Maintenance& maintenance) {
  SHERD_TRY(const Targets found, look_at(input, maintenance.targets));
  // REINDEX INDEX and CLUSTER may name an index, whose table is not known here.
  const bool spreads = maintenance.targets.empty() || found.shared() || found.unknown;
  Plan plan = spreads ? everywhere(input, "every shard") : plan_at_home(input, "local tables");
  plan.in_transaction = maintenance.verb == "analyze" && !maintenance.outside_transaction;
  return plan;
}

}  // namespace sherd::plan
