#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/base/text.hpp>

#include "statements.hpp"

// What changes the schema runs on every shard, unless it would break what holds over all shards.

namespace sherd::plan {
namespace {

using sql::Ddl;
using Object = Ddl::Object;
using Verb = Ddl::Verb;

struct Related {
  const sql::Relation* relation = nullptr;
  Named named{};
};

/// The view that `relation` names. What a view reads matters to those who read it, not to its own
/// name.
const topology::RelationInfo* find_view(const Input& input, const sql::Relation& relation) {
  const std::string_view schema = relation.schema.empty() ? schema_of(input.context, relation.name)
                                                          : std::string_view(relation.schema);
  const topology::RelationInfo* info = input.schema().find(schema, relation.name);
  return info != nullptr && info->kind == topology::RelationKind::kView ? info : nullptr;
}

Result<std::vector<Related>> look_at(
    const Input& input, const std::vector<sql::Relation>& relations
) {
  std::vector<Related> found;
  for (const sql::Relation& relation : relations) {
    if (const topology::RelationInfo* view = find_view(input, relation)) {
      found.push_back({&relation, Named{.info = view}});
      continue;
    }
    SHERD_TRY(Named named, resolve_target(input, relation));
    found.push_back({&relation, std::move(named)});
  }
  return found;
}

bool is_shared(const Related& related) {
  return related.named.table != nullptr;
}

bool mentions(std::string_view text, std::initializer_list<std::string_view> words) {
  const std::string lower = to_lower(text);
  return std::ranges::any_of(words, [&](std::string_view word) {
    return lower.find(word) != std::string::npos;
  });
}

constexpr std::array<std::string_view, 6> kServerTags = {
    "ALTER SYSTEM",      "CREATE SUBSCRIPTION", "ALTER SUBSCRIPTION",
    "DROP SUBSCRIPTION", "CREATE PUBLICATION",  "ALTER PUBLICATION",
};

Result<> check_server_objects(const Ddl& ddl) {
  const bool of_server = ddl.object == Object::kDatabase || ddl.object == Object::kTablespace
                         || std::ranges::find(kServerTags, ddl.tag) != kServerTags.end();
  if (of_server) {
    return refuse(
        fmt::format("{} concerns one server", ddl.tag),
        "run it on each shard's server by itself, not through the router"
    );
  }
  return {};
}

/// DROP SCHEMA, ALTER SCHEMA … RENAME, DROP OWNED: what they name is not among the facts, so each
/// name counts.
Result<> check_containers(const Input& input, const Ddl& ddl) {
  const bool owned = ddl.tag == "DROP OWNED";
  if (!owned && (ddl.object != Object::kSchema || ddl.verb == Verb::kCreate)) {
    return {};
  }
  for (const topology::Table& table : input.topology().tables) {
    if (owned || mentions(input.statement.text, {to_lower(table.schema)})) {
      return refuse(
          fmt::format(
              "{} may take the distributed or reference table \"{}\" with it", ddl.tag, table.name
          ),
          "drop or undistribute the table first"
      );
    }
  }
  return {};
}

Result<> check_foreign_keys(
    const Input& input, const Ddl& ddl, const std::vector<Related>& tables
) {
  if (!ddl.creates_foreign_key || tables.empty()) {
    return {};
  }
  const RelationClass from =
      tables.front().named.table != nullptr ? tables.front().named.kind : RelationClass::kLocal;
  SHERD_TRY(const auto targets, look_at(input, ddl.foreign_targets));
  for (const Related& target : targets) {
    const bool to_reference = target.named.reference();
    const bool to_distributed = target.named.distributed();
    const bool itself =
        target.named.info != nullptr && target.named.info == tables.front().named.info;
    if (to_reference || (from == RelationClass::kLocal && !to_distributed)
        || (from == RelationClass::kReference && itself)) {
      continue;
    }
    return refuse(
        fmt::format(
            "a foreign key from \"{}\" to \"{}\" cannot be held up over several shards",
            tables.front().relation->name, target.relation->name
        ),
        "refer to a reference table"
    );
  }
  return {};
}

Result<> check_unique(const Ddl& ddl, const Related& table) {
  const std::string& key = table.named.table->key_column;
  for (const auto& columns : ddl.unique_columns) {
    if (std::ranges::find(columns, key) == columns.end()) {
      return refuse(
          fmt::format(
              "a unique constraint of the distributed table \"{}\" must include its shard key",
              table.relation->name
          ),
          fmt::format("add \"{}\" to the constraint's columns", key)
      );
    }
  }
  return {};
}

bool touches(const std::vector<std::string>& columns, const std::string& key) {
  return std::ranges::find(columns, key) != columns.end();
}

Result<> check_distributed(const Input& input, const Ddl& ddl, const Related& table) {
  const std::string& key = table.named.table->key_column;
  SHERD_TRY_VOID(check_unique(ddl, table));
  if (ddl.creates_unique && mentions(input.statement.text, {"exclude"})) {
    return refuse(
        fmt::format(
            "EXCLUDE on the distributed table \"{}\" cannot see rows of other shards",
            table.relation->name
        ),
        "use UNIQUE with the shard key"
    );
  }
  if (touches(ddl.dropped_columns, key) || touches(ddl.altered_columns, key)
      || ddl.renamed_column == key) {
    return refuse(
        fmt::format(
            "the shard key \"{}\" of \"{}\" cannot be dropped, renamed or given another type", key,
            table.relation->name
        ),
        fmt::format("SELECT undistribute_table('{}') first", table.relation->name)
    );
  }
  return {};
}

/// ALTER TABLE, CREATE INDEX, … of a table whose rows, or copies, are on several shards.
Result<> check_shared(const Input& input, const Ddl& ddl, const Related& table) {
  const std::string& name = table.relation->name;
  if (ddl.renames_table || !ddl.new_schema.empty()) {
    return refuse(
        fmt::format("the distributed or reference table \"{}\" cannot be renamed", name),
        fmt::format("SELECT undistribute_table('{}') first", name)
    );
  }
  if (ddl.tag == "CREATE RULE") {
    return refuse(
        fmt::format("rules on the distributed or reference table \"{}\" are not supported", name),
        "use a trigger"
    );
  }
  const bool alters = ddl.object == Object::kTable && ddl.verb == Verb::kAlter;
  if (alters && mentions(input.statement.text, {"serial", "identity", "nextval"})) {
    return refuse(
        "a column that a sequence fills is not yet unique over shards",
        "add a plain column, or use uuid"
    );
  }
  if (alters && table.named.reference()
      && mentions(
          input.statement.text,
          {"now(", "random", "current_", "uuid", "timestamp(", "clock_", "localtime"}
      )) {
    return refuse(
        fmt::format(
            "this change may give the copies of reference table \"{}\" different values", name
        ),
        "add the column without a default, then UPDATE it with a value"
    );
  }
  return table.named.distributed() ? check_distributed(input, ddl, table) : Result<>{};
}

Result<> check_tables(const Input& input, const Ddl& ddl, const std::vector<Related>& tables) {
  const bool binds = ddl.object == Object::kTable && ddl.verb != Verb::kDrop && tables.size() > 1
                     && mentions(input.statement.text, {"inherit", "partition"});
  if (binds && std::ranges::any_of(tables, is_shared)) {
    return refuse(
        "partitions and children of distributed and reference tables cannot be added or removed "
        "yet",
        "undistribute the table first"
    );
  }
  if (ddl.object == Object::kTable && ddl.verb == Verb::kDrop) {
    return {};
  }
  // Of a CREATE TABLE only the new table counts: the others are what it is LIKE.
  const bool creates = ddl.object == Object::kTable && ddl.verb == Verb::kCreate;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    if (is_shared(tables[i]) && !creates) {
      SHERD_TRY_VOID(check_shared(input, ddl, tables[i]));
    }
  }
  return {};
}

/// A temporary table would hide the distributed one of the same name, and nobody but its session
/// would know.
Result<> check_shadow(const Input& input, const Ddl& ddl) {
  for (const sql::Relation& relation : ddl.relations) {
    for (const topology::Table& table : input.topology().tables) {
      if (table.name == relation.name) {
        return refuse(
            fmt::format(
                "a temporary table must not have the name of the distributed or reference table "
                "\"{}\"",
                table.name
            ),
            "give it another name"
        );
      }
    }
  }
  return {};
}

Result<Plan> plan_temporary(const Input& input, const Ddl& ddl) {
  SHERD_TRY_VOID(check_shadow(input, ddl));
  SHERD_TRY(Survey found, survey(input));
  Plan plan = plan_at_home(input, "temporary objects live on the home shard");
  if (found.distributed) {
    found.local = true;
    found.local_name = ddl.relations.empty() ? "" : ddl.relations.front().name;
    const Points points(input, found.scope);
    SHERD_TRY(const auto single, confine(input, found, points));
    if (!single || ddl.object == Object::kView) {
      return refuse(
          "a temporary view cannot read distributed tables", "write its query into the statement"
      );
    }
  }
  plan.writes = true;
  return plan;
}

/// CREATE TABLE AS, CREATE MATERIALIZED VIEW: rows made on every shard from what it has there.
Result<> check_made_rows(const Input& input, const Ddl& ddl) {
  if (!ddl.is_ctas && ddl.object != Object::kMaterializedView) {
    return {};
  }
  SHERD_TRY(const Survey found, survey(input));
  if (ddl.object == Object::kMaterializedView) {
    if (found.distributed) {
      return refuse(
          "a materialized view over distributed tables is not supported",
          "keep the result in a table of its own"
      );
    }
    return {};
  }
  if (input.topology().shards.size() > 1 && !input.topology().tables.empty()) {
    return refuse("CREATE TABLE AS is not supported", "use CREATE TABLE, then INSERT … SELECT");
  }
  return {};
}

std::vector<TableName> dropped(const std::vector<Related>& tables) {
  std::vector<TableName> names;
  for (const Related& table : tables) {
    if (is_shared(table)) {
      names.push_back({table.named.table->schema, table.named.table->name});
    }
  }
  return names;
}

}  // namespace

Result<Plan> plan_ddl(const Input& input, const sql::Ddl& ddl) {
  if (ddl.temporary) {
    return plan_temporary(input, ddl);
  }
  SHERD_TRY_VOID(check_server_objects(ddl));
  SHERD_TRY_VOID(check_containers(input, ddl));
  SHERD_TRY(const auto tables, look_at(input, ddl.relations));
  SHERD_TRY_VOID(check_tables(input, ddl, tables));
  SHERD_TRY_VOID(check_foreign_keys(input, ddl, tables));
  SHERD_TRY_VOID(check_made_rows(input, ddl));
  Plan plan =
      plan_for(input, PlanKind::kAllShards, every_shard(input), "every shard has the same schema");
  plan.writes = true;
  plan.changes_schema = true;
  plan.in_transaction = !ddl.concurrently;
  if (ddl.object == Object::kTable && ddl.verb == Verb::kDrop) {
    plan.dropped_tables = dropped(tables);
  }
  return plan;
}

}  // namespace sherd::plan
