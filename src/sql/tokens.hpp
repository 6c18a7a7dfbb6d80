#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "scanner.hpp"

namespace sherd::sql {

/// The keywords that clauses are cut at.
enum class Keyword : std::uint8_t {
  kNone,
  kAll,
  kAnalyze,
  kAs,
  kBy,
  kConflict,
  kDelete,
  kDistinct,
  kExcept,
  kExecute,
  kExplain,
  kFetch,
  kFor,
  kFrom,
  kGroup,
  kHaving,
  kInsert,
  kIntersect,
  kInto,
  kIs,
  kLimit,
  kMerge,
  kNot,
  kOffset,
  kOn,
  kOrder,
  kReturning,
  kRows,
  kSelect,
  kSet,
  kTable,
  kUnion,
  kUpdate,
  kUsing,
  kValues,
  kVerbose,
  kWhere,
  kWindow,
  kWith,
  kWithin,
};

struct Token {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t match = 0;  // of a bracket: the index of its partner
  std::uint16_t depth = 0;  // of brackets around it; a bracket has the depth outside of it
  TokenKind kind = TokenKind::kEnd;
  Keyword keyword = Keyword::kNone;
};

/// n of "$n"; the highest number where it is too large.
[[nodiscard]] std::uint32_t parameter_number(std::string_view token) noexcept;

/// All tokens of a text, its brackets matched. Borrows the text.
class Tokens {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  /// More tokens than this in one list item mean a tree that PostgreSQL's own recursion may not
  /// survive.
  static constexpr std::uint32_t kMaxChain = 65536;

  Tokens(std::string_view text, bool standard_conforming_strings);

  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(tokens_.size());
  }
  /// A token; past the end an empty one of kind kEnd.
  [[nodiscard]] const Token& operator[](std::uint32_t index) const noexcept {
    return index < tokens_.size() ? tokens_[index] : end_;
  }
  /// Index of the token that begins at byte `offset`, kNone if none does. O(log tokens).
  [[nodiscard]] std::uint32_t at(std::int64_t offset) const noexcept;
  /// Index of the first token that begins at or after `offset`; size() if none does.
  [[nodiscard]] std::uint32_t from(std::uint32_t offset) const noexcept;
  [[nodiscard]] std::string_view text_of(std::uint32_t index) const noexcept {
    const Token& token = (*this)[index];
    return text_.substr(token.begin, token.end - token.begin);
  }
  [[nodiscard]] bool is(std::uint32_t index, Keyword keyword) const noexcept {
    return (*this)[index].keyword == keyword;
  }
  [[nodiscard]] bool is(std::uint32_t index, char symbol) const noexcept {
    const Token& token = (*this)[index];
    return token.kind == TokenKind::kSymbol && text_[token.begin] == symbol;
  }
  /// Brackets match; else nothing may be cut by them.
  [[nodiscard]] bool balanced() const noexcept { return balanced_; }
  /// Some list item is longer than kMaxChain tokens.
  [[nodiscard]] bool too_long_chain() const noexcept { return too_long_chain_; }
  /// Highest n of any $n.
  [[nodiscard]] std::uint32_t highest_parameter() const noexcept { return highest_parameter_; }

 private:
  void open(Token& token);
  void close(Token& token);
  void count_chain(char symbol);

  std::string_view text_;
  std::vector<Token> tokens_{};
  struct OpenBracket {
    std::uint32_t index;
    std::uint32_t chain;    // of the item that it stands in
    std::uint32_t longest;  // of that item's list
  };

  std::vector<OpenBracket> open_{};  // not closed yet
  std::uint32_t chain_ =
      0;  // tokens of the current item, with the longest item of each bracket in it
  std::uint32_t longest_ = 0;  // item of the current list so far
  Token end_{};
  std::uint32_t highest_parameter_ = 0;
  bool balanced_ = true;
  bool too_long_chain_ = false;
};

}  // namespace sherd::sql
