#include <cstdlib>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include <sherd/sql/analyze.hpp>
#include <sherd/sql/cache.hpp>
#include <sherd/sql/lift.hpp>

#include "pg_nodes.hpp"

namespace sherd::sql {
namespace {

const std::string kPointQuery = "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;";
const std::string kReport =
    "SELECT c.region, count(*) AS n, sum(o.total) FROM orders o JOIN customers c ON c.id = "
    "o.customer_id "
    "WHERE o.customer_id IN (1, 2, 3) AND o.placed_at >= '2024-01-01'::timestamptz AND o.state <> "
    "'cancelled' "
    "GROUP BY c.region HAVING sum(o.total) > 100 ORDER BY n DESC LIMIT 20";

const std::string& text_of(const benchmark::State& state) {
  return state.range(0) == 0 ? kPointQuery : kReport;
}

void set_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text_of(state).size()));
}

void BM_Lift(benchmark::State& state) {
  Lifted lifted;
  for (auto _ : state) {
    lift(text_of(state), true, lifted);
    benchmark::DoNotOptimize(lifted.hash);
  }
  if (lifted.literals.empty() || !lifted.certain) {
    state.SkipWithError("nothing lifted");
  }
  set_bytes(state);
}
BENCHMARK(BM_Lift)->Arg(0)->Arg(1);

void BM_LiftAndFind(benchmark::State& state) {
  BoundedCache<std::shared_ptr<const Statement>> cache(1 << 20);
  Lifted lifted;
  for (int i = 0; i < 500; ++i) {
    lift(
        "SELECT c" + std::to_string(i) + " FROM pgbench_accounts WHERE aid = 12345;", true, lifted
    );
    cache.insert(lifted.hash, lifted.key, std::make_shared<Statement>(), 1000);
  }
  lift(text_of(state), true, lifted);
  cache.insert(lifted.hash, lifted.key, std::make_shared<Statement>(), 1000);
  for (auto _ : state) {
    lift(text_of(state), true, lifted);
    const auto* found = cache.find(lifted.hash, lifted.key);
    if (found == nullptr) {
      state.SkipWithError("lost");
      break;
    }
    benchmark::DoNotOptimize(found);
  }
}
BENCHMARK(BM_LiftAndFind)->Arg(0)->Arg(1);

// The yardstick of BM_Analyze: the bare parse that it cannot do without.
void BM_RawParse(benchmark::State& state) {
  for (auto _ : state) {
    MemoryContext memory = pg_query_enter_memory_context();
    const PgQueryInternalParsetreeAndError parsed = pg_query_raw_parse(text_of(state).c_str());
    benchmark::DoNotOptimize(parsed.tree);
    std::free(parsed.stderr_buffer);
    pg_query_exit_memory_context(memory);
  }
  set_bytes(state);
}
BENCHMARK(BM_RawParse)->Arg(0)->Arg(1);

void BM_Analyze(benchmark::State& state) {
  Lifted lifted;
  lift(text_of(state), true, lifted);
  for (auto _ : state) {
    auto analysis = analyze(text_of(state), lifted.literals);
    if (!analysis || analysis->statements.size() != 1) {
      state.SkipWithError("not analysed");
      break;
    }
    benchmark::DoNotOptimize(analysis);
  }
  set_bytes(state);
}
BENCHMARK(BM_Analyze)->Arg(0)->Arg(1);

void BM_AnalyzeInsertOfManyRows(benchmark::State& state) {
  std::string text = "INSERT INTO t (id, a) VALUES (1, 'x')";
  for (int i = 0; i < 1000; ++i) {
    text += ", (" + std::to_string(i) + ", 'value')";
  }
  Lifted lifted;
  lift(text, true, lifted);
  for (auto _ : state) {
    benchmark::DoNotOptimize(analyze(text, lifted.literals));
  }
  state.SetItemsProcessed(state.iterations() * 1001);
}
BENCHMARK(BM_AnalyzeInsertOfManyRows);

}  // namespace
}  // namespace sherd::sql
