#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>

// Layouts are text: one record per line, words separated by one space. A word that is empty or
// holds a space, a quote, a backslash or a control character stands in double quotes, with \" \\ \n
// and \xHH inside. The first word of the first line is the strategy's name.

namespace sherd::strategy {

inline constexpr std::size_t kMaxLayoutBytes = std::size_t{64} * 1024 * 1024;

/// Appends `word` to a line, with what separates it from the word before.
void append_word(std::string& out, std::string_view word);

template <class... Words>
void append_line(std::string& out, const Words&... words) {
  (append_word(out, words), ...);
  out += '\n';
}

/// Reads a layout line by line.
class LayoutReader {
 public:
  explicit LayoutReader(std::string_view text) noexcept : rest_(text) {}

  /// The words of the next line; none at the end. kInvalidConfig for bad quoting.
  [[nodiscard]] Result<std::optional<std::vector<std::string>>> next();
  /// What has not been read.
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
  /// An error that points at the line read last.
  [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const;

 private:
  std::string_view rest_;
  std::uint32_t line_ = 0;
};

/// A decimal number in 0..max, nothing else.
[[nodiscard]] std::optional<std::uint64_t> parse_number(
    std::string_view text, std::uint64_t max
) noexcept;

/// "low-high" with low <= high <= max, or one number for both.
struct NumberRun {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
};
[[nodiscard]] std::optional<NumberRun> parse_run(std::string_view text, std::uint32_t max) noexcept;

}  // namespace sherd::strategy
