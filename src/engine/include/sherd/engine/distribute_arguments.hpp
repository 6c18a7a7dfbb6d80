#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sherd/engine/arguments.hpp>
#include <sherd/engine/change.hpp>

namespace sherd::engine {

/// create_distributed_table, create_reference_table, undistribute_table.
[[nodiscard]] bool is_distribute_function(std::string_view name);

/// What a call of one of them asks for. kUndefinedTable, kUndefinedColumn, kInvalidParameterValue,
/// with the nearest known name as hint.
[[nodiscard]] Result<DistributeRequest> distribute_request(
    std::string_view function, const std::vector<Argument>& arguments,
    const topology::Snapshot& snapshot, const std::vector<std::string>& search_path
);

}  // namespace sherd::engine
