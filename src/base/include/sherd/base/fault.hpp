#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sherd {

/// A named place in a protocol at which a test can make something happen: kill the process, fail
/// the step, wait. Compiled away without SHERD_FAULT_POINTS; costs one relaxed load where nothing
/// is armed. Names are dotted: "txn.prepared", "txn.decided".
enum class FaultAction : unsigned char { kNone, kFail, kCrash };

namespace fault {

/// Arms `name` once: the `nth` time (1-based) it is reached, `action` happens. Thread-safe.
void arm(std::string name, FaultAction action, unsigned nth = 1);
/// Arms what SHERD_FAULT says: "name=crash,name=fail@3". Returns false if the text is malformed.
[[nodiscard]] bool arm_from_text(std::string_view text);
void disarm_all();
/// Names reached since disarm_all, for tests that demand that each was hit. Recorded only while
/// something is armed.
[[nodiscard]] std::vector<std::string> reached();

extern std::atomic<bool> any_armed;
[[nodiscard]] FaultAction reach_slow(std::string_view name);

/// True when the step must fail. Never returns when the process is to crash.
[[nodiscard]] inline bool fails_at(std::string_view name) {
#ifdef SHERD_FAULT_POINTS
  return any_armed.load(std::memory_order_relaxed) && reach_slow(name) == FaultAction::kFail;
#else
  (void)name;
  return false;
#endif
}

}  // namespace fault
}  // namespace sherd
