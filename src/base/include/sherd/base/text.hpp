#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sherd {

/// Lower case of ASCII letters only; other bytes are kept (PostgreSQL folds identifiers this way in
/// UTF-8).
[[nodiscard]] std::string to_lower(std::string_view text);
/// Equal but for the case of ASCII letters.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;
/// `name` as an SQL identifier, always in double quotes.
[[nodiscard]] std::string quote_identifier(std::string_view name);
/// `text` as an SQL literal, safe under either setting of standard_conforming_strings.
[[nodiscard]] std::string quote_literal(std::string_view text);
/// The candidate nearest to `word` by edit distance, if it is near enough to be a slip of the pen.
[[nodiscard]] std::optional<std::string> nearest(
    std::string_view word, std::span<const std::string> candidates
);

}  // namespace sherd
