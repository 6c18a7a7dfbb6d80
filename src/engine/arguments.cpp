#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include <sherd/base/text.hpp>
#include <sherd/engine/arguments.hpp>
#include <sherd/sql/lift.hpp>

namespace sherd::engine {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}
bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'
         || (static_cast<unsigned char>(c) & 0x80) != 0;
}

class ArgumentReader {
 public:
  ArgumentReader(std::string_view text, const std::vector<std::optional<std::string>>& parameters)
      : text_(text), parameters_(parameters) {
    sql::lift(text_, true, lifted_);
  }

  Result<std::vector<Argument>> read() {
    std::vector<Argument> arguments;
    skip_space();
    while (at_ < text_.size()) {
      SHERD_TRY(Argument argument, read_one());
      arguments.push_back(std::move(argument));
      skip_space();
      if (at_ == text_.size()) {
        break;
      }
      if (text_[at_] != ',') {
        return not_a_constant();
      }
      ++at_;
      skip_space();
    }
    return arguments;
  }

 private:
  std::unexpected<Error> not_a_constant() const {
    return fail(
        ErrorCode::kUnsupported, fmt::format("cannot read the arguments \"{}\"", text_),
        "give constants, as in 'users', 'user_id'"
    );
  }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) {
      ++at_;
    }
  }
  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) {
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  Result<Argument> read_one() {
    Argument argument;
    const std::size_t begin = at_;
    const std::string_view name = word();
    skip_space();
    const bool is_named =
        !name.empty() && (text_.substr(at_, 2) == "=>" || text_.substr(at_, 2) == ":=");
    if (is_named) {
      argument.name = to_lower(name);
      at_ += 2;
      skip_space();
    } else {
      at_ = begin;
    }
    SHERD_TRY(argument.value, read_value());
    skip_cast();
    return argument;
  }

  Result<std::optional<std::string>> read_value() {
    for (const sql::Literal& literal : lifted_.literals) {
      if (literal.span.begin == at_ && literal.is_whole) {
        std::string scratch;
        SHERD_TRY(const std::string_view value, sql::decode(literal, scratch));
        at_ = literal.span.end();
        return std::string(value);
      }
    }
    if (at_ < text_.size() && text_[at_] == '$') {
      ++at_;
      const std::string_view digits = word();
      std::size_t number = 0;
      const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (ec != std::errc{} || number == 0 || number > parameters_.size()) {
        return not_a_constant();
      }
      return parameters_[number - 1];
    }
    const std::string constant = to_lower(word());
    if (constant == "null") {
      return std::nullopt;
    }
    if (constant == "true" || constant == "false") {
      return constant;
    }
    return not_a_constant();
  }

  // '…'::regclass, ::text: the value's text is all that is wanted.
  void skip_cast() {
    skip_space();
    while (text_.substr(at_, 2) == "::") {
      at_ += 2;
      while (at_ < text_.size()
             && (is_name_char(text_[at_]) || text_[at_] == '.' || text_[at_] == '['
                 || text_[at_] == ']')) {
        ++at_;
      }
      skip_space();
    }
  }

  std::string_view text_;
  const std::vector<std::optional<std::string>>& parameters_;
  sql::Lifted lifted_{};
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<Argument>> parse_arguments(
    std::string_view text, const std::vector<std::optional<std::string>>& parameters
) {
  return ArgumentReader(text, parameters).read();
}

}  // namespace sherd::engine
