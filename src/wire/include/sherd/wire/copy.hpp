#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/wire/message.hpp>

namespace sherd::wire {

/// How COPY data is written. Source: PostgreSQL 15 manual, COPY.
struct CopyFormat {
  enum class Kind : std::uint8_t { kText, kCsv, kBinary };

  Kind kind = Kind::kText;
  char delimiter = '\t';
  char quote = '"';   // CSV
  char escape = '"';  // CSV
  std::string null_text = "\\N";
  bool header = false;  // text and CSV: the first line is no row

  [[nodiscard]] static CopyFormat text() { return {}; }
  [[nodiscard]] static CopyFormat csv() {
    return {.kind = Kind::kCsv, .delimiter = ',', .null_text = ""};
  }
  [[nodiscard]] static CopyFormat binary() { return {.kind = Kind::kBinary}; }
};

/// One row, or one of the things around the rows. Views live until the next call of the splitter
/// and as long as the chunk.
struct CopyRow {
  enum class Kind : std::uint8_t {
    kRow,
    kHeader,  // the header line of text and CSV; signature, flags and extension of binary
    kEnd,  // the line "\." of text and CSV, the trailer of binary. Text and CSV: all that follows
           // is swallowed, as PostgreSQL 15 does; binary: data behind it is an error
  };

  Kind kind = Kind::kRow;
  Bytes raw{};                 // as sent, line end included (the very last row may have none)
  Bytes key_raw{};             // the wanted field as sent: escaped, quoted; of binary its bytes
  std::optional<Bytes> key{};  // the same, decoded; nullopt for NULL, and where no field is wanted
  std::uint64_t line = 0;      // 1-based line of its beginning; binary: number of the row
};

/// Cuts a stream of COPY data into rows, wherever the chunks end, and picks one field of each.
///
/// Line ends are those of the first line (\n, \r\n or \r), and another kind is an error, as in
/// PostgreSQL. "\." counts only as a whole line of its own (and in CSV only outside quotes); where
/// PostgreSQL 15 would take an unescaped "\." at the end of a text line for the end of data, this
/// is an error: a shard would drop in silence what follows. The data must be in an encoding whose
/// multi-byte characters hold no ASCII bytes: not SJIS, BIG5, GBK, GB18030, UHC, JOHAB.
///
/// Not thread-safe. Cost: a pass over the bytes to find the line end, a second up to the wanted
/// field; no allocation for rows that lie in one chunk and need no decoding.
class CopyRowSplitter {
 public:
  enum class Next : std::uint8_t { kRow, kNeedMore, kBad };

  struct Options {
    std::optional<std::uint32_t> key_field{};  // 0-based
    std::size_t max_row_bytes = kMaxMessageBytes;
  };
  CopyRowSplitter(CopyFormat format, Options options);

  /// Takes bytes from the front of `chunk` up to the end of the next row.
  [[nodiscard]] Next next(Bytes& chunk, CopyRow& row);
  /// The stream has ended (CopyDone). Call it until it says kNeedMore: there is at most one more
  /// row.
  [[nodiscard]] Next finish(CopyRow& row);

  /// After kBad: kBadCopyFormat (message with the line), or kProgramLimit for a row over the limit.
  /// Stays bad for good.
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  /// Rows given so far, without header and end.
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }

 private:
  enum class Eol : std::uint8_t { kUnknown, kNewline, kReturn, kReturnNewline };
  // What a step of the scan over the row under way says. Its end is then at scanned_.
  enum class Found : std::uint8_t { kGoOn, kNeedMore, kRow, kMarker, kBad };
  enum class BinaryState : std::uint8_t { kHeader, kTuple, kAfterTrailer };

  [[nodiscard]] Next bad(ErrorCode code, std::string message);
  [[nodiscard]] Found bad_data(std::string_view what);
  void forget_delivered();
  [[nodiscard]] Next next_from_buffer(Bytes& chunk, CopyRow& row);
  [[nodiscard]] Found find_end(Bytes data, bool is_last);
  [[nodiscard]] Found find_text_end(Bytes data, bool is_last);
  [[nodiscard]] Found find_csv_end(Bytes data, bool is_last);
  [[nodiscard]] Found on_newline();
  [[nodiscard]] Found on_return(Bytes data, bool is_last);
  [[nodiscard]] Found on_backslash(Bytes data, bool is_last);
  [[nodiscard]] Found check_marker(Bytes data, bool is_last);
  void step_csv_quotes(char c) noexcept;
  [[nodiscard]] Found find_binary_header(Bytes data);
  [[nodiscard]] Found find_tuple_end(Bytes data);
  [[nodiscard]] Next deliver(Bytes raw, Found found, CopyRow& row);
  [[nodiscard]] bool pick_key(CopyRow& row);

  CopyFormat format_;
  Options options_;
  Error error_{};
  std::string buffer_{};   // the beginning of a row that the chunks so far did not end
  std::string decoded_{};  // the key where it had to be unescaped
  std::uint64_t rows_ = 0;
  std::uint64_t line_ = 1;         // of the beginning of the row under way
  std::uint64_t inner_lines_ = 0;  // line ends inside the row under way
  std::size_t scanned_ = 0;        // bytes of the row under way that need no second look
  std::uint32_t fields_left_ = 0;  // binary: of the tuple under way
  std::uint8_t eol_bytes_ = 0;     // length of the line end of the row under way
  Eol eol_ = Eol::kUnknown;
  BinaryState binary_ = BinaryState::kHeader;
  bool in_quote_ = false;
  bool last_was_escape_ = false;
  bool header_pending_ = false;
  bool has_ended_ = false;  // saw the end marker
  bool is_bad_ = false;
  bool delivered_buffer_ = false;  // buffer_ holds a row that the caller has seen
};

}  // namespace sherd::wire
