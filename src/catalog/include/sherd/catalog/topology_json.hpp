#pragma once

#include <string>
#include <string_view>

#include <sherd/base/error.hpp>
#include <sherd/strategy/placement.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::catalog {

/// `spec` as JSON text on one line: {"kind":"slot","key_type":"bigint","slots":4096}. Options that
/// the kind does not use are left out. kInvalidText if a text in it is not UTF-8.
[[nodiscard]] Result<std::string> spec_to_json(const strategy::StrategySpec& spec);
/// The reverse. kInvalidText names the field that is wrong or unknown.
[[nodiscard]] Result<strategy::StrategySpec> spec_from_json(std::string_view json);

/// The topology as JSON, for the audit, `--json` and SHOW TOPOLOGY: shards, groups, tables;
/// addresses and passwords are left out.
[[nodiscard]] std::string topology_to_json(const topology::Snapshot& snapshot);

}  // namespace sherd::catalog
