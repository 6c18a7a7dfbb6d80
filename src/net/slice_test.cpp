#include <random>

#include <gtest/gtest.h>

#include "buffer_pool.hpp"
#include "output_queue.hpp"

namespace sherd::net {
namespace {

TEST(Slice, PartsKeepTheBytesAfterTheWholeIsGone) {
  Slice part;
  {
    const Slice whole = Slice::adopt(std::string(1000, 'a') + "tail");
    part = whole.sub(1000, 4);
  }
  EXPECT_EQ(part.text(), "tail");
}

TEST(Slice, CopyDoesNotFollowItsSource) {
  std::string source = "before";
  const Slice copy = Slice::copy_of(source);
  source = "after!";
  EXPECT_EQ(copy.text(), "before");
}

TEST(Slice, SelfAssignmentKeepsTheBytes) {
  Slice slice = Slice::copy_of("bytes");
  const Slice& same = slice;
  slice = same;
  EXPECT_EQ(slice.text(), "bytes");
}

TEST(Slice, StaticAndEmptyNeedNoBlock) {
  EXPECT_EQ(Slice::of_static("constant").sub(0, 5).text(), "const");
  EXPECT_TRUE(Slice::copy_of("").empty());
  EXPECT_TRUE(Slice::adopt("").empty());
}

TEST(BufferPool, SlicesGiveTheirBuffersBack) {
  auto pool = *BufferPool::create(8, 64);
  {
    const std::uint16_t id = pool->take();
    pool->data(id)[0] = std::byte{'x'};
    const Slice slice = pool->filled(id, 1);
    EXPECT_EQ(slice.data(), pool->data(id));
    EXPECT_EQ(pool->available(), 7U);
  }
  EXPECT_EQ(pool->available(), 8U);
}

TEST(BufferPool, BytesAreCopiedOutWhenBuffersRunShort) {
  auto pool = *BufferPool::create(8, 64);
  std::vector<Slice> hoard;
  for (int i = 0; i < 100; ++i) {
    const std::uint16_t id = pool->take();
    pool->data(id)[0] = static_cast<std::byte>(i);
    hoard.push_back(pool->filled(id, 1));
    ASSERT_GE(pool->available(), 2U);  // a quarter
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(hoard[static_cast<std::size_t>(i)].data()[0], static_cast<std::byte>(i));
  }
}

TEST(BufferPool, SlicesOutliveThePool) {
  auto pool = *BufferPool::create(8, 64);
  const std::uint16_t id = pool->take();
  pool->data(id)[0] = std::byte{'x'};
  Slice slice = pool->filled(id, 1);
  pool.reset();
  EXPECT_EQ(slice.text(), "x");
}

std::string read_all(const OutputQueue& queue, std::size_t limit) {
  std::array<iovec, 4> pieces;
  std::string text;
  const std::size_t count = queue.fill(pieces, limit);
  for (std::size_t i = 0; i < count; ++i) {
    text.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return text;
}

TEST(OutputQueue, AnyMixOfPushesAndPartialConsumesKeepsTheStream) {
  std::mt19937 random(20250101);
  OutputQueue queue;
  std::string expected;
  for (int step = 0; step < 20000; ++step) {
    const std::string bytes(
        random() % (random() % 8 == 0 ? 3000 : 40), static_cast<char>(random())
    );
    const bool is_growing = (step / 500) % 2 == 0;
    if (is_growing || random() % 4 == 0) {
      random() % 2 == 0 ? queue.push_copy(bytes) : queue.push(Slice::copy_of(bytes));
      expected += bytes;
    }
    const std::string shown = read_all(queue, 1 + random() % 4000);
    ASSERT_EQ(shown, expected.substr(0, shown.size()));
    ASSERT_EQ(shown.empty(), expected.empty());
    if (!is_growing || random() % 4 == 0) {
      const std::size_t count = shown.empty() ? 0 : random() % (shown.size() + 1);
      queue.consume(count);
      expected.erase(0, count);
    }
    ASSERT_EQ(queue.bytes(), expected.size());
  }
}

TEST(OutputQueue, ShownBytesStayWhereTheyAreWhileMoreArePushed) {
  OutputQueue queue;
  queue.push_copy("first");
  std::array<iovec, 1> pieces;
  ASSERT_EQ(queue.fill(pieces, 100), 1U);
  for (int i = 0; i < 1000; ++i) {
    queue.push_copy("more and more of it");
  }
  EXPECT_EQ(std::string_view(static_cast<const char*>(pieces[0].iov_base), 5), "first");
}

}  // namespace
}  // namespace sherd::net
