// Keys to shards on one core. Counters: keys per second. Each benchmark checks that every key found
// a shard.

#include <array>
#include <charconv>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <sherd/strategy/placement.hpp>

namespace {

using namespace sherd;
using namespace sherd::strategy;
using pgtypes::Key;
using pgtypes::KeyType;

constexpr std::size_t kKeys = 8192;

std::vector<Member> members(std::int64_t count) {
  std::vector<Member> made;
  for (std::int64_t i = 0; i < count; ++i) {
    made.push_back({
        .id = ShardId(static_cast<std::uint32_t>(i)),
        .name = fmt::format("shard{}", i),
        .region = fmt::format("region-{}", i),
    });
  }
  return made;
}

std::vector<Key> integer_keys() {
  std::mt19937_64 random(1);
  std::vector<Key> keys;
  for (std::size_t i = 0; i < kKeys; ++i) {
    keys.push_back(pgtypes::integer_key(KeyType::kInt8, static_cast<std::int64_t>(random() >> 1)));
  }
  return keys;
}

std::vector<Key> uuid_keys() {
  std::mt19937_64 random(2);
  std::vector<Key> keys(kKeys, Key{.type = KeyType::kUuid});
  for (Key& key : keys) {
    for (std::byte& byte : key.uuid) {
      byte = static_cast<std::byte>(random());
    }
  }
  return keys;
}

// Borrowed from `texts`.
std::vector<Key> text_keys(const std::vector<std::string>& texts) {
  std::vector<Key> keys;
  for (const std::string& text : texts) {
    keys.push_back({.type = KeyType::kText, .text = text});
  }
  return keys;
}

std::vector<std::string> region_texts(std::int64_t count) {
  std::mt19937_64 random(3);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < kKeys; ++i) {
    texts.push_back(fmt::format("region-{}", random() % static_cast<std::uint64_t>(count)));
  }
  return texts;
}

StrategySpec equal_ranges(std::int64_t count) {
  StrategySpec spec{.kind = StrategyKind::kRange};
  const std::int64_t width = INT64_MAX / count;
  for (std::int64_t i = 0; i < count; ++i) {
    RangeSpec range{.shard = fmt::format("shard{}", i)};
    if (i > 0) {
      range.low = std::to_string(i * width);
    }
    if (i + 1 < count) {
      range.high = std::to_string((i + 1) * width - 1);
    }
    spec.ranges.push_back(std::move(range));
  }
  return spec;
}

void measure(benchmark::State& state, const StrategySpec& spec, const std::vector<Key>& keys) {
  const auto placement = compile(spec, members(state.range(0)));
  if (!placement) {
    state.SkipWithError(placement.error().message.c_str());
    return;
  }
  std::uint64_t lost = 0;
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (const Key& key : keys) {
      const auto owner = (*placement)->try_owner(key);
      lost += owner ? 0 : 1;
      sum += index_of(owner.value_or(ShardId{}));
    }
    benchmark::DoNotOptimize(sum);
  }
  if (lost != 0) {
    state.SkipWithError("a key has no shard");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(keys.size()));
}

void slot_bigint(benchmark::State& state) {
  measure(state, {}, integer_keys());
}
void slot_uuid(benchmark::State& state) {
  measure(state, {.key_type = KeyType::kUuid}, uuid_keys());
}
void range_bigint(benchmark::State& state) {
  measure(state, equal_ranges(state.range(0)), integer_keys());
}
void geographic_text(benchmark::State& state) {
  const auto texts = region_texts(state.range(0));
  measure(state, {.kind = StrategyKind::kGeographic, .key_type = KeyType::kText}, text_keys(texts));
}
void directory_bigint(benchmark::State& state) {
  StrategySpec spec{.kind = StrategyKind::kDirectory};
  spec.fallback = std::make_shared<const StrategySpec>();
  const auto keys = integer_keys();
  for (std::size_t i = 0; i < keys.size(); i += 2) {  // every other key is pinned
    spec.pins[std::to_string(keys[i].integer)] = "shard0";
  }
  measure(state, spec, keys);
}
void hash_md5_bigint(benchmark::State& state) {
  measure(state, {.kind = StrategyKind::kHash}, integer_keys());
}
void hash_sha256_bigint(benchmark::State& state) {
  measure(state, {.kind = StrategyKind::kHash, .hash = HashFunction::kSha256}, integer_keys());
}
void ring_md5_bigint(benchmark::State& state) {
  measure(state, {.kind = StrategyKind::kConsistentHash}, integer_keys());
}

// The yardstick of the hash family: libcrypto alone, on the same texts, its context and algorithm
// reused.
void bare_evp_md5(benchmark::State& state) {
  std::vector<std::string> texts;
  for (const Key& key : integer_keys()) {
    texts.push_back(std::to_string(key.integer));
  }
  EVP_MD* md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  for (auto _ : state) {
    for (const std::string& text : texts) {
      EVP_DigestInit_ex(context, md5, nullptr);
      EVP_DigestUpdate(context, text.data(), text.size());
      EVP_DigestFinal_ex(context, out.data(), nullptr);
      benchmark::DoNotOptimize(out);
    }
  }
  EVP_MD_CTX_free(context);
  EVP_MD_free(md5);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(texts.size()));
}

// What the Result costs over the optional.
void slot_owner_result(benchmark::State& state) {
  const auto placement = compile({}, members(10));
  const auto keys = integer_keys();
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (const Key& key : keys) {
      sum += index_of((*placement)->owner(key).value_or(ShardId{}));
    }
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(keys.size()));
}

BENCHMARK(slot_bigint)->Arg(10)->Arg(1000);
BENCHMARK(slot_uuid)->Arg(10)->Arg(1000);
BENCHMARK(range_bigint)->Arg(10)->Arg(1000);
BENCHMARK(geographic_text)->Arg(10)->Arg(1000);
BENCHMARK(directory_bigint)->Arg(10)->Arg(1000);
BENCHMARK(bare_evp_md5);
BENCHMARK(hash_md5_bigint)->Arg(10)->Arg(1000);
BENCHMARK(ring_md5_bigint)->Arg(10)->Arg(1000);
BENCHMARK(hash_sha256_bigint)->Arg(10);
BENCHMARK(slot_owner_result);

}  // namespace
