#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>

namespace sherd::engine {

/// An argument of a call of one of the router's own functions.
struct Argument {
  std::string name{};                  // lower case; "" when given by position
  std::optional<std::string> value{};  // NULL: nullopt
};

/// Reads the text between the parentheses of such a call: string, number, boolean and NULL
/// constants, `$n`, each with an optional `name =>` before and a cast behind; arrays of them are
/// not values here.
/// @param parameters  texts of $1, $2, …
/// @return kUnsupported for anything that would have to be computed.
[[nodiscard]] Result<std::vector<Argument>> parse_arguments(
    std::string_view text, const std::vector<std::optional<std::string>>& parameters
);

}  // namespace sherd::engine
