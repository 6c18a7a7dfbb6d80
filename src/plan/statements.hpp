#pragma once

#include <optional>
#include <string>
#include <vector>

#include "functions.hpp"
#include "input.hpp"
#include "points.hpp"
#include "scope.hpp"

// One planner per kind of statement; plan.cpp's table calls them.

namespace sherd::plan {

/// What a statement's relations are, all levels together.
struct Survey {
  Scope scope;
  bool distributed = false;
  bool reference = false;
  bool local = false;
  std::string local_name{};  // one of them, for messages
};

/// @return kUnsupported for what no plan can be made of: a construct that the analysis does not
/// know, a CTE that changes distributed or reference tables.
[[nodiscard]] Result<Survey> survey(const Input& input);

/// A plan for one shard, or for the client's own text on several.
[[nodiscard]] Plan plan_on(const Input& input, ShardId shard, std::string reason);
[[nodiscard]] Plan plan_at_home(const Input& input, std::string reason);
[[nodiscard]] Plan plan_for(
    const Input& input, PlanKind kind, std::vector<ShardId> shards, std::string reason
);
[[nodiscard]] std::vector<ShardId> every_shard(const Input& input);
/// The shard that answers for `group` when no row can match.
[[nodiscard]] ShardId any_shard_of(const Input& input, const topology::Group& group);

/// The one shard that holds everything the statement can touch, or nullopt. `also`: shards that it
/// touches besides what its relations say (INSERT). kUnsupported where local tables meet rows of
/// other shards.
[[nodiscard]] Result<std::optional<Plan>> confine(
    const Input& input, const Survey& survey, const Points& points, const ShardSet& also = {}
);

[[nodiscard]] Result<Plan> plan_select(const Input& input);
[[nodiscard]] Result<Plan> plan_merge(
    const Input& input, const Survey& survey, const Points& points
);
/// The shards of a query that several shards can answer as it stands, their rows in any order.
/// kUnsupported for others.
[[nodiscard]] Result<Plan> plan_copied_query(
    const Input& input, const Survey& survey, const Points& points
);
[[nodiscard]] Result<Plan> plan_insert(const Input& input, const sql::Insert& insert);
[[nodiscard]] Result<Plan> plan_update(const Input& input, const sql::Update& update);
[[nodiscard]] Result<Plan> plan_delete(const Input& input, const sql::Delete& deletion);
[[nodiscard]] Result<Plan> plan_merge_into(const Input& input, const sql::Merge& merge);
[[nodiscard]] Result<Plan> plan_copy(const Input& input, const sql::Copy& copy);
[[nodiscard]] Result<Plan> plan_truncate(const Input& input, const sql::Truncate& truncate);
[[nodiscard]] Result<Plan> plan_lock(const Input& input, const sql::Lock& lock);
[[nodiscard]] Result<Plan> plan_maintenance(
    const Input& input, const sql::Maintenance& maintenance
);
[[nodiscard]] Result<Plan> plan_ddl(const Input& input, const sql::Ddl& ddl);

/// The relation that a write names.
[[nodiscard]] inline Result<Named> resolve_target(
    const Input& input, const sql::Relation& relation
) {
  return resolve_name(input.context, relation.schema, relation.name);
}

/// Replaces pieces of the statement's text.
class Splice {
 public:
  explicit Splice(const Input& input) : input_(input) {}
  /// REQUIRES: `part` begins behind every part replaced so far.
  void replace(sql::Span part, std::string_view with);
  [[nodiscard]] std::string finish();

 private:
  const Input& input_;
  std::uint32_t at_ = 0;
  std::string text_{};
};

/// Group of the distributed relations of level 0 if each of its result rows can be made on one
/// shard alone, and the shards where such rows may be. kUnsupported, saying what to change, if not.
struct Colocation {
  const topology::Group* group = nullptr;
  ShardSet shards{};
  std::vector<ColumnId> keys{};  // that are never null-extended
};
[[nodiscard]] Result<Colocation> colocate(const Survey& survey, const Points& points);

/// Column defaults that would differ between copies or shards, among the columns that `is_given`
/// does not name.
template <class IsGiven>
[[nodiscard]] Result<> check_defaults(
    const topology::RelationInfo& info, bool copies, IsGiven&& is_given
);
[[nodiscard]] Result<> check_default(
    const topology::RelationInfo& info, const topology::Column& column, bool copies
);

/// What every write to a reference table must obey: it does the same on every copy.
[[nodiscard]] Result<> check_copies(const Input& input, const Named& target);

template <class IsGiven>
Result<> check_defaults(const topology::RelationInfo& info, bool copies, IsGiven&& is_given) {
  for (const topology::Column& column : info.columns) {
    if (!is_given(column)) {
      SHERD_TRY_VOID(check_default(info, column, copies));
    }
  }
  return {};
}

}  // namespace sherd::plan
