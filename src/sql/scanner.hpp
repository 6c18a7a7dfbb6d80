#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sherd::sql {

enum class TokenKind : std::uint8_t {
  kEnd,
  kWord,    // unquoted identifier or keyword
  kQuoted,  // "identifier", U&"identifier"
  kInteger,
  kFloat,
  kString,     // '…', E'…', U&'…', $tag$…$tag$
  kBitString,  // B'…', X'…'
  kParameter,  // $n
  kSymbol,     // one character; operators come as their characters, which loses nothing that we ask
               // for
};

struct ScannedToken {
  TokenKind kind = TokenKind::kEnd;
  bool escape_string = false;  // a backslash escapes in it
  bool has_escapes = false;    // doubled quotes or backslashes
  bool is_doubtful = false;    // strings: the value is more than what is between the quotes
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t raw_begin = 0;  // strings: between the quotes
  std::uint32_t raw_end = 0;
};

namespace chars {

inline constexpr std::uint8_t kWordStart = 1;
inline constexpr std::uint8_t kWordPart = 2;
inline constexpr std::uint8_t kDigit = 4;
inline constexpr std::uint8_t kSpace = 8;
inline constexpr std::uint8_t kSymbol = 16;

consteval std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto set = [&classes](std::string_view members, std::uint8_t bits) {
    for (const char c : members) {
      classes[static_cast<std::uint8_t>(c)] |= bits;
    }
  };
  set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", kWordStart | kWordPart);
  for (std::size_t high = 0x80; high < 0x100; ++high) {
    classes[high] |= kWordStart | kWordPart;
  }
  set("0123456789", kWordPart | kDigit);
  set("$", kWordPart);
  set(" \t\n\r\f", kSpace);
  set(",()[].;:+-*/%^<>=~!@#&|`?", kSymbol);
  return classes;
}

inline constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

[[nodiscard]] inline bool is(char c, std::uint8_t bits) noexcept {
  return (kClasses[static_cast<std::uint8_t>(c)] & bits) != 0;
}

}  // namespace chars

/// Cuts a text into tokens by PostgreSQL's lexical rules (manual, section 4.1). Never fails: where
/// the rules leave a doubt or PostgreSQL would refuse, `doubtful` is set and the tokens are a best
/// effort. Borrows the text. Cost: O(bytes), no allocation.
class Scanner {
 public:
  Scanner(std::string_view text, bool standard_conforming_strings) noexcept
      : text_(text), standard_strings_(standard_conforming_strings) {}

  /// The next token, into `token`: a copy would cost more than the scan (the loads of the copy wait
  /// for its narrow stores). @return false at the end, and ever after.
  [[nodiscard]] bool next(ScannedToken& token) noexcept {
    skip_blank();
    token.begin = position_;
    token.escape_string = false;
    token.has_escapes = false;
    token.is_doubtful = false;
    if (position_ >= size()) {
      token.kind = TokenKind::kEnd;
      token.end = position_;
      return false;
    }
    scan(token);
    token.end = position_;
    return true;
  }

  [[nodiscard]] bool doubtful() const noexcept { return doubtful_; }
  [[nodiscard]] bool has_comment() const noexcept { return has_comment_; }

 private:
  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(text_.size());
  }
  /// The character `ahead` places on; NUL past the end.
  [[nodiscard]] char peek(std::uint32_t ahead = 0) const noexcept {
    const std::size_t at = std::size_t{position_} + ahead;
    return at < text_.size() ? text_[at] : '\0';
  }

  void scan(ScannedToken& token) noexcept {
    const char c = text_[position_];
    if (chars::is(c, chars::kWordStart)) {
      scan_word(token, c);
    } else if (chars::is(c, chars::kDigit) || (c == '.' && chars::is(peek(1), chars::kDigit))) {
      scan_number(token);
    } else if (c == '\'') {
      scan_quoted_string(token, 0, !standard_strings_);
    } else if (c == '"') {
      scan_quoted_name(token, 0);
    } else if (c == '$') {
      scan_dollar(token);
    } else {
      token.kind = TokenKind::kSymbol;
      doubtful_ |= !chars::is(c, chars::kSymbol);
      ++position_;
    }
  }

  void scan_word(ScannedToken& token, char c) noexcept {
    if (peek(1) == '\'' || peek(1) == '&') [[unlikely]] {
      if (scan_prefixed(token, static_cast<char>(c | 0x20))) {
        return;
      }
    }
    token.kind = TokenKind::kWord;
    do {
      ++position_;
    } while (position_ < text_.size() && chars::is(text_[position_], chars::kWordPart));
  }

  bool scan_prefixed(ScannedToken& token, char prefix) noexcept;
  void scan_number(ScannedToken& token) noexcept;
  void scan_dollar(ScannedToken& token) noexcept;
  void scan_quoted_name(ScannedToken& token, std::uint32_t prefix) noexcept;
  void scan_bit_string(ScannedToken& token) noexcept;
  void scan_quoted_string(ScannedToken& token, std::uint32_t prefix, bool backslashes) noexcept;
  bool scan_string_body(ScannedToken& token, bool backslashes) noexcept;
  bool continues() noexcept;
  void skip_comment() noexcept;

  void skip_blank() noexcept {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (chars::is(c, chars::kSpace)) {
        ++position_;
      } else if ((c == '-' && peek(1) == '-') || (c == '/' && peek(1) == '*')) {
        skip_comment();
      } else {
        return;
      }
    }
  }

  std::string_view text_;
  std::uint32_t position_ = 0;
  bool standard_strings_;
  bool doubtful_ = false;
  bool has_comment_ = false;
};

}  // namespace sherd::sql
