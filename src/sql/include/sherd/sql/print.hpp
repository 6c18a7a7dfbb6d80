#pragma once

#include <cstdint>
#include <string>

#include <sherd/sql/statement.hpp>

namespace sherd::sql {

enum class PrintSpans : std::uint8_t { kAsText, kOmit };

/// The facts as indented lines, for golden tests and for people; defaults are left out. With
/// kAsText a span prints the text it covers; with kOmit the print of two texts with one key is the
/// same.
[[nodiscard]] std::string to_text(
    const Statement& statement, PrintSpans spans = PrintSpans::kAsText
);

}  // namespace sherd::sql
