#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <sherd/sql/statement.hpp>

#include "tokens.hpp"

namespace sherd::sql {

/// Token indices, end exclusive.
struct TokenRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  [[nodiscard]] bool empty() const noexcept { return begin >= end; }
};

enum class Clause : std::uint8_t {
  kHead,
  kTargets,
  kFrom,
  kWhere,
  kGroup,
  kHaving,
  kWindow,
  kOrder,
  kLimit,
  kLocking,
};
inline constexpr std::size_t kClauseCount = 10;

/// Which clauses the tree says are there (bit per Clause).
class ClauseSet {
 public:
  void add(Clause clause, bool present) noexcept {
    bits_ |= present ? 1U << static_cast<unsigned>(clause) : 0U;
  }
  [[nodiscard]] bool has(Clause clause) const noexcept {
    return (bits_ >> static_cast<unsigned>(clause) & 1U) != 0;
  }
  [[nodiscard]] bool operator==(const ClauseSet&) const noexcept = default;

 private:
  std::uint32_t bits_ = 0;
};

/// One query level cut into its clauses by its tokens.
struct ClauseRanges {
  TokenRange whole{};
  TokenRange clauses[kClauseCount]{};
  [[nodiscard]] const TokenRange& operator[](Clause clause) const noexcept {
    return clauses[static_cast<std::size_t>(clause)];
  }
};

/// Cuts the query level that begins at token `first` (SELECT, VALUES, UPDATE or DELETE; or, for the
/// tail of a set operation, whatever stands behind its last arm) at the keywords of its own bracket
/// depth.
/// @param stop     index behind its last token at the most.
/// @param present  what the tree says is there; ORDER BY, LIMIT and FOR that are not belong to the
/// level above.
/// @return nullopt where tokens and tree disagree.
[[nodiscard]] std::optional<ClauseRanges> cut_clauses(
    const Tokens& tokens, std::uint32_t first, std::uint32_t stop, ClauseSet present
);

/// Splits at the commas of the depth of the first token.
[[nodiscard]] std::vector<TokenRange> split_at_commas(const Tokens& tokens, TokenRange range);

/// The SELECT whose first target begins at token `target`; Tokens::kNone if that cannot be told.
[[nodiscard]] std::uint32_t select_before(const Tokens& tokens, std::uint32_t target);

/// The VALUES whose first value begins at token `value`, which may stand in brackets.
[[nodiscard]] std::uint32_t values_before(const Tokens& tokens, std::uint32_t value);

}  // namespace sherd::sql
