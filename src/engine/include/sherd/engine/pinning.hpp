#pragma once

#include <sherd/sql/statement.hpp>

namespace sherd::engine {

/// The statement makes state that lives in one server connection and cannot be shared (a temporary
/// table, an advisory lock of the session, a setting behind the router's back): from then on the
/// session keeps its connection to the home shard for itself.
[[nodiscard]] bool needs_pin(const sql::Statement& facts);

}  // namespace sherd::engine
