#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sherd/base/check.hpp>
#include <sherd/sql/analyze.hpp>
#include <sherd/sql/lift.hpp>
#include <sherd/sql/print.hpp>
#include <sherd/sql/transfer.hpp>

// The first byte says whether standard_conforming_strings is on, the rest is a text. Nothing may
// crash, every span lies in its text, and facts that are called independent of literals hold when
// each literal is another one.

namespace {

using namespace sherd::sql;

std::string with_other_literals(std::string_view text, const Lifted& lifted) {
  std::string out;
  std::size_t copied = 0;
  for (const Literal& literal : lifted.literals) {
    out += text.substr(copied, literal.span.begin - copied);
    switch (literal.kind) {
      case Literal::Kind::kInteger:
        out += "7";
        break;
      case Literal::Kind::kFloat:
        out += literal.raw.starts_with('.') ? ".25" : "0.25";  // `a.5` is not `a0.25`
        break;
      case Literal::Kind::kString:
        out += "'other'";
        break;
      case Literal::Kind::kBitString:
        out += std::string(1, text[literal.span.begin]) + "'1'";
        break;
    }
    copied = literal.span.end();
  }
  return out += text.substr(copied);
}

void check_same_facts(
    std::string_view text, const Lifted& lifted, const Statement& statement, bool standard
) {
  const std::string other = with_other_literals(text, lifted);
  Lifted again;
  lift(other, standard, again);
  SHERD_CHECK(again.key == lifted.key);
  const auto analysis = analyze(other, again.literals, standard);
  if (!analysis) {
    return;  // E'\u12' was no string, and 'other' is no time zone
  }
  SHERD_CHECK(analysis->statements.size() == 1);
  SHERD_CHECK(
      to_text(*analysis->statements[0], PrintSpans::kOmit) == to_text(statement, PrintSpans::kOmit)
  );
  const Span whole =
      span_in(statement, again.literals, {0, static_cast<std::uint32_t>(statement.text.size())});
  SHERD_CHECK(whole.of(other) == analysis->statements[0]->text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const bool standard = (data[0] & 1) == 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Lifted lifted;
  lift(text, standard, lifted);
  std::string scratch;
  for (const Literal& literal : lifted.literals) {
    SHERD_CHECK(literal.span.end() <= text.size());
    static_cast<void>(decode(literal, scratch));
  }
  const auto analysis = analyze(text, lifted.literals, standard);
  if (!analysis) {
    return 0;
  }
  for (const auto& statement : analysis->statements) {
    SHERD_CHECK(!to_text(*statement).empty());
    SHERD_CHECK(
        lifted.literals.size() >= statement->literal_base + statement->literal_spans.size()
    );
  }
  const bool one = analysis->statements.size() == 1 && !lifted.multiple && lifted.certain;
  if (one && !analysis->statements[0]->literal_dependent) {
    check_same_facts(text, lifted, *analysis->statements[0], standard);
  }
  return 0;
}
