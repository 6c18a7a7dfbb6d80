#include <algorithm>

#include <sherd/sql/transfer.hpp>

namespace sherd::sql {
namespace {

// Between two literals all texts of one key are alike: a place is as far behind the literal before
// it, or before the literal behind it, as it was.
std::uint32_t place_in(
    const Statement& statement, std::span<const Literal> literals, std::uint32_t place
) noexcept {
  const std::vector<Span>& old = statement.literal_spans;
  const std::span<const Literal> now = literals.subspan(statement.literal_base);
  const auto behind = std::ranges::partition_point(old, [place](const Span& literal) {
    return literal.end() <= place;
  });
  const auto index = static_cast<std::size_t>(behind - old.begin());
  if (index > 0) {
    return now[index - 1].span.end() + (place - old[index - 1].end());
  }
  if (!old.empty()) {
    return now[0].span.begin - (old[0].begin - place);
  }
  return statement.text_begin + place;
}

}  // namespace

Span span_in(const Statement& statement, std::span<const Literal> literals, Span part) noexcept {
  const std::uint32_t begin = place_in(statement, literals, part.begin);
  return {begin, place_in(statement, literals, part.end()) - begin};
}

}  // namespace sherd::sql
