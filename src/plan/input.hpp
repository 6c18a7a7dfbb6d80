#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <sherd/pgtypes/oid.hpp>
#include <sherd/plan/plan.hpp>
#include <sherd/sql/transfer.hpp>

namespace sherd::plan {

using BlockId = std::uint32_t;

/// How often each "$n" with n in 1..`highest` stands in `text`, by n: also in comments and strings,
/// which errs on the safe side.
[[nodiscard]] std::vector<std::uint32_t> count_mentions(
    std::string_view text, std::uint32_t highest
);

/// What make_plan was given, as one value. Borrowed. Not thread-safe.
struct Input {
  const sql::Statement& statement;
  std::span<const sql::Literal> literals;
  const Parameters& parameters;
  const Context& context;
  mutable std::vector<std::uint32_t> mention_counts{
  };  // of parameters in the text, once they are asked for

  [[nodiscard]] std::uint32_t mentions(std::uint32_t parameter) const {
    if (mention_counts.empty()) {
      mention_counts = count_mentions(statement.text, statement.parameter_count);
    }
    return parameter < mention_counts.size() ? mention_counts[parameter] : 0;
  }
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
