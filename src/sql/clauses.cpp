#include "clauses.hpp"

namespace sherd::sql {
namespace {

constexpr bool is_open(const Tokens& tokens, std::uint32_t at) noexcept {
  return tokens.is(at, '(') || tokens.is(at, '[');
}

/// A keyword after a dot or AS is a name.
bool is_label(const Tokens& tokens, std::uint32_t at) noexcept {
  return at > 0 && (tokens.is(at - 1, '.') || tokens.is(at - 1, Keyword::kAs));
}

class ClauseCutter {
 public:
  ClauseCutter(const Tokens& tokens, std::uint32_t first, std::uint32_t stop, ClauseSet present)
      : tokens_(tokens), at_(first), stop_(stop), present_(present) {
    ranges_.whole.begin = first;
  }

  std::optional<ClauseRanges> run() {
    cut_head();
    while (at_ < stop_ && good_) {
      if (is_open(tokens_, at_)) {
        at_ = tokens_[at_].match + 1;
      } else if (is_end()) {
        break;
      } else {
        step();
      }
    }
    close(at_);
    ranges_.whole.end = at_;
    if (!good_ || !(found_ == present_)) {
      return std::nullopt;
    }
    return ranges_;
  }

 private:
  void cut_head() {
    if (!tokens_.is(at_, Keyword::kSelect)) {
      return;
    }
    const std::uint32_t head = at_++;
    if (tokens_.is(at_, Keyword::kAll)) {
      ++at_;
    } else if (tokens_.is(at_, Keyword::kDistinct)) {
      ++at_;
      if (tokens_.is(at_, Keyword::kOn) && tokens_.is(at_ + 1, '(')) {
        at_ = tokens_[at_ + 1].match + 1;
      }
    }
    range_of(Clause::kHead) = {head, at_};
    begin_ = at_;
    current_ = Clause::kTargets;
    found_.add(Clause::kTargets, present_.has(Clause::kTargets));
    found_.add(Clause::kHead, present_.has(Clause::kHead));
  }

  [[nodiscard]] bool is_end() const noexcept {
    if (tokens_.is(at_, ')') || tokens_.is(at_, ']') || tokens_.is(at_, ';')) {
      return true;
    }
    switch (tokens_[at_].keyword) {
      case Keyword::kUnion:
      case Keyword::kIntersect:
      case Keyword::kExcept:
      case Keyword::kReturning:
        return !is_label(tokens_, at_);
      default:
        return false;
    }
  }

  void step() {
    const std::optional<Clause> clause = clause_at();
    if (!clause || is_label(tokens_, at_)) {
      ++at_;
    } else if (*clause == current_ && may_repeat(*clause)) {
      ++at_;
    } else if (!present_.has(*clause)) {
      good_ = good_ && *clause >= Clause::kOrder;
      stop_ = at_;  // belongs to the level above
    } else if (found_.has(*clause) || (*clause < current_ && *clause < Clause::kLimit)) {
      good_ = false;
    } else {
      close(at_);
      found_.add(*clause, true);
      current_ = *clause;
      begin_ = at_++;
    }
  }

  [[nodiscard]] static bool may_repeat(Clause clause) noexcept {
    return clause == Clause::kLimit || clause == Clause::kLocking;
  }

  void close(std::uint32_t end) {
    if (current_ != Clause::kHead) {
      range_of(current_) = {begin_, end};
    }
  }

  [[nodiscard]] std::optional<Clause> clause_at() const noexcept {
    switch (tokens_[at_].keyword) {
      case Keyword::kFrom:
        return from_at();
      case Keyword::kUsing:
        return using_at();
      case Keyword::kWhere:
        return Clause::kWhere;
      case Keyword::kGroup:
        return followed_by_by(Clause::kGroup);
      case Keyword::kHaving:
        return Clause::kHaving;
      case Keyword::kWindow:
        return Clause::kWindow;
      case Keyword::kOrder:
        return followed_by_by(Clause::kOrder);
      case Keyword::kLimit:
      case Keyword::kOffset:
      case Keyword::kFetch:
        return Clause::kLimit;
      case Keyword::kFor:
        return Clause::kLocking;
      default:
        return std::nullopt;
    }
  }

