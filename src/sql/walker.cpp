#include "walker.hpp"

#include <algorithm>

namespace sherd::sql {
namespace {

constexpr bool begins_level(Keyword keyword) noexcept {
  switch (keyword) {
    case Keyword::kSelect:
    case Keyword::kValues:
    case Keyword::kTable:
    case Keyword::kInsert:
    case Keyword::kUpdate:
    case Keyword::kDelete:
    case Keyword::kMerge:
    case Keyword::kUnion:
    case Keyword::kIntersect:
    case Keyword::kExcept:
      return true;
    default:
      return false;
  }
}

}  // namespace

Result<> Walker::run(const Node* statement) {
  // Every query level has a keyword of its own, so that references to blocks stay good while more
  // are added.
  std::size_t levels = 0;
  for (std::uint32_t at = extent_.begin; at < extent_.end; ++at) {
    levels += begins_level(tokens_[at].keyword) ? 1 : 0;
  }
  out_.blocks.reserve(std::clamp<std::size_t>(levels, 1, kMaxBlocks));
  dispatch(statement);
  if (too_deep_) {
    return fail(
        ErrorCode::kStatementTooComplex, "statement is nested too deeply",
        "split it, or nest fewer subqueries, joins and expressions"
    );
  }
  if (out_.blocks.capacity() > out_.blocks.size()) {
    out_.blocks.shrink_to_fit();
  }
  return {};
}

void Walker::dispatch(const Node* statement) {
  switch (statement->type) {
    case T_SelectStmt:
      select_statement(statement);
      break;
    case T_InsertStmt:
      insert_statement(statement);
      break;
    case T_UpdateStmt:
      update_statement(statement);
      break;
    case T_DeleteStmt:
      delete_statement(statement);
      break;
    case T_MergeStmt:
      merge_statement(statement);
      break;
    default:
      out_.literal_dependent = true;
      utility(statement);
      return;
  }
  check_select_count();
}

// Routing is sound only if every query level of the statement was seen. The tokens know better than
// the walk how often SELECT was written; a disagreement (a column label `select` too) makes the
// facts unreliable.
void Walker::check_select_count() {
  std::uint32_t written = 0;
  for (std::uint32_t at = extent_.begin; at < extent_.end; ++at) {
    written += tokens_.is(at, Keyword::kSelect) ? 1 : 0;
  }
  if (written != plain_selects_) {
    mark_unknown();
  }
}

Span Walker::span_of(std::uint32_t begin, std::uint32_t end) const noexcept {
  return {begin - out_.text_begin, end - begin};
}

Span Walker::span_of(TokenRange range) const noexcept {
  if (range.empty()) {
    return {};
  }
  const std::uint32_t begin = tokens_[range.begin].begin;
  const std::uint32_t end = tokens_[range.end - 1].end;
  return end <= begin ? Span() : span_of(begin, end);  // past the end
}

// @return a block that nobody reads where there are too many.
std::uint32_t Walker::new_block(bool is_cte) {
  if (out_.blocks.size() == out_.blocks.capacity()) {
    too_deep_ = true;
    return 0;
  }
  Block& block = out_.blocks.emplace_back();
  block.parent = current_;
  block.is_cte = is_cte;
  block.where.kind = Predicate::Kind::kAnd;
  block.limit.kind = Operand::Kind::kNull;
  block.offset.kind = Operand::Kind::kNull;
  ranges_.emplace_back();
  return static_cast<std::uint32_t>(out_.blocks.size() - 1);
}

}  // namespace sherd::sql
