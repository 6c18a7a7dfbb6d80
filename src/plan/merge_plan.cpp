#include <algorithm>

#include <fmt/format.h>

#include "target_list.hpp"

// SELECT over several shards: rows put one after the other, merged in order, or made distinct.
// Groups: aggregate.cpp.

namespace sherd::plan {
namespace {

struct Shape {
  bool refused;
  std::string_view what;
  std::string_view hint;
};

/// What a level may not have when its rows come from several shards.
Result<> check_shape(const Input& input, const sql::Block& block) {
  const topology::Schema& schema = input.schema();
  const auto any = [&](const auto& items, auto&& test) {
    return std::ranges::any_of(items, [&](const auto& item) { return test(item.facts, schema); });
  };
  const bool windows =
      block.has_window_clause || any(block.targets, has_window) || any(block.order_by, has_window);
  const bool expands = any(block.targets, has_set_returning);
  const bool reorders = !block.order_by.empty() || block.distinct != sql::DistinctKind::kNone
                        || !block.group_by.empty() || block.limit.kind != sql::Operand::Kind::kNull
                        || block.offset.kind != sql::Operand::Kind::kNull;
  const Shape shapes[] = {
      {!block.spans.known, "the statement's clauses are not understood", "write it in a simpler way"
      },
      {block.has_locking, "rows of several shards cannot be locked in one statement",
       "confine it to one shard by its key"},
      {block.has_into, "SELECT INTO from several shards is not supported",
       "use CREATE TABLE, then INSERT"},
      {windows, "window functions over several shards are not supported yet",
       "confine the statement to one shard by its key"},
      {block.distinct == sql::DistinctKind::kOn,
       "DISTINCT ON over several shards is not supported yet", "use DISTINCT or GROUP BY"},
      {block.with_ties, "WITH TIES over several shards is not supported yet", "use LIMIT"},
      {block.group_distinct, "GROUP BY DISTINCT over several shards is not supported yet",
       "use GROUP BY"},
      {expands && reorders,
       "a set-returning function in the select list cannot be ordered, grouped or limited over "
       "several shards",
       "move it to FROM"},
      {!block.values.empty() || block.targets.empty(),
       "a SELECT without columns over several shards is not supported",
       "select at least one column"},
  };
  for (const Shape& shape : shapes) {
    if (shape.refused) {
      return refuse(std::string(shape.what), std::string(shape.hint));
    }
  }
  return {};
}

merge::SortKey sort_key(const sql::SortItem& item, std::uint32_t column) {
  return {
      .output = column,
      .descending = item.descending,
      .nulls_first = item.nulls_first.value_or(item.descending),
      .collation = item.has_collation ? item.collation : std::string(),
  };
}

class MergePlanner {
 public:
  MergePlanner(const Input& input, const Survey& survey, const Colocation& colocation)
      : input_(input),
        block_(survey.scope.block(0)),
        survey_(survey),
        colocation_(colocation),
        list_(input, survey.scope) {}

  Result<Plan> make() {
    Plan plan = plan_for(
        input_, PlanKind::kMerge, colocation_.shards.to_vector(), "rows of several shards"
    );
    const bool grouped = !block_.group_by.empty() || block_.has_having || aggregates();
    SHERD_TRY(const bool groups_stay, groups_stay_on_shards());
    if (grouped && !groups_stay) {
      SHERD_TRY_VOID(list_.expand());
      SHERD_TRY_VOID(plan_groups(input_, survey_, colocation_, list_, plan));
      return plan;
    }
    SHERD_TRY_VOID(plan_rows(plan));
    return plan;
  }

 private:
  [[nodiscard]] bool aggregates() const {
    const auto test = [&](const auto& item) { return has_aggregate(item.facts, input_.schema()); };
    return std::ranges::any_of(block_.targets, test) || std::ranges::any_of(block_.order_by, test);
  }

  [[nodiscard]] bool is_key(const std::optional<ColumnId>& column) const {
    return column && std::ranges::find(colocation_.keys, *column) != colocation_.keys.end();
  }

  /// A group that the shard key is part of has all its rows on one shard.
  [[nodiscard]] Result<bool> groups_stay_on_shards() const {
    for (const sql::GroupItem& item : block_.group_by) {
      if (item.form == sql::GroupItem::Form::kGroupingSet) {
        return refuse(
            "GROUPING SETS over several shards are not supported yet", "group by one set at a time"
        );
      }
      if (item.form == sql::GroupItem::Form::kColumn
          && is_key(survey_.scope.resolve_here(0, item.column))) {
        return true;
      }
      if (item.form == sql::GroupItem::Form::kOrdinal && is_key(source_of_target(item.ordinal))) {
        return true;
      }
    }
    return false;
  }

  /// Where the n-th target is a plain column; stars before it make that uncertain.
  [[nodiscard]] std::optional<ColumnId> source_of_target(std::uint32_t ordinal) const {
    if (ordinal == 0 || ordinal > block_.targets.size()) {
      return std::nullopt;
    }
    for (std::uint32_t i = 0; i < ordinal; ++i) {
      if (block_.targets[i].form == sql::Target::Form::kStar) {
        return std::nullopt;
      }
    }
    const sql::Target& target = block_.targets[ordinal - 1];
    return target.form == sql::Target::Form::kColumn ? survey_.scope.resolve_here(0, target.column)
                                                     : std::nullopt;
  }

