#include <algorithm>
#include <array>
#include <string_view>

#include <sherd/engine/pinning.hpp>

namespace sherd::engine {
namespace {

constexpr std::array<std::string_view, 13> kPinningFunctions = {
    "lo_open",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "set_config",
    "setseed",
    "currval",
    "lastval",
    "nextval",  // so that currval and lastval mean the same connection
};

bool any_pins(const sql::ExpressionFacts& facts) {
  return std::ranges::any_of(facts.functions, [](const sql::FunctionCall& call) {
    return std::ranges::find(kPinningFunctions, call.name) != kPinningFunctions.end();
  });
}

bool any_pins(const sql::Block& block) {
  return any_pins(block.where_facts) || any_pins(block.having_facts) || any_pins(block.limit_facts)
         || any_pins(block.values_facts)
         || std::ranges::any_of(
             block.targets, [](const sql::Target& target) { return any_pins(target.facts); }
         )
         || std::ranges::any_of(
             block.relations, [](const sql::Relation& relation) { return any_pins(relation.facts); }
         )
         || std::ranges::any_of(block.order_by, [](const sql::SortItem& item) {
              return any_pins(item.facts);
            });
}

bool any_pins(const std::vector<sql::ExpressionFacts>& all) {
  return std::ranges::any_of(all, [](const sql::ExpressionFacts& facts) {
    return any_pins(facts);
  });
}

// Expressions that stand in no query block.
bool any_pins(const sql::Body& body) {
  if (const auto* insert = std::get_if<sql::Insert>(&body)) {
    return any_pins(insert->row_facts) || any_pins(insert->conflict_facts)
           || std::ranges::any_of(insert->returning, [](const sql::Target& target) {
                return any_pins(target.facts);
              });
  }
  const auto* update = std::get_if<sql::Update>(&body);
  return update != nullptr && any_pins(update->set_facts);
}

}  // namespace

bool needs_pin(const sql::Statement& facts) {
  if (any_pins(facts.body)) {
    return true;
  }
  if (const auto* ddl = std::get_if<sql::Ddl>(&facts.body); ddl != nullptr && ddl->temporary) {
    return true;
  }
  return std::ranges::any_of(facts.blocks, [](const sql::Block& block) { return any_pins(block); });
}

}  // namespace sherd::engine
