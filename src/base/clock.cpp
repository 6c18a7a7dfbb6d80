#include <cstdlib>

#include <sys/random.h>

#include <sherd/base/clock.hpp>

namespace sherd {
namespace {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] std::chrono::system_clock::time_point wall() const noexcept override {
    return std::chrono::system_clock::now();
  }
};

class SystemRandom final : public RandomSource {
 public:
  [[nodiscard]] std::uint64_t next() override {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
      std::abort();  // no randomness: cancel keys and ids would be guessable
    }
    return value;
  }
};

}  // namespace

const Clock& system_clock() noexcept {
  static const SystemClock clock;
  return clock;
}

RandomSource& system_random() noexcept {
  static SystemRandom random;
  return random;
}

}  // namespace sherd
