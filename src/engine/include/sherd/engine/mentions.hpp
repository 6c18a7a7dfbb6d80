#pragma once

#include <functional>

#include <sherd/sql/statement.hpp>

namespace sherd::engine {

/// Whether any relation that the statement names, at any level and in any role, is one that
/// `is_one` knows.
[[nodiscard]] bool mentions(
    const sql::Statement& facts, const std::function<bool(const sql::Relation&)>& is_one
);

/// Whether any function call, anywhere in the statement, is one that `is_one` knows.
[[nodiscard]] bool calls(
    const sql::Statement& facts, const std::function<bool(const sql::FunctionCall&)>& is_one
);

}  // namespace sherd::engine
