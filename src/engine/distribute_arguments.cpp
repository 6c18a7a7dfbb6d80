#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/engine/distribute_arguments.hpp>

namespace sherd::engine {
namespace {

using strategy::StrategySpec;

struct Function {
  std::string_view name;
  topology::TableKind kind;
  std::vector<std::string> parameters;  // in the order of positions
};

const std::array<Function, 3>& functions() {
  static const std::array<Function, 3> kFunctions = {
      Function{
          "create_distributed_table",
          topology::TableKind::kDistributed,
          {"table_name", "distribution_column", "distribution_type", "colocate_with", "shard_count",
           "strategy", "slots", "hash_function", "virtual_nodes", "ranges", "regions",
           "default_region", "pins", "fallback", "allow_gaps"}
      },
      Function{"create_reference_table", topology::TableKind::kReference, {"table_name"}},
      Function{
          "undistribute_table",
          topology::TableKind::kLocal,
          {"table_name", "cascade_via_foreign_keys"}
      },
  };
  return kFunctions;
}

const Function* find_function(std::string_view name) {
  const auto found = std::ranges::find(functions(), name, &Function::name);
  return found == functions().end() ? nullptr : &*found;
}

using Named = std::map<std::string, std::string>;

Result<Named> by_name(const Function& function, const std::vector<Argument>& arguments) {
  Named named;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool is_positional = arguments[i].name.empty();
    if (is_positional && i >= function.parameters.size()) {
      return fail(
          ErrorCode::kUndefinedFunction, fmt::format("{}() has fewer arguments", function.name)
      );
    }
    const std::string& name = is_positional ? function.parameters[i] : arguments[i].name;
    if (std::ranges::find(function.parameters, name) == function.parameters.end()) {
      const auto near = nearest(name, function.parameters);
      return fail(
          ErrorCode::kUndefinedFunction,
          fmt::format("{}() has no argument \"{}\"", function.name, name),
          near ? fmt::format("did you mean \"{}\"?", *near) : ""
      );
    }
    if (arguments[i].value) {
      named[name] = *arguments[i].value;
    }
  }
  return named;
}

std::string take(const Named& named, const std::string& name) {
  const auto found = named.find(name);
  return found == named.end() ? std::string() : found->second;
}

// "schema.table" or "table", folded and unquoted as regclass does.
std::vector<std::string> split_name(std::string_view text) {
  std::vector<std::string> parts(1);
  bool is_quoted = false;
  for (const char c : text) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == '.' && !is_quoted) {
      parts.emplace_back();
    } else {
      parts.back() += is_quoted ? std::string(1, c) : to_lower(std::string(1, c));
    }
  }
  return parts;
}

Result<> resolve_table(
    std::string_view text, const topology::Snapshot& snapshot,
    const std::vector<std::string>& search_path, DistributeRequest& request
) {
  const std::vector<std::string> parts = split_name(text);
  if (parts.size() == 2 && snapshot.schema->find(parts[0], parts[1]) != nullptr) {
    request.schema = parts[0];
    request.table = parts[1];
    return {};
  }
  for (const std::string& schema : search_path) {
    if (parts.size() == 1 && snapshot.schema->find(schema, parts[0]) != nullptr) {
      request.schema = schema;
      request.table = parts[0];
      return {};
    }
  }
  std::vector<std::string> names;
  for (const topology::RelationInfo& info : snapshot.schema->parts().relations) {
    names.push_back(info.name);
  }
  const auto near = nearest(parts.back(), names);
  return fail(
      ErrorCode::kUndefinedTable, fmt::format("relation \"{}\" does not exist", text),
      near ? fmt::format("did you mean \"{}\"?", *near)
           : "create it first, through the router, so that every shard has it"
  );
}

Result<std::uint32_t> number(std::string_view name, std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    return fail(
        ErrorCode::kInvalidParameterValue, fmt::format("{} \"{}\" is not a number", name, text)
    );
  }
  return value;
}

// "a=x, b=y": pairs of the options that are maps.
Result<std::vector<std::pair<std::string, std::string>>> pairs(
    std::string_view name, std::string_view text
) {
  std::vector<std::pair<std::string, std::string>> result;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const auto equals = item.find('=');
    const auto trim = [](std::string_view part) {
      while (part.starts_with(' ')) {
        part.remove_prefix(1);
      }
      while (part.ends_with(' ')) {
        part.remove_suffix(1);
      }
      return std::string(part);
    };
    if (equals == std::string_view::npos) {
      return fail(
          ErrorCode::kInvalidParameterValue, fmt::format("\"{}\" in {} is no pair", item, name),
          fmt::format("write {} => 'a=x, b=y'", name)
      );
    }
    result.emplace_back(trim(item.substr(0, equals)), trim(item.substr(equals + 1)));
  }
  return result;
}

