#include <algorithm>
#include <optional>

#include <sherd/base/text.hpp>
#include <sherd/engine/set_config.hpp>

namespace sherd::engine {
namespace {

constexpr std::string_view kName = "set_config";

bool is_named(const sql::FunctionCall& call) {
  return call.name == kName && (call.schema.empty() || call.schema == "pg_catalog");
}

bool any_call(const sql::ExpressionFacts& facts) {
  return std::ranges::any_of(facts.functions, is_named);
}

bool any_call(const sql::Block& block) {
  const auto test = [](const auto& item) { return any_call(item.facts); };
  return any_call(block.where_facts) || any_call(block.having_facts) || any_call(block.limit_facts)
         || any_call(block.values_facts) || std::ranges::any_of(block.targets, test)
         || std::ranges::any_of(block.relations, test) || std::ranges::any_of(block.order_by, test);
}

std::unexpected<Error> refuse_call() {
  return fail(
      ErrorCode::kUnsupported, "this call of set_config() cannot be made on every shard", "use SET"
  );
}

std::optional<bool> to_bool(std::string_view text) {
  const std::string lower = to_lower(text);
  for (const std::string_view yes : {"t", "true", "yes", "on", "1"}) {
    if (lower == yes) {
      return true;
    }
  }
  for (const std::string_view no : {"f", "false", "no", "off", "0"}) {
    if (lower == no) {
      return false;
    }
  }
  return std::nullopt;
}

bool is_list_of_names(std::string_view setting) {
  return setting == "search_path" || setting == "temp_tablespaces";
}

/// 'a, "B c"' as PostgreSQL reads lists of names. nullopt where it is no such list.
std::optional<std::vector<std::string>> split_names(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\f";
  std::vector<std::string> names;
  std::size_t at = text.find_first_not_of(kBlank);
  while (at < text.size()) {
    std::string name;
    if (text[at] == '"') {
      const std::size_t close = text.find('"', at + 1);
      if (close == std::string_view::npos || text.substr(close).starts_with("\"\"")) {
        return std::nullopt;
      }
      name = text.substr(at + 1, close - at - 1);
      at = close + 1;
    } else {
      const std::size_t end = std::min(text.find_first_of(", \t\n\r\f\"", at), text.size());
      name = to_lower(text.substr(at, end - at));
      at = end;
    }
    names.push_back(std::move(name));
    at = std::min(text.find_first_not_of(kBlank, at), text.size());
    if (at == text.size()) {
      return names;
    }
    if (text[at] != ',') {
      return std::nullopt;
    }
    at = text.find_first_not_of(kBlank, at + 1);
    if (at == std::string_view::npos) {
      return std::nullopt;
    }
  }
  return std::vector<std::string>{""};  // no name: a schema that there is not
}

}  // namespace

const sql::FunctionCall* find_set_config(const sql::Statement& facts) {
  if (!std::holds_alternative<sql::Select>(facts.body) || facts.blocks.size() != 1) {
    return nullptr;
  }
  const sql::Block& block = facts.blocks.front();
  const bool is_bare = block.relations.empty() && block.targets.size() == 1
                       && block.targets[0].form == sql::Target::Form::kFunction
                       && block.where_facts.functions.empty();
  return is_bare && is_named(block.targets[0].facts.functions.front())
             ? &block.targets[0].facts.functions.front()
             : nullptr;
}

bool calls_set_config(const sql::Statement& facts) {
  return std::ranges::any_of(facts.blocks, [](const sql::Block& block) { return any_call(block); });
}

Result<sql::SetVariable> to_set(const std::vector<Argument>& arguments) {
  const bool is_whole =
      arguments.size() == 3 && std::ranges::all_of(arguments, [](const Argument& argument) {
        return argument.name.empty() && argument.value;
      });
  if (!is_whole) {
    return refuse_call();
  }
  sql::SetVariable set{.name = to_lower(*arguments[0].value)};
  const auto is_local = to_bool(*arguments[2].value);
  if (!is_local || set.name == "sherd.shard") {
    return refuse_call();
  }
  set.local = *is_local;
  set.values = {*arguments[1].value};
  if (is_list_of_names(set.name)) {
    auto names = split_names(*arguments[1].value);
    if (!names) {
      return refuse_call();
    }
    set.values = *std::move(names);
  }
  return set;
}

}  // namespace sherd::engine
