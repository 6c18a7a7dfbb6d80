#include "names.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/sql/analyze.hpp>

#include "functions.hpp"

namespace sherd::plan {
namespace {

using topology::RelationInfo;
using topology::RelationKind;
using topology::TableKind;

constexpr int kViewDepthLimit = 16;

Result<Named> classify(
    const Context& context, std::string_view schema, std::string_view name, int depth
);

bool is_system_schema(std::string_view schema) {
  return schema == "pg_catalog" || schema == "information_schema" || schema == "pg_toast"
         || schema.starts_with("pg_temp");
}

/// Some declared table satisfies `test`.
template <class Test>
bool any_declared(const Context& context, Test&& test) {
  const auto& tables = context.topology->tables;
  return std::any_of(tables.begin(), tables.end(), [&](const topology::Table& table) {
    const RelationInfo* info = context.topology->schema->find(table.schema, table.name);
    return info != nullptr && test(*info);
  });
}

/// Inheritance joins the rows of a declared table with those of tables that are not declared. The
/// schema does not say whose child a table is, so every such pair is suspect.
Result<> check_inheritance(const Context& context, const RelationInfo& info) {
  if (info.has_parent && any_declared(context, [](const RelationInfo& t) {
        return t.has_children || t.kind == RelationKind::kPartitionedTable;
      })) {
    return refuse(
        fmt::format("\"{}\" may be a partition of a distributed or reference table", info.name),
        "query the partitioned table itself"
    );
  }
  if ((info.has_children || info.kind == RelationKind::kPartitionedTable)
      && any_declared(context, [](const RelationInfo& t) { return t.has_parent; })) {
    return refuse(
        fmt::format(
            "\"{}\" may contain rows of a distributed or reference table that inherits from it",
            info.name
        ),
        "query the distributed table itself"
    );
  }
  return {};
}

/// A view is as local, or as replicated, as what it reads.
struct ViewFacts {
  bool local = false;
  bool reference = false;
};

Result<> look_at(
    const Context& context, const sql::Relation& relation, int depth, ViewFacts& facts
) {
  if (relation.kind == sql::Relation::Kind::kOther) {
    facts.local = true;
    return {};
  }
  if (relation.kind != sql::Relation::Kind::kTable) {
    return {};
  }
  // The schema was read with an empty search path: names are qualified. One that is not may be any.
  std::vector<std::string_view> schemas{relation.schema};
  if (relation.schema.empty()) {
    schemas.clear();
    for (const RelationInfo& known : context.topology->schema->parts().relations) {
      if (known.name == relation.name) {
        schemas.emplace_back(known.schema);
      }
    }
    facts.local = facts.local || schemas.empty();
  }
  for (const std::string_view schema : schemas) {
    SHERD_TRY(const Named named, classify(context, schema, relation.name, depth));
    if (named.distributed()) {
      return refuse(
          fmt::format("a view over the distributed table \"{}\" cannot be used yet", relation.name),
          "write the view's query into the statement"
      );
    }
    (named.reference() ? facts.reference : facts.local) = true;
  }
  return {};
}

Result<Named> classify_view(const Context& context, const RelationInfo& view, int depth) {
  if (context.topology->tables.empty()) {
    return Named{.info = &view};
  }
  const auto unclear = [&] {
    return refuse(
        fmt::format("the definition of view \"{}\" is not understood", view.name),
        "write the view's query into the statement"
    );
  };
  const auto analysis = sql::analyze(view.view_definition, {});
  if (depth >= kViewDepthLimit || !analysis || analysis->statements.size() != 1
      || analysis->statements.front()->has_unknown_node) {
    return unclear();
  }
  const sql::Statement& query = *analysis->statements.front();
  ViewFacts facts;
  for (const sql::Block& block : query.blocks) {
    for (const sql::Relation& relation : block.relations) {
      SHERD_TRY_VOID(look_at(context, relation, depth + 1, facts));
    }
  }
  // On every shard the same rows only if nothing in it depends on the shard.
  const bool replicated = !facts.local && facts.reference
                          && check_functions(query, *context.topology->schema, FunctionUse::kCopies)
                          && check_steady(query, *context.topology->schema, FunctionUse::kCopies);
  return Named{
      .kind = replicated ? RelationClass::kReference : RelationClass::kLocal, .info = &view
  };
}

Result<Named> declared(
    const Context& context, const topology::Table& table, const RelationInfo* info
) {
  Named named{.table = &table, .info = info};
  if (table.kind == TableKind::kReference) {
    named.kind = RelationClass::kReference;
    return named;
  }
  named.kind = RelationClass::kDistributed;
  named.group = context.topology->group(table.group);
  if (named.group == nullptr) {
    return fail(ErrorCode::kInternal, fmt::format("table \"{}\" has no group", table.name));
  }
  if (info != nullptr) {
    named.key = info->column_index(table.key_column);
  }
  return named;
}

Result<Named> classify(
    const Context& context, std::string_view schema, std::string_view name, int depth
) {
  const RelationInfo* info = context.topology->schema->find(schema, name);
  if (const topology::Table* table = context.topology->table(schema, name)) {
    return declared(context, *table, info);
  }
  if (info == nullptr || is_system_schema(schema)) {
    return Named{.info = info};
  }
  if (info->kind == RelationKind::kView) {
    return classify_view(context, *info, depth);
  }
  if (info->has_parent || info->has_children || info->kind == RelationKind::kPartitionedTable) {
    SHERD_TRY_VOID(check_inheritance(context, *info));
  }
  return Named{.info = info};
}

}  // namespace

std::string_view schema_of(const Context& context, std::string_view name) {
  for (const std::string& schema : context.search_path) {
    if (context.topology->table(schema, name) != nullptr
        || context.topology->schema->find(schema, name) != nullptr) {
      return schema;
    }
  }
  return {};
}

Result<Named> resolve_name(const Context& context, std::string_view schema, std::string_view name) {
  if (!schema.empty()) {
    return classify(context, schema, name, 0);
  }
  const std::string_view found = schema_of(context, name);
  if (found.empty()) {
    return Named{};  // a catalog, a temporary table, or nothing: the home shard says so itself
  }
  return classify(context, found, name, 0);
}

}  // namespace sherd::plan
