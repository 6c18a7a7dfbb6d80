#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/sql/statement.hpp>

namespace sherd::sql {

/// A literal of the text. Borrows the text.
struct Literal {
  enum class Kind : std::uint8_t { kInteger, kFloat, kString, kBitString };
  Kind kind = Kind::kInteger;
  bool has_escapes = false;  // `raw` is not the value yet: doubled quotes, E'' escapes: see decode
  bool is_escape_string = false;  // E'…'
  bool is_whole = true;    // false: U&'…', or pieces on several lines: `raw` is not all of it
  std::string_view raw{};  // number as written, or the text between the quotes
  Span span{};             // with quotes and prefix
};

/// The value of a string literal. `scratch` holds it where escapes had to be resolved.
[[nodiscard]] Result<std::string_view> decode(const Literal& literal, std::string& scratch);

/// A statement text with its literals taken out, so that `id = 1` and `id = 2` are one.
struct Lifted {
  std::string key{
  };  // the text with each literal replaced by a mark of its kind; reused between calls
  std::uint64_t hash = 0;           // of key
  std::vector<Literal> literals{};  // in order of the text
  bool certain = true;  // false: the text can't be lexed with certainty (unterminated quote, U&'',
                        // …): do not cache
  bool has_comment = false;  // a hint may stand in it
  bool multiple = false;     // a semicolon with something after it
};

/// Lifts the literals of `text` into `out` (whose buffers are reused). Agrees with PostgreSQL's own
/// lexer for every text it calls certain. Cost: about 2 ns a byte; allocates nothing once `out` has
/// grown.
void lift(std::string_view text, bool standard_conforming_strings, Lifted& out);

}  // namespace sherd::sql
