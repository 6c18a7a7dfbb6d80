#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/check.hpp>
#include <sherd/pgtypes/oid.hpp>
#include <sherd/plan/plan.hpp>
#include <sherd/sql/analyze.hpp>
#include <sherd/strategy/placement.hpp>

// A cluster of four shards, and statements planned on it, for tests.

namespace sherd::plan::testing {

inline constexpr std::uint32_t kShards = 4;

inline strategy::StrategySpec spec_of(strategy::StrategyKind kind, pgtypes::KeyType type) {
  strategy::StrategySpec spec;
  spec.kind = kind;
  spec.key_type = type;
  spec.slots = 1024;
  return spec;
}

inline topology::Column column(std::string name, Oid type) {
  topology::Column made{.name = std::move(name), .type = type};
  if (type == oid::kText || type == oid::kVarchar) {
    made.collation = "default";
  }
  return made;
}

inline topology::RelationInfo table(
    std::string name, std::vector<topology::Column> columns, std::vector<std::string> primary
) {
  topology::RelationInfo made{
      .schema = "public", .name = std::move(name), .columns = std::move(columns)
  };
  made.unique.push_back(
      {.name = made.name + "_pkey", .columns = std::move(primary), .is_primary = true}
  );
  return made;
}

inline topology::RelationInfo view(
    std::string name, std::vector<topology::Column> columns, std::string query
) {
  return {
      .schema = "public",
      .name = std::move(name),
      .kind = topology::RelationKind::kView,
      .columns = std::move(columns),
      .view_definition = std::move(query)
  };
}

inline std::vector<topology::RelationInfo> relations() {
  using namespace oid;
  std::vector<topology::RelationInfo> all;
  all.push_back(table(
      "users",
      {column("id", kInt8), column("name", kText), column("age", kInt4), column("score", kFloat4),
       column("balance", kNumeric), column("created", kTimestamptz)},
      {"id"}
  ));
  all.push_back(table(
      "orders",
      {column("user_id", kInt8), column("id", kInt8), column("amount", kNumeric),
       column("note", kText)},
      {"user_id", "id"}
  ));
  all.push_back(table("items", {column("user_id", kInt4), column("n", kInt4)}, {"user_id", "n"}));
  all.push_back(table("events", {column("key", kText), column("body", kText)}, {"key"}));
  all.push_back(table("docs", {column("doc", kUuid), column("title", kText)}, {"doc"}));
  all.push_back(table("days", {column("day", kInt8), column("n", kInt4)}, {"day"}));
  all.push_back(table("codes", {column("code", kVarchar), column("n", kInt4)}, {"code"}));
  all.back().columns[0].typmod = 3 + 4;
  all.push_back(table("folded", {column("key", kText), column("n", kInt4)}, {"key"}));
  all.back().columns[0].collation = "case_insensitive";
  all.push_back(table("serials", {column("id", kInt8), column("n", kInt8)}, {"id"}));
  all.back().columns[1].default_expression = "nextval('serials_n_seq'::regclass)";
  all.push_back(table("defaulted", {column("id", kInt8), column("n", kInt4)}, {"id"}));
  all.back().columns[0].default_expression = "7";
  all.push_back(table("loose", {column("id", kInt8), column("tag", kText)}, {"id"}));
  all.back().unique.push_back({.name = "loose_tag_key", .columns = {"tag"}});
  all.push_back(table("parted", {column("id", kInt8), column("day", kDate)}, {"id", "day"}));
  all.back().kind = topology::RelationKind::kPartitionedTable;
  all.push_back(table("parted_1", {column("id", kInt8), column("day", kDate)}, {"id", "day"}));
  all.back().has_parent = true;
  all.push_back(table(
      "countries", {column("code", kText), column("name", kText), column("id", kInt8)}, {"code"}
  ));
  all.push_back(table("stamps", {column("code", kText), column("at", kTimestamptz)}, {"code"}));
  all.back().columns[1].default_expression = "now()";
  all.push_back(table(
      "settings", {column("key", kText), column("value", kText), column("id", kInt8)}, {"key"}
  ));
  all.push_back(view(
      "all_countries", {column("code", kText)}, " SELECT countries.code FROM public.countries;"
  ));
  all.push_back(view("all_users", {column("id", kInt8)}, " SELECT users.id FROM public.users;"));
  all.push_back(
      view("all_settings", {column("key", kText)}, " SELECT settings.key FROM public.settings;")
  );
  return all;
}

inline topology::FunctionMap functions() {
  using topology::FunctionInfo;
  using topology::Volatility;
  topology::FunctionMap all;
  for (const char* name :
       {"count", "sum", "min", "max", "avg", "bool_and", "bool_or", "every", "bit_and", "bit_or",
        "string_agg", "array_agg"}) {
    all[name] = FunctionInfo{.is_aggregate = true, .is_builtin = true};
  }
  for (const char* name : {"lower", "upper", "length", "abs", "age"}) {
    all[name] = FunctionInfo{.is_builtin = true};
  }
  for (const char* name : {"now", "to_char", "date_trunc", "current_database"}) {
    all[name] = FunctionInfo{.is_builtin = true, .volatility = Volatility::kStable};
  }
  for (const char* name :
       {"random", "nextval", "gen_random_uuid", "clock_timestamp", "pg_advisory_lock"}) {
    all[name] = FunctionInfo{.is_builtin = true, .volatility = Volatility::kVolatile};
  }
  all["generate_series"] = FunctionInfo{.is_set_returning = true, .is_builtin = true};
  all["unnest"] = FunctionInfo{.is_set_returning = true, .is_builtin = true};
  all["row_number"] = FunctionInfo{.is_window = true, .is_builtin = true};
  all["my_volatile"] = FunctionInfo{.volatility = Volatility::kVolatile};
  all["my_pure"] = FunctionInfo{};
  return all;
}

class World {
 public:
  World() {
    auto snapshot = std::make_shared<topology::Snapshot>();
    std::vector<strategy::Member> members;
    for (std::uint32_t i = 1; i <= kShards; ++i) {
      snapshot->shards.push_back({.id = ShardId(i), .name = "s" + std::to_string(i)});
      members.push_back({.id = ShardId(i), .name = "s" + std::to_string(i)});
    }
    snapshot->epoch = Epoch(3);
    snapshot->home = ShardId(1);
    const auto add_group = [&](std::uint32_t id, const strategy::StrategySpec& spec) {
      snapshot->groups.push_back(
          {.id = GroupId(id),
           .name = "g" + std::to_string(id),
           .spec = spec,
           .placement = *strategy::compile(spec, members)}
      );
    };
    using enum strategy::StrategyKind;
    using enum pgtypes::KeyType;
    add_group(1, spec_of(kSlot, kInt8));
    add_group(2, spec_of(kConsistentHash, kText));
    add_group(3, spec_of(kHash, kUuid));
    strategy::StrategySpec ranges = spec_of(kRange, kInt8);
    ranges.ranges = {
        {"s1", std::nullopt, "99"}, {"s2", "100", "199"}, {"s3", "200", "299"}, {"s4", "300", "399"}
    };
    add_group(4, ranges);
    add_group(5, spec_of(kSlot, kText));
    const auto distribute = [&](const char* name, std::uint32_t group, const char* key) {
      snapshot->tables.push_back(
          {.schema = "public",
           .name = name,
           .kind = topology::TableKind::kDistributed,
           .group = GroupId(group),
           .key_column = key}
      );
    };
    distribute("users", 1, "id");
    distribute("orders", 1, "user_id");
    distribute("items", 1, "user_id");
    distribute("serials", 1, "id");
    distribute("defaulted", 1, "id");
    distribute("loose", 1, "id");
    distribute("parted", 1, "id");
    distribute("events", 2, "key");
    distribute("docs", 3, "doc");
    distribute("days", 4, "day");
    distribute("codes", 5, "code");
    distribute("folded", 5, "key");
    for (const char* name : {"countries", "stamps"}) {
      snapshot->tables.push_back(
          {.schema = "public", .name = name, .kind = topology::TableKind::kReference}
      );
    }
    topology::Schema::Parts parts;
    parts.relations = relations();
    parts.functions = functions();
    parts.database_collation = "en_US.UTF-8";
    snapshot->schema = std::make_shared<const topology::Schema>(std::move(parts));
    const auto sealed = snapshot->seal();
    SHERD_CHECK(sealed.has_value());
    snapshot_ = std::move(snapshot);
  }

