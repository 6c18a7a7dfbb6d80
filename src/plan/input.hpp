#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <sherd/pgtypes/oid.hpp>
#include <sherd/plan/plan.hpp>
#include <sherd/sql/transfer.hpp>

namespace sherd::plan {

using BlockId = std::uint32_t;

/// What make_plan was given, as one value. Borrowed.
struct Input {
  const sql::Statement& statement;
  std::span<const sql::Literal> literals;
  const Parameters& parameters;
  const Context& context;

  [[nodiscard]] const topology::Snapshot& topology() const noexcept { return *context.topology; }
  [[nodiscard]] const topology::Schema& schema() const noexcept {
    return *context.topology->schema;
  }
  /// The piece of this very text that `part` of the analysed text stands for.
  [[nodiscard]] std::string_view piece(sql::Span part) const {
    return context.text.empty() ? part.of(statement.text)
                                : sql::span_in(statement, literals, part).of(context.text);
  }
};

/// Whether the client, or the server's description, said of what type parameter `number` is.
[[nodiscard]] inline bool is_declared(const Parameters& parameters, std::uint32_t number) {
  const std::size_t i = number - 1;
  return i < parameters.types.size() && parameters.types[i] != 0
         && parameters.types[i] != oid::kUnknown;
}

/// 0A000 with what to change.
[[nodiscard]] inline std::unexpected<Error> refuse(std::string message, std::string hint) {
  return fail(ErrorCode::kUnsupported, std::move(message), std::move(hint));
}

}  // namespace sherd::plan
