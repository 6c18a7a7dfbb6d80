#include "layout.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace sherd::strategy {
namespace {

bool is_plain(char c) noexcept {
  return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '"' && c != '\\';
}

// The character after a backslash, decoded; takes it off `text`.
std::optional<char> take_escape(std::string_view& text) noexcept {
  if (text.empty()) {
    return std::nullopt;
  }
  const char c = text.front();
  text.remove_prefix(1);
  if (c == '"' || c == '\\') {
    return c;
  }
  if (c == 'n') {
    return '\n';
  }
  if (c != 'x' || text.size() < 2) {
    return std::nullopt;
  }
  std::uint8_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + 2, value, 16);
  if (parsed.ptr != text.data() + 2) {
    return std::nullopt;
  }
  text.remove_prefix(2);
  return static_cast<char>(value);
}

// A quoted word whose opening quote has been taken.
bool take_quoted(std::string_view& text, std::string& word) {
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"') {
      return text.empty() || text.front() == ' ';
    }
    if (c != '\\') {
      word += c;
      continue;
    }
    const auto escaped = take_escape(text);
    if (!escaped) {
      return false;
    }
    word += *escaped;
  }
  return false;
}

bool split_words(std::string_view line, std::vector<std::string>& words) {
  while (!line.empty()) {
    std::string word;
    if (line.front() == '"') {
      line.remove_prefix(1);
      if (!take_quoted(line, word)) {
        return false;
      }
    } else {
      const std::size_t end = std::min(line.find(' '), line.size());
      word = line.substr(0, end);
      if (word.empty() || !std::ranges::all_of(word, is_plain)) {
        return false;
      }
      line.remove_prefix(end);
    }
    words.push_back(std::move(word));
    if (!line.empty()) {
      line.remove_prefix(1);  // the one space
      if (line.empty()) {
        return false;
      }
    }
  }
  return !words.empty();
}

}  // namespace

void append_word(std::string& out, std::string_view word) {
  if (!out.empty() && out.back() != '\n') {
    out += ' ';
  }
  if (!word.empty() && std::ranges::all_of(word, is_plain)) {
    out += word;
    return;
  }
  out += '"';
  for (const char c : word) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

Result<std::optional<std::vector<std::string>>> LayoutReader::next() {
  if (rest_.empty()) {
    return std::nullopt;
  }
  ++line_;
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  std::vector<std::string> words;
  if (!split_words(rest_.substr(0, end), words)) {
    return damaged("the line cannot be split into words");
  }
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return words;
}

std::unexpected<Error> LayoutReader::damaged(std::string_view what) const {
  return fail(
      ErrorCode::kInvalidConfig, fmt::format("placement layout, line {}: {}", line_, what),
      "restore the layout from the catalog's last good epoch"
  );
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) noexcept {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()
      || value > max) {
    return std::nullopt;
  }
  return value;
}

std::optional<NumberRun> parse_run(std::string_view text, std::uint32_t max) noexcept {
  const std::size_t hyphen = std::min(text.find('-'), text.size());
  const auto low = parse_number(text.substr(0, hyphen), max);
  const auto high = hyphen == text.size() ? low : parse_number(text.substr(hyphen + 1), max);
  if (!low || !high || *low > *high) {
    return std::nullopt;
  }
  return NumberRun{static_cast<std::uint32_t>(*low), static_cast<std::uint32_t>(*high)};
}

}  // namespace sherd::strategy
