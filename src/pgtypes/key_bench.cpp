// What it costs to make a key and to hash it.

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <sherd/pgtypes/key.hpp>

namespace {

using namespace sherd;
using namespace sherd::pgtypes;

constexpr std::size_t kKeys = 4096;

std::vector<std::string> texts_of(KeyType type) {
  std::mt19937_64 random(1);
  std::vector<std::string> texts;
  std::string scratch;
  for (std::size_t i = 0; i < kKeys; ++i) {
    Key key = integer_key(type, static_cast<std::int64_t>(random() >> 1));
    for (std::byte& byte : key.uuid) {
      byte = static_cast<std::byte>(random());
    }
    key.integer = is_integer(type) ? key.integer : key.integer % 800'000'000'000'000'000;
    key.text = type == KeyType::kNumeric ? "1234567.89" : "user@example.com";
    texts.emplace_back(canonical_text(key, scratch));
  }
  return texts;
}

void key_from_text_of(benchmark::State& state, KeyType type) {
  const auto texts = texts_of(type);
  std::string scratch;
  for (auto _ : state) {
    std::size_t bad = 0;
    for (const std::string& text : texts) {
      bad += key_from_text(type, text, scratch).has_value() ? 0U : 1U;
    }
    if (bad != 0) {
      state.SkipWithError("a text was refused");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(texts.size()));
}

void partition_hash_of(benchmark::State& state, KeyType type) {
  const auto texts = texts_of(type);
  std::vector<Key> keys;
  std::string scratch;
  for (const std::string& text : texts) {
    keys.push_back(*key_from_text(type, text, scratch));
  }
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (const Key& key : keys) {
      sum += partition_hash(key);
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(keys.size()));
}

BENCHMARK_CAPTURE(key_from_text_of, bigint, KeyType::kInt8);
BENCHMARK_CAPTURE(key_from_text_of, uuid, KeyType::kUuid);
BENCHMARK_CAPTURE(key_from_text_of, text, KeyType::kText);
BENCHMARK_CAPTURE(key_from_text_of, timestamp, KeyType::kTimestamp);
BENCHMARK_CAPTURE(key_from_text_of, numeric, KeyType::kNumeric);
BENCHMARK_CAPTURE(partition_hash_of, bigint, KeyType::kInt8);
BENCHMARK_CAPTURE(partition_hash_of, uuid, KeyType::kUuid);
BENCHMARK_CAPTURE(partition_hash_of, text, KeyType::kText);

}  // namespace
