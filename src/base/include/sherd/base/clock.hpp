#pragma once

#include <chrono>
#include <cstdint>

namespace sherd {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// The source of time, injected: a test owns its clock. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const noexcept = 0;  // monotonic
  [[nodiscard]] virtual std::chrono::system_clock::time_point wall() const noexcept = 0;
};

/// The machine's clock; lives as long as the program.
[[nodiscard]] const Clock& system_clock() noexcept;

/// The source of unpredictable bits, injected. Thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  /// 64 bits from a cryptographic generator (a seeded one in tests).
  [[nodiscard]] virtual std::uint64_t next() = 0;
};

/// The machine's generator (getrandom); lives as long as the program.
[[nodiscard]] RandomSource& system_random() noexcept;

/// The instant by which something must have happened; handed down by value.
class Deadline {
 public:
  constexpr explicit Deadline(TimePoint at) noexcept : at_(at) {}
  [[nodiscard]] static constexpr Deadline never() noexcept { return Deadline(TimePoint::max()); }
  [[nodiscard]] static Deadline after(const Clock& clock, Duration span) noexcept {
    return Deadline(clock.now() + span);
  }
  [[nodiscard]] constexpr TimePoint at() const noexcept { return at_; }
  [[nodiscard]] constexpr bool is_never() const noexcept { return at_ == TimePoint::max(); }
  [[nodiscard]] constexpr bool passed(TimePoint now) const noexcept { return now >= at_; }
  [[nodiscard]] constexpr Deadline sooner(Deadline other) const noexcept {
    return at_ < other.at_ ? *this : other;
  }

 private:
  TimePoint at_;
};

}  // namespace sherd
