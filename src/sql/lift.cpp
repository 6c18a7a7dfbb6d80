#include <cstring>

#include <fmt/format.h>

#include <sherd/sql/lift.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "scanner.hpp"

namespace sherd::sql {
namespace {

// Bytes that no SQL text holds outside quotes and comments (a text that does is doubtful), so that
// no other text has the same key.
constexpr char kMarks[] = {'\x01', '\x02', '\x03', '\x04'};

constexpr bool is_literal(TokenKind kind) noexcept {
  return kind == TokenKind::kInteger || kind == TokenKind::kFloat || kind == TokenKind::kString
         || kind == TokenKind::kBitString;
}

constexpr Literal::Kind literal_kind(TokenKind kind) noexcept {
  switch (kind) {
    case TokenKind::kInteger:
      return Literal::Kind::kInteger;
    case TokenKind::kFloat:
      return Literal::Kind::kFloat;
    case TokenKind::kBitString:
      return Literal::Kind::kBitString;
    default:
      return Literal::Kind::kString;
  }
}

Literal make_literal(std::string_view text, const ScannedToken& token) {
  Literal literal;
  literal.kind = literal_kind(token.kind);
  literal.span = {token.begin, token.end - token.begin};
  const bool quoted = token.kind == TokenKind::kString || token.kind == TokenKind::kBitString;
  literal.raw = quoted ? text.substr(token.raw_begin, token.raw_end - token.raw_begin)
                       : literal.span.of(text);
  literal.has_escapes = token.has_escapes;
  literal.is_escape_string = token.escape_string;
  literal.is_whole = !token.is_doubtful;
  return literal;
}

/// Writes the key into `buffer`, which has room for the whole text. @return its length.
std::size_t lift_into(
    std::string_view text, bool standard_conforming_strings, char* buffer, Lifted& out
) {
  Scanner scanner(text, standard_conforming_strings);
  std::size_t length = 0;
  std::uint32_t copied = 0;
  bool semicolon = false;
  const auto copy_up_to = [&](std::uint32_t end) {
    std::memcpy(buffer + length, text.data() + copied, end - copied);
    length += end - copied;
    copied = end;
  };
  ScannedToken token;
  while (scanner.next(token)) {
    out.multiple |= semicolon;
    if (is_literal(token.kind)) {
      const Literal& literal = out.literals.emplace_back(make_literal(text, token));
      copy_up_to(token.begin + (token.kind == TokenKind::kBitString ? 1 : 0));  // b and x differ
      buffer[length++] = kMarks[static_cast<std::size_t>(literal.kind)];
      copied = token.end;
    } else if (token.kind == TokenKind::kSymbol && text[token.begin] == ';') {
      semicolon = true;
    }
  }
  copy_up_to(static_cast<std::uint32_t>(text.size()));
  out.certain = !scanner.doubtful();
  out.has_comment = scanner.has_comment();
  return length;
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void append_utf8(std::uint32_t code, std::string& out) {
  const auto tail = [code](unsigned shift) {
    return static_cast<char>(0x80 | ((code >> shift) & 0x3F));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    (out += tail(6)) += tail(0);
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    ((out += tail(12)) += tail(6)) += tail(0);
  }
}

/// Resolves the backslashes of an escape string (manual, section 4.1.2.2).
class EscapeDecoder {
 public:
  EscapeDecoder(std::string_view raw, std::string& out) : raw_(raw), out_(out) {}

  [[nodiscard]] bool run() {
    while (at_ < raw_.size()) {
      const char c = raw_[at_++];
      if (c == '\'') {
        out_ += c;
        ++at_;  // doubled
      } else if (c != '\\') {
        if (high_surrogate_ != 0) {
          return false;
        }
        out_ += c;
      } else if (!escape()) {
        return false;
      }
    }
    return high_surrogate_ == 0;
  }

 private:
  [[nodiscard]] bool escape() {
    if (at_ >= raw_.size()) {
      return false;
    }
    const char c = raw_[at_++];
    if (c == 'u' || c == 'U') {
      return unicode(c == 'u' ? 4 : 8);
    }
    if (high_surrogate_ != 0) {
      return false;
    }
    switch (c) {
      case 'b':
        out_ += '\b';
        return true;
      case 'f':
        out_ += '\f';
        return true;
      case 'n':
        out_ += '\n';
        return true;
      case 'r':
        out_ += '\r';
        return true;
      case 't':
        out_ += '\t';
        return true;
      case 'v':
        return false;  // a tab or a letter, by the server's version
      case 'x':
        return hexadecimal();
      default:
        return octal_or_self(c);
    }
  }

  [[nodiscard]] bool hexadecimal() {
    if (at_ >= raw_.size() || hex_value(raw_[at_]) < 0) {
      out_ += 'x';
      return true;
    }
    int value = 0;
    for (int digits = 0; digits < 2 && at_ < raw_.size() && hex_value(raw_[at_]) >= 0; ++digits) {
      value = value * 16 + hex_value(raw_[at_++]);
    }
    return append_byte(value);
  }

  [[nodiscard]] bool octal_or_self(char c) {
    if (c < '0' || c > '7') {
      out_ += c;
      return true;
    }
    int value = c - '0';
    for (int digits = 1; digits < 3 && at_ < raw_.size() && raw_[at_] >= '0' && raw_[at_] <= '7';
         ++digits) {
      value = value * 8 + (raw_[at_++] - '0');
    }
    return append_byte(value & 0xFF);
  }

  [[nodiscard]] bool append_byte(int value) {
    out_ += static_cast<char>(value);
    return value != 0;  // no text holds a zero byte
  }

  [[nodiscard]] bool unicode(std::size_t digits) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const int value = at_ < raw_.size() ? hex_value(raw_[at_++]) : -1;
      if (value < 0) {
        return false;
      }
      code = code * 16 + static_cast<std::uint32_t>(value);
    }
    const bool is_low = code >= 0xDC00 && code <= 0xDFFF;
    if (is_low != (high_surrogate_ != 0) || code > 0x10FFFF || code == 0) {
      return false;
    }
    if (code >= 0xD800 && code <= 0xDBFF) {
      high_surrogate_ = code;
      return true;
    }
    if (is_low) {
      code = 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (code - 0xDC00);
      high_surrogate_ = 0;
    }
    append_utf8(code, out_);
    return true;
  }

  std::string_view raw_;
  std::string& out_;
  std::size_t at_ = 0;
  std::uint32_t high_surrogate_ = 0;
};

}  // namespace

void lift(std::string_view text, bool standard_conforming_strings, Lifted& out) {
  out.literals.clear();
  out.multiple = false;
  out.key.resize_and_overwrite(text.size(), [&](char* buffer, std::size_t) {
    return lift_into(text, standard_conforming_strings, buffer, out);
  });
  out.hash = XXH3_64bits(out.key.data(), out.key.size());
}

Result<std::string_view> decode(const Literal& literal, std::string& scratch) {
  if (!literal.has_escapes) {
    return literal.raw;
  }
  scratch.clear();
  if (literal.is_escape_string) {
    if (!EscapeDecoder(literal.raw, scratch).run()) {
      return fail(ErrorCode::kSyntax, "invalid escape in a string literal");
    }
    return scratch;
  }
  for (std::size_t i = 0; i < literal.raw.size(); ++i) {
    scratch += literal.raw[i];
    if (literal.raw[i] == '\'') {
      ++i;
    }
  }
  return scratch;
}

}  // namespace sherd::sql
