#include <cstdio>
#include <cstdlib>

#include <sherd/base/check.hpp>

namespace sherd {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "sherd: check failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace sherd
