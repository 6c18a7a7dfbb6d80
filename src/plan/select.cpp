#include <algorithm>

#include <fmt/format.h>

#include "statements.hpp"

namespace sherd::plan {
namespace {

bool locks(const sql::Statement& statement) {
  return std::ranges::any_of(statement.blocks, &sql::Block::has_locking);
}

/// A row lock on a copy of a reference table keeps nobody from locking the same row on another
/// copy.
Result<> check_locking(const Input& input, const Survey& survey) {
  if (locks(input.statement) && survey.reference && survey.distributed) {
    return refuse(
        "rows of reference and distributed tables cannot be locked in one statement",
        "lock the rows of each table in a statement of its own"
    );
  }
  return {};
}

Plan plan_without_shards(const Input& input, const Survey& survey) {
  if (!survey.reference) {
    return plan_at_home(input, survey.local ? "local tables" : "no tables");
  }
  Plan plan = plan_at_home(input, survey.local ? "local and reference tables" : "reference tables");
  plan.any_shard =
      !survey.local && !locks(input.statement)
      && check_functions(input.statement, input.schema(), FunctionUse::kCopies).has_value();
  return plan;
}

Result<const topology::Group*> group_of_all(const Points& points) {
  const topology::Group* group = points.all().front().group;
  for (const Confinement& one : points.all()) {
    if (one.group->id != group->id) {
      return refuse(
          fmt::format(
              "tables of the groups \"{}\" and \"{}\" cannot be joined over several shards",
              group->name, one.group->name
          ),
          "colocate the tables: create_distributed_table(…, colocate_with => …)"
      );
    }
  }
  return group;
}

}  // namespace

Result<Colocation> colocate(const Survey& survey, const Points& points) {
  const std::vector<Confinement>& all = points.all();
  for (const Confinement& one : all) {
    if (one.key.block != 0) {
      return refuse(
          "a subquery over a distributed table cannot be spread over several shards yet",
          "confine all of the statement to one shard by its key, or join the tables on it"
      );
    }
  }
  if (survey.scope.block(0).set_operation != sql::SetOperation::kNone) {
    return refuse(
        "a set operation cannot be spread over several shards yet",
        "run its parts one after the other"
    );
  }
  SHERD_TRY(const topology::Group* group, group_of_all(points));
  const auto anchor = std::ranges::find(all, 0U, &Confinement::nullable);
  if (anchor == all.end()) {
    return refuse(
        "an outer join that keeps rows without a partner in a distributed table cannot be spread "
        "over several shards",
        "put the distributed table on the preserved side of the join"
    );
  }
  // Each table must be tied by its key to one whose shard is known already: then its partners live
  // there too.
  std::vector<const Confinement*> placed{&*anchor};
  for (std::size_t i = 0; i < placed.size(); ++i) {
    for (const Confinement& one : all) {
      const bool is_placed = std::ranges::find(placed, &one) != placed.end();
      if (!is_placed && std::ranges::find(one.equal, placed[i]->key) != one.equal.end()) {
        placed.push_back(&one);
      }
    }
  }
  if (placed.size() != all.size()) {
    return refuse(
        "distributed tables are joined by something else than their shard keys",
        "join them on their shard keys, or confine them to one shard"
    );
  }
  Colocation found{.group = group, .shards = group->placement->shards()};
  for (const Confinement& one : all) {
    if (one.nullable == 0) {
      found.shards.intersect(one.shards);
      found.keys.push_back(one.key);
    }
  }
  return found;
}

Result<Plan> plan_select(const Input& input) {
  SHERD_TRY(const Survey found, survey(input));
  Plan plan;
  if (!found.distributed) {
    plan = plan_without_shards(input, found);
  } else {
    SHERD_TRY_VOID(check_locking(input, found));
    const Points points(input, found.scope);
    SHERD_TRY(std::optional<Plan> single, confine(input, found, points));
    if (single) {
      plan = *std::move(single);
    } else {
      SHERD_TRY(plan, plan_merge(input, found, points));
    }
  }
  plan.returns_rows = true;
  plan.writes = plan.kind == PlanKind::kSingle
                && (locks(input.statement) || may_write(input.statement, input.schema())
                    || std::ranges::any_of(input.statement.blocks, &sql::Block::is_modifying_cte));
  return plan;
}

}  // namespace sherd::plan
