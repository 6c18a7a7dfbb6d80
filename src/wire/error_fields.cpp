#include "error_fields.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <sherd/wire/backend.hpp>

#include "decode.hpp"

namespace sherd::wire {
namespace {

// A number in a field is for people and clients, not for us: what is no number counts as absent.
std::uint32_t number_in(std::string_view text) noexcept {
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc{} && end == text.data() + text.size() ? value : 0;
}

bool is_sqlstate(std::string_view code) noexcept {
  return code.size() == 5 && std::ranges::all_of(code, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

void set_field(ErrorFields& fields, char letter, std::string_view value) {
  for (const TextField& row : kTextFields) {
    if (row.letter == letter) {
      fields.*row.member = value;
      return;
    }
  }
  for (const NumberField& row : kNumberFields) {
    if (row.letter == letter) {
      fields.*row.member = number_in(value);
      return;
    }
  }
}

}  // namespace

Result<ErrorFields> ErrorFields::decode(Bytes body) {
  ErrorFields fields;
  ByteReader reader(body);
  while (true) {
    const char letter = reader.read<char>();
    if (letter == '\0') {
      break;  // the terminator, or nothing was left
    }
    set_field(fields, letter, reader.read_cstring());
  }
  if (!reader.finished()) {
    return malformed("ErrorResponse");
  }
  return fields;
}

bool ErrorFields::ends_connection() const noexcept {
  return severity_name() == "FATAL" || severity_name() == "PANIC";
}

Error to_error(const ErrorFields& fields, std::string shard) {
  return Error{
      .code = ErrorCode::kShardError,
      .message = fields.message,
      .detail = fields.detail,
      .hint = fields.hint,
      .shard = std::move(shard),
      .sqlstate_of_shard = is_sqlstate(fields.code) ? fields.code : "XX000",
      .position = fields.position,
  };
}

ErrorFields to_fields(const Error& error, Severity severity) {
  ErrorFields fields;
  fields.severity = name_of(severity);
  fields.severity_fixed = fields.severity;
  fields.code = error.sqlstate();
  fields.message = error.message;
  fields.detail = error.detail;
  fields.hint = error.hint;
  fields.position = error.position;
  return fields;
}

CommandTag parse_command_tag(std::string_view tag) noexcept {
  CommandTag parsed{.verb = tag};
  // Numbers stand at the end: one (rows), or two for INSERT (oid, rows).
  const auto take_number = [&parsed]() -> std::optional<std::uint64_t> {
    const auto space = parsed.verb.rfind(' ');
    if (space == std::string_view::npos || space == 0) {
      return std::nullopt;
    }
    const std::string_view digits = parsed.verb.substr(space + 1);
    std::uint64_t value = 0;
    const auto [end, problem] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (problem != std::errc{} || end != digits.data() + digits.size()) {
      return std::nullopt;
    }
    parsed.verb = parsed.verb.substr(0, space);
    return value;
  };
  parsed.rows = take_number();
  if (parsed.rows) {
    parsed.oid = take_number();
  }
  return parsed;
}

std::string to_text(const CommandTag& tag) {
  std::string text(tag.verb);
  if (tag.oid) {
    text += fmt::format(" {}", *tag.oid);
  }
  if (tag.rows) {
    text += fmt::format(" {}", *tag.rows);
  }
  return text;
}

}  // namespace sherd::wire