  // WITHIN GROUP ( is the other GROUP.
  [[nodiscard]] std::optional<Clause> followed_by_by(Clause clause) const noexcept {
    return tokens_.is(at_ + 1, Keyword::kBy) ? std::optional(clause) : std::nullopt;
  }

  // IS [NOT] DISTINCT FROM, ROWS FROM (…), DELETE FROM are other FROMs.
  [[nodiscard]] std::optional<Clause> from_at() const noexcept {
    const bool after_distinct =
        tokens_.is(at_ - 1, Keyword::kDistinct)
        && (tokens_.is(at_ - 2, Keyword::kIs) || tokens_.is(at_ - 2, Keyword::kNot));
    const bool rows_from = tokens_.is(at_ - 1, Keyword::kRows) && found_.has(Clause::kFrom);
    if (after_distinct || rows_from || tokens_.is(at_ - 1, Keyword::kDelete)) {
      return std::nullopt;
    }
    return Clause::kFrom;
  }

  // DELETE … USING; elsewhere JOIN … USING (…), ORDER BY … USING <.
  [[nodiscard]] std::optional<Clause> using_at() const noexcept {
    const bool of_delete = tokens_.is(ranges_.whole.begin, Keyword::kDelete);
    return of_delete && !found_.has(Clause::kFrom) ? std::optional(Clause::kFrom) : std::nullopt;
  }

  TokenRange& range_of(Clause clause) noexcept {
    return ranges_.clauses[static_cast<std::size_t>(clause)];
  }

  const Tokens& tokens_;
  std::uint32_t at_;
  std::uint32_t stop_;
  ClauseSet present_;
  ClauseSet found_{};
  ClauseRanges ranges_{};
  Clause current_ = Clause::kHead;
  std::uint32_t begin_ = 0;
  bool good_ = true;
};

}  // namespace

std::optional<ClauseRanges> cut_clauses(
    const Tokens& tokens, std::uint32_t first, std::uint32_t stop, ClauseSet present
) {
  if (!tokens.balanced()) {
    return std::nullopt;
  }
  return ClauseCutter(tokens, first, stop, present).run();
}

std::vector<TokenRange> split_at_commas(const Tokens& tokens, TokenRange range) {
  std::vector<TokenRange> items;
  if (range.empty() || !tokens.balanced()) {
    return items;
  }
  std::uint32_t begin = range.begin;
  std::uint32_t at = range.begin;
  while (at < range.end) {
    if (is_open(tokens, at)) {
      at = tokens[at].match;
    } else if (tokens.is(at, ',')) {
      items.push_back({begin, at});
      begin = at + 1;
    }
    ++at;
  }
  items.push_back({begin, range.end});
  return items;
}

std::uint32_t select_before(const Tokens& tokens, std::uint32_t target) {
  if (target == Tokens::kNone || target == 0 || !tokens.balanced()) {
    return Tokens::kNone;
  }
  std::uint32_t at = target - 1;
  if (tokens.is(at, ')')) {
    const std::uint32_t on = tokens[at].match - 1;  // DISTINCT ON (…)
    if (tokens[at].match < 3 || !tokens.is(on, Keyword::kOn)) {
      return Tokens::kNone;
    }
    at = on - 1;
  }
  if (tokens.is(at, Keyword::kAll) || tokens.is(at, Keyword::kDistinct)) {
    --at;
  }
  return tokens.is(at, Keyword::kSelect) ? at : Tokens::kNone;
}

std::uint32_t values_before(const Tokens& tokens, std::uint32_t value) {
  if (value == Tokens::kNone || value == 0 || !tokens.balanced()) {
    return Tokens::kNone;
  }
  std::uint32_t at = value - 1;
  while (at > 0 && tokens.is(at, '(')) {
    --at;
  }
  return tokens.is(at, Keyword::kValues) ? at : Tokens::kNone;
}

}  // namespace sherd::sql