  [[nodiscard]] const topology::Snapshot& snapshot() const { return *snapshot_; }
  [[nodiscard]] Context context() const {
    return {.topology = snapshot_.get(), .search_path = search_path_};
  }
  [[nodiscard]] ShardId owner(std::uint32_t group, const pgtypes::Key& key) const {
    return *snapshot_->group(GroupId(group))->placement->owner(key);
  }
  [[nodiscard]] ShardId owner(std::int64_t key) const {
    return owner(1, pgtypes::integer_key(pgtypes::KeyType::kInt8, key));
  }
  [[nodiscard]] ShardId owner_of_text(std::uint32_t group, std::string_view text) const {
    return owner(group, {.type = pgtypes::KeyType::kText, .text = text});
  }

 private:
  std::shared_ptr<const topology::Snapshot> snapshot_;
  std::vector<std::string> search_path_{"app", "public"};
};

/// A statement, lifted and analysed. Owns its text.
struct Parsed {
  std::string text;
  sql::Lifted lifted{};
  std::shared_ptr<const sql::Statement> statement{};
};

inline std::unique_ptr<Parsed> parse(std::string text) {
  auto parsed = std::make_unique<Parsed>();
  parsed->text = std::move(text);
  sql::lift(parsed->text, true, parsed->lifted);
  auto analysis = sql::analyze(parsed->text, parsed->lifted.literals);
  if (analysis && analysis->statements.size() == 1) {
    parsed->statement = analysis->statements.front();
  }
  return parsed;
}

/// Parameters that own their values.
class Values {
 public:
  Values() = default;
  void add(std::optional<std::string> value, Oid type = 0, std::uint16_t format = 0) {
    texts_.push_back(std::make_unique<std::string>(value.value_or("")));
    values_.push_back(value ? std::optional(as_bytes(*texts_.back())) : std::nullopt);
    types_.push_back(type);
    formats_.push_back(format);
  }
  [[nodiscard]] Parameters get(bool known = true) const {
    return {.values = values_, .formats = formats_, .types = types_, .known = known};
  }

 private:
  std::vector<std::unique_ptr<std::string>> texts_{};
  std::vector<std::optional<Bytes>> values_{};
  std::vector<Oid> types_{};
  std::vector<std::uint16_t> formats_{};
};

inline Result<Plan> plan_text(
    const World& world, const std::string& text, const Parameters& parameters = {}
) {
  const auto parsed = parse(text);
  if (!parsed->statement) {
    return fail(ErrorCode::kSyntax, "cannot be parsed: " + text);
  }
  return make_plan(*parsed->statement, parsed->lifted.literals, parameters, world.context());
}

}  // namespace sherd::plan::testing
