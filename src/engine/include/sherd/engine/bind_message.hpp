#pragma once

#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>

namespace sherd::engine {

/// The parts of a Bind body behind its two names, as they came: handed on without being taken
/// apart. Borrowed.
struct BindMessage {
  Bytes parameters{};      // formats and values, with their counts
  Bytes result_formats{};  // with its count
};
/// REQUIRES a body that wire::Bind::decode accepts.
[[nodiscard]] BindMessage split_bind(Bytes body);
/// Appends a whole Bind message. Its length cannot be over the limit: the parts came in one.
void append_bind(
    std::string& out, std::string_view portal, std::string_view statement, Bytes parameters,
    Bytes result_formats
);

}  // namespace sherd::engine
