#include <list>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include <sherd/sql/cache.hpp>

namespace sherd::sql {
namespace {

using Cache = BoundedCache<int>;

// Few values, so that probing chains are long.
std::uint64_t weak_hash(std::string_view key) {
  return key.empty() ? 0 : static_cast<std::uint8_t>(key[0]) % 5;
}

std::size_t room_for(std::size_t entries) {
  return entries * Cache::cost_of("k0", 0);
}

int* find(Cache& cache, std::string_view key) {
  return cache.find(weak_hash(key), key);
}
int* insert(Cache& cache, std::string_view key, int value, std::size_t bytes = 0) {
  return cache.insert(weak_hash(key), key, value, bytes);
}

TEST(BoundedCache, WhatWasPutInIsFound) {
  Cache cache(room_for(4));
  insert(cache, "k1", 1);
  insert(cache, "k2", 2);
  ASSERT_NE(find(cache, "k1"), nullptr);
  EXPECT_EQ(*find(cache, "k1"), 1);
  EXPECT_EQ(find(cache, "k3"), nullptr);
}

TEST(BoundedCache, LeastRecentlyUsedGoesFirst) {
  Cache cache(room_for(2));
  insert(cache, "k1", 1);
  insert(cache, "k2", 2);
  EXPECT_NE(find(cache, "k1"), nullptr);
  insert(cache, "k3", 3);
  EXPECT_EQ(find(cache, "k2"), nullptr);
  EXPECT_NE(find(cache, "k1"), nullptr);
  EXPECT_EQ(cache.evictions(), 1U);
}

TEST(BoundedCache, SecondInsertReplaces) {
  Cache cache(room_for(2));
  insert(cache, "k1", 1);
  insert(cache, "k1", 5);
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_EQ(*find(cache, "k1"), 5);
}

TEST(BoundedCache, EntryLargerThanTheBoundIsNotKept) {
  Cache cache(room_for(2));
  insert(cache, "k1", 1);
  EXPECT_EQ(insert(cache, "k2", 2, room_for(3)), nullptr);
  EXPECT_EQ(find(cache, "k2"), nullptr);
  EXPECT_NE(find(cache, "k1"), nullptr);
}

TEST(BoundedCache, SmallerBoundEvictsAtOnce) {
  Cache cache(room_for(3));
  insert(cache, "k1", 1);
  insert(cache, "k2", 2);
  insert(cache, "k3", 3);
  cache.set_limit(room_for(1));
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_NE(find(cache, "k3"), nullptr);
}

// The plain way to say the same: a list in order of use.
class Model {
 public:
  explicit Model(std::size_t limit) : limit_(limit) {}
  int* find(const std::string& key) {
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->key == key) {
        entries_.splice(entries_.begin(), entries_, it);
        return &entries_.front().value;
      }
    }
    return nullptr;
  }
  void insert(const std::string& key, int value, std::size_t bytes) {
    erase(key);
    const std::size_t cost = Cache::cost_of(key, bytes);
    if (cost > limit_) {
      return;
    }
    while (used() + cost > limit_) {
      entries_.pop_back();
    }
    entries_.push_front({key, value, cost});
  }
  void erase(const std::string& key) {
    entries_.remove_if([&](const Entry& entry) { return entry.key == key; });
  }
  [[nodiscard]] std::size_t used() const {
    std::size_t sum = 0;
    for (const Entry& entry : entries_) {
      sum += entry.cost;
    }
    return sum;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    int value;
    std::size_t cost;
  };
  std::size_t limit_;
  std::list<Entry> entries_;
};

TEST(BoundedCache, BehavesAsTheModelDoes) {
  std::mt19937 random(42);
  const std::size_t limit = room_for(12);
  Cache cache(limit);
  Model model(limit);
  for (int step = 0; step < 50'000; ++step) {
    const std::string key = "k" + std::to_string(random() % 40);
    switch (random() % 5) {
      case 0: {
        const std::size_t bytes = random() % (limit / 4);
        insert(cache, key, step, bytes);
        model.insert(key, step, bytes);
        break;
      }
      case 1:
        cache.erase(weak_hash(key), key);
        model.erase(key);
        break;
      default: {
        const int* found = find(cache, key);
        const int* expected = model.find(key);
        ASSERT_EQ(found == nullptr, expected == nullptr) << step;
        ASSERT_TRUE(found == nullptr || *found == *expected) << step;
      }
    }
    ASSERT_EQ(cache.size(), model.size()) << step;
    ASSERT_EQ(cache.bytes(), model.used()) << step;
    ASSERT_LE(cache.bytes(), limit);
  }
  EXPECT_GT(cache.evictions(), 100U);
}

}  // namespace
}  // namespace sherd::sql
