#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/sql/lift.hpp>
#include <sherd/sql/statement.hpp>

namespace sherd::sql {

/// Longer texts are refused (PostgreSQL's own bound for a message).
inline constexpr std::size_t kMaxTextBytes = 1024UL * 1024 * 1024 - 1;

struct Analysis {
  std::vector<std::shared_ptr<const Statement>> statements{};  // none for an empty text
};

/// Parses `text` with PostgreSQL's grammar and states the facts of each statement in it.
/// @param literals  what `lift` found in the same text: operands refer to them by index. Empty:
/// literals are kOpaque.
/// @return kSyntax with PostgreSQL's own message and position; kStatementTooComplex when nested too
/// deep. Cost: one parse and one walk, no protobuf. Thread-safe.
[[nodiscard]] Result<Analysis> analyze(
    std::string_view text, const std::vector<Literal>& literals,
    bool standard_conforming_strings = true
);

}  // namespace sherd::sql
