#include <fmt/format.h>

#include <sherd/plan/plan.hpp>

namespace sherd::plan {
namespace {

std::string name_of(ShardId id, const topology::Snapshot& topology) {
  const topology::Shard* shard = topology.shard(id);
  return shard != nullptr ? shard->name : fmt::format("shard {}", index_of(id));
}

std::string names_of(const std::vector<ShardId>& ids, const topology::Snapshot& topology) {
  std::string names;
  for (const ShardId id : ids) {
    names += names.empty() ? "" : ", ";
    names += name_of(id, topology);
  }
  return names;
}

std::string_view title_of(const Plan& plan) {
  switch (plan.kind) {
    case PlanKind::kSingle:
      return "Single shard";
    case PlanKind::kMerge:
      return "Merge of shards";
    case PlanKind::kWriteAll:
      return "Write on shards";
    case PlanKind::kWriteCopies:
      return "Write on every copy";
    case PlanKind::kWriteSplit:
      return "Write split by row";
    case PlanKind::kAllShards:
      return "Every shard";
    case PlanKind::kCopyIn:
      return plan.copy.replicate ? "Copy to every shard" : "Copy by row";
    case PlanKind::kCopyOut:
      return "Copy from shards";
  }
  return "";
}

}  // namespace

std::vector<std::string> describe(const Plan& plan, const topology::Snapshot& topology) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{}: {}", title_of(plan), names_of(plan.shards, topology)));
  if (!plan.reason.empty()) {
    lines.push_back("  Reason: " + plan.reason);
  }
  if (plan.kind == PlanKind::kMerge) {
    lines.push_back("  Rows: " + merge::describe(plan.recipe));
  }
  if (!plan.shard_sql.empty()) {
    lines.push_back("  On each shard: " + plan.shard_sql);
  }
  for (std::size_t i = 0; i < plan.split.size() && i < plan.shards.size(); ++i) {
    lines.push_back(fmt::format("  On {}: {}", name_of(plan.shards[i], topology), plan.split[i]));
  }
  if (plan.kind == PlanKind::kAllShards && !plan.in_transaction) {
    lines.emplace_back("  Not in a transaction: it may be done on some shards only if one fails");
  }
  return lines;
}

}  // namespace sherd::plan
