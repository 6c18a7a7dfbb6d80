#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include <sherd/wire/copy.hpp>

#include "byte_search.hpp"
#include "copy_fields.hpp"

namespace sherd::wire {
namespace {

// A chunk is taken into the buffer by slices of this size, until the row under way ends.
constexpr std::size_t kSliceBytes = 4096;
// A buffer that once held a larger row is given back.
constexpr std::size_t kKeepBufferBytes = 64 * 1024;

constexpr std::array kSignature = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', '\xFF', '\r', '\n', '\0'};
constexpr std::size_t kBinaryHeaderBytes = kSignature.size() + 2 * sizeof(std::int32_t);
constexpr std::uint32_t kFlagOids = std::uint32_t{1} << 16;
constexpr std::uint32_t kCriticalFlags = 0xFFFF0000;

char at(Bytes data, std::size_t index) noexcept {
  return index < data.size() ? static_cast<char>(data[index]) : '\0';
}

}  // namespace

CopyRowSplitter::CopyRowSplitter(CopyFormat format, Options options)
    : format_(std::move(format)), options_(options) {
  header_pending_ = format_.header && format_.kind != CopyFormat::Kind::kBinary;
}

CopyRowSplitter::Next CopyRowSplitter::bad(ErrorCode code, std::string message) {
  error_ = Error{.code = code, .message = std::move(message)};
  is_bad_ = true;
  return Next::kBad;
}

CopyRowSplitter::Found CopyRowSplitter::bad_data(std::string_view what) {
  const bool is_binary = format_.kind == CopyFormat::Kind::kBinary;
  static_cast<void>(  // says kBad in another enumeration
      bad(ErrorCode::kBadCopyFormat, fmt::format(
                                         "{}, {} {}", what, is_binary ? "row" : "line",
                                         is_binary ? rows_ + 1 : line_ + inner_lines_
                                     ))
  );
  return Found::kBad;
}

void CopyRowSplitter::forget_delivered() {
  if (!delivered_buffer_) {
    return;
  }
  delivered_buffer_ = false;
  if (buffer_.capacity() > kKeepBufferBytes) {
    buffer_ = std::string();
  } else {
    buffer_.clear();
  }
}

CopyRowSplitter::Next CopyRowSplitter::next(Bytes& chunk, CopyRow& row) {
  if (is_bad_) {
    return Next::kBad;
  }
  forget_delivered();
  if (chunk.empty()) {
    return Next::kNeedMore;
  }
  if (has_ended_) {
    if (format_.kind == CopyFormat::Kind::kBinary) {
      return bad(ErrorCode::kBadCopyFormat, "received copy data after EOF marker");
    }
    chunk = {};
    return Next::kNeedMore;
  }
  if (!buffer_.empty()) {
    return next_from_buffer(chunk, row);
  }
  const Found found = find_end(chunk, false);
  if (found == Found::kBad) {
    return Next::kBad;
  }
  if (found == Found::kNeedMore) {
    return next_from_buffer(chunk, row);
  }
  const Bytes raw = chunk.first(scanned_);
  chunk = chunk.subspan(scanned_);
  return deliver(raw, found, row);
}

// The row under way begins in buffer_, or does not end in `chunk`.
CopyRowSplitter::Next CopyRowSplitter::next_from_buffer(Bytes& chunk, CopyRow& row) {
  while (!chunk.empty()) {
    const std::size_t before = buffer_.size();
    const Bytes slice = chunk.first(std::min(kSliceBytes, chunk.size()));
    buffer_.append(as_text(slice));
    const Found found = find_end(as_bytes(buffer_), false);
    if (found == Found::kBad) {
      return Next::kBad;
    }
    if (found == Found::kNeedMore) {
      chunk = chunk.subspan(slice.size());
      if (buffer_.size() > options_.max_row_bytes) {
        return bad(
            ErrorCode::kProgramLimit,
            fmt::format("COPY row of more than {} bytes", options_.max_row_bytes)
        );
      }
      continue;
    }
    chunk = chunk.subspan(scanned_ - before);
    buffer_.resize(scanned_);
    delivered_buffer_ = true;
    return deliver(as_bytes(buffer_), found, row);
  }
  return Next::kNeedMore;
}

CopyRowSplitter::Next CopyRowSplitter::finish(CopyRow& row) {
  if (is_bad_) {
    return Next::kBad;
  }
  forget_delivered();
  if (format_.kind == CopyFormat::Kind::kBinary) {
    if (binary_ == BinaryState::kHeader) {
      return bad(ErrorCode::kBadCopyFormat, "COPY file signature not recognized");
    }
    if (!buffer_.empty()) {
      return bad(ErrorCode::kBadCopyFormat, "unexpected EOF in COPY data");
    }
    return Next::kNeedMore;
  }
  if (has_ended_ || buffer_.empty()) {
    return Next::kNeedMore;
  }
  const Found found = find_end(as_bytes(buffer_), true);
  if (found == Found::kBad) {
    return Next::kBad;
  }
  delivered_buffer_ = true;
  return deliver(as_bytes(buffer_), found, row);
}

CopyRowSplitter::Found CopyRowSplitter::find_end(Bytes data, bool is_last) {
  switch (format_.kind) {
    case CopyFormat::Kind::kText:
      return find_text_end(data, is_last);
    case CopyFormat::Kind::kCsv:
      return find_csv_end(data, is_last);
    case CopyFormat::Kind::kBinary:
      return binary_ == BinaryState::kHeader ? find_binary_header(data) : find_tuple_end(data);
  }
  return Found::kBad;
}

CopyRowSplitter::Found CopyRowSplitter::find_text_end(Bytes data, bool is_last) {
  Found found = Found::kGoOn;
  while (found == Found::kGoOn) {
    scanned_ = find_any(data, scanned_, std::array{'\n', '\r', '\\'});
    if (scanned_ >= data.size()) {
      return is_last ? Found::kRow : Found::kNeedMore;
    }
    switch (at(data, scanned_)) {
      case '\n':
        found = on_newline();
        break;
      case '\r':
        found = on_return(data, is_last);
        break;
      default:
        found = on_backslash(data, is_last);
        break;
    }
  }
  return found;
}

CopyRowSplitter::Found CopyRowSplitter::find_csv_end(Bytes data, bool is_last) {
  if (scanned_ == 0 && at(data, 0) == '\\') {  // only here can the end marker stand
    if (data.size() == 1 && !is_last) {
      return Found::kNeedMore;
    }
    if (const Found found = check_marker(data, is_last); found != Found::kGoOn) {
      return found;
    }
    step_csv_quotes('\\');
    scanned_ = 1;
  }
  Found found = Found::kGoOn;
  while (found == Found::kGoOn) {
    const std::size_t from = scanned_;
    scanned_ = find_any(data, from, std::array{'\n', '\r', format_.quote, format_.escape});
    last_was_escape_ = last_was_escape_ && scanned_ == from;
    if (scanned_ >= data.size()) {
      if (is_last && in_quote_ && !header_pending_) {  // a header is skipped, whatever it holds
        return bad_data("unterminated CSV quoted field");
      }
      return is_last ? Found::kRow : Found::kNeedMore;
    }
    const char c = at(data, scanned_);
    if (c != '\n' && c != '\r') {
      step_csv_quotes(c);
      ++scanned_;
    } else if (in_quote_) {
      last_was_escape_ = false;
      inner_lines_ += c == (eol_ == Eol::kReturn ? '\r' : '\n') ? 1 : 0;
      ++scanned_;
    } else {
      found = c == '\n' ? on_newline() : on_return(data, is_last);
    }
  }
  return found;
}

// An escape counts only inside quotes, and not where it is the quote itself: then the quote is a
// toggle, and a doubled one toggles twice.
void CopyRowSplitter::step_csv_quotes(char c) noexcept {
  const bool is_escape = c == format_.escape && format_.escape != format_.quote;
  if (in_quote_ && is_escape) {
    last_was_escape_ = !last_was_escape_;
  }
  if (c == format_.quote && !last_was_escape_) {
    in_quote_ = !in_quote_;
  }
  if (!is_escape) {
    last_was_escape_ = false;
  }
}

CopyRowSplitter::Found CopyRowSplitter::on_newline() {
  if (eol_ == Eol::kReturn || eol_ == Eol::kReturnNewline) {
    return bad_data(
        format_.kind == CopyFormat::Kind::kCsv ? "unquoted newline found in data"
                                               : "literal newline found in data"
    );
  }
  eol_ = Eol::kNewline;
  eol_bytes_ = 1;
  ++scanned_;
  return Found::kRow;
}

CopyRowSplitter::Found CopyRowSplitter::on_return(Bytes data, bool is_last) {
  constexpr std::string_view kText = "literal carriage return found in data";
  constexpr std::string_view kCsv = "unquoted carriage return found in data";
  const std::string_view complaint = format_.kind == CopyFormat::Kind::kCsv ? kCsv : kText;
  if (eol_ == Eol::kNewline) {
    return bad_data(complaint);
  }
  eol_bytes_ = 1;
  if (eol_ != Eol::kReturn) {
    if (scanned_ + 1 >= data.size() && !is_last) {
      return Found::kNeedMore;
    }
    if (at(data, scanned_ + 1) == '\n') {
      eol_ = Eol::kReturnNewline;
      eol_bytes_ = 2;
    } else if (eol_ == Eol::kReturnNewline) {
      return bad_data(complaint);
    } else {
      eol_ = Eol::kReturn;
    }
  }
  scanned_ += eol_bytes_;
  return Found::kRow;
}

// Text: the character behind a backslash is part of a value, a line end too, unless the two are
// "\.".
CopyRowSplitter::Found CopyRowSplitter::on_backslash(Bytes data, bool is_last) {
  if (scanned_ + 1 >= data.size()) {
    if (!is_last) {
      return Found::kNeedMore;
    }
    scanned_ = data.size();
    return Found::kRow;
  }
  if (at(data, scanned_ + 1) != '.') {
    scanned_ += 2;
    return Found::kGoOn;
  }
  return check_marker(data, is_last);
}

// A backslash at scanned_. kGoOn: it begins no marker (CSV, where "\." may begin a value).
CopyRowSplitter::Found CopyRowSplitter::check_marker(Bytes data, bool is_last) {
  const bool is_csv = format_.kind == CopyFormat::Kind::kCsv;
  std::size_t end = scanned_ + 1;
  if (at(data, end++) != '.') {
    return Found::kGoOn;
  }
  const auto is_cut = [&] { return end >= data.size() && !is_last; };
  if (eol_ == Eol::kReturnNewline) {
    if (is_cut()) {
      return Found::kNeedMore;
    }
    if (const char c = at(data, end++); c != '\r') {
      return is_csv ? Found::kGoOn : bad_data("end-of-copy marker corrupt");
    }
  }
  if (is_cut()) {
    return Found::kNeedMore;
  }
  const char c = at(data, end++);
  if (c != '\r' && c != '\n') {
    return is_csv ? Found::kGoOn : bad_data("end-of-copy marker corrupt");
  }
  const char expected = eol_ == Eol::kReturn ? '\r' : '\n';
  if (eol_ != Eol::kUnknown && c != expected) {
    return bad_data("end-of-copy marker does not match previous newline style");
  }
  if (scanned_ != 0) {
    return bad_data("end-of-copy marker is not alone on its line");
  }
  scanned_ = end;
  return Found::kMarker;
}

CopyRowSplitter::Found CopyRowSplitter::find_binary_header(Bytes data) {
  const std::size_t compared = std::min(data.size(), kSignature.size());
  if (!std::equal(kSignature.begin(), kSignature.begin() + compared, as_text(data).begin())) {
    return bad_data("COPY file signature not recognized");
  }
  ByteReader reader(data.subspan(compared));
  const auto flags = reader.read<std::uint32_t>();
  const auto extension = reader.read<std::int32_t>();
  if (!reader.ok()) {
    return Found::kNeedMore;
  }
  if ((flags & kFlagOids) != 0) {
    return bad_data("invalid COPY file header (WITH OIDS)");
  }
  if ((flags & kCriticalFlags) != 0) {
    return bad_data("unrecognized critical flags in COPY file header");
  }
  if (extension < 0 || static_cast<std::size_t>(extension) > options_.max_row_bytes) {
    return bad_data("invalid COPY file header (wrong length)");
  }
  const std::size_t whole = kBinaryHeaderBytes + static_cast<std::size_t>(extension);
  if (data.size() < whole) {
    return Found::kNeedMore;
  }
  scanned_ = whole;
  return Found::kRow;
}

CopyRowSplitter::Found CopyRowSplitter::find_tuple_end(Bytes data) {
  if (scanned_ == 0) {
    if (data.size() < sizeof(std::int16_t)) {
      return Found::kNeedMore;
    }
    const auto count = load_be<std::int16_t>(data.data());
    scanned_ = sizeof count;
    if (count == -1) {
      return Found::kMarker;
    }
    if (count < 0) {
      return bad_data(fmt::format("row field count is {}", count));
    }
    fields_left_ = static_cast<std::uint32_t>(count);
  }
  while (fields_left_ > 0) {
    if (data.size() - scanned_ < sizeof(std::int32_t)) {
      return Found::kNeedMore;
    }
    const auto size = load_be<std::int32_t>(data.data() + scanned_);
    if (size < -1) {
      return bad_data("invalid field size");
    }
    const std::size_t end =
        scanned_ + sizeof size + (size > 0 ? static_cast<std::size_t>(size) : 0);
    if (end > options_.max_row_bytes) {  // before any of it is buffered
      static_cast<void>(
          bad(ErrorCode::kProgramLimit,
              fmt::format("COPY row of more than {} bytes", options_.max_row_bytes))
      );
      return Found::kBad;
    }
    if (end > data.size()) {
      return Found::kNeedMore;
    }
    scanned_ = end;
    --fields_left_;
  }
  return Found::kRow;
}

CopyRowSplitter::Next CopyRowSplitter::deliver(Bytes raw, Found found, CopyRow& row) {
  const bool is_binary = format_.kind == CopyFormat::Kind::kBinary;
  if (raw.size() > options_.max_row_bytes) {
    return bad(
        ErrorCode::kProgramLimit,
        fmt::format("COPY row of more than {} bytes", options_.max_row_bytes)
    );
  }
  row = CopyRow{.raw = raw, .key_raw = {}, .key = {}, .line = is_binary ? rows_ + 1 : line_};
  if (found == Found::kMarker) {
    row.kind = CopyRow::Kind::kEnd;
    has_ended_ = true;
    binary_ = BinaryState::kAfterTrailer;
  } else if (is_binary && binary_ == BinaryState::kHeader) {
    row.kind = CopyRow::Kind::kHeader;
    binary_ = BinaryState::kTuple;
  } else if (header_pending_) {
    row.kind = CopyRow::Kind::kHeader;
    header_pending_ = false;
  } else {
    if (options_.key_field && !pick_key(row)) {
      return Next::kBad;
    }
    ++rows_;
  }
  line_ += 1 + std::exchange(inner_lines_, 0);
  scanned_ = 0;
  eol_bytes_ = 0;
  in_quote_ = false;
  last_was_escape_ = false;
  return Next::kRow;
}

bool CopyRowSplitter::pick_key(CopyRow& row) {
  const Bytes line = row.raw.first(row.raw.size() - eol_bytes_);
  const std::optional<PickedField> field = pick_field(line, format_, *options_.key_field, decoded_);
  if (!field) {
    inner_lines_ = 0;  // the row is named by its first line
    return bad_data(fmt::format("missing data for field {}", *options_.key_field + 1))
           != Found::kBad;
  }
  row.key_raw = field->raw;
  row.key = field->value;
  return true;
}

}  // namespace sherd::wire
