#pragma once

namespace sherd {

/// Prints the condition and where it stands, then aborts. For defects of ours only: nothing that a
/// client or a shard sends may reach a failing check.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace sherd

/// Always on.
#define SHERD_CHECK(condition) \
  ((condition) ? void(0) : ::sherd::check_failed(#condition, __FILE__, __LINE__))

/// Debug builds only, for what a hot path cannot pay.
#ifdef NDEBUG
#define SHERD_DCHECK(condition) void(0)
#else
#define SHERD_DCHECK(condition) SHERD_CHECK(condition)
#endif
