#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sherd/net/loop.hpp>

namespace sherd::net {

/// Timers by time, then by order of their start: a binary heap that knows where each timer is.
/// Cost: start, cancel and take are O(log n); next is O(1).
class TimerHeap {
 public:
  TimerId start(TimePoint at, Callback function);
  bool cancel(TimerId id) noexcept;
  /// The earliest, TimePoint::max() when there is none.
  [[nodiscard]] TimePoint next() const noexcept {
    return heap_.empty() ? TimePoint::max() : heap_.front().at;
  }
  /// The number that the next timer to be started will have.
  [[nodiscard]] std::uint64_t next_number() const noexcept { return next_number_; }
  /// Takes the first timer, if it is due at `now` and its number is below `below`.
  [[nodiscard]] std::optional<Callback> take_due(TimePoint now, std::uint64_t below);
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }

 private:
  struct Entry {
    TimePoint at;
    std::uint64_t number;
    std::uint32_t slot;
    [[nodiscard]] bool before(const Entry& other) const noexcept {
      return at != other.at ? at < other.at : number < other.number;
    }
  };
  struct Slot {
    Callback function;
    std::uint32_t place = 0;       // in the heap
    std::uint32_t generation = 1;  // grows when the slot is freed, so that old ids miss
  };

  void put(std::size_t place, Entry entry) noexcept;
  void sift_up(std::size_t place) noexcept;
  void sift_down(std::size_t place) noexcept;
  /// Takes the entry at `place` off the heap and frees its slot.
  Callback remove(std::size_t place) noexcept;

  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t next_number_ = 0;
};

}  // namespace sherd::net
