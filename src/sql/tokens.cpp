#include "tokens.hpp"

#include <algorithm>
#include <limits>

namespace sherd::sql {
namespace {

// Up to eight letters as one number, lower case.
constexpr std::uint64_t pack(std::string_view word) noexcept {
  std::uint64_t packed = 0;
  for (const char c : word) {
    packed = packed << 8 | static_cast<std::uint8_t>(c | 0x20);
  }
  return packed;
}

Keyword short_keyword(std::string_view word) noexcept {
  switch (pack(word)) {
    case pack("all"):
      return Keyword::kAll;
    case pack("analyse"):
    case pack("analyze"):
      return Keyword::kAnalyze;
    case pack("as"):
      return Keyword::kAs;
    case pack("by"):
      return Keyword::kBy;
    case pack("conflict"):
      return Keyword::kConflict;
    case pack("delete"):
      return Keyword::kDelete;
    case pack("distinct"):
      return Keyword::kDistinct;
    case pack("except"):
      return Keyword::kExcept;
    case pack("execute"):
      return Keyword::kExecute;
    case pack("explain"):
      return Keyword::kExplain;
    case pack("fetch"):
      return Keyword::kFetch;
    case pack("for"):
      return Keyword::kFor;
    case pack("from"):
      return Keyword::kFrom;
    case pack("group"):
      return Keyword::kGroup;
    case pack("having"):
      return Keyword::kHaving;
    case pack("insert"):
      return Keyword::kInsert;
    case pack("into"):
      return Keyword::kInto;
    case pack("is"):
      return Keyword::kIs;
    case pack("limit"):
      return Keyword::kLimit;
    case pack("merge"):
      return Keyword::kMerge;
    case pack("not"):
      return Keyword::kNot;
    case pack("offset"):
      return Keyword::kOffset;
    case pack("on"):
      return Keyword::kOn;
    case pack("order"):
      return Keyword::kOrder;
    case pack("rows"):
      return Keyword::kRows;
    case pack("select"):
      return Keyword::kSelect;
    case pack("set"):
      return Keyword::kSet;
    case pack("table"):
      return Keyword::kTable;
    case pack("union"):
      return Keyword::kUnion;
    case pack("update"):
      return Keyword::kUpdate;
    case pack("using"):
      return Keyword::kUsing;
    case pack("values"):
      return Keyword::kValues;
    case pack("verbose"):
      return Keyword::kVerbose;
    case pack("where"):
      return Keyword::kWhere;
    case pack("window"):
      return Keyword::kWindow;
    case pack("with"):
      return Keyword::kWith;
    case pack("within"):
      return Keyword::kWithin;
    default:
      return Keyword::kNone;
  }
}

bool equals_folded(std::string_view word, std::string_view lower) noexcept {
  return std::ranges::equal(word, lower, [](char a, char b) { return (a | 0x20) == b; });
}

Keyword keyword_of(std::string_view word) noexcept {
  if (word.size() <= 8) {
    return word.size() < 2 ? Keyword::kNone : short_keyword(word);
  }
  if (word.size() == 9) {
    if (equals_folded(word, "intersect")) {
      return Keyword::kIntersect;
    }
    if (equals_folded(word, "returning")) {
      return Keyword::kReturning;
    }
  }
  return Keyword::kNone;
}

}  // namespace

std::uint32_t parameter_number(std::string_view token) noexcept {
  std::uint64_t number = 0;
  for (const char digit : token.substr(1)) {
    number = std::min<std::uint64_t>(
        number * 10 + static_cast<std::uint64_t>(digit - '0'),
        std::numeric_limits<std::uint32_t>::max()
    );
  }
  return static_cast<std::uint32_t>(number);
}

Tokens::Tokens(std::string_view text, bool standard_conforming_strings) : text_(text) {
  tokens_.reserve(text.size() / 4 + 8);
  chain_.push_back(0);
  Scanner scanner(text, standard_conforming_strings);
  for (ScannedToken scanned = scanner.next(); scanned.kind != TokenKind::kEnd;
       scanned = scanner.next()) {
    Token token{.begin = scanned.begin, .end = scanned.end, .kind = scanned.kind};
    const char first = text[scanned.begin];
    token.depth = static_cast<std::uint16_t>(
        std::min<std::size_t>(open_.size(), std::numeric_limits<std::uint16_t>::max())
    );
    if (scanned.kind == TokenKind::kWord) {
      token.keyword = keyword_of(text.substr(scanned.begin, scanned.end - scanned.begin));
    } else if (scanned.kind == TokenKind::kParameter) {
      highest_parameter_ = std::max(
          highest_parameter_,
          parameter_number(text.substr(scanned.begin, scanned.end - scanned.begin))
      );
    } else if (scanned.kind == TokenKind::kSymbol) {
      if (first == '(' || first == '[') {
        open(token);
      } else if (first == ')' || first == ']') {
        close(token);
      }
    }
    count_chain(scanned.kind == TokenKind::kSymbol ? first : 'x');
    tokens_.push_back(token);
  }
  balanced_ = balanced_ && open_.empty();
}

void Tokens::open(Token& token) {
  token.match = kNone;
  open_.push_back(size());
  chain_.push_back(0);
}

void Tokens::close(Token& token) {
  if (open_.empty()) {
    token.match = kNone;
    balanced_ = false;
    return;
  }
  Token& partner = tokens_[open_.back()];
  balanced_ = balanced_ && (text_[partner.begin] == '(') == (text_[token.begin] == ')');
  token.match = open_.back();
  token.depth = partner.depth;
  partner.match = size();
  open_.pop_back();
  chain_.pop_back();
}

void Tokens::count_chain(char symbol) {
  std::uint32_t& chain = chain_.back();
  chain = symbol == ',' || symbol == ';' ? 0 : chain + 1;
  too_long_chain_ = too_long_chain_ || chain > kMaxChain;
}

std::uint32_t Tokens::from(std::uint32_t offset) const noexcept {
  const auto found = std::ranges::lower_bound(tokens_, offset, {}, &Token::begin);
  return static_cast<std::uint32_t>(found - tokens_.begin());
}

std::uint32_t Tokens::at(std::int64_t offset) const noexcept {
  if (offset < 0) {
    return kNone;
  }
  const std::uint32_t index = from(static_cast<std::uint32_t>(offset));
  return index < size() && tokens_[index].begin == offset ? index : kNone;
}

}  // namespace sherd::sql
