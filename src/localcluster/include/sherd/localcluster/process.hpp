#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <sys/types.h>

#include <sherd/base/error.hpp>

namespace sherd::localcluster {

struct Output {
  int exit_status = 0;  // 128 + signal when a signal ended it
  std::string text{};   // stdout and stderr, at most 64 KiB of the end
};

/// The user that server processes run as: nobody else where we are not root, "postgres" where we
/// are (PostgreSQL refuses to run as root).
struct RunAs {
  uid_t uid = 0;
  gid_t gid = 0;
  bool change = false;
};
[[nodiscard]] Result<RunAs> server_user();

/// Runs `arguments` (the first is the program's path) to its end. Blocks. kTimeout ends it by its
/// pid.
[[nodiscard]] Result<Output> run(
    const std::vector<std::string>& arguments, const RunAs& as, std::chrono::milliseconds limit
);

}  // namespace sherd::localcluster
