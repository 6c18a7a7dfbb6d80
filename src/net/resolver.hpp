#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/net/address.hpp>

#include "endpoint.hpp"
#include "mailbox.hpp"

namespace sherd::net {

using Endpoints = Result<std::vector<Endpoint>>;
using ResolveCallback = std::move_only_function<void(Endpoints)>;

/// Looks the name up in a thread of its own (at most 8 in the program; more wait their turn) and
/// posts `done` to `mailbox`; after the loop's end it is destroyed in that thread. kCannotConnect
/// when the name is unknown. Thread-safe.
void resolve(Address address, std::shared_ptr<Mailbox> mailbox, ResolveCallback done);
/// The same, blocking.
[[nodiscard]] Endpoints resolve_now(const Address& address, bool is_passive);

}  // namespace sherd::net
