#pragma once

#include <vector>

#include <sherd/exec/copy.hpp>
#include <sherd/plan/plan.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::engine {

/// Which of `shards` (by index) a COPY row belongs to. Holds the placement, so it may outlive the
/// snapshot.
[[nodiscard]] exec::CopyIn::Router copy_router(
    const topology::Group& group, const plan::CopyPlan& copy, std::vector<ShardId> shards
);

}  // namespace sherd::engine
