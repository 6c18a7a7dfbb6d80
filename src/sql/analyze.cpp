#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include <sherd/sql/analyze.hpp>

#include "walker.hpp"

namespace sherd::sql {
namespace {

/// The memory of one parse. Nodes of the tree live as long as it does.
class ParseMemory {
 public:
  ParseMemory() : context_(pg_query_enter_memory_context()) {}
  ~ParseMemory() { pg_query_exit_memory_context(context_); }
  ParseMemory(const ParseMemory&) = delete;
  ParseMemory& operator=(const ParseMemory&) = delete;

 private:
  MemoryContext context_;
};

/// Frees what pg_query_raw_parse gives out with malloc.
class ParseResult {
 public:
  explicit ParseResult(PgQueryInternalParsetreeAndError result) : result_(result) {}
  ~ParseResult() {
    std::free(result_.stderr_buffer);
    if (result_.error != nullptr) {
      pg_query_free_error(result_.error);
    }
  }
  ParseResult(const ParseResult&) = delete;
  ParseResult& operator=(const ParseResult&) = delete;
  [[nodiscard]] const PgQueryError* error() const noexcept { return result_.error; }
  [[nodiscard]] const List* tree() const noexcept { return result_.tree; }

 private:
  PgQueryInternalParsetreeAndError result_;
};

std::unexpected<Error> too_complex() {
  return fail(
      ErrorCode::kStatementTooComplex, "statement is nested too deeply",
      "split it, or nest fewer subqueries, joins and expressions"
  );
}

std::unexpected<Error> syntax_error(const PgQueryError& error) {
  const std::string_view message = error.message == nullptr ? "" : error.message;
  // The parser's stack is full. The message is all that tells it from a syntax error.
  if (message.starts_with("memory exhausted")) {
    return too_complex();
  }
  return fail(Error{
      .code = ErrorCode::kSyntax,
      .message = std::string(message),
      .position = static_cast<std::uint32_t>(std::max(error.cursorpos, 0)),
  });
}

/// From the first word of the statement, comments before it included, to its last token.
void set_text(
    const Tokens& tokens, const RawStmt* raw, TokenRange extent, std::string_view text,
    Statement& out
) {
  std::size_t begin = static_cast<std::size_t>(std::max(raw->stmt_location, 0));
  while (begin < text.size() && chars::is(text[begin], chars::kSpace)) {
    ++begin;
  }
  const std::size_t end = extent.empty() ? begin : tokens[extent.end - 1].end;
  out.text_begin = static_cast<std::uint32_t>(begin);
  out.text = text.substr(begin, std::max(end, begin) - begin);
}

TokenRange extent_of(const Tokens& tokens, const RawStmt* raw) {
  const auto location = static_cast<std::uint32_t>(std::max(raw->stmt_location, 0));
  TokenRange extent{tokens.from(location), tokens.size()};
  if (raw->stmt_len > 0) {
    extent.end = tokens.from(location + static_cast<std::uint32_t>(raw->stmt_len));
  }
  while (!extent.empty() && tokens.is(extent.end - 1, ';')) {
    --extent.end;
  }
  return extent;
}

void set_literals(const std::vector<Literal>& literals, Statement& out) {
  const auto first = std::ranges::lower_bound(
      literals, out.text_begin, {}, [](const Literal& literal) { return literal.span.begin; }
  );
  out.literal_base = static_cast<std::uint32_t>(first - literals.begin());
  const std::size_t end = out.text_begin + out.text.size();
  for (auto literal = first; literal != literals.end() && literal->span.begin < end; ++literal) {
    out.literal_spans.push_back({literal->span.begin - out.text_begin, literal->span.length});
  }
}

std::uint32_t highest_parameter(const Tokens& tokens, TokenRange extent) {
  if (tokens.highest_parameter() == 0) {
    return 0;
  }
  std::uint32_t highest = 0;
  for (std::uint32_t at = extent.begin; at < extent.end; ++at) {
    if (tokens[at].kind == TokenKind::kParameter) {
      highest = std::max(highest, parameter_number(tokens.text_of(at)));
    }
  }
  return highest;
}

Result<std::shared_ptr<const Statement>> analyze_one(
    const Tokens& tokens, const RawStmt* raw, std::string_view text,
    const std::vector<Literal>& literals
) {
  auto statement = std::make_shared<Statement>();
  const TokenRange extent = extent_of(tokens, raw);
  set_text(tokens, raw, extent, text, *statement);
  set_literals(literals, *statement);
  statement->parameter_count = highest_parameter(tokens, extent);
  SHERD_TRY_VOID(Walker(tokens, literals, extent, *statement).run(raw->stmt));
  return statement;
}

}  // namespace

Result<Analysis> analyze(
    std::string_view text, const std::vector<Literal>& literals, bool standard_conforming_strings
) {
  if (text.contains('\0')) {
    return fail(ErrorCode::kSyntax, "invalid byte sequence for encoding \"UTF8\": 0x00");
  }
  if (text.size() > kMaxTextBytes) {
    return fail(
        ErrorCode::kProgramLimit, fmt::format("statement is longer than {} bytes", kMaxTextBytes)
    );
  }
  const Tokens tokens(text, standard_conforming_strings);
  if (tokens.too_long_chain()) {
    return too_complex();
  }
  const std::string terminated(text);
  const ParseMemory memory;
  ::standard_conforming_strings = standard_conforming_strings;
  const ParseResult result(pg_query_raw_parse(terminated.c_str()));
  if (result.error() != nullptr) {
    return syntax_error(*result.error());
  }
  Analysis analysis;
  for (const auto* raw : ListOf<RawStmt>(result.tree())) {
    SHERD_TRY(auto statement, analyze_one(tokens, raw, text, literals));
    analysis.statements.push_back(std::move(statement));
  }
  return analysis;
}

}  // namespace sherd::sql
