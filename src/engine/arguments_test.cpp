#include <gtest/gtest.h>

#include <sherd/engine/arguments.hpp>

namespace sherd::engine {
namespace {

std::string print(
    std::string_view text, const std::vector<std::optional<std::string>>& parameters = {}
) {
  const auto arguments = parse_arguments(text, parameters);
  if (!arguments) {
    return std::string(arguments.error().sqlstate());
  }
  std::string printed;
  for (const Argument& argument : *arguments) {
    printed += argument.name + "=" + argument.value.value_or("NULL") + ";";
  }
  return printed;
}

TEST(ParseArguments, ReadsConstantsNamesAndCasts) {
  EXPECT_EQ(print(""), "");
  EXPECT_EQ(print("'users', 'user_id'"), "=users;=user_id;");
  EXPECT_EQ(print(" 'a''b'::regclass , Colocate_With => 'x'::text"), "=a'b;colocate_with=x;");
  EXPECT_EQ(print("'t', slots := 1024, x => NULL, y => true"), "=t;slots=1024;x=NULL;y=true;");
  EXPECT_EQ(print("$1, $2", {"t", std::nullopt}), "=t;=NULL;");
}

TEST(ParseArguments, RefusesWhatWouldHaveToBeComputed) {
  for (const char* text : {"lower('X')", "'a' || 'b'", "$1", "t", "'a' 'b' c", "('a')"}) {
    EXPECT_EQ(print(text), "0A000") << text;
  }
}

}  // namespace
}  // namespace sherd::engine