// "shard1=0..999, shard2=1000..": inclusive, either end may be open.
Result<> read_ranges(std::string_view text, StrategySpec& spec) {
  SHERD_TRY(const auto items, pairs("ranges", text));
  for (const auto& [shard, bounds] : items) {
    const auto dots = bounds.find("..");
    if (dots == std::string::npos) {
      return fail(
          ErrorCode::kInvalidParameterValue, fmt::format("\"{}\" is no range", bounds),
          "write ranges => 'shard1=0..999, shard2=1000..'"
      );
    }
    const std::string low = bounds.substr(0, dots);
    const std::string high = bounds.substr(dots + 2);
    spec.ranges.push_back(
        {.shard = shard,
         .low = low.empty() ? std::nullopt : std::optional(low),
         .high = high.empty() ? std::nullopt : std::optional(high)}
    );
  }
  return {};
}

Result<StrategySpec> read_spec(const Named& named, strategy::StrategyKind kind) {
  StrategySpec spec{.kind = kind};
  if (const std::string slots = take(named, "slots"); !slots.empty()) {
    SHERD_TRY(spec.slots, number("slots", slots));
  }
  if (const std::string nodes = take(named, "virtual_nodes"); !nodes.empty()) {
    SHERD_TRY(spec.virtual_nodes_per_shard, number("virtual_nodes", nodes));
  }
  if (const std::string hash = take(named, "hash_function"); !hash.empty()) {
    if (hash != "md5" && hash != "sha256") {
      return fail(
          ErrorCode::kInvalidParameterValue, fmt::format("hash_function \"{}\" is not known", hash),
          "use 'md5' or 'sha256'"
      );
    }
    spec.hash = hash == "md5" ? strategy::HashFunction::kMd5 : strategy::HashFunction::kSha256;
  }
  SHERD_TRY_VOID(read_ranges(take(named, "ranges"), spec));
  spec.allow_gaps = take(named, "allow_gaps") == "true";
  SHERD_TRY(const auto regions, pairs("regions", take(named, "regions")));
  spec.region_mapping.insert(regions.begin(), regions.end());
  if (const std::string region = take(named, "default_region"); !region.empty()) {
    spec.default_region = region;
  }
  SHERD_TRY(const auto pins, pairs("pins", take(named, "pins")));
  spec.pins.insert(pins.begin(), pins.end());
  if (kind == strategy::StrategyKind::kDirectory) {
    const std::string fallback = take(named, "fallback");
    const auto fallback_kind = strategy::kind_named(fallback.empty() ? "slot" : fallback);
    if (!fallback_kind || *fallback_kind == strategy::StrategyKind::kDirectory) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("fallback \"{}\" is not a strategy", fallback)
      );
    }
    StrategySpec below = spec;
    below.kind = *fallback_kind;
    below.pins.clear();
    spec.fallback = std::make_shared<const StrategySpec>(std::move(below));
  }
  return spec;
}

}  // namespace

bool is_distribute_function(std::string_view name) {
  return find_function(name) != nullptr;
}

Result<DistributeRequest> distribute_request(
    std::string_view name, const std::vector<Argument>& arguments,
    const topology::Snapshot& snapshot, const std::vector<std::string>& search_path
) {
  const Function& function = *find_function(name);
  SHERD_TRY(const Named named, by_name(function, arguments));
  const std::string table = take(named, "table_name");
  if (table.empty()) {
    return fail(
        ErrorCode::kUndefinedFunction, fmt::format("{}() needs the name of a table", name),
        fmt::format(
            "for example: SELECT {}('users'{})", name,
            function.kind == topology::TableKind::kDistributed ? ", 'user_id'" : ""
        )
    );
  }
  DistributeRequest request;
  request.kind = function.kind;
  SHERD_TRY_VOID(resolve_table(table, snapshot, search_path, request));
  if (request.kind != topology::TableKind::kDistributed) {
    return request;
  }
  request.key = take(named, "distribution_column");
  if (request.key.empty()) {
    return fail(
        ErrorCode::kUndefinedFunction,
        "create_distributed_table() needs the column to distribute by",
        fmt::format("for example: SELECT create_distributed_table('{}', 'id')", table)
    );
  }
  request.colocate_with = take(named, "colocate_with");
  const std::string type = take(named, "distribution_type");
  if (!type.empty() && type != "hash") {
    return fail(
        ErrorCode::kUnsupported, fmt::format("distribution_type \"{}\" is not available", type),
        "use strategy => 'range' and the like"
    );
  }
  if (const std::string strategy_name = take(named, "strategy"); !strategy_name.empty()) {
    const auto kind = strategy::kind_named(strategy_name);
    if (!kind) {
      return fail(
          ErrorCode::kInvalidParameterValue,
          fmt::format("strategy \"{}\" is not known", strategy_name),
          "use slot, hash, consistent_hash, range, geographic or directory"
      );
    }
    SHERD_TRY(request.spec, read_spec(named, *kind));
  } else if (!take(named, "slots").empty()) {
    SHERD_TRY(request.spec, read_spec(named, strategy::StrategyKind::kSlot));
  }
  return request;
}

}  // namespace sherd::engine
