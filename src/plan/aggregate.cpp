#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/pgtypes/oid.hpp>

#include "target_list.hpp"

// Groups whose rows are on several shards: shards send partial aggregates, the router combines
// them.

namespace sherd::plan {
namespace {

using merge::Combine;
using sql::FunctionCall;

struct Aggregate {
  std::string_view name;
  Combine combine;
};

constexpr std::array kAggregates = {
    Aggregate{"count", Combine::kCount},      Aggregate{"sum", Combine::kSum},
    Aggregate{"min", Combine::kMin},          Aggregate{"max", Combine::kMax},
    Aggregate{"bool_and", Combine::kBoolAnd}, Aggregate{"every", Combine::kBoolAnd},
    Aggregate{"bool_or", Combine::kBoolOr},   Aggregate{"bit_and", Combine::kBitAnd},
    Aggregate{"bit_or", Combine::kBitOr},
};

std::optional<Combine> combine_of(std::string_view name) {
  const auto found = std::ranges::find(kAggregates, name, &Aggregate::name);
  return found == kAggregates.end() ? std::nullopt : std::optional(found->combine);
}

std::unexpected<Error> refuse_aggregate(std::string_view name, std::string_view why) {
  return refuse(
      fmt::format("{}() over several shards: {}", name, why),
      "group by the shard key, confine the statement to one shard, or select the parts and combine "
      "them yourself"
  );
}

class GroupPlanner {
 public:
  GroupPlanner(
      const Input& input, const Survey& survey, const Colocation& colocation, TargetList& list,
      Plan& plan
  )
      : input_(input),
        scope_(survey.scope),
        block_(survey.scope.block(0)),
        colocation_(colocation),
        list_(list),
        plan_(plan) {}

  Result<> make() {
    if (block_.has_having) {
      return refuse(
          "HAVING over several shards is not supported yet",
          "group by the shard key, or filter the groups yourself"
      );
    }
    if (block_.distinct != sql::DistinctKind::kNone) {
      return refuse(
          "DISTINCT over groups of several shards is not supported yet", "leave DISTINCT out"
      );
    }
    SHERD_TRY_VOID(find_group_items());
    for (std::uint32_t i = 0; i < list_.visible(); ++i) {
      SHERD_TRY_VOID(plan_target(i));
    }
    SHERD_TRY_VOID(hide_group_items());
    SHERD_TRY_VOID(plan_order());
    return finish();
  }

 private:
  merge::Recipe& recipe() { return plan_.recipe; }

  Result<> find_group_items() {
    for (const sql::GroupItem& item : block_.group_by) {
      SHERD_TRY(const auto column, list_.find(item));
      if (column) {
        group_columns_.insert(*column);
      }
      found_.push_back(column);
    }
    return {};
  }

  Result<> plan_target(std::uint32_t i) {
    // The list grows while hidden columns are added: no reference into it is kept over that.
    const sql::Target* target = list_.columns()[i].target;
    const bool aggregates = target != nullptr && has_aggregate(target->facts, input_.schema());
    if (!aggregates) {
      if (!is_group_key(i)) {
        return refuse(
            fmt::format("output column {} is neither a GROUP BY item nor an aggregate", i + 1),
            "name it in GROUP BY"
        );
      }
      set_combine(i, Combine::kGroupKey);
      recipe().outputs.push_back({.column = i});
      return {};
    }
    if (target->form != sql::Target::Form::kFunction || target->facts.functions.empty()) {
      return refuse(
          "an aggregate inside an expression over several shards is not supported yet",
          "select the aggregates by themselves and compute with them yourself"
      );
    }
    const FunctionCall& call = target->facts.functions.front();
    SHERD_TRY_VOID(check_call(call));
    if (call.name == "avg") {
      return plan_average(i, call);
    }
    set_combine(i, *combine_of(call.name));
    recipe().outputs.push_back({.column = i});
    return {};
  }

