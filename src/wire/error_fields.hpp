#pragma once

#include <cstdint>
#include <string>

#include <sherd/wire/backend.hpp>

/// The letters of error and notice fields. Private to the module.
namespace sherd::wire {

struct TextField {
  char letter;
  std::string ErrorFields::* member;
};
struct NumberField {
  char letter;
  std::uint32_t ErrorFields::* member;
};

// In the order in which a server sends them, numbers apart.
inline constexpr TextField kTextFields[] = {
    {'S', &ErrorFields::severity},       {'V', &ErrorFields::severity_fixed},
    {'C', &ErrorFields::code},           {'M', &ErrorFields::message},
    {'D', &ErrorFields::detail},         {'H', &ErrorFields::hint},
    {'q', &ErrorFields::internal_query}, {'W', &ErrorFields::where},
    {'s', &ErrorFields::schema},         {'t', &ErrorFields::table},
    {'c', &ErrorFields::column},         {'d', &ErrorFields::datatype},
    {'n', &ErrorFields::constraint},     {'F', &ErrorFields::file},
    {'R', &ErrorFields::routine},
};
inline constexpr NumberField kNumberFields[] = {
    {'P', &ErrorFields::position},
    {'p', &ErrorFields::internal_position},
    {'L', &ErrorFields::line},
};

}  // namespace sherd::wire
