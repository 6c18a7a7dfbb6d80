#include <cstdlib>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include <sherd/sql/analyze.hpp>
#include <sherd/sql/print.hpp>
#include <sherd/sql/transfer.hpp>

#include "sql_generator_test.hpp"
#include "walker.hpp"

namespace sherd::sql {
namespace {

struct Analyzed {
  std::string text;
  Lifted lifted{};
  Result<Analysis> result{};
  [[nodiscard]] const Statement& first() const { return *result->statements.at(0); }
};

Analyzed analyzed(std::string text, bool standard = true) {
  Analyzed out{.text = std::move(text)};
  lift(out.text, standard, out.lifted);
  out.result = analyze(out.text, out.lifted.literals, standard);
  return out;
}

ErrorCode error_of(const std::string& text) {
  const auto result = analyze(text, {});
  return result ? ErrorCode::kInternal : result.error().code;
}

std::string repeated(
    std::string_view head, std::string_view part, std::size_t times, std::string_view middle = "",
    std::string_view tail = ""
) {
  std::string text(head);
  for (std::size_t i = 0; i < times; ++i) {
    text += part;
  }
  text += middle;
  for (std::size_t i = 0; i < times && !tail.empty(); ++i) {
    text += tail;
  }
  return text;
}

TEST(Analyze, EmptyTextHasNoStatement) {
  EXPECT_TRUE(analyzed("").result->statements.empty());
  EXPECT_TRUE(analyzed(" ; /* x */ ;").result->statements.empty());
}

TEST(Analyze, StatementsOfOneTextStandAlone) {
  const Analyzed out = analyzed("SELECT 1; /* c */ DELETE FROM t WHERE id = 22 ; ");
  ASSERT_EQ(out.result->statements.size(), 2U);
  const Statement& second = *out.result->statements[1];
  EXPECT_EQ(second.text, "/* c */ DELETE FROM t WHERE id = 22");
  EXPECT_EQ(second.text_begin, 10U);
  EXPECT_EQ(second.literal_base, 1U);
  EXPECT_EQ(second.literal_spans.at(0).of(second.text), "22");
}

TEST(Analyze, ErrorCarriesPositionInCharacters) {
  const auto result = analyze("SELECT 'ää' FROM WHERE", {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kSyntax);
  EXPECT_EQ(result.error().position, 18U);
}

TEST(Analyze, ZeroByteIsRefused) {
  EXPECT_EQ(error_of(std::string("SELECT 1\0, 2", 12)), ErrorCode::kSyntax);
}

TEST(Analyze, WithoutLiteralsOperandsAreOpaque) {
  const auto result = analyze("SELECT 1 FROM t WHERE id = 5", {});
  EXPECT_EQ(result->statements[0]->blocks[0].where.right.kind, Operand::Kind::kOpaque);
}

TEST(Analyze, LiteralsThatAreNotWholeAreOpaque) {
  for (const std::string_view value :
       {"U&'\\00e9'", "U&'!00e9' UESCAPE '!'", "'a'\n'b'", "E'a'\n'b'", "- ---\n5"}) {
    const Analyzed out = analyzed("SELECT * FROM t WHERE k = " + std::string(value), true);
    EXPECT_EQ(out.first().blocks.front().where.right.kind, Operand::Kind::kOpaque) << value;
  }
}

TEST(Analyze, BackslashesFollowTheSetting) {
  EXPECT_FALSE(analyzed("SELECT 'a\\', '", true).result);
  EXPECT_TRUE(analyzed("SELECT 'a\\', '", false).result);
  EXPECT_TRUE(analyzed("SELECT 'a\\'", true).result);
  EXPECT_FALSE(analyzed("SELECT 'a\\'", false).result);
}

TEST(Analyze, DeepNestingIsTooComplex) {
  constexpr std::size_t kDeep = 100'000;
  for (const std::string& text : {
           repeated("SELECT ", "(", kDeep, "1", ")"),
           repeated("SELECT ", "NOT ", kDeep, "TRUE"),
           repeated("SELECT ", "- ", kDeep, "1"),
           repeated("SELECT ", "CASE WHEN TRUE THEN ", kDeep, "1", " END"),
           repeated("", "SELECT (", kDeep, "1", ")"),
           repeated("SELECT 1", " UNION SELECT 1", kDeep),
           repeated("SELECT * FROM t", " JOIN t USING (id)", kDeep),
           repeated("SELECT 1", "::int", kDeep),
           repeated("SELECT 1", "+1", kDeep),
           repeated("SELECT * FROM (((", "(", kDeep),
           repeated("(SELECT 1 ORDER BY 1", "+1", kDeep, ") ORDER BY 1"),
       }) {
    const ErrorCode code = error_of(text);
    EXPECT_TRUE(
        code == ErrorCode::kStatementTooComplex
        || (text.back() == '(' && code == ErrorCode::kSyntax)
    ) << text.substr(0, 40);
  }
}

TEST(Analyze, LongButFlatIsFine) {
  constexpr std::size_t kLong = 10'000;
  for (const std::string& text : {
           repeated("SELECT 1", "+1", kLong),
           repeated("SELECT 1 FROM t WHERE a = 1", " OR a = 1", kLong),
           repeated("SELECT 1 FROM t WHERE a IN (1", ", 1", 10 * kLong) + ")",
           repeated("INSERT INTO t VALUES (1)", ", (1)", kLong),
           repeated("SELECT 1", ", 1", kLong),
           repeated("SELECT 1", " UNION ALL SELECT 1", 400),
           repeated("SELECT ", "(", 300, "1", ")"),
       }) {
    EXPECT_TRUE(analyze(text, {})) << text.substr(0, 40);
  }
}

TEST(Analyze, NestingOfEveryDepthEndsWell) {
  for (std::size_t depth = 50; depth < 4000; depth = depth * 3 / 2) {
    const auto result = analyze(repeated("", "SELECT (", depth, "SELECT 1", ")"), {});
    if (!result) {
      EXPECT_EQ(result.error().code, ErrorCode::kStatementTooComplex) << depth;
    }
  }
}

TEST(Analyze, ThreadsDoNotDisturbEachOther) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      SqlGenerator generator(static_cast<std::uint64_t>(i));
      for (int k = 0; k < 200; ++k) {
        static_cast<void>(analyzed(generator.statement(), k % 2 == 0));
      }
    });
  }
}