  /// A target is one value for all rows of a group if it is a GROUP BY item, or the same column as
  /// one.
  [[nodiscard]] bool is_group_key(std::uint32_t i) const {
    if (group_columns_.contains(i)) {
      return true;
    }
    const ShardColumn& column = list_.columns()[i];
    return std::ranges::any_of(block_.group_by, [&](const sql::GroupItem& item) {
      if (item.form == sql::GroupItem::Form::kColumn) {
        const auto source = scope_.resolve_here(0, item.column);
        return source && column.source == source;
      }
      return item.form == sql::GroupItem::Form::kExpression
             && column.expression == input_.piece(item.expression);
    });
  }

  Result<> check_call(const FunctionCall& call) const {
    if (call.name != "avg" && !combine_of(call.name)) {
      return refuse_aggregate(call.name, "this aggregate cannot be combined yet");
    }
    const topology::FunctionInfo* info = input_.schema().function(call.name);
    if (!(call.schema.empty() || call.schema == "pg_catalog")
        || (info != nullptr && !info->is_builtin)) {
      return refuse_aggregate(call.name, "it may be an aggregate of your own");
    }
    if (call.has_order || call.within_group || call.variadic || call.is_window
        || call.span.empty()) {
      return refuse_aggregate(call.name, "this form cannot be combined yet");
    }
    if (call.distinct && !keeps_distinct(call)) {
      return refuse_aggregate(call.name, "DISTINCT inside it cannot be combined yet");
    }
    return {};
  }

  /// DISTINCT changes nothing for min and max; counts of distinct shard keys add up, since no key
  /// is on two shards.
  [[nodiscard]] bool keeps_distinct(const FunctionCall& call) const {
    if (call.name == "min" || call.name == "max") {
      return true;
    }
    if (call.name != "count" || call.argument_count != 1
        || call.argument.kind != sql::Operand::Kind::kColumn) {
      return false;
    }
    const auto column = scope_.resolve_here(0, call.argument.column);
    return column && std::ranges::find(colocation_.keys, *column) != colocation_.keys.end();
  }

  Result<> plan_average(std::uint32_t i, const FunctionCall& call) {
    if (call.arguments.empty() || call.argument_count != 1) {
      return refuse_aggregate(call.name, "this form cannot be combined yet");
    }
    std::string argument(input_.piece(call.arguments));
    const std::string filter =
        call.filter.empty() ? std::string()
                            : fmt::format("\nFILTER (WHERE {}\n)", input_.piece(call.filter));
    if (call.has_filter && call.filter.empty()) {
      return refuse_aggregate(call.name, "its FILTER is not understood");
    }
    const std::string count = fmt::format("count({}\n){}", argument, filter);
    if (call.argument.kind == sql::Operand::Kind::kColumn) {
      const auto column = scope_.resolve_here(0, call.argument.column);
      if (column && scope_.type_of(*column) == oid::kFloat4) {
        // A sum of float4 is float4, but its average is made in double precision.
        argument = fmt::format("({})::float8", input_.piece(call.argument.span));
      }
    }
    ShardColumn& column = list_.columns()[i];
    const std::string name = column.name;
    column.text = fmt::format("sum({}\n){} AS {}", argument, filter, quote_identifier(name));
    set_combine(i, Combine::kSum);
    const std::uint32_t counts = add_hidden(count, "", Combine::kCount);
    recipe().outputs.push_back(
        {.kind = merge::Output::Kind::kAverage, .column = i, .count_column = counts, .name = name}
    );
    return {};
  }

  Result<> hide_group_items() {
    for (std::size_t g = 0; g < block_.group_by.size(); ++g) {
      const sql::GroupItem& item = block_.group_by[g];
      if (found_[g]) {
        continue;
      }
      if (item.expression.empty()) {
        return refuse(
            "a GROUP BY expression is not understood",
            "select it as a column and group by its position"
        );
      }
      const std::string text(input_.piece(item.expression));
      std::string collation = list_.collation_of(item.facts, text);
      if (item.form == sql::GroupItem::Form::kColumn) {
        if (const auto source = scope_.resolve_here(0, item.column)) {
          collation = scope_.collation_of(*source);
        }
      }
      found_[g] = add_hidden(fmt::format("({})", text), std::move(collation), Combine::kGroupKey);
      hidden_groups_.emplace_back(text, *found_[g]);
    }
    return {};
  }

