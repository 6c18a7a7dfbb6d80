#include <algorithm>

#include "insert_key.hpp"

// The short way: a statement whose shard is the owner of one literal or parameter.

namespace sherd::plan {

struct Route::Program {
  Epoch epoch{};
  bool writes = false;
  GroupId group{};
  sql::Operand operand{};
  KeyColumn column{};
  bool certain = true;
  std::int32_t typmod = -1;  // of the column that an INSERT stores the key in
  bool stores = false;
};

namespace {

using Program = Route::Program;
using ProgramPtr = std::unique_ptr<Program>;

bool same_value(const KeyOperand& a, const KeyOperand& b) {
  return a.operand->kind == b.operand->kind && a.operand->number == b.operand->number
         && a.operand->negated == b.operand->negated && a.operand->cast.name == b.operand->cast.name
         && a.operand->cast.schema == b.operand->cast.schema && a.column.oid == b.column.oid;
}

/// A condition that holds for the key of every distributed table in the statement.
std::optional<KeyOperand> common_operand(const Points& points) {
  const std::vector<Confinement>& all = points.all();
  for (const KeyOperand& candidate : all.front().operands) {
    const bool shared = std::ranges::all_of(all, [&](const Confinement& one) {
      return one.group->id == all.front().group->id
             && std::ranges::any_of(one.operands, [&](const KeyOperand& other) {
                  return same_value(candidate, other);
                });
    });
    if (shared) {
      return candidate;
    }
  }
  return std::nullopt;
}

ProgramPtr program_of(const Input& input, const Scope& scope, KeyOperand key, GroupId group) {
  auto program = std::make_unique<Program>();
  program->epoch = input.topology().epoch;
  program->group = group;
  program->operand = *key.operand;
  program->column = key.column;
  program->certain =
      key.operand->kind != sql::Operand::Kind::kParameter
      || has_certain_type(input, scope, key.operand->number, family_of(key.column.oid));
  return program;
}

bool locks_reference(const Input& input, const Survey& survey) {
  return survey.reference && std::ranges::any_of(input.statement.blocks, &sql::Block::has_locking);
}

/// SELECT, UPDATE, DELETE: every check of make_plan that does not depend on values.
ProgramPtr compile_conditions(const Input& input) {
  const auto found = survey(input);
  if (!found || !found->distributed || found->local || locks_reference(input, *found)
      || !check_home_functions(input.statement)) {
    return nullptr;
  }
  const Points points(input, found->scope);
  const auto key = common_operand(points);
  if (!key) {
    return nullptr;
  }
  auto program = program_of(input, found->scope, *key, points.all().front().group->id);
  program->writes = !std::holds_alternative<sql::Select>(input.statement.body)
                    || std::ranges::any_of(input.statement.blocks, &sql::Block::has_locking)
                    || may_write(input.statement, input.schema());
  return program;
}

ProgramPtr compile_change(const Input& input, const sql::Relation& relation, bool current_of) {
  const auto target = resolve_target(input, relation);
  if (!target || !target->distributed() || current_of || target->info == nullptr
      || target->info->has_rules) {
    return nullptr;
  }
  return compile_conditions(input);
}

ProgramPtr compile_insert(const Input& input, const sql::Insert& insert) {
  const auto target = resolve_target(input, insert.target);
  const bool one_row = insert.source == sql::Insert::Source::kValues && insert.rows.size() == 1;
  if (!target || !target->distributed() || !one_row || insert.has_with
      || !input.statement.blocks.empty() || !check_insert(input, insert, *target)) {
    return nullptr;
  }
  const topology::Column& key = *target->key_column();
  const sql::Operand* operand =
      key_operand(InsertColumns(insert, *target->info), key, insert.rows.front());
  if (operand == nullptr
      || (operand->kind != sql::Operand::Kind::kLiteral
          && operand->kind != sql::Operand::Kind::kParameter)) {
    return nullptr;
  }
  const auto scope = Scope::build(input);
  const auto type = pgtypes::key_type_of(key.type);
  if (!scope || !type) {
    return nullptr;
  }
  auto program = program_of(
      input, *scope, {.operand = operand, .column = key_column_of(key.type)}, target->group->id
  );
  program->column.type = *type;
  program->certain =
      operand->kind != sql::Operand::Kind::kParameter || input.mentions(operand->number) <= 1;
  program->writes = true;
  program->stores = true;
  program->typmod = key.typmod;
  return program;
}

ProgramPtr compile_program(const Input& input) {
  const sql::Statement& statement = input.statement;
  if (std::holds_alternative<sql::Select>(statement.body)) {
    return compile_conditions(input);
  }
  if (const auto* insert = std::get_if<sql::Insert>(&statement.body)) {
    return compile_insert(input, *insert);
  }
  if (const auto* deletion = std::get_if<sql::Delete>(&statement.body)) {
    return compile_change(input, deletion->target, deletion->where_current_of);
  }
  const auto* update = std::get_if<sql::Update>(&statement.body);
  if (update == nullptr) {
    return nullptr;
  }
  const auto target = resolve_target(input, update->target);
  const bool sets_key = target && target->table != nullptr
                        && std::ranges::find(update->set_columns, target->table->key_column)
                               != update->set_columns.end();
  return sets_key ? nullptr : compile_change(input, update->target, update->where_current_of);
}

}  // namespace

Route::Route(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
Route::~Route() = default;

Epoch Route::epoch() const noexcept {
  return program_->epoch;
}
bool Route::writes() const noexcept {
  return program_->writes;
}

std::shared_ptr<const Route> Route::compile(
    const sql::Statement& statement, const Context& context
) {
  if (statement.has_unknown_node || context.forced_shard || context.topology->tables.empty()) {
    return nullptr;
  }
  const Parameters unknown{.known = false};
  const Input input{statement, {}, unknown, context};
  ProgramPtr program = compile_program(input);
  return program ? std::make_shared<const Route>(std::move(program)) : nullptr;
}

Result<std::optional<ShardId>> Route::shard(
    std::span<const sql::Literal> literals, const Parameters& parameters,
    const topology::Snapshot& topology
) const {
  const Program& program = *program_;
  const topology::Group* group = topology.group(program.group);
  if (topology.epoch != program.epoch || group == nullptr) [[unlikely]] {
    return std::nullopt;
  }
  std::string scratch;  // of literals with escapes only
  const auto value =
      constant_of(literals, parameters, program.operand, program.column, program.certain, scratch);
  if (!value || !value->is_key()) [[unlikely]] {
    return std::nullopt;  // NULL, an error, or another type: make_plan says what
  }
  if (!program.stores) {
    return group->placement->try_owner(value->key);
  }
  std::string stored_scratch;
  return group->placement->try_owner(pgtypes::stored_key(value->key, program.typmod, stored_scratch)
  );
}

}  // namespace sherd::plan
