#include <benchmark/benchmark.h>

#include "test_world.hpp"

namespace sherd::plan {
namespace {

using testing::parse;
using testing::Values;
using testing::World;

const World& world() {
  static const World kWorld;
  return kWorld;
}

void check_owner(benchmark::State& state, ShardId shard, std::int64_t key) {
  if (shard != world().owner(key)) {
    state.SkipWithError("wrong shard");
  }
}

void route_literal(benchmark::State& state) {
  const auto parsed = parse("SELECT name FROM users WHERE id = 12345");
  const auto route = Route::compile(*parsed->statement, world().context());
  for (auto _ : state) {
    const auto shard = route->shard(parsed->lifted.literals, {}, world().snapshot());
    benchmark::DoNotOptimize(shard);
  }
  check_owner(state, **route->shard(parsed->lifted.literals, {}, world().snapshot()), 12345);
}
BENCHMARK(route_literal);

void route_parameter(benchmark::State& state) {
  const auto parsed = parse("SELECT name FROM users WHERE id = $1");
  const auto route = Route::compile(*parsed->statement, world().context());
  std::string bytes;
  append_be(bytes, std::int64_t{12345});
  Values values;
  values.add(bytes, oid::kInt8, 1);
  const Parameters parameters = values.get();
  for (auto _ : state) {
    const auto shard = route->shard({}, parameters, world().snapshot());
    benchmark::DoNotOptimize(shard);
  }
  check_owner(state, **route->shard({}, parameters, world().snapshot()), 12345);
}
BENCHMARK(route_parameter);

void plan_statement(benchmark::State& state, const char* text) {
  const auto parsed = parse(text);
  const Context context = world().context();
  for (auto _ : state) {
    const auto plan = make_plan(*parsed->statement, parsed->lifted.literals, {}, context);
    if (!plan) {
      state.SkipWithError(plan.error().message.c_str());
    }
    benchmark::DoNotOptimize(plan);
  }
}
BENCHMARK_CAPTURE(plan_statement, point, "SELECT name FROM users WHERE id = 12345");
BENCHMARK_CAPTURE(plan_statement, insert, "INSERT INTO users (id, name) VALUES (12345, 'x')");
BENCHMARK_CAPTURE(
    plan_statement, join,
    "SELECT * FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 12345 ORDER BY o.id"
);
BENCHMARK_CAPTURE(
    plan_statement, merge, "SELECT name, age FROM users WHERE age > 3 ORDER BY name LIMIT 10"
);
BENCHMARK_CAPTURE(
    plan_statement, groups,
    "SELECT age, count(*), avg(balance) FROM users GROUP BY age ORDER BY 2 DESC LIMIT 10"
);

void compile_route(benchmark::State& state) {
  const auto parsed = parse("SELECT name FROM users WHERE id = 12345");
  const Context context = world().context();
  for (auto _ : state) {
    benchmark::DoNotOptimize(Route::compile(*parsed->statement, context));
  }
}
BENCHMARK(compile_route);

}  // namespace
}  // namespace sherd::plan
