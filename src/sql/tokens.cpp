#include "tokens.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

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

struct KeywordRow {
  std::string_view word;
  Keyword keyword;
};

constexpr std::array kShortKeywords{
    KeywordRow{"all", Keyword::kAll},         KeywordRow{"analyse", Keyword::kAnalyze},
    KeywordRow{"analyze", Keyword::kAnalyze}, KeywordRow{"as", Keyword::kAs},
    KeywordRow{"by", Keyword::kBy},           KeywordRow{"conflict", Keyword::kConflict},
    KeywordRow{"delete", Keyword::kDelete},   KeywordRow{"distinct", Keyword::kDistinct},
    KeywordRow{"except", Keyword::kExcept},   KeywordRow{"execute", Keyword::kExecute},
    KeywordRow{"explain", Keyword::kExplain}, KeywordRow{"fetch", Keyword::kFetch},
    KeywordRow{"for", Keyword::kFor},         KeywordRow{"from", Keyword::kFrom},
    KeywordRow{"group", Keyword::kGroup},     KeywordRow{"having", Keyword::kHaving},
    KeywordRow{"insert", Keyword::kInsert},   KeywordRow{"into", Keyword::kInto},
    KeywordRow{"is", Keyword::kIs},           KeywordRow{"limit", Keyword::kLimit},
    KeywordRow{"merge", Keyword::kMerge},     KeywordRow{"not", Keyword::kNot},
    KeywordRow{"offset", Keyword::kOffset},   KeywordRow{"on", Keyword::kOn},
    KeywordRow{"order", Keyword::kOrder},     KeywordRow{"rows", Keyword::kRows},
    KeywordRow{"select", Keyword::kSelect},   KeywordRow{"set", Keyword::kSet},
    KeywordRow{"table", Keyword::kTable},     KeywordRow{"union", Keyword::kUnion},
    KeywordRow{"update", Keyword::kUpdate},   KeywordRow{"using", Keyword::kUsing},
    KeywordRow{"values", Keyword::kValues},   KeywordRow{"verbose", Keyword::kVerbose},
    KeywordRow{"where", Keyword::kWhere},     KeywordRow{"window", Keyword::kWindow},
    KeywordRow{"with", Keyword::kWith},       KeywordRow{"within", Keyword::kWithin},
};

/// The keywords of up to eight letters by a hash of their packed letters.
class KeywordTable {
 public:
  consteval KeywordTable() {
    for (const KeywordRow& row : kShortKeywords) {
      std::size_t slot = home(pack(row.word));
      while (slots_[slot].packed != 0) {
        slot = (slot + 1) % kSlots;
      }
      slots_[slot] = {.packed = pack(row.word), .keyword = row.keyword};
    }
  }

  [[nodiscard]] Keyword find(std::uint64_t packed) const noexcept {
    for (std::size_t slot = home(packed); slots_[slot].packed != 0; slot = (slot + 1) % kSlots) {
      if (slots_[slot].packed == packed) {
        return slots_[slot].keyword;
      }
    }
    return Keyword::kNone;
  }

 private:
  static constexpr std::size_t kSlots = 256;
  struct Slot {
    std::uint64_t packed = 0;
    Keyword keyword = Keyword::kNone;
  };
  [[nodiscard]] static constexpr std::size_t home(std::uint64_t packed) noexcept {
    return static_cast<std::size_t>(
        packed * 0x9E3779B97F4A7C15 >> 56
    );  // Fibonacci hashing, to 8 bits
  }
  std::array<Slot, kSlots> slots_{};
};

constexpr KeywordTable kKeywords;

bool equals_folded(std::string_view word, std::string_view lower) noexcept {
  return std::ranges::equal(word, lower, [](char a, char b) { return (a | 0x20) == b; });
}

Keyword keyword_of(std::string_view word) noexcept {
  if (word.size() <= 8) {
    return word.size() < 2 ? Keyword::kNone : kKeywords.find(pack(word));
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
  Scanner scanner(text, standard_conforming_strings);
  ScannedToken scanned;
  while (scanner.next(scanned)) {
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
  open_.push_back(
      {.index = size(), .chain = std::exchange(chain_, 0), .longest = std::exchange(longest_, 0)}
  );
}

void Tokens::close(Token& token) {
  if (open_.empty()) {
    token.match = kNone;
    balanced_ = false;
    return;
  }
  Token& partner = tokens_[open_.back().index];
  balanced_ = balanced_ && (text_[partner.begin] == '(') == (text_[token.begin] == ')');
  token.match = open_.back().index;
  token.depth = partner.depth;
  partner.match = size();
  chain_ = open_.back().chain + std::max(chain_, longest_);
  longest_ = open_.back().longest;
  open_.pop_back();
}

void Tokens::count_chain(char symbol) {
  if (symbol == ',' || symbol == ';') {
    longest_ = std::max(longest_, chain_);
    chain_ = 0;
  } else {
    ++chain_;
  }
  too_long_chain_ = too_long_chain_ || chain_ > kMaxChain;
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