  /// DISTINCT rows that hold the shard key meet no equal on another shard.
  [[nodiscard]] bool distinct_over_shards() const {
    return block_.distinct == sql::DistinctKind::kAll
           && std::ranges::none_of(list_.columns(), [&](const ShardColumn& column) {
                return is_key(column.source);
              });
  }

  [[nodiscard]] Result<> plan_rows(Plan& plan) {
    merge::Recipe& recipe = plan.recipe;
    const bool distinct = block_.distinct == sql::DistinctKind::kAll;
    const bool by_position = distinct || !block_.order_by.empty();
    if (by_position) {
      SHERD_TRY_VOID(list_.expand());
      recipe.distinct = distinct_over_shards();
      SHERD_TRY_VOID(plan_order(distinct, recipe));
      recipe.collations = list_.collations();
    }
    SHERD_TRY(const Bound limit, bound_of(input_, block_.limit, "LIMIT"));
    SHERD_TRY(const Bound offset, bound_of(input_, block_.offset, "OFFSET"));
    recipe.limit = limit.value;
    recipe.offset = offset.value.value_or(0);
    if (list_.has_hidden()) {
      plan.hidden_columns = true;
      for (std::uint32_t i = 0; i < list_.visible(); ++i) {
        recipe.outputs.push_back({.column = i});
      }
    }
    write(by_position, pushed_limit(limit, offset), plan);
    return {};
  }

  [[nodiscard]] Result<> plan_order(bool distinct, merge::Recipe& recipe) {
    for (const sql::SortItem& item : block_.order_by) {
      if (item.using_operator) {
        return refuse("ORDER BY … USING over several shards is not supported", "use ASC or DESC");
      }
      SHERD_TRY(auto column, list_.find(item));
      if (!column && distinct) {
        return refuse(
            "with DISTINCT over several shards ORDER BY must name output columns",
            "use the position or the name of an output column"
        );
      }
      if (!column) {
        SHERD_TRY(column, hide(item));
      }
      recipe.order.push_back(sort_key(item, *column));
    }
    return {};
  }

  [[nodiscard]] Result<std::optional<std::uint32_t>> hide(const sql::SortItem& item) {
    if (item.expression.empty()) {
      return refuse(
          "an ORDER BY expression is not understood", "select it as a column and order by its name"
      );
    }
    const std::string text = fmt::format("({})", input_.piece(item.expression));
    std::string collation =
        item.has_collation ? item.collation : list_.collation_of(item.facts, text);
    if (item.form == sql::SortItem::Form::kColumn && !item.has_collation) {
      if (const auto source = survey_.scope.resolve_here(0, item.column)) {
        collation = survey_.scope.collation_of(*source);
      }
    }
    return std::optional(list_.add_hidden(text, std::move(collation)));
  }

  void write(bool by_position, const std::string& limit, Plan& plan) {
    if (!by_position && block_.spans.limit.empty()) {
      return;  // the client's own text will do
    }
    Splice splice(input_);
    if (by_position) {
      splice.replace(block_.spans.targets, list_.text());
    }
    if (!block_.spans.limit.empty()) {
      splice.replace(block_.spans.limit, limit.empty() ? " " : limit);
    }
    plan.shard_sql = splice.finish();
  }

  const Input& input_;
  const sql::Block& block_;
  const Survey& survey_;
  const Colocation& colocation_;
  mutable TargetList list_;
};

}  // namespace

Result<Plan> plan_merge(const Input& input, const Survey& survey, const Points& points) {
  SHERD_TRY(const Colocation colocation, colocate(survey, points));
  if (colocation.shards.size() <= 1) {
    const auto only = colocation.shards.to_vector();
    return plan_on(
        input, only.empty() ? any_shard_of(input, *colocation.group) : only.front(),
        "the joined tables meet on one shard"
    );
  }
  SHERD_TRY_VOID(check_shape(input, survey.scope.block(0)));
  SHERD_TRY_VOID(check_functions(input.statement, input.schema(), FunctionUse::kRead));
  SHERD_TRY_VOID(check_steady(input.statement, input.schema(), FunctionUse::kRead));
  return MergePlanner(input, survey, colocation).make();
}

Result<Plan> plan_copied_query(const Input& input, const Survey& survey, const Points& points) {
  SHERD_TRY(const Colocation colocation, colocate(survey, points));
  const sql::Block& block = survey.scope.block(0);
  const auto computes = [&](const auto& item) {
    return has_aggregate(item.facts, input.schema()) || has_window(item.facts, input.schema())
           || has_set_returning(item.facts, input.schema());
  };
  const bool plain = block.order_by.empty() && block.group_by.empty() && !block.has_having
                     && block.distinct == sql::DistinctKind::kNone && !block.has_window_clause
                     && !block.has_locking && block.limit.kind == sql::Operand::Kind::kNull
                     && block.offset.kind == sql::Operand::Kind::kNull && !block.targets.empty()
                     && std::ranges::none_of(block.targets, computes);
  if (!plain) {
    return refuse(
        "COPY of a query over several shards must not order, group, limit or aggregate",
        "run the query by itself, or leave these out"
    );
  }
  SHERD_TRY_VOID(check_functions(input.statement, input.schema(), FunctionUse::kRead));
  SHERD_TRY_VOID(check_steady(input.statement, input.schema(), FunctionUse::kRead));
  std::vector<ShardId> shards = colocation.shards.to_vector();
  if (shards.empty()) {
    shards.push_back(any_shard_of(input, *colocation.group));
  }
  return plan_for(input, PlanKind::kCopyOut, std::move(shards), "rows of several shards");
}

}  // namespace sherd::plan
