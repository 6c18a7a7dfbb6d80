#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/base/text.hpp>

#include "insert_key.hpp"

namespace sherd::plan {
namespace {

using sql::Copy;
using sql::CopyOption;
using topology::Column;

bool is_true(std::string_view value) {
  constexpr std::array<std::string_view, 5> kTrue = {"", "true", "on", "1", "t"};
  return std::ranges::find(kTrue, to_lower(value)) != kTrue.end();
}

bool is_false(std::string_view value) {
  constexpr std::array<std::string_view, 4> kFalse = {"false", "off", "0", "f"};
  return std::ranges::find(kFalse, to_lower(value)) != kFalse.end();
}

std::unexpected<Error> refuse_option(std::string_view name) {
  return refuse(
      fmt::format("COPY option \"{}\" over several shards is not supported", name),
      "leave the option out"
  );
}

using Apply = Result<> (*)(const CopyOption& option, CopyPlan& plan);

Result<> set_format(const CopyOption& option, CopyPlan& plan) {
  const std::string value = to_lower(option.value);
  if (value != "text" && value != "csv" && value != "binary") {
    return refuse_option(option.name);
  }
  plan.format = value == "csv"      ? CopyPlan::Format::kCsv
                : value == "binary" ? CopyPlan::Format::kBinary
                                    : CopyPlan::Format::kText;
  return {};
}

Result<> set_char(const CopyOption& option, char& to) {
  if (option.value.size() != 1) {
    return refuse_option(option.name);
  }
  to = option.value.front();
  return {};
}

Result<> set_header(const CopyOption& option, CopyPlan& plan) {
  plan.header_match = to_lower(option.value) == "match";
  plan.header = plan.header_match || is_true(option.value);
  return plan.header || is_false(option.value) ? Result<>{} : refuse_option(option.name);
}

struct OptionRow {
  std::string_view name;
  Apply apply;
};

// FORMAT stands first: it decides the defaults of the others.
constexpr std::array kOptions = {
    OptionRow{"format", set_format},
    OptionRow{"header", set_header},
    OptionRow{
        "delimiter", [](const CopyOption& o, CopyPlan& p) { return set_char(o, p.delimiter); }
    },
    OptionRow{"quote", [](const CopyOption& o, CopyPlan& p) { return set_char(o, p.quote); }},
    OptionRow{"escape", [](const CopyOption& o, CopyPlan& p) { return set_char(o, p.escape); }},
    OptionRow{
        "null",
        [](const CopyOption& o, CopyPlan& p) {
          p.null_text = o.value;
          return Result<>{};
        }
    },
    OptionRow{
        "force_quote",  // of output only: each shard does it by itself
        [](const CopyOption&, CopyPlan&) { return Result<>{}; }
    },
    OptionRow{
        "encoding",
        [](const CopyOption& o, CopyPlan&) {
          const std::string value = to_lower(o.value);
          return value == "utf8" || value == "utf-8" ? Result<>{} : refuse_option(o.name);
        }
    },
};

const CopyOption* option_named(const Copy& copy, std::string_view name) {
  const auto found = std::ranges::find(copy.options, name, &CopyOption::name);
  return found == copy.options.end() ? nullptr : &*found;
}

Result<> read_options(const Copy& copy, CopyPlan& plan) {
  for (const CopyOption& option : copy.options) {
    if (std::ranges::find(kOptions, option.name, &OptionRow::name) == kOptions.end()) {
      return refuse_option(option.name);
    }
  }
  if (const CopyOption* format = option_named(copy, "format")) {
    SHERD_TRY_VOID(set_format(*format, plan));
  }
  if (plan.format == CopyPlan::Format::kCsv) {
    plan.delimiter = ',';
    plan.null_text.clear();
    // ESCAPE is QUOTE unless it is given.
    if (const CopyOption* quote = option_named(copy, "quote")) {
      SHERD_TRY_VOID(set_char(*quote, plan.escape));
    }
  }
  for (const OptionRow& row : kOptions) {
    if (const CopyOption* option = option_named(copy, row.name)) {
      SHERD_TRY_VOID(row.apply(*option, plan));
    }
  }
  return {};
}

/// The columns of a row, in order.
std::vector<const Column*> columns_of(const Copy& copy, const topology::RelationInfo& info) {
  std::vector<const Column*> columns;
  if (copy.columns.empty()) {
    for (const Column& column : info.columns) {
      if (!column.generated) {
        columns.push_back(&column);
      }
    }
    return columns;
  }
  for (const std::string& name : copy.columns) {
    columns.push_back(info.column(name));
  }
  return columns;
}

Result<> check_source(const Copy& copy) {
  if (!copy.stdio) {
    return refuse(
        "COPY between a distributed or reference table and a server's file or program is not "
        "supported",
        "use STDIN or STDOUT"
    );
  }
  if (copy.has_where) {
    return refuse(
        "COPY … WHERE over several shards is not supported", "filter the rows before they are sent"
    );
  }
  return {};
}

Result<> fill_key(
    const Parameters& parameters, const Named& target, const std::vector<const Column*>& columns,
    CopyPlan& plan
) {
  const Column* key = target.key_column();
  const auto at = std::ranges::find(columns, key);
  if (key == nullptr || at == columns.end()) {
    return refuse(
        fmt::format(
            "COPY into a distributed table needs its shard key \"{}\"", target.table->key_column
        ),
        "name the shard key in the column list"
    );
  }
  if (pgtypes::is_text(pgtypes::key_type_of(key->type).value_or(pgtypes::KeyType::kInt8))
      && !parameters.text_is_utf8) {
    return refuse(
        "COPY with a text shard key needs client_encoding UTF8", "SET client_encoding TO 'UTF8'"
    );
  }
  plan.key_field = static_cast<std::uint32_t>(at - columns.begin());
  plan.group = target.group->id;
  plan.key_type = pgtypes::key_type_of(key->type).value_or(plan.key_type);
  plan.key_oid = key->type;
  plan.key_typmod = key->typmod;
  plan.key_column = key->name;
  return {};
}

Result<Plan> copy_in(const Input& input, const Copy& copy, const Named& target) {
  SHERD_TRY_VOID(check_source(copy));
  if (target.info == nullptr || target.table == nullptr) {
    return fail(
        ErrorCode::kUndefinedTable,
        fmt::format("relation \"{}\" cannot be copied into", copy.target.name)
    );
  }
  if (target.info->has_rules || (target.reference() && target.info->has_triggers)) {
    return refuse(
        fmt::format(
            "\"{}\" has rules or triggers, which may do another thing on every shard",
            target.info->name
        ),
        "drop them"
    );
  }
  std::vector<ShardId> shards =
      target.reference() ? every_shard(input) : target.group->placement->shards().to_vector();
  Plan plan = plan_for(input, PlanKind::kCopyIn, std::move(shards), "rows go to their shards");
  plan.writes = true;
  SHERD_TRY_VOID(read_options(copy, plan.copy));
  const std::vector<const Column*> columns = columns_of(copy, *target.info);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == nullptr) {
      return fail(
          ErrorCode::kUndefinedColumn,
          fmt::format(
              "column \"{}\" of relation \"{}\" does not exist", copy.columns[i], target.info->name
          )
      );
    }
  }
  plan.copy.field_count = static_cast<std::uint32_t>(columns.size());
  plan.copy.table = target.info->name;
  plan.copy.replicate = target.reference();
  if (target.distributed()) {
    SHERD_TRY_VOID(fill_key(input.parameters, target, columns, plan.copy));
  } else {
    plan.reason = "reference table: every shard gets every row";
  }
  SHERD_TRY_VOID(check_defaults(*target.info, target.reference(), [&](const Column& column) {
    return std::ranges::find(columns, &column) != columns.end()
           || input.topology().shards.size() == 1;
  }));
  return plan;
}

