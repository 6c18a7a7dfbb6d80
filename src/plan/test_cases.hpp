#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "test_world.hpp"

// Tables of statements and what becomes of them.

namespace sherd::plan::testing {

inline const World& world() {
  static const World kWorld;
  return kWorld;
}

inline std::string name_of(PlanKind kind) {
  switch (kind) {
    case PlanKind::kSingle:
      return "single";
    case PlanKind::kMerge:
      return "merge";
    case PlanKind::kWriteAll:
      return "write-all";
    case PlanKind::kWriteCopies:
      return "copies";
    case PlanKind::kWriteSplit:
      return "split";
    case PlanKind::kAllShards:
      return "all-shards";
    case PlanKind::kCopyIn:
      return "copy-in";
    case PlanKind::kCopyOut:
      return "copy-out";
  }
  return "?";
}

inline std::string names_of(const std::vector<ShardId>& shards) {
  std::string text;
  for (const ShardId id : shards) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", index_of(id));
  }
  return text == "1,2,3,4" ? "all" : text;
}

/// "single 2", "merge all", or the SQLSTATE of the refusal.
inline std::string outcome(const Result<Plan>& plan) {
  return plan ? fmt::format("{} {}", name_of(plan->kind), names_of(plan->shards))
              : std::string(plan.error().sqlstate());
}

inline std::string on(std::int64_t key) {
  return fmt::format("single {}", index_of(world().owner(key)));
}
inline std::string on(std::initializer_list<std::int64_t> keys, const char* kind = "merge") {
  ShardSet set;
  for (const std::int64_t key : keys) {
    set.add(world().owner(key));
  }
  return fmt::format("{} {}", kind, names_of(set.to_vector()));
}
inline const std::string kHome = "single 1";
inline const std::string kRefused = "0A000";

struct Case {
  std::string sql;
  std::string expected;
};

/// What is sent to shards must be SQL, and the short way must say what make_plan says.
inline void check_texts(const std::string& sql, const Plan& plan) {
  std::vector<std::string> texts = plan.split;
  if (!plan.shard_sql.empty()) {
    texts.push_back(plan.shard_sql);
  }
  for (const std::string& text : texts) {
    EXPECT_NE(parse(text)->statement, nullptr) << sql << "\n became " << text;
  }
}

inline void check_route(const std::string& sql, const Result<Plan>& plan) {
  const auto parsed = parse(sql);
  if (!parsed->statement) {
    return;
  }
  const auto route = Route::compile(*parsed->statement, world().context());
  if (!route) {
    return;
  }
  const auto shard = route->shard(parsed->lifted.literals, {}, world().snapshot());
  ASSERT_TRUE(shard) << sql;
  if (!*shard) {
    return;
  }
  ASSERT_TRUE(plan) << sql << ": the short way knows a shard where make_plan refuses";
  ASSERT_EQ(plan->kind, PlanKind::kSingle) << sql;
  if (plan->reason != "no row can match") {  // then any shard will do
    EXPECT_EQ(**shard, plan->shards.front()) << sql;
  }
  EXPECT_EQ(route->writes(), plan->writes) << sql;
}

inline void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto plan = plan_text(world(), c.sql);
    EXPECT_EQ(outcome(plan), c.expected)
        << c.sql << "\n  " << (plan ? plan->reason : to_string(plan.error()));
    if (plan) {
      check_texts(c.sql, *plan);
      EXPECT_EQ(plan->epoch, world().snapshot().epoch);
      EXPECT_FALSE(plan->shards.empty()) << c.sql;
    } else {
      EXPECT_FALSE(plan.error().sqlstate() == "0A000" && plan.error().hint.empty())
          << c.sql << ": no hint";
    }
    check_route(c.sql, plan);
  }
}

inline std::string print(const merge::Recipe& recipe) {
  constexpr const char* kCombine[] = {"key",      "count",   "sum",     "min",   "max",
                                      "bool_and", "bool_or", "bit_and", "bit_or"};
  std::string text;
  for (const merge::Combine combine : recipe.combine) {
    text +=
        fmt::format("{}{}", text.empty() ? "combine " : ",", kCombine[static_cast<int>(combine)]);
  }
  std::string outputs;
  for (const merge::Output& output : recipe.outputs) {
    outputs += outputs.empty() ? "" : ",";
    outputs += output.kind == merge::Output::Kind::kAverage
                   ? fmt::format("avg({}/{})", output.column, output.count_column)
                   : std::to_string(output.column);
  }
  text += outputs.empty() ? "" : " out " + outputs;
  text += recipe.distinct ? " distinct" : "";
  for (const merge::SortKey& key : recipe.order) {
    text += fmt::format(
        " {}{}{}{}{}", key.on_output ? "^out" : "^", key.output, key.descending ? "d" : "a",
        key.nulls_first ? "f" : "l", key.collation
    );
  }
  text += recipe.limit ? fmt::format(" limit {}", *recipe.limit) : "";
  text += recipe.offset != 0 ? fmt::format(" offset {}", recipe.offset) : "";
  return text.starts_with(' ') ? text.substr(1) : text;
}

}  // namespace sherd::plan::testing
