#include <algorithm>
#include <map>

#include <fmt/format.h>

#include <sherd/pgtypes/oid.hpp>

#include "insert_key.hpp"

namespace sherd::plan {
namespace {

using sql::Insert;

Plan with_write(Plan plan, const Insert& insert) {
  plan.writes = true;
  plan.returns_rows = insert.has_returning;
  return plan;
}

std::unexpected<Error> refuse_select(std::string_view why) {
  return refuse(
      fmt::format("INSERT … SELECT into a distributed table: {}", why),
      "select one shard's rows by their key and give the shard key as a value, or read the rows "
      "and insert them"
  );
}

/// INSERT … SELECT whose rows come from, and go to, one shard.
Result<Plan> insert_selected(
    const Input& input, const Insert& insert, const Named& target, const Survey& survey,
    const Points& points
) {
  const BlockId source = insert.select_block;
  const auto outputs = survey.scope.outputs(source);
  const InsertColumns columns(insert, *target.info);
  const auto at = columns.position(*target.key_column());
  if (!at) {
    return refuse_select("its column list lacks the shard key");
  }
  if (!outputs || *at >= outputs->size()) {
    return refuse_select("its columns are not known");
  }
  ShardSet to;
  const sql::Block& block = survey.scope.block(source);
  const bool plain = *at < block.targets.size() && outputs->size() == block.targets.size();
  if (const auto& column = (*outputs)[*at].source) {
    // varchar(n) may store another key than the one that was read.
    const bool same = family_of((*outputs)[*at].type) == family_of(target.key_column()->type)
                      && target.key_column()->typmod < 0;
    if (!same || !survey.scope.block(source).values.empty()) {
      return refuse_select("the shard key has another type than the column it is read from");
    }
    to = points.shards_of_output(source, *column, *target.group);
  } else if (plain && block.set_operation == sql::SetOperation::kNone) {
    std::string scratch;
    SHERD_TRY(
        const ShardId shard, shard_of_row(input, target, &block.targets[*at].operand, scratch)
    );
    to.add(shard);
  } else {
    return refuse_select("the shard key is not known before the rows are read");
  }
  if (to.size() > 1) {
    return refuse_select("the rows belong to several shards");
  }
  SHERD_TRY(auto single, confine(input, survey, points, to));
  if (!single) {
    return refuse_select("the rows come from, or go to, several shards");
  }
  return with_write(*std::move(single), insert);
}

/// Rows by shard, each shard's in their order.
using RowsByShard = std::map<ShardId, std::vector<std::size_t>>;

Result<RowsByShard> rows_by_shard(const Input& input, const Insert& insert, const Named& target) {
  const InsertColumns columns(insert, *target.info);
  RowsByShard rows;
  std::string scratch;
  if (insert.source == Insert::Source::kDefaultValues) {
    SHERD_TRY(const ShardId shard, shard_of_row(input, target, nullptr, scratch));
    rows[shard].push_back(0);
    return rows;
  }
  for (std::size_t i = 0; i < insert.rows.size(); ++i) {
    const sql::Operand* operand = key_operand(columns, *target.key_column(), insert.rows[i]);
    SHERD_TRY(const ShardId shard, shard_of_row(input, target, operand, scratch));
    rows[shard].push_back(i);
  }
  return rows;
}

/// A parameter that a part no longer mentions has no type there, unless it was declared.
Result<> check_parameters(const Input& input, const std::string& part) {
  const auto mentions = count_mentions(part, input.statement.parameter_count);
  for (std::uint32_t n = 1; n <= input.statement.parameter_count; ++n) {
    if (mentions[n] == 0 && !is_declared(input.parameters, n)) {
      return refuse(
          fmt::format("parameter ${} has no declared type, and not all shards' rows use it", n),
          "declare the parameters' types, or insert one row per statement"
      );
    }
  }
  return {};
}

Result<> check_split(const Input& input, const Insert& insert, const Survey& survey) {
  if (insert.has_with || !input.statement.blocks.empty()) {
    if (insert.has_with || survey.distributed || survey.local || survey.reference) {
      return refuse(
          "rows for several shards cannot use WITH or subqueries",
          "insert the rows of each shard by themselves"
      );
    }
  }
  if (insert.has_returning) {
    return refuse(
        "RETURNING from rows for several shards would not keep the rows' order",
        "leave RETURNING out, or insert one row per statement"
    );
  }
  if (insert.rows_span.empty() || std::ranges::any_of(insert.rows, [](const sql::InsertRow& row) {
        return row.span.empty();
      })) {
    return refuse("the rows of VALUES are not understood", "insert one row per statement");
  }
  return check_functions(input.statement, input.schema(), FunctionUse::kSplit);
}

Result<Plan> split_rows(const Input& input, const Insert& insert, const RowsByShard& rows) {
  Plan plan = plan_for(input, PlanKind::kWriteSplit, {}, "rows of several shards");
  for (const auto& [shard, indices] : rows) {
    std::string values;
    for (const std::size_t i : indices) {
      values += values.empty() ? "" : "\n, ";
      values += input.piece(insert.rows[i].span);
    }
    Splice splice(input);
    splice.replace(insert.rows_span, values);
    plan.shards.push_back(shard);
    plan.split.push_back(splice.finish());
    SHERD_TRY_VOID(check_parameters(input, plan.split.back()));
  }
  return with_write(std::move(plan), insert);
}

Result<Plan> insert_distributed(const Input& input, const Insert& insert, const Named& target) {
  SHERD_TRY_VOID(check_insert(input, insert, target));
  SHERD_TRY(const Survey found, survey(input));
  const Points points(input, found.scope);
  if (insert.source == Insert::Source::kSelect) {
    return insert_selected(input, insert, target, found, points);
  }
  if (!input.parameters.known) {
    // Describe: any shard knows the types; the rows are placed when the values are there.
    return with_write(
        plan_on(input, any_shard_of(input, *target.group), "rows are placed by their keys"), insert
    );
  }
  SHERD_TRY(const RowsByShard rows, rows_by_shard(input, insert, target));
  ShardSet to;
  for (const auto& [shard, indices] : rows) {
    to.add(shard);
  }
  if (to.size() > 1) {
    SHERD_TRY_VOID(check_split(input, insert, found));
    return split_rows(input, insert, rows);
  }
  SHERD_TRY(auto single, confine(input, found, points, to));
  if (!single) {
    return refuse(
        "INSERT with a subquery over rows of other shards than its own is not supported",
        "run the subquery by itself"
    );
  }
  single->reason = fmt::format("key {} of the row", target.table->key_column);
  return with_write(*std::move(single), insert);
}

Result<Plan> insert_copies(const Input& input, const Insert& insert, const Named& target) {
  SHERD_TRY(const Survey found, survey(input));
  if (found.distributed || found.local) {
    return refuse(
        "rows for a reference table cannot be selected from distributed or local tables",
        "read the rows and insert them as values"
    );
  }
  if (insert.source == Insert::Source::kSelect && insert.has_on_conflict) {
    return refuse(
        "INSERT … SELECT … ON CONFLICT into a reference table may keep other rows on every shard",
        "insert the rows as values"
    );
  }
  SHERD_TRY_VOID(check_copies(input, target));
  const InsertColumns columns(insert, *target.info);
  SHERD_TRY_VOID(check_defaults(*target.info, true, [&](const topology::Column& column) {
    return columns.is_given(column);
  }));
  return with_write(
      plan_for(
          input, PlanKind::kWriteCopies, every_shard(input),
          "reference table: every shard has a copy"
      ),
      insert
  );
}

Result<Plan> insert_local(const Input& input, const Insert& insert) {
  SHERD_TRY(Survey found, survey(input));
  found.local = true;
  found.local_name = insert.target.name;
  const Points points(input, found.scope);
  if (!found.distributed) {
    return with_write(plan_at_home(input, "local tables"), insert);
  }
  SHERD_TRY(auto single, confine(input, found, points));
  if (!single) {
    return fail(ErrorCode::kInternal, "a local table's shard is not the home shard");
  }
  return with_write(*std::move(single), insert);
}

}  // namespace

Result<> check_default(
    const topology::RelationInfo& info, const topology::Column& column, bool copies
) {
  if (takes_sequence(column)) {
    return refuse(
        fmt::format(
            "column \"{}\" of \"{}\" takes its default from a sequence, which is not yet unique "
            "over shards",
            column.name, info.name
        ),
        "give the value explicitly"
    );
  }
  if (copies && is_unsteady_default(column)) {
    return refuse(
        fmt::format(
            "the default of column \"{}\" of reference table \"{}\" may differ between shards",
            column.name, info.name
        ),
        "give the value explicitly"
    );
  }
  return {};
}

Result<Plan> plan_insert(const Input& input, const Insert& insert) {
  SHERD_TRY(const Named target, resolve_target(input, insert.target));
  switch (target.kind) {
    case RelationClass::kDistributed:
      return insert_distributed(input, insert, target);
    case RelationClass::kReference:
      return input.topology().shards.size() == 1 && target.table != nullptr
                 ? Result<Plan>(with_write(plan_at_home(input, "the only shard"), insert))
                 : insert_copies(input, insert, target);
    default:
      return insert_local(input, insert);
  }
}

}  // namespace sherd::plan
