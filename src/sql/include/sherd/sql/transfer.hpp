#pragma once

#include <span>

#include <sherd/sql/lift.hpp>
#include <sherd/sql/statement.hpp>

namespace sherd::sql {

/// Where the piece `part` of `statement.text` stands in another text that was lifted to the same
/// key.
/// @param literals  of that other text; as many as the analysed text had.
/// @return bytes of the other text as a whole (not relative to its first statement).
/// REQUIRES: the text holds one statement (`!Lifted::multiple`); `part` does not cut a literal.
/// Cost: O(log literals).
[[nodiscard]] Span span_in(
    const Statement& statement, std::span<const Literal> literals, Span part
) noexcept;

}  // namespace sherd::sql
