#include <algorithm>
#include <variant>

#include <fmt/format.h>

#include <sherd/plan/plan.hpp>

#include "statements.hpp"

namespace sherd::plan {
namespace {

bool is_shared(RelationClass kind) {
  return kind == RelationClass::kDistributed || kind == RelationClass::kReference;
}

/// Statements whose relations decide where they run; for others the facts are of no matter.
template <class Body>
constexpr bool kRoutes = std::is_same_v<Body, sql::Select> || std::is_same_v<Body, sql::Insert>
                         || std::is_same_v<Body, sql::Update> || std::is_same_v<Body, sql::Delete>
                         || std::is_same_v<Body, sql::Merge> || std::is_same_v<Body, sql::Copy>
                         || std::is_same_v<Body, sql::Ddl>;

struct Dispatch {
  const Input& input;

  Result<Plan> operator()(const sql::Select&) const { return plan_select(input); }
  Result<Plan> operator()(const sql::Insert& body) const { return plan_insert(input, body); }
  Result<Plan> operator()(const sql::Update& body) const { return plan_update(input, body); }
  Result<Plan> operator()(const sql::Delete& body) const { return plan_delete(input, body); }
  Result<Plan> operator()(const sql::Merge& body) const { return plan_merge_into(input, body); }
  Result<Plan> operator()(const sql::Copy& body) const { return plan_copy(input, body); }
  Result<Plan> operator()(const sql::Truncate& body) const { return plan_truncate(input, body); }
  Result<Plan> operator()(const sql::Lock& body) const { return plan_lock(input, body); }
  Result<Plan> operator()(const sql::Maintenance& body) const {
    return plan_maintenance(input, body);
  }
  Result<Plan> operator()(const sql::Ddl& body) const { return plan_ddl(input, body); }
  Result<Plan> operator()(const sql::Show&) const {
    Plan plan = plan_at_home(input, "session");
    plan.returns_rows = true;
    return plan;
  }
  Result<Plan> operator()(const sql::Other&) const {
    Plan plan = plan_at_home(input, "runs on the home shard");
    plan.writes = true;  // DO, CALL: anything
    return plan;
  }
  /// What is the session's own business: transactions, settings, prepared statements, cursors,
  /// EXPLAIN.
  template <class Body>
  Result<Plan> operator()(const Body&) const {
    return plan_at_home(input, "session");
  }
};

/// The table that a statement writes to, if it names one.
const sql::Relation* target_of(const sql::Body& body) {
  if (const auto* insert = std::get_if<sql::Insert>(&body)) {
    return &insert->target;
  }
  if (const auto* update = std::get_if<sql::Update>(&body)) {
    return &update->target;
  }
  if (const auto* deletion = std::get_if<sql::Delete>(&body)) {
    return &deletion->target;
  }
  if (const auto* merge = std::get_if<sql::Merge>(&body)) {
    return &merge->target;
  }
  const auto* copy = std::get_if<sql::Copy>(&body);
  return copy != nullptr && copy->from ? &copy->target : nullptr;
}

bool returns_rows(const sql::Statement& statement) {
  if (const auto* insert = std::get_if<sql::Insert>(&statement.body)) {
    return insert->has_returning;
  }
  if (const auto* update = std::get_if<sql::Update>(&statement.body)) {
    return update->has_returning;
  }
  if (const auto* deletion = std::get_if<sql::Delete>(&statement.body)) {
    return deletion->has_returning;
  }
  return std::holds_alternative<sql::Select>(statement.body)
         || std::holds_alternative<sql::Show>(statement.body)
         || std::holds_alternative<sql::Explain>(statement.body);
}

/// SET sherd.shard sends everything to one shard but what must be the same on all of them.
Result<std::optional<Plan>> forced(const Input& input) {
  if (!input.context.forced_shard) {
    return std::nullopt;
  }
  if (input.topology().shard(*input.context.forced_shard) == nullptr) {
    return fail(ErrorCode::kUndefinedObject, "the shard that sherd.shard names does not exist");
  }
  if (std::holds_alternative<sql::Ddl>(input.statement.body)) {
    return std::nullopt;
  }
  if (const auto* truncate = std::get_if<sql::Truncate>(&input.statement.body)) {
    for (const sql::Relation& relation : truncate->targets) {
      SHERD_TRY(const Named named, resolve_target(input, relation));
      if (named.reference()) {
        return std::nullopt;
      }
    }
  }
  if (const sql::Relation* target = target_of(input.statement.body)) {
    SHERD_TRY(const Named named, resolve_target(input, *target));
    if (named.reference()) {
      return std::nullopt;
    }
  }
  Plan plan = plan_on(input, *input.context.forced_shard, "sherd.shard");
  plan.returns_rows = returns_rows(input.statement);
  plan.writes = !std::holds_alternative<sql::Select>(input.statement.body)
                || may_write(input.statement, input.schema());
  return plan;
}

}  // namespace

Plan plan_for(const Input& input, PlanKind kind, std::vector<ShardId> shards, std::string reason) {
  Plan plan;
  plan.kind = kind;
  plan.epoch = input.topology().epoch;
  plan.shards = std::move(shards);
  plan.reason = std::move(reason);
  return plan;
}

Plan plan_on(const Input& input, ShardId shard, std::string reason) {
  return plan_for(input, PlanKind::kSingle, {shard}, std::move(reason));
}

Plan plan_at_home(const Input& input, std::string reason) {
  return plan_on(input, input.topology().home, std::move(reason));
}

std::vector<ShardId> every_shard(const Input& input) {
  std::vector<ShardId> ids;
  for (const topology::Shard& shard : input.topology().shards) {
    ids.push_back(shard.id);
  }
  return ids;
}

ShardId any_shard_of(const Input& input, const topology::Group& group) {
  const ShardSet active = input.topology().active_shards();
  std::optional<ShardId> first;
  std::optional<ShardId> first_active;
  group.placement->shards().for_each([&](ShardId id) {
    first = first ? first : id;
    if (!first_active && active.contains(id)) {
      first_active = id;
    }
  });
  return first_active ? *first_active : first.value_or(input.topology().home);
}

Result<Survey> survey(const Input& input) {
  SHERD_TRY(Scope scope, Scope::build(input));
  Survey found{.scope = std::move(scope)};
  const auto& blocks = input.statement.blocks;
  for (BlockId b = 0; b < blocks.size(); ++b) {
    for (std::uint32_t i = 0; i < blocks[b].relations.size(); ++i) {
      const Named& named = found.scope.relation(b, i);
      found.distributed = found.distributed || named.distributed();
      found.reference = found.reference || named.reference();
      if (named.kind == RelationClass::kLocal) {
        found.local = true;
        found.local_name = blocks[b].relations[i].name;
      }
    }
    if (blocks[b].is_modifying_cte && !blocks[b].relations.empty()
        && is_shared(found.scope.relation(b, 0).kind)) {
      return refuse(
          fmt::format(
              "WITH cannot change the distributed or reference table \"{}\" yet",
              blocks[b].relations[0].name
          ),
          "run the change as a statement of its own in the same transaction"
      );
    }
  }
  return found;
}

Result<std::optional<Plan>> confine(
    const Input& input, const Survey& survey, const Points& points, const ShardSet& also
) {
  ShardSet touched = also;
  for (const Confinement& one : points.all()) {
    touched.unite(one.shards);
  }
  SHERD_TRY_VOID(check_home_functions(input.statement));
  if (survey.local) {
    touched.add(input.topology().home);
    if (touched.size() > 1) {
      return refuse(
          fmt::format(
              "\"{}\" lives on the home shard only and cannot be used with rows of other shards",
              survey.local_name
          ),
          fmt::format(
              "make it a reference table: SELECT create_reference_table('{}')", survey.local_name
          )
      );
    }
  }
  if (touched.size() > 1) {
    return std::nullopt;
  }
  const auto only = touched.to_vector();
  const ShardId shard = !only.empty()          ? only.front()
                        : points.all().empty() ? input.topology().home
                                               : any_shard_of(input, *points.all().front().group);
  std::string reason = only.empty() ? "no row can match" : points.reason();
  return plan_on(input, shard, reason.empty() ? "one shard holds all of it" : std::move(reason));
}

void Splice::replace(sql::Span part, std::string_view with) {
  text_ += input_.piece({at_, part.begin - at_});
  text_ += with;
  at_ = part.end();
}

std::string Splice::finish() {
  const auto size = static_cast<std::uint32_t>(input_.statement.text.size());
  text_ += input_.piece({at_, size - at_});
  return std::move(text_);
}

Result<Plan> make_plan(
    const sql::Statement& statement, std::span<const sql::Literal> literals,
    const Parameters& parameters, const Context& context
) {
  const Input input{statement, literals, parameters, context};
  if (input.topology().shards.empty()) {
    return fail(
        ErrorCode::kCannotConnectNow, "the cluster has no shards", "add one: sherd shards add"
    );
  }
  SHERD_TRY(auto forced_plan, forced(input));
  if (forced_plan) {
    return *std::move(forced_plan);
  }
  const bool routes = std::visit(
      [](const auto& body) { return kRoutes<std::decay_t<decltype(body)>>; }, statement.body
  );
  if (routes && statement.has_unknown_node && !input.topology().tables.empty()) {
    return refuse("the statement has a part that is not understood", "write it in a simpler way");
  }
  return std::visit(Dispatch{input}, statement.body);
}

}  // namespace sherd::plan
