#include "copy_fields.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "byte_search.hpp"

namespace sherd::wire {
namespace {

constexpr bool is_octal(char c) noexcept {
  return c >= '0' && c <= '7';
}

constexpr int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Up to `most` digits at `at`, which is moved behind them. The value keeps its low byte only.
template <class DigitOf>
char take_digits(std::string_view text, std::size_t& at, int most, int base, DigitOf digit_of) {
  int value = 0;
  for (int i = 0; i < most && at < text.size() && digit_of(text[at]) >= 0; ++i, ++at) {
    value = value * base + digit_of(text[at]);
  }
  return static_cast<char>(value & 0xFF);
}

constexpr char letter_escape(char c) noexcept {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return c;  // every other character stands for itself
  }
}

// The character that the escape with its backslash before `at` stands for; `at` moves behind it.
char take_escape(std::string_view raw, std::size_t& at) {
  const char c = raw[at];
  if (is_octal(c)) {
    return take_digits(raw, at, 3, 8, [](char d) { return is_octal(d) ? d - '0' : -1; });
  }
  ++at;
  if (c == 'x' && at < raw.size() && hex_digit(raw[at]) >= 0) {
    return take_digits(raw, at, 2, 16, hex_digit);
  }
  return letter_escape(c);
}

void decode_text(std::string_view raw, std::string& out) {
  out.clear();
  for (std::size_t at = 0; at < raw.size();) {
    const std::size_t backslash = std::min(raw.find('\\', at), raw.size());
    out.append(raw.substr(at, backslash - at));
    at = backslash + 1;
    if (at < raw.size()) {
      out.push_back(take_escape(raw, at));
    }
  }
}

// End of the field that begins at `from`: at its delimiter or at the end of the line. A backslash
// that ends the line belongs to no field, as in PostgreSQL.
struct TextEnd {
  std::size_t end = 0;
  std::size_t next = 0;  // where the next field begins; beyond the line if there is none
  bool has_escape = false;
};

TextEnd end_of_text_field(Bytes line, std::size_t from, char delimiter) {
  TextEnd found;
  std::size_t at = from;
  while (true) {
    at = find_any(line, at, std::array{delimiter, '\\'});
    if (at >= line.size() || as_text(line)[at] == delimiter) {
      found.end = at;
      break;
    }
    found.has_escape = true;
    if (at + 1 == line.size()) {
      found.end = at;
      at = line.size();
      break;
    }
    at += 2;
  }
  found.next = at + 1;
  return found;
}

std::optional<PickedField> pick_text(
    Bytes line, const CopyFormat& format, std::uint32_t field, std::string& scratch
) {
  std::size_t begin = 0;
  TextEnd found = end_of_text_field(line, begin, format.delimiter);
  for (std::uint32_t i = 0; i < field; ++i) {
    if (found.next > line.size()) {
      return std::nullopt;
    }
    begin = found.next;
    found = end_of_text_field(line, begin, format.delimiter);
  }
  PickedField picked{.raw = line.subspan(begin, found.end - begin), .value = {}};
  if (as_text(picked.raw) == format.null_text) {
    return picked;
  }
  picked.value = picked.raw;
  if (found.has_escape) {
    decode_text(as_text(picked.raw), scratch);
    picked.value = as_bytes(scratch);
  }
  return picked;
}

// Walks the fields of a CSV line. `sink` takes the decoded bytes, or is null where none are wanted.
class CsvWalker {
 public:
  CsvWalker(std::string_view line, const CopyFormat& format) : line_(line), format_(format) {}

  struct Field {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool has_quote = false;
    bool is_last = false;
  };
  Field next(std::string* sink) {
    Field field{.begin = at_, .end = 0, .has_quote = false, .is_last = false};
    while (at_ < line_.size() && line_[at_] != format_.delimiter) {
      if (line_[at_] == format_.quote) {
        field.has_quote = true;
        ++at_;
        skip_quoted(sink);
      } else {
        put(sink, line_[at_++]);
      }
    }
    field.end = at_;
    field.is_last = at_ >= line_.size();
    ++at_;
    return field;
  }

 private:
  static void put(std::string* sink, char c) {
    if (sink != nullptr) {
      sink->push_back(c);
    }
  }
  // Up to and over the closing quote. The splitter has seen that there is one.
  void skip_quoted(std::string* sink) {
    while (at_ < line_.size()) {
      const char c = line_[at_++];
      const char following = at_ < line_.size() ? line_[at_] : '\0';
      const bool escapes = c == format_.escape && at_ < line_.size()
                           && (following == format_.escape || following == format_.quote);
      if (escapes) {
        put(sink, following);
        ++at_;
      } else if (c == format_.quote) {
        return;
      } else {
        put(sink, c);
      }
    }
  }

  std::string_view line_;
  const CopyFormat& format_;
  std::size_t at_ = 0;
};

std::optional<PickedField> pick_csv(
    Bytes line, const CopyFormat& format, std::uint32_t field, std::string& scratch
) {
  CsvWalker walker(as_text(line), format);
  for (std::uint32_t i = 0; i < field; ++i) {
    if (walker.next(nullptr).is_last) {
      return std::nullopt;
    }
  }
  scratch.clear();
  const CsvWalker::Field found = walker.next(&scratch);
  PickedField picked{.raw = line.subspan(found.begin, found.end - found.begin), .value = {}};
  if (found.has_quote) {
    picked.value = as_bytes(scratch);
  } else if (as_text(picked.raw) != format.null_text) {
    picked.value = picked.raw;
  }
  return picked;
}

std::optional<PickedField> pick_binary(Bytes tuple, std::uint32_t field) {
  ByteReader reader(tuple);
  const auto count = reader.read<std::uint16_t>();
  if (field >= count) {
    return std::nullopt;
  }
  PickedField picked;
  for (std::uint32_t i = 0; i <= field; ++i) {
    const auto size = reader.read<std::int32_t>();
    picked.raw = reader.read_bytes(size > 0 ? static_cast<std::size_t>(size) : 0);
    picked.value = size < 0 ? std::nullopt : std::optional(picked.raw);
  }
  return picked;
}

}  // namespace

std::optional<PickedField> pick_field(
    Bytes line, const CopyFormat& format, std::uint32_t field, std::string& scratch
) {
  switch (format.kind) {
    case CopyFormat::Kind::kText:
      return pick_text(line, format, field, scratch);
    case CopyFormat::Kind::kCsv:
      return pick_csv(line, format, field, scratch);
    case CopyFormat::Kind::kBinary:
      return pick_binary(line, field);
  }
  return std::nullopt;
}

}  // namespace sherd::wire
