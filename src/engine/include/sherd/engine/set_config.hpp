#pragma once

#include <string>
#include <vector>

#include <sherd/engine/arguments.hpp>
#include <sherd/sql/statement.hpp>

namespace sherd::engine {

/// The call, if the statement is `SELECT set_config('name', 'value', is_local)` and nothing else:
/// SET in other words, which must reach every shard as SET does. nullptr otherwise.
[[nodiscard]] const sql::FunctionCall* find_set_config(const sql::Statement& facts);

/// set_config is called somewhere among other things.
[[nodiscard]] bool calls_set_config(const sql::Statement& facts);

/// The SET that a call with these arguments stands for.
/// @return kUnsupported for what SET cannot say: NULL, or names that cannot be read as a list.
[[nodiscard]] Result<sql::SetVariable> to_set(const std::vector<Argument>& arguments);

}  // namespace sherd::engine
