#pragma once

#include <sherd/config/config.hpp>

#include "diagnostics.hpp"

namespace sherd::config {

/// Checks what no single option can show: names that must exist, must differ, or do not go
/// together.
void validate(const Config& config, Diagnostics& diagnostics);

}  // namespace sherd::config
