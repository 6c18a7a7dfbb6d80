#include "scanner.hpp"

#include <cstring>

namespace sherd::sql {

void Scanner::skip_comment() noexcept {
  has_comment_ = true;
  if (text_[position_] == '-') {
    while (position_ < size() && text_[position_] != '\n' && text_[position_] != '\r') {
      ++position_;
    }
    return;
  }
  std::uint32_t depth = 0;
  do {
    if (peek() == '/' && peek(1) == '*') {
      ++depth;
      position_ += 2;
    } else if (peek() == '*' && peek(1) == '/') {
      --depth;
      position_ += 2;
    } else {
      ++position_;
    }
  } while (depth > 0 && position_ < size());
  if (depth > 0) {
    doubtful_ = true;  // never closed
    position_ = size();
  }
}

// E'…', B'…', X'…', U&'…', U&"…". N'…' is the word N and a plain string, as in PostgreSQL.
bool Scanner::scan_prefixed(ScannedToken& token, char prefix) noexcept {
  const char after = peek(1);
  if (after == '\'' && prefix == 'e') {
    scan_quoted_string(token, 1, true);
    return true;
  }
  if (after == '\'' && (prefix == 'b' || prefix == 'x')) {
    scan_bit_string(token);
    return true;
  }
  if (after == '&' && prefix == 'u' && (peek(2) == '\'' || peek(2) == '"')) {
    doubtful_ = true;  // its value depends on an UESCAPE that may follow
    if (peek(2) == '"') {
      scan_quoted_name(token, 2);
    } else {
      scan_quoted_string(token, 2, false);
      token.is_doubtful = true;
    }
    return true;
  }
  return false;
}

void Scanner::scan_number(ScannedToken& token) noexcept {
  const auto skip_digits = [this] {
    while (chars::is(peek(), chars::kDigit)) {
      ++position_;
    }
  };
  token.kind = TokenKind::kInteger;
  skip_digits();
  if (peek() == '.') {
    if (peek(1) == '.') {
      doubtful_ = true;  // 1..10: an integer and PL/pgSQL's range
      return;
    }
    token.kind = TokenKind::kFloat;
    ++position_;
    skip_digits();
  }
  if ((peek() | 0x20) == 'e') {
    const std::uint32_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (chars::is(peek(1 + sign), chars::kDigit)) {
      token.kind = TokenKind::kFloat;
      position_ += 1 + sign;
      skip_digits();
    }
  }
  // 1a, 0x1F, 1_000: what it means differs between versions of PostgreSQL.
  doubtful_ |= chars::is(peek(), chars::kWordStart);
}

void Scanner::scan_dollar(ScannedToken& token) noexcept {
  if (chars::is(peek(1), chars::kDigit)) {
    token.kind = TokenKind::kParameter;
    do {
      ++position_;
    } while (chars::is(peek(), chars::kDigit));
    doubtful_ |= chars::is(peek(), chars::kWordStart);
    return;
  }
  std::uint32_t length = 1;
  if (chars::is(peek(1), chars::kWordStart)) {
    while (peek(length) != '$' && chars::is(peek(length), chars::kWordPart)) {
      ++length;
    }
  }
  if (peek(length) != '$') {
    token.kind = TokenKind::kSymbol;
    doubtful_ = true;
    ++position_;
    return;
  }
  const std::string_view delimiter = text_.substr(position_, length + 1);
  token.kind = TokenKind::kString;
  token.raw_begin = position_ + length + 1;
  const std::size_t close = text_.find(delimiter, token.raw_begin);
  if (close == std::string_view::npos) {
    doubtful_ = true;
    token.raw_end = position_ = size();
    return;
  }
  token.raw_end = static_cast<std::uint32_t>(close);
  position_ = token.raw_end + length + 1;
}

void Scanner::scan_quoted_name(ScannedToken& token, std::uint32_t prefix) noexcept {
  token.kind = TokenKind::kQuoted;
  position_ += prefix + 1;
  token.raw_begin = position_;
  while (position_ < size()) {
    if (text_[position_] != '"') {
      ++position_;
    } else if (peek(1) == '"') {
      token.has_escapes = true;
      position_ += 2;
    } else {
      token.raw_end = position_++;
      return;
    }
  }
  token.raw_end = position_;
  doubtful_ = true;
}

void Scanner::scan_bit_string(ScannedToken& token) noexcept {
  token.kind = TokenKind::kBitString;
  position_ += 2;
  token.raw_begin = position_;
  const std::size_t close = text_.find('\'', position_);
  if (close == std::string_view::npos) {
    doubtful_ = true;
    token.raw_end = position_ = size();
    return;
  }
  token.raw_end = static_cast<std::uint32_t>(close);
  position_ = token.raw_end + 1;
  while (continues()) {
    const std::size_t end = text_.find('\'', position_ + 1);
    position_ = end == std::string_view::npos ? size() : static_cast<std::uint32_t>(end) + 1;
  }
}

void Scanner::scan_quoted_string(
    ScannedToken& token, std::uint32_t prefix, bool backslashes
) noexcept {
  token.kind = TokenKind::kString;
  position_ += prefix + 1;
  token.raw_begin = position_;
  if (!scan_string_body(token, backslashes)) {
    token.raw_end = size();
    return;
  }
  token.raw_end = position_ - 1;
  token.escape_string = backslashes && (prefix == 1 || token.has_escapes);
  while (continues()) {
    token.is_doubtful = true;
    ++position_;
    if (!scan_string_body(token, backslashes)) {
      return;
    }
  }
}

// From behind the opening quote to behind the closing one.
bool Scanner::scan_string_body(ScannedToken& token, bool backslashes) noexcept {
  while (position_ < size()) {
    const char c = text_[position_];
    if (c == '\'') {
      if (peek(1) != '\'') {
        ++position_;
        return true;
      }
      token.has_escapes = true;
      position_ += 2;
    } else if (c == '\\' && backslashes) {
      token.has_escapes = true;
      position_ += 2;
    } else {
      ++position_;
    }
  }
  position_ = size();
  doubtful_ = true;  // never closed
  return false;
}

// After a closing quote: 'a' <newline> 'b' is one literal. Then the position is at the next quote.
bool Scanner::continues() noexcept {
  bool newline = false;
  std::uint32_t ahead = 0;
  for (;;) {
    const char c = peek(ahead);
    if (c == '\'') {
      doubtful_ = true;
      position_ += newline ? ahead : 0;
      return newline;
    }
    if (chars::is(c, chars::kSpace)) {
      newline |= c == '\n' || c == '\r';
      ++ahead;
    } else if (c == '-' && peek(ahead + 1) == '-') {
      while (position_ + ahead < size() && peek(ahead) != '\n' && peek(ahead) != '\r') {
        ++ahead;
      }
    } else {
      return false;
    }
  }
}

}  // namespace sherd::sql