  Result<> plan_order() {
    for (const sql::SortItem& item : block_.order_by) {
      if (item.using_operator || item.facts.has_parameter) {
        return refuse(
            "this ORDER BY over groups of several shards is not supported",
            "order by an output column"
        );
      }
      merge::SortKey key{
          .descending = item.descending,
          .nulls_first = item.nulls_first.value_or(item.descending),
          .collation = item.has_collation ? item.collation : std::string(),
      };
      SHERD_TRY(const auto column, list_.find(item));
      if (column && *column < list_.visible()) {
        key.on_output = true;
        key.output = *column;
      } else {
        SHERD_TRY(key.output, hidden_order(item));
      }
      recipe().order.push_back(std::move(key));
    }
    return {};
  }

  /// ORDER BY what is not selected: a GROUP BY item, or an aggregate of its own.
  Result<std::uint32_t> hidden_order(const sql::SortItem& item) {
    if (item.expression.empty()) {
      return refuse(
          "an ORDER BY expression is not understood", "select it as a column and order by its name"
      );
    }
    const std::string text(input_.piece(item.expression));
    for (const auto& [expression, column] : hidden_groups_) {
      if (expression == text) {
        return column;
      }
    }
    for (std::size_t g = 0; g < block_.group_by.size() && item.form == sql::SortItem::Form::kColumn;
         ++g) {
      const auto source = scope_.resolve_here(0, item.column);
      if (block_.group_by[g].form == sql::GroupItem::Form::kColumn && source
          && source == scope_.resolve_here(0, block_.group_by[g].column)) {
        return *found_[g];
      }
    }
    const bool one_call = item.form == sql::SortItem::Form::kExpression
                          && !item.facts.functions.empty()
                          && input_.piece(item.facts.functions.front().span) == text;
    if (one_call && has_aggregate(item.facts, input_.schema())) {
      const FunctionCall& call = item.facts.functions.front();
      SHERD_TRY_VOID(check_call(call));
      if (const auto combine = combine_of(call.name)) {
        return add_hidden(text, list_.collation_of(item.facts, text), *combine);
      }
    }
    return refuse(
        "ORDER BY over groups of several shards must name output columns, GROUP BY items or plain "
        "aggregates",
        "select the expression and order by its name"
    );
  }

  std::uint32_t add_hidden(const std::string& text, std::string collation, Combine combine) {
    const std::uint32_t index = list_.add_hidden(text, std::move(collation));
    set_combine(index, combine);
    return index;
  }

  void set_combine(std::uint32_t column, Combine combine) {
    if (recipe().combine.size() <= column) {
      recipe().combine.resize(column + 1, Combine::kGroupKey);
    }
    recipe().combine[column] = combine;
  }

  Result<> finish() {
    SHERD_TRY(const Bound limit, bound_of(input_, block_.limit, "LIMIT"));
    SHERD_TRY(const Bound offset, bound_of(input_, block_.offset, "OFFSET"));
    recipe().limit = limit.value;
    recipe().offset = offset.value.value_or(0);
    recipe().collations = list_.collations();
    plan_.hidden_columns = list_.has_hidden();
    plan_.reason = "partial aggregates of several shards";
    const std::string idle = idle_limit(limit, offset);
    Splice splice(input_);
    splice.replace(block_.spans.targets, list_.text());
    if (!block_.spans.order.empty()) {
      splice.replace(block_.spans.order, " ");
    }
    if (!block_.spans.limit.empty()) {
      splice.replace(block_.spans.limit, idle.empty() ? " " : idle);
    }
    plan_.shard_sql = splice.finish();
    return {};
  }

  const Input& input_;
  const Scope& scope_;
  const sql::Block& block_;
  const Colocation& colocation_;
  TargetList& list_;
  Plan& plan_;
  std::set<std::uint32_t> group_columns_{};
  std::vector<std::optional<std::uint32_t>> found_{};  // by GROUP BY item: its shard column
  std::vector<std::pair<std::string, std::uint32_t>> hidden_groups_{};
};

}  // namespace

Result<> plan_groups(
    const Input& input, const Survey& survey, const Colocation& colocation, TargetList& list,
    Plan& plan
) {
  return GroupPlanner(input, survey, colocation, list, plan).make();
}

}  // namespace sherd::plan
