#include <algorithm>
#include <array>
#include <string_view>

#include <sherd/engine/mentions.hpp>
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

}  // namespace

bool needs_pin(const sql::Statement& facts) {
  const auto* ddl = std::get_if<sql::Ddl>(&facts.body);
  return (ddl != nullptr && ddl->temporary) || calls(facts, [](const sql::FunctionCall& call) {
           return std::ranges::find(kPinningFunctions, call.name) != kPinningFunctions.end();
         });
}

}  // namespace sherd::engine
