#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>

#include <unistd.h>

#include <sherd/base/fault.hpp>

namespace sherd::fault {
namespace {

struct Armed {
  std::string name;
  FaultAction action;
  unsigned remaining;
};

std::mutex mutex;  // guards both below; never taken while nothing is armed
std::vector<Armed> armed;
std::vector<std::string> names_reached;

}  // namespace

std::atomic<bool> any_armed{false};

void arm(std::string name, FaultAction action, unsigned nth) {
  const std::scoped_lock lock(mutex);
  armed.push_back({std::move(name), action, std::max(nth, 1U)});
  any_armed.store(true, std::memory_order_relaxed);
}

bool arm_from_text(std::string_view text) {
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    unsigned nth = 1;
    if (const auto at = item.find('@'); at != std::string_view::npos) {
      const std::string_view digits = item.substr(at + 1);
      const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), nth);
      if (ec != std::errc{} || end != digits.data() + digits.size()) {
        return false;
      }
      item = item.substr(0, at);
    }
    const auto equals = item.find('=');
    if (equals == std::string_view::npos) {
      return false;
    }
    const std::string_view what = item.substr(equals + 1);
    if (what != "crash" && what != "fail") {
      return false;
    }
    arm(std::string(item.substr(0, equals)),
        what == "crash" ? FaultAction::kCrash : FaultAction::kFail, nth);
  }
  return true;
}

void disarm_all() {
  const std::scoped_lock lock(mutex);
  armed.clear();
  names_reached.clear();
  any_armed.store(false, std::memory_order_relaxed);
}

std::vector<std::string> reached() {
  const std::scoped_lock lock(mutex);
  return names_reached;
}

FaultAction reach_slow(std::string_view name) {
  const std::scoped_lock lock(mutex);
  if (std::ranges::find(names_reached, name) == names_reached.end()) {
    names_reached.emplace_back(name);
  }
  for (Armed& entry : armed) {
    if (entry.name != name || entry.remaining == 0) {
      continue;
    }
    if (--entry.remaining == 0) {
      if (entry.action == FaultAction::kCrash) {
        ::_exit(137);  // as kill -9 would: no destructor, no flush
      }
      return entry.action;
    }
  }
  return FaultAction::kNone;
}

}  // namespace sherd::fault
