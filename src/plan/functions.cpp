#include "functions.hpp"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

namespace sherd::plan {
namespace {

using sql::FunctionCall;
using topology::FunctionInfo;
using topology::Volatility;

/// Why a built-in function that is not volatile still differs between servers.
enum class Trait : std::uint8_t {
  kClock,     // the transaction's or the server's time
  kServer,    // of the server, the session or the catalog's own numbers
  kSequence,  // state of a sequence
  kState,     // locks, large objects, settings, messages: lives on one server
  kQuery,     // runs a query text of its own
};

struct TraitRow {
  std::string_view name;
  Trait trait;
};

// Sorted by name.
constexpr std::array kNamed = {
    TraitRow{"clock_timestamp", Trait::kClock},
    TraitRow{"col_description", Trait::kServer},
    TraitRow{"current_catalog", Trait::kServer},
    TraitRow{"current_database", Trait::kServer},
    TraitRow{"current_date", Trait::kClock},
    TraitRow{"current_query", Trait::kServer},
    TraitRow{"current_role", Trait::kServer},
    TraitRow{"current_schema", Trait::kServer},
    TraitRow{"current_schemas", Trait::kServer},
    TraitRow{"current_setting", Trait::kServer},
    TraitRow{"current_time", Trait::kClock},
    TraitRow{"current_timestamp", Trait::kClock},
    TraitRow{"current_user", Trait::kServer},
    TraitRow{"currval", Trait::kSequence},
    TraitRow{"cursor_to_xml", Trait::kQuery},
    TraitRow{"cursor_to_xmlschema", Trait::kQuery},
    TraitRow{"database_to_xml", Trait::kQuery},
    TraitRow{"database_to_xml_and_xmlschema", Trait::kQuery},
    TraitRow{"database_to_xmlschema", Trait::kQuery},
    TraitRow{"format_type", Trait::kServer},
    TraitRow{"lastval", Trait::kSequence},
    TraitRow{"localtime", Trait::kClock},
    TraitRow{"localtimestamp", Trait::kClock},
    TraitRow{"nextval", Trait::kSequence},
    TraitRow{"now", Trait::kClock},
    TraitRow{"obj_description", Trait::kServer},
    TraitRow{"query_to_xml", Trait::kQuery},
    TraitRow{"query_to_xml_and_xmlschema", Trait::kQuery},
    TraitRow{"query_to_xmlschema", Trait::kQuery},
    TraitRow{"schema_to_xml", Trait::kQuery},
    TraitRow{"schema_to_xml_and_xmlschema", Trait::kQuery},
    TraitRow{"schema_to_xmlschema", Trait::kQuery},
    TraitRow{"session_user", Trait::kServer},
    TraitRow{"set_config", Trait::kState},
    TraitRow{"setseed", Trait::kState},
    TraitRow{"setval", Trait::kSequence},
    TraitRow{"shobj_description", Trait::kServer},
    TraitRow{"statement_timestamp", Trait::kClock},
    TraitRow{"system_user", Trait::kServer},
    TraitRow{"table_to_xml", Trait::kQuery},
    TraitRow{"table_to_xml_and_xmlschema", Trait::kQuery},
    TraitRow{"table_to_xmlschema", Trait::kQuery},
    TraitRow{"timeofday", Trait::kClock},
    TraitRow{"transaction_timestamp", Trait::kClock},
    TraitRow{"ts_rewrite", Trait::kQuery},
    TraitRow{"ts_stat", Trait::kQuery},
    TraitRow{"user", Trait::kServer},
    TraitRow{"version", Trait::kServer},
};
static_assert(std::ranges::is_sorted(kNamed, {}, &TraitRow::name));

// The first prefix that fits decides.
constexpr std::array kPrefixes = {
    TraitRow{"pg_advisory_", Trait::kState},  TraitRow{"pg_try_advisory_", Trait::kState},
    TraitRow{"pg_notify", Trait::kState},     TraitRow{"pg_export_snapshot", Trait::kState},
    TraitRow{"pg_", Trait::kServer},          TraitRow{"txid_", Trait::kServer},
    TraitRow{"inet_client_", Trait::kServer}, TraitRow{"inet_server_", Trait::kServer},
    TraitRow{"to_reg", Trait::kServer},       TraitRow{"has_", Trait::kServer},
    TraitRow{"lo_", Trait::kState},
};

// Functions of the pg_ kind that look at nothing but their arguments.
constexpr std::array<std::string_view, 2> kHarmless = {"pg_typeof", "pg_size_pretty"};

std::optional<Trait> trait_of(const FunctionCall& call) {
  if (call.name == "age") {  // age(x) counts from the current date
    return call.argument_count == 1 ? std::optional(Trait::kClock) : std::nullopt;
  }
  const auto named = std::ranges::lower_bound(kNamed, call.name, {}, &TraitRow::name);
  if (named != kNamed.end() && named->name == call.name) {
    return named->trait;
  }
  if (std::ranges::find(kHarmless, call.name) != kHarmless.end()) {
    return std::nullopt;
  }
  for (const TraitRow& prefix : kPrefixes) {
    if (call.name.starts_with(prefix.name)) {
      return prefix.trait;
    }
  }
  return std::nullopt;
}

std::unexpected<Error> refuse_function(
    const FunctionCall& call, std::string_view why, std::string_view hint
) {
  return refuse(fmt::format("{}() cannot be used here: {}", call.name, why), std::string(hint));
}

Result<> check_trait(const FunctionCall& call, Trait trait, FunctionUse use) {
  switch (trait) {
    case Trait::kClock:
      if (use == FunctionUse::kMultiWrite || use == FunctionUse::kSplit) {
        return {};  // each row gets the time of the transaction on its own shard
      }
      return refuse_function(
          call, "it is evaluated on several shards, whose clocks differ",
          "pass the time as a literal or a parameter"
      );
    case Trait::kServer:
      return refuse_function(
          call, "its value differs between shards", "pass the value as a literal or a parameter"
      );
    case Trait::kSequence:
      return refuse_function(
          call, "sequences are not yet unique over shards", "give the value explicitly"
      );
    case Trait::kState:
      return refuse_function(
          call, "its state lives on one shard", "call it in a statement without tables"
      );
    case Trait::kQuery:
      return refuse_function(
          call, "it runs a query of its own", "write the query into the statement"
      );
  }
  return {};
}

Result<> check_call(const FunctionCall& call, const topology::Schema& schema, FunctionUse use) {
  if (const auto trait = trait_of(call)) {
    return check_trait(call, *trait, use);
  }
  if (call.schema == "pg_catalog" && schema.function(call.name) == nullptr) {
    return refuse_function(
        call, "it is not known", "leave it out, or confine the statement to one shard by its key"
    );
  }
  const FunctionInfo* info = schema.function(call.name);
  if (info == nullptr) {
    return refuse_function(
        call, "it is not known", "leave it out, or confine the statement to one shard by its key"
    );
  }
  const bool trusted = info->volatility == Volatility::kImmutable
                       || (info->is_builtin && info->volatility == Volatility::kStable)
                       || (info->is_builtin && use == FunctionUse::kSplit);
  if (!trusted) {
    return refuse_function(
        call, info->volatility == Volatility::kVolatile ? "it is volatile" : "it may read tables",
        "confine the statement to one shard by its key, or pass the value as a literal or a "
        "parameter"
    );
  }
  return {};
}

// Aggregates that do not depend on the order of their input.
constexpr std::array<std::string_view, 11> kOrderless = {
    "avg",   "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or",
    "count", "every",   "max",    "min",     "sum",
};

constexpr std::array<std::string_view, 6> kSystemColumns = {"ctid", "xmin", "xmax",
                                                            "cmin", "cmax", "tableoid"};

Result<> check_steady_calls(const sql::ExpressionFacts& facts, const topology::Schema& schema) {
  for (const FunctionCall& call : facts.functions) {
    const FunctionInfo* info = schema.function(call.name);
    const bool aggregates = info != nullptr && info->is_aggregate;
    if (call.is_window
        || (aggregates && std::ranges::find(kOrderless, call.name) == kOrderless.end())) {
      return refuse_function(
          call,
          "in a subquery its value may depend on the order of rows, which differs between shards",
          "confine the statement to one shard by its key, or run the subquery by itself"
      );
    }
  }
  return {};
}

Result<> check_steady_block(const sql::Block& block, const topology::Schema& schema) {
  for (const sql::Target& target : block.targets) {
    SHERD_TRY_VOID(check_steady_calls(target.facts, schema));
  }
  SHERD_TRY_VOID(check_steady_calls(block.having_facts, schema));
  if (block.limit.kind != sql::Operand::Kind::kNull
      || block.offset.kind != sql::Operand::Kind::kNull || block.distinct == sql::DistinctKind::kOn
      || block.has_window_clause) {
    return refuse(
        "a subquery with LIMIT, OFFSET, DISTINCT ON or a window may choose other rows on every "
        "shard",
        "confine the statement to one shard by its key, or run the subquery by itself"
    );
  }
  return {};
}

}  // namespace

Result<> check_functions(
    const sql::Statement& statement, const topology::Schema& schema, FunctionUse use
) {
  Result<> verdict{};
  for_each_expression(statement, [&](const sql::ExpressionFacts& facts) {
    if (verdict && facts.has_operator_qualified) {
      verdict =
          refuse("OPERATOR() cannot be used over several shards", "write the operator plainly");
    }
    for (const FunctionCall& call : facts.functions) {
      if (verdict) {
        verdict = check_call(call, schema, use);
      }
    }
  });
  return verdict;
}

Result<> check_home_functions(const sql::Statement& statement) {
  Result<> verdict{};
  for_each_expression(statement, [&](const sql::ExpressionFacts& facts) {
    for (const FunctionCall& call : facts.functions) {
      const auto trait = trait_of(call);
      const bool one_place =
          trait == Trait::kSequence || trait == Trait::kState || trait == Trait::kQuery;
      if (verdict && one_place) {
        verdict = check_trait(call, *trait, FunctionUse::kRead);
      }
    }
  });
  return verdict;
}

Result<> check_steady(
    const sql::Statement& statement, const topology::Schema& schema, FunctionUse use
) {
  const bool skips_root =
      use != FunctionUse::kCopies && !std::holds_alternative<sql::Insert>(statement.body);
  for (std::size_t b = 0; b < statement.blocks.size(); ++b) {
    for (const sql::Relation& relation : statement.blocks[b].relations) {
      if (relation.tablesample) {
        return refuse("TABLESAMPLE cannot be used over several shards", "leave TABLESAMPLE out");
      }
    }
    if (b > 0 || !skips_root) {
      SHERD_TRY_VOID(check_steady_block(statement.blocks[b], schema));
    }
  }
  Result<> verdict{};
  for_each_expression(statement, [&](const sql::ExpressionFacts& facts) {
    for (const sql::ColumnRef& column : facts.columns) {
      if (verdict && std::ranges::find(kSystemColumns, column.name) != kSystemColumns.end()) {
        verdict = refuse(
            fmt::format("system column \"{}\" has no meaning over several shards", column.name),
            "use the table's own key"
        );
      }
    }
  });
  return verdict;
}

bool may_write(const sql::Statement& statement, const topology::Schema& schema) {
  bool writes = false;
  for_each_expression(statement, [&](const sql::ExpressionFacts& facts) {
    for (const FunctionCall& call : facts.functions) {
      const FunctionInfo* info = schema.function(call.name);
      writes = writes || info == nullptr || info->volatility == Volatility::kVolatile;
    }
  });
  return writes;
}

bool has_window(const sql::ExpressionFacts& facts, const topology::Schema& schema) {
  return std::ranges::any_of(facts.functions, [&](const FunctionCall& call) {
    const FunctionInfo* info = schema.function(call.name);
    return call.is_window || (info != nullptr && info->is_window);
  });
}

bool has_aggregate(const sql::ExpressionFacts& facts, const topology::Schema& schema) {
  return std::ranges::any_of(facts.functions, [&](const FunctionCall& call) {
    const FunctionInfo* info = schema.function(call.name);
    return call.within_group || call.is_star || call.has_filter || call.distinct || call.has_order
           || (info != nullptr && info->is_aggregate);
  });
}

bool has_set_returning(const sql::ExpressionFacts& facts, const topology::Schema& schema) {
  return std::ranges::any_of(facts.functions, [&](const FunctionCall& call) {
    const FunctionInfo* info = schema.function(call.name);
    return info != nullptr && info->is_set_returning;
  });
}

bool takes_sequence(const topology::Column& column) {
  return column.identity != '\0' || column.default_expression.find("nextval(") != std::string::npos;
}

bool is_unsteady_default(const topology::Column& column) {
  const std::string& text = column.default_expression;
  if (takes_sequence(column)) {
    return true;
  }
  if (column.generated || text.empty()) {
    return false;
  }
  // A default is steady if it is a literal with casts; anything that calls or names something is
  // not taken for one.
  return text.find('(') != std::string::npos || text.find("CURRENT_") != std::string::npos
         || text.find("LOCALTIME") != std::string::npos || text.find("_USER") != std::string::npos
         || text.find("'now'") != std::string::npos || text == "USER";
}

}  // namespace sherd::plan
