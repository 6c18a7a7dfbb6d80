#include "timers.hpp"

#include <utility>

namespace sherd::net {

TimerId TimerHeap::start(TimePoint at, Callback function) {
  std::uint32_t slot = 0;
  if (free_slots_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
    free_slots_.reserve(slots_.size());  // so that cancel cannot fail
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot].function = std::move(function);
  heap_.push_back({.at = at, .number = next_number_++, .slot = slot});
  sift_up(heap_.size() - 1);
  return TimerId((std::uint64_t{slots_[slot].generation} << 32) | slot);
}

bool TimerHeap::cancel(TimerId id) noexcept {
  const auto slot = static_cast<std::uint32_t>(static_cast<std::uint64_t>(id));
  const auto generation = static_cast<std::uint32_t>(static_cast<std::uint64_t>(id) >> 32);
  if (slot >= slots_.size() || slots_[slot].generation != generation) {
    return false;
  }
  const Callback dropped = remove(slots_[slot].place);  // its destructor may use the heap again
  return true;
}

std::optional<Callback> TimerHeap::take_due(TimePoint now, std::uint64_t below) {
  if (heap_.empty() || heap_.front().at > now || heap_.front().number >= below) {
    return std::nullopt;
  }
  return remove(0);
}

void TimerHeap::put(std::size_t place, Entry entry) noexcept {
  heap_[place] = entry;
  slots_[entry.slot].place = static_cast<std::uint32_t>(place);
}

void TimerHeap::sift_up(std::size_t place) noexcept {
  const Entry entry = heap_[place];
  while (place > 0 && entry.before(heap_[(place - 1) / 2])) {
    put(place, heap_[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  put(place, entry);
}

void TimerHeap::sift_down(std::size_t place) noexcept {
  const Entry entry = heap_[place];
  while (true) {
    std::size_t child = 2 * place + 1;
    if (child >= heap_.size()) {
      break;
    }
    if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) {
      ++child;
    }
    if (!heap_[child].before(entry)) {
      break;
    }
    put(place, heap_[child]);
    place = child;
  }
  put(place, entry);
}

Callback TimerHeap::remove(std::size_t place) noexcept {
  const std::uint32_t slot = heap_[place].slot;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (place < heap_.size()) {
    put(place, last);
    sift_up(place);
    sift_down(slots_[last.slot].place);
  }
  Slot& freed = slots_[slot];
  ++freed.generation;
  if (freed.generation == 0) {
    freed.generation = 1;  // id 0 is kNone
  }
  free_slots_.push_back(slot);
  return std::exchange(freed.function, nullptr);
}

}  // namespace sherd::net