// Properties over generated statements.

constexpr std::uint64_t kSeed = 20'240'607;
constexpr int kStatements = 3000;

/// Looks at the tree with PostgreSQL's own walker.
struct TreeCensus {
  std::size_t range_vars = 0;
  std::vector<int> constants{};

  static bool visit(Node* node, void* context) {
    if (node == nullptr || node->type == T_LockingClause || node->type == T_TypeName) {
      return false;
    }
    auto& census = *static_cast<TreeCensus*>(context);
    if (node->type == T_RangeVar) {
      ++census.range_vars;
    }
    if (node->type == T_A_Const && !as<A_Const>(node)->isnull && as<A_Const>(node)->location >= 0
        && as<A_Const>(node)->val.node.type != T_Boolean) {
      census.constants.push_back(as<A_Const>(node)->location);
    }
    // PostgreSQL's walker does not go into a MultiAssignRef's source more than once per column;
    // neither do we count one twice.
    if (node->type == T_MultiAssignRef && as<MultiAssignRef>(node)->colno > 1) {
      return false;
    }
    return raw_expression_tree_walker(
        node, reinterpret_cast<bool (*)()>(reinterpret_cast<void*>(&visit)), context
    );
  }
};

TreeCensus census_of(const std::string& text) {
  TreeCensus census;
  MemoryContext memory = pg_query_enter_memory_context();
  const PgQueryInternalParsetreeAndError parsed = pg_query_raw_parse(text.c_str());
  if (parsed.error == nullptr) {
    for (const auto* raw : ListOf<RawStmt>(parsed.tree)) {
      TreeCensus::visit(raw->stmt, &census);
    }
  } else {
    pg_query_free_error(parsed.error);
  }
  std::free(parsed.stderr_buffer);
  pg_query_exit_memory_context(memory);
  return census;
}

std::size_t relations_stated(const Statement& statement) {
  std::size_t count = std::holds_alternative<Insert>(statement.body) ? 1 : 0;
  for (const Block& block : statement.blocks) {
    for (const Relation& relation : block.relations) {
      count +=
          relation.kind == Relation::Kind::kTable || relation.kind == Relation::Kind::kCte ? 1 : 0;
    }
  }
  return count;
}

template <class Check>
void for_each_statement(Check check) {
  SqlGenerator generator(kSeed);
  int parsed = 0;
  for (int i = 0; i < kStatements; ++i) {
    const Analyzed out = analyzed(generator.statement());
    if (out.result) {
      ++parsed;
      check(out, generator);
    } else {
      EXPECT_EQ(out.result.error().code, ErrorCode::kSyntax) << out.text;
    }
    if (testing::Test::HasFailure()) {
      FAIL() << "seed " << kSeed << " statement " << i << ": " << out.text;
    }
  }
  EXPECT_GT(parsed, kStatements * 9 / 10) << "the generator writes nonsense";
}

TEST(AnalyzeProperty, EveryRelationOfTheTreeIsStated) {
  for_each_statement([](const Analyzed& out, SqlGenerator&) {
    EXPECT_EQ(relations_stated(out.first()), census_of(out.text).range_vars);
    EXPECT_FALSE(out.first().has_unknown_node && out.text.find('*') == std::string::npos);
  });
}

TEST(AnalyzeProperty, EveryConstantOfTheTreeIsALiftedLiteral) {
  for_each_statement([](const Analyzed& out, SqlGenerator&) {
    ASSERT_TRUE(out.lifted.certain);
    std::set<std::uint32_t> places;
    for (const Literal& literal : out.lifted.literals) {
      places.insert(literal.span.begin);
    }
    for (const int location : census_of(out.text).constants) {
      auto place = static_cast<std::size_t>(location);
      if (out.text.compare(place, 4, "year") == 0) {
        continue;  // EXTRACT's field becomes a constant
      }
      while (out.text[place] == '-' || out.text[place] == ' ') {
        ++place;
      }
      EXPECT_TRUE(places.contains(static_cast<std::uint32_t>(place))) << location;
    }
  });
}