Result<Plan> copy_out_of(const Input& input, const Copy& copy, std::vector<ShardId> shards) {
  SHERD_TRY_VOID(check_source(copy));
  CopyPlan format;
  SHERD_TRY_VOID(read_options(copy, format));
  if (format.format == CopyPlan::Format::kBinary) {
    return refuse(
        "COPY TO in binary format from several shards is not supported", "use text or csv format"
    );
  }
  Plan plan = plan_for(
      input, PlanKind::kCopyOut, std::move(shards), "every shard's rows, one after the other"
  );
  plan.drop_later_headers = format.header;
  return plan;
}

Result<Plan> copy_out(const Input& input, const Copy& copy, const Named& target) {
  if (target.kind == RelationClass::kReference) {
    Plan plan = plan_at_home(input, "reference tables");
    plan.any_shard = copy.stdio;
    return plan;
  }
  if (!target.distributed()) {
    return plan_at_home(input, "local tables");
  }
  std::vector<ShardId> shards = target.group->placement->shards().to_vector();
  if (shards.size() == 1 && copy.stdio) {
    return plan_on(input, shards.front(), "one shard holds all of it");
  }
  return copy_out_of(input, copy, std::move(shards));
}

Result<Plan> copy_query(const Input& input, const Copy& copy) {
  SHERD_TRY(const Survey found, survey(input));
  if (!found.distributed) {
    Plan plan = plan_at_home(input, "local tables");
    plan.writes = may_write(input.statement, input.schema())
                  || std::ranges::any_of(input.statement.blocks, &sql::Block::is_modifying_cte);
    return plan;
  }
  SHERD_TRY_VOID(check_source(copy));
  const Points points(input, found.scope);
  SHERD_TRY(auto single, confine(input, found, points));
  if (single) {
    single->writes = may_write(input.statement, input.schema());
    return *std::move(single);
  }
  SHERD_TRY(const Plan rows, plan_copied_query(input, found, points));
  return copy_out_of(input, copy, rows.shards);
}

}  // namespace

Result<Plan> plan_copy(const Input& input, const Copy& copy) {
  if (copy.is_query) {
    return copy_query(input, copy);
  }
  SHERD_TRY(const Named target, resolve_target(input, copy.target));
  if (!copy.from) {
    return copy_out(input, copy, target);
  }
  if (!target.distributed() && !target.reference()) {
    Plan plan = plan_at_home(input, "local tables");
    plan.writes = true;
    return plan;
  }
  return copy_in(input, copy, target);
}

}  // namespace sherd::plan
