#include <algorithm>

#include "walker.hpp"

namespace sherd::sql {
namespace {

ClauseSet present_clauses(const SelectStmt* statement) noexcept {
  ClauseSet present;
  const bool is_select = statement->op == SETOP_NONE && statement->valuesLists == nullptr;
  present.add(Clause::kHead, is_select);
  present.add(Clause::kTargets, is_select);
  present.add(Clause::kFrom, statement->fromClause != nullptr);
  present.add(Clause::kWhere, statement->whereClause != nullptr);
  present.add(Clause::kGroup, statement->groupClause != nullptr);
  present.add(Clause::kHaving, statement->havingClause != nullptr);
  present.add(Clause::kWindow, statement->windowClause != nullptr);
  present.add(Clause::kOrder, statement->sortClause != nullptr);
  present.add(
      Clause::kLimit, statement->limitCount != nullptr || statement->limitOffset != nullptr
  );
  present.add(Clause::kLocking, statement->lockingClause != nullptr);
  return present;
}

}  // namespace

void Walker::note_range(std::uint32_t index, TokenRange range) {
  ranges_[index] = range;
  out_.blocks[index].span = span_of(range);
}

void Walker::widen_to_with(const WithClause* with, TokenRange& range) const {
  if (with == nullptr) {
    return;
  }
  if (const std::uint32_t at = tokens_.at(with->location); at != Tokens::kNone) {
    range.begin = std::min(range.begin, at);
  }
}

// The tree says where the first target or value begins; the tokens before it say where the level
// begins.
void Walker::cut_select(const SelectStmt* statement, std::uint32_t index) {
  if (!cuts_) {
    return;
  }
  if (statement->op != SETOP_NONE) {
    cut_set_operation(statement, index);
    return;
  }
  Block& block = out_.blocks[index];
  std::uint32_t first = Tokens::kNone;
  if (statement->valuesLists != nullptr) {
    const auto* row = ListOf<List>(statement->valuesLists)[0];
    first = values_before(tokens_, tokens_.at(leftmost(ListOf<>(row)[0])));
  } else if (length_of(statement->targetList) > 0) {
    first =
        select_before(tokens_, tokens_.at(ListOf<ResTarget>(statement->targetList)[0]->location));
  }
  if (first == Tokens::kNone || statement->intoClause != nullptr) {
    return;
  }
  const std::uint32_t stop =
      first < select_stop_ ? std::min(select_stop_, extent_.end) : extent_.end;
  const auto ranges = cut_clauses(tokens_, first, stop, present_clauses(statement));
  if (!ranges) {
    return;
  }
  set_spans(*ranges, block);
  TokenRange whole = ranges->whole;
  if (statement->valuesLists != nullptr) {
    TokenRange rows{first + 1, whole.end};
    for (const Clause clause : {Clause::kOrder, Clause::kLimit, Clause::kLocking}) {
      rows.end = (*ranges)[clause].empty() ? rows.end : std::min(rows.end, (*ranges)[clause].begin);
    }
    values_spans(rows, block.values);
  } else {
    target_spans(statement->targetList, (*ranges)[Clause::kTargets], block.targets);
    group_spans((*ranges)[Clause::kGroup], block);
    distinct_spans((*ranges)[Clause::kHead], block);
  }
  sort_spans(statement->sortClause, (*ranges)[Clause::kOrder], block);
  widen_to_with(statement->withClause, whole);
  note_range(index, whole);
}

// (a) UNION (b) ORDER BY …: its own clauses stand behind the right arm and the brackets around
// that.
void Walker::cut_set_operation(const SelectStmt* statement, std::uint32_t index) {
  Block& block = out_.blocks[index];
  TokenRange left = ranges_[block.set_left];
  const TokenRange right = ranges_[block.set_right];
  if (left.empty() || right.empty() || right.begin < left.end) {
    return;
  }
  std::uint32_t at = right.end;
  while (tokens_.is(at, ')') && tokens_[at].match >= left.end) {
    ++at;
  }
  while (left.begin > extent_.begin && tokens_.is(left.begin - 1, '(')
         && tokens_[left.begin - 1].match < right.begin) {
    --left.begin;
  }
  const std::uint32_t stop = at < select_stop_ ? std::min(select_stop_, extent_.end) : extent_.end;
  const auto ranges = cut_clauses(tokens_, at, stop, present_clauses(statement));
  if (!ranges) {
    return;
  }
  set_spans(*ranges, block);
  sort_spans(statement->sortClause, (*ranges)[Clause::kOrder], block);
  TokenRange whole{left.begin, ranges->whole.end};
  widen_to_with(statement->withClause, whole);
  note_range(index, whole);
}

void Walker::cut_modification(
    Keyword verb, const WithClause* with, bool has_from, bool has_where, Block& block
) {
  if (!cuts_) {
    return;
  }
  TokenRange whole = extent_;
  if (with != nullptr) {
    // Behind the WITH: the first such word outside its brackets.
    const std::uint16_t depth = tokens_[whole.begin].depth;
    while (whole.begin < whole.end
           && !(tokens_.is(whole.begin, verb) && tokens_[whole.begin].depth == depth)) {
      ++whole.begin;
    }
  }
  if (!tokens_.is(whole.begin, verb)) {
    return;
  }
  ClauseSet present;
  present.add(Clause::kFrom, has_from);
  present.add(Clause::kWhere, has_where);
  if (const auto ranges = cut_clauses(tokens_, whole.begin, extent_.end, present)) {
    set_spans(*ranges, block);
  }
  block.span = span_of(extent_);
}

void Walker::set_spans(const ClauseRanges& ranges, Block& block) {
  SelectSpans& spans = block.spans;
  spans.select = span_of(ranges[Clause::kHead]);
  spans.targets = span_of(ranges[Clause::kTargets]);
  spans.from = span_of(ranges[Clause::kFrom]);
  spans.where = span_of(ranges[Clause::kWhere]);
  spans.group = span_of(ranges[Clause::kGroup]);
  spans.having = span_of(ranges[Clause::kHaving]);
  spans.window = span_of(ranges[Clause::kWindow]);
  spans.order = span_of(ranges[Clause::kOrder]);
  spans.limit = span_of(ranges[Clause::kLimit]);
  spans.locking = span_of(ranges[Clause::kLocking]);
  spans.known = true;
  if (!ranges[Clause::kHaving].empty()) {
    const TokenRange having = ranges[Clause::kHaving];
    block.having = span_of(TokenRange{having.begin + 1, having.end});
  }
}

void Walker::target_spans(const List* nodes, TokenRange range, std::vector<Target>& targets) {
  const std::vector<TokenRange> items = split_at_commas(tokens_, range);
  const ListOf<ResTarget> list(nodes);
  if (items.size() != list.size()) {
    return;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    TokenRange item = items[i];
    if (item.empty() || tokens_.at(list[i]->location) != item.begin) {
      continue;
    }
    if (list[i]->name != nullptr) {
      const bool with_as = item.end - item.begin > 2 && tokens_.is(item.end - 2, Keyword::kAs)
                           && !tokens_.is(item.end - 3, '.');
      item.end -= with_as ? 2 : 1;
    }
    Target& target = targets[i];
    target.expression = span_of(item);
    if (target.operand.kind != Operand::Kind::kOpaque) {
      target.operand.span = target.expression;
    }
  }
}

void Walker::group_spans(TokenRange range, Block& block) const {
  if (range.empty()) {
    return;
  }
  range.begin += 2;  // GROUP BY
  if (tokens_.is(range.begin, Keyword::kDistinct) || tokens_.is(range.begin, Keyword::kAll)) {
    ++range.begin;
  }
  const std::vector<TokenRange> items = split_at_commas(tokens_, range);
  for (std::size_t i = 0; items.size() == block.group_by.size() && i < items.size(); ++i) {
    block.group_by[i].expression = span_of(items[i]);
  }
}

// SELECT DISTINCT ON ( … )
void Walker::distinct_spans(TokenRange head, Block& block) const {
  if (block.distinct != DistinctKind::kOn) {
    return;
  }
  const auto items = split_at_commas(tokens_, TokenRange{head.begin + 4, head.end - 1});
  for (std::size_t i = 0; items.size() == block.distinct_on.size() && i < items.size(); ++i) {
    block.distinct_on[i].expression = span_of(items[i]);
  }
}

// Without ASC, DESC, USING operator, NULLS FIRST and NULLS LAST.
void Walker::sort_spans(const List* nodes, TokenRange range, Block& block) const {
  if (range.empty()) {
    return;
  }
  range.begin += 2;  // ORDER BY
  const std::vector<TokenRange> items = split_at_commas(tokens_, range);
  const ListOf<SortBy> list(nodes);
  for (std::size_t i = 0; items.size() == list.size() && i < items.size(); ++i) {
    TokenRange item = items[i];
    item.end -= list[i]->sortby_nulls != SORTBY_NULLS_DEFAULT ? 2 : 0;
    item.end -= list[i]->sortby_dir == SORTBY_ASC || list[i]->sortby_dir == SORTBY_DESC ? 1 : 0;
    if (list[i]->sortby_dir == SORTBY_USING) {
      std::uint32_t at = item.end;
      while (at > item.begin && !tokens_.is(at, Keyword::kUsing)) {
        --at;
      }
      item.end = at;
    }
    block.order_by[i].expression = span_of(item);
  }
}

void Walker::values_spans(TokenRange range, std::vector<std::vector<Operand>>& rows) const {
  const std::vector<TokenRange> groups = split_at_commas(tokens_, range);
  for (std::size_t i = 0; groups.size() == rows.size() && i < groups.size(); ++i) {
    const auto values =
        split_at_commas(tokens_, TokenRange{groups[i].begin + 1, groups[i].end - 1});
    for (std::size_t k = 0; values.size() == rows[i].size() && k < values.size(); ++k) {
      rows[i][k].span = span_of(values[k]);
    }
  }
}

// The last RETURNING of the outermost level of `range`.
std::uint32_t Walker::returning_token(TokenRange range) const {
  const std::uint16_t depth = tokens_[range.begin].depth;
  for (std::uint32_t at = range.end; at-- > range.begin;) {
    if (tokens_.is(at, Keyword::kReturning) && tokens_[at].depth == depth
        && !tokens_.is(at - 1, Keyword::kAs) && !tokens_.is(at - 1, '.')) {
      return at;
    }
  }
  return Tokens::kNone;
}

void Walker::returning_spans(const List* nodes, std::vector<Target>& targets) {
  if (nodes == nullptr || !cuts_ || !tokens_.balanced()) {
    return;
  }
  if (const std::uint32_t at = returning_token(extent_); at != Tokens::kNone) {
    target_spans(nodes, TokenRange{at + 1, extent_.end}, targets);
  }
}

}  // namespace sherd::sql
