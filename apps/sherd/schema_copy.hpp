#pragma once

#include <sherd/base/error.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::program {

/// Gives the empty database `to` the schema of `from` (pg_dump --schema-only), without the router's
/// own tables. One transaction: all of it or nothing. kIo with what the tools printed.
[[nodiscard]] Result<> copy_schema(const topology::Endpoint& from, const topology::Endpoint& to);

}  // namespace sherd::program