/// The same statement with other values of the same kinds.
std::string with_other_literals(const Analyzed& out, SqlGenerator& generator) {
  std::string text;
  std::size_t copied = 0;
  for (const Literal& literal : out.lifted.literals) {
    text += out.text.substr(copied, literal.span.begin - copied);
    switch (literal.kind) {
      case Literal::Kind::kInteger:
        text += generator.integer();
        break;
      case Literal::Kind::kFloat:
        text += generator.real();
        break;
      default:
        text += generator.string();
        break;
    }
    copied = literal.span.end();
  }
  return text + out.text.substr(copied);
}

TEST(AnalyzeProperty, FactsHoldForEveryTextOfTheSameKey) {
  int compared = 0;
  for_each_statement([&](const Analyzed& out, SqlGenerator& generator) {
    const Analyzed other = analyzed(with_other_literals(out, generator));
    ASSERT_EQ(other.lifted.key, out.lifted.key);
    if (!other.result || out.first().literal_dependent) {
      return;
    }
    ++compared;
    EXPECT_FALSE(other.first().literal_dependent);
    EXPECT_EQ(to_text(other.first(), PrintSpans::kOmit), to_text(out.first(), PrintSpans::kOmit))
        << other.text;
  });
  EXPECT_GT(compared, kStatements / 3);
}

void expect_same_place(const Analyzed& out, const Analyzed& other, Span part, Span there) {
  if (!part.empty()) {
    EXPECT_EQ(
        span_in(out.first(), other.lifted.literals, part).of(other.text),
        there.of(other.first().text)
    );
  }
}

TEST(SpanIn, FindsThePlaceInAnotherTextOfTheSameKey) {
  for_each_statement([](const Analyzed& out, SqlGenerator& generator) {
    const Analyzed other = analyzed(with_other_literals(out, generator));
    if (!other.result) {
      return;
    }
    ASSERT_EQ(other.first().blocks.size(), out.first().blocks.size());
    for (std::size_t i = 0; i < out.first().blocks.size(); ++i) {
      const Block& block = out.first().blocks[i];
      const Block& there = other.first().blocks[i];
      expect_same_place(out, other, block.span, there.span);
      expect_same_place(out, other, block.spans.from, there.spans.from);
      expect_same_place(out, other, block.spans.where, there.spans.where);
      for (std::size_t k = 0; k < block.targets.size(); ++k) {
        expect_same_place(out, other, block.targets[k].expression, there.targets[k].expression);
      }
    }
  });
}

// A level put together again from its clauses is the level.
TEST(AnalyzeProperty, ClausesPutTogetherAreTheSelect) {
  std::size_t known = 0;
  std::size_t total = 0;
  for_each_statement([&](const Analyzed& out, SqlGenerator&) {
    const Statement& statement = out.first();
    for (const Block& block : statement.blocks) {
      const bool is_select = block.set_operation == SetOperation::kNone && block.values.empty()
                             && !block.targets.empty() && !block.is_modifying_cte
                             && block.spans.select.length > 0;
      ++total;
      known += block.spans.known ? 1 : 0;
      if (!is_select) {
        continue;
      }
      std::string text;
      for (const Span part :
           {block.spans.select, block.spans.targets, block.spans.from, block.spans.where,
            block.spans.group, block.spans.having, block.spans.window, block.spans.order,
            block.spans.limit, block.spans.locking}) {
        text += std::string(part.of(statement.text)) + "\n";
      }
      const Analyzed again = analyzed(text);
      ASSERT_TRUE(again.result) << text;
      EXPECT_EQ(again.first().blocks[0].targets.size(), block.targets.size());
      EXPECT_EQ(again.first().blocks[0].relations.size(), block.relations.size());
      EXPECT_EQ(again.first().blocks[0].group_by.size(), block.group_by.size());
      EXPECT_EQ(again.first().blocks[0].order_by.size(), block.order_by.size());
    }
  });
  EXPECT_GT(known, total * 9 / 10);
}

TEST(AnalyzeProperty, ExpressionsOfTargetsStandAlone) {
  for_each_statement([](const Analyzed& out, SqlGenerator&) {
    const Statement& statement = out.first();
    for (const Block& block : statement.blocks) {
      for (const Target& target : block.targets) {
        if (target.expression.empty()) {
          continue;
        }
        const Analyzed again =
            analyzed("SELECT " + std::string(target.expression.of(statement.text)) + "\n");
        ASSERT_TRUE(again.result) << target.expression.of(statement.text);
        EXPECT_EQ(again.first().blocks[0].targets.size(), 1U);
        EXPECT_EQ(
            again.first().blocks[0].targets[0].facts.columns.size(), target.facts.columns.size()
        );
      }
    }
  });
}

}  // namespace
}  // namespace sherd::sql
