#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sherd/wire/copy.hpp>

#include "wire_testing.hpp"

namespace sherd::wire {
namespace {

using testing::cut_at;
using testing::cut_evenly;
using testing::cut_randomly;
using testing::SeededRandom;
using Kind = CopyRow::Kind;
using Next = CopyRowSplitter::Next;
using Field = std::optional<std::string>;

struct Seen {
  Kind kind = Kind::kRow;
  std::string raw{};
  Field key{};
  bool operator==(const Seen&) const = default;
};
void PrintTo(const Seen& seen, std::ostream* out) {
  *out << fmt::format(
      "{} [{}] {}", static_cast<int>(seen.kind), seen.raw, seen.key.value_or("NULL")
  );
}

struct Outcome {
  std::vector<Seen> rows{};
  std::optional<Error> error{};
};

Outcome split(
    const CopyFormat& format, std::optional<std::uint32_t> key_field, std::span<const Bytes> chunks,
    std::size_t max_row_bytes = 1 << 20
) {
  CopyRowSplitter splitter(format, {.key_field = key_field, .max_row_bytes = max_row_bytes});
  Outcome outcome;
  CopyRow row;
  const auto note = [&] {
    outcome.rows.push_back(
        {row.kind, std::string(as_text(row.raw)), row.key ? Field(as_text(*row.key)) : std::nullopt}
    );
  };
  Next next = Next::kNeedMore;
  for (Bytes chunk : chunks) {
    // A copy of its own: a view that outlives its chunk, or a read beyond it, is seen by a
    // sanitizer.
    const std::vector<std::byte> own(chunk.begin(), chunk.end());
    Bytes rest = own;
    while ((next = splitter.next(rest, row)) == Next::kRow) {
      note();
    }
    if (next == Next::kBad) {
      outcome.error = splitter.error();
      return outcome;
    }
    EXPECT_TRUE(rest.empty());
  }
  while ((next = splitter.finish(row)) == Next::kRow) {
    note();
  }
  if (next == Next::kBad) {
    outcome.error = splitter.error();
  }
  return outcome;
}
Outcome split(const CopyFormat& format, std::optional<std::uint32_t> key, std::string_view data) {
  return split(format, key, std::vector{as_bytes(data)});
}

// A stream, and what it must come apart into.
struct Stream {
  CopyFormat format;
  std::uint32_t key_field = 0;
  std::string bytes;
  std::vector<Seen> rows;

  void add(Kind kind, std::string raw, Field key = {}) {
    bytes += raw;
    rows.push_back({kind, std::move(raw), std::move(key)});
  }
};

std::vector<Field> make_row(SeededRandom& random, std::size_t fields, std::string_view alphabet) {
  std::vector<Field> row(fields);
  for (Field& field : row) {
    if (!random.chance(15)) {
      field = random.text(6, alphabet);
    }
  }
  return row;
}

std::string encode_text_char(SeededRandom& random, const CopyFormat& format, char c) {
  constexpr std::string_view kLetters = "\b\f\n\r\t\v";
  if (const auto at = kLetters.find(c); at != std::string_view::npos && random.chance(50)) {
    return fmt::format("\\{}", "bfnrtv"[at]);
  }
  if (c == '\\') {
    return "\\\\";
  }
  if (c == '\n' || c == '\r' || c == format.delimiter) {
    const auto byte = static_cast<unsigned char>(c);
    return random.chance(50) ? fmt::format("\\x{:02X}", byte) : fmt::format("\\{:03o}", byte);
  }
  return std::string(1, c);
}

std::string encode_text(SeededRandom& random, const CopyFormat& format, const Field& field) {
  if (!field) {
    return format.null_text;
  }
  std::string out;
  for (const char c : *field) {
    out += encode_text_char(random, format, c);
  }
  return out == format.null_text ? "\\" + out : out;
}

std::string encode_csv(SeededRandom& random, const CopyFormat& format, const Field& field) {
  if (!field) {
    return format.null_text;
  }
  const std::string special{format.delimiter, format.quote, format.escape, '\n', '\r', '\\'};
  if (*field != format.null_text && field->find_first_of(special) == std::string::npos
      && random.chance(70)) {
    return *field;
  }
  const std::string quoted{format.quote, format.escape};
  std::string out(1, format.quote);
  for (std::size_t i = 0; i < field->size(); ++i) {
    const char c = (*field)[i];
    // An escape that stands before neither a quote nor an escape is a character like any other.
    const bool is_plain_escape = c == format.escape && c != format.quote && i + 1 < field->size()
                                 && quoted.find((*field)[i + 1]) == std::string::npos;
    if (quoted.find(c) != std::string::npos && !(is_plain_escape && random.chance(50))) {
      out += format.escape;
    }
    out += c;
  }
  return out + format.quote;
}

std::string encode_binary(const std::vector<Field>& row) {
  std::string out;
  append_be(out, static_cast<std::int16_t>(row.size()));
  for (const Field& field : row) {
    append_be(out, field ? static_cast<std::int32_t>(field->size()) : -1);
    out += field.value_or("");
  }
  return out;
}

CopyFormat make_format(SeededRandom& random, CopyFormat::Kind kind) {
  CopyFormat format = kind == CopyFormat::Kind::kText  ? CopyFormat::text()
                      : kind == CopyFormat::Kind::kCsv ? CopyFormat::csv()
                                                       : CopyFormat::binary();
  if (random.chance(30)) {
    format.delimiter = '|';
  }
  if (random.chance(30)) {
    format.null_text = "NULL";
  }
  if (random.chance(40)) {
    format.escape = '\\';
  }
  if (random.chance(20)) {
    format.quote = '\'';
  }
  format.header = random.chance(30);
  return format;
}

Stream make_lines(SeededRandom& random, CopyFormat::Kind kind) {
  Stream stream{.format = make_format(random, kind), .bytes = {}, .rows = {}};
  const std::size_t fields = 1 + random.below(4);
  stream.key_field = static_cast<std::uint32_t>(random.below(fields));
  const std::string eol = std::array<std::string, 3>{"\n", "\r\n", "\r"}[random.below(3)];
  const std::size_t count = random.below(6);
  bool header = stream.format.header;
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = make_row(random, fields, std::string_view("ab\\.\"'N,|\t\n\r\0xn1", 16));
    std::string line;
    for (const Field& field : row) {
      line += line.empty() && &field == &row.front() ? "" : std::string(1, stream.format.delimiter);
      line += kind == CopyFormat::Kind::kText ? encode_text(random, stream.format, field)
                                              : encode_csv(random, stream.format, field);
    }
    const bool has_eol = i + 1 < count || random.chance(70) || line.empty();
    stream.add(
        header ? Kind::kHeader : Kind::kRow, line + (has_eol ? eol : ""),
        header ? Field() : row[stream.key_field]
    );
    header = false;
    if (!has_eol) {
      return stream;
    }
  }
  if (random.chance(30)) {
    stream.add(Kind::kEnd, "\\." + std::string(count == 0 ? "\n" : eol));
  }
  return stream;
}

Stream make_binary(SeededRandom& random) {
  Stream stream{.format = CopyFormat::binary(), .bytes = {}, .rows = {}};
  const std::size_t fields = 1 + random.below(4);
  stream.key_field = static_cast<std::uint32_t>(random.below(fields));
  std::string header("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\3ext", 22);
  stream.add(Kind::kHeader, header);
  for (std::size_t i = random.below(5); i > 0; --i) {
    const auto row = make_row(random, fields, std::string_view("\0\n\xff", 3));
    stream.add(Kind::kRow, encode_binary(row), row[stream.key_field]);
  }
  if (random.chance(70)) {
    stream.add(Kind::kEnd, "\xff\xff");
  }
  return stream;
}

void expect_rows(const Stream& stream, std::span<const Bytes> chunks) {
  const Outcome outcome = split(stream.format, stream.key_field, chunks);
  ASSERT_FALSE(outcome.error) << to_string(*outcome.error) << " in " << stream.bytes;
  ASSERT_EQ(outcome.rows, stream.rows) << stream.bytes;
}

void expect_rows_however_cut(const Stream& stream, SeededRandom& random) {
  const Bytes bytes = as_bytes(stream.bytes);
  for (std::size_t at = 0; at <= bytes.size(); ++at) {
    expect_rows(stream, cut_at(bytes, at));
    if (::testing::Test::HasFatalFailure()) {
      return;
    }
  }
  expect_rows(stream, cut_evenly(bytes, 1));
  expect_rows(stream, cut_randomly(bytes, random, 5));
}

TEST(CopyRowSplitter, TextRowsAreTheSameHoweverCut) {
  SeededRandom random(1);
  for (int round = 0; round < 1500 && !HasFatalFailure(); ++round) {
    expect_rows_however_cut(make_lines(random, CopyFormat::Kind::kText), random);
  }
}

TEST(CopyRowSplitter, CsvRowsAreTheSameHoweverCut) {
  SeededRandom random(2);
  for (int round = 0; round < 1500 && !HasFatalFailure(); ++round) {
    expect_rows_however_cut(make_lines(random, CopyFormat::Kind::kCsv), random);
  }
}

TEST(CopyRowSplitter, BinaryRowsAreTheSameHoweverCut) {
  SeededRandom random(3);
  for (int round = 0; round < 500 && !HasFatalFailure(); ++round) {
    expect_rows_however_cut(make_binary(random), random);
  }
}

TEST(CopyRowSplitter, LongRowsCrossSlicesOfTheBuffer) {
  for (const std::size_t length : {4090U, 4096U, 5000U, 20000U}) {
    const std::string value(length, 'v');
    const std::string line = value + "\tk\n";
    Stream stream{.format = CopyFormat::text(), .key_field = 1, .bytes = {}, .rows = {}};
    for (int i = 0; i < 5; ++i) {
      stream.add(Kind::kRow, line, "k");
    }
    expect_rows(stream, cut_evenly(as_bytes(stream.bytes), 4096));
    expect_rows(stream, cut_evenly(as_bytes(stream.bytes), 10001));
  }
}

TEST(CopyRowSplitter, EscapesAreDecodedAsTheServerDoes) {
  const auto key = [](std::string_view line) {
    const Outcome outcome = split(CopyFormat::text(), 0, line);
    return outcome.rows.at(0).key.value_or("NULL");
  };
  EXPECT_EQ(
      key("a\\tb\\x41\\x4\\101\\7\\q\\\\\n"),
      "a\tbA\x04"
      "A\x07q\\"
  );
  EXPECT_EQ(key("\\xg\n"), "xg");
  EXPECT_EQ(key("\\400\n"), std::string_view("\0", 1));  // the low byte counts
  EXPECT_EQ(key("\\N\n"), "NULL");
  EXPECT_EQ(key("\\\\N\n"), "\\N");
  EXPECT_EQ(key("a\\\nb\n"), "a\nb");  // an escaped line end is data
  EXPECT_EQ(key("ab\\"), "ab");        // nothing follows: PostgreSQL drops it
  EXPECT_EQ(
      key("\\0019\n"), std::string_view(
                           "\x01"
                           "9",
                           2
                       )
  );
}

TEST(CopyRowSplitter, EscapedBackslashAndDotAreAValue) {
  const Outcome outcome = split(CopyFormat::text(), 0, "a\\\\.\n\\\\.\n");
  ASSERT_FALSE(outcome.error);
  EXPECT_EQ(outcome.rows.at(0).key, "a\\.");
  EXPECT_EQ(outcome.rows.at(1).key, "\\.");
}

TEST(CopyRowSplitter, DataBehindTheEndMarkerIsSwallowed) {
  for (const CopyFormat& format : {CopyFormat::text(), CopyFormat::csv()}) {
    const Outcome outcome = split(format, 0, "1\n\\.\n2\n\"");
    ASSERT_FALSE(outcome.error);
    EXPECT_EQ(outcome.rows.size(), 2U);
    EXPECT_EQ(outcome.rows.back().kind, Kind::kEnd);
  }
}

TEST(CopyRowSplitter, CsvTakesMarkerOnlyAsAWholeUnquotedLine) {
  const Outcome outcome =
      split(CopyFormat::csv(), 0, "\\.,x\n\"a\n\\.\nb\"\n\\.x\n \\.\n\"\\.\"\n");
  ASSERT_FALSE(outcome.error);
  ASSERT_EQ(outcome.rows.size(), 5U);
  EXPECT_EQ(outcome.rows[0].key, "\\.");
  EXPECT_EQ(outcome.rows[1].key, "a\n\\.\nb");
  EXPECT_EQ(outcome.rows[2].key, "\\.x");
  EXPECT_EQ(outcome.rows[3].key, " \\.");
  EXPECT_EQ(outcome.rows[4].key, "\\.");
}

TEST(CopyRowSplitter, QuotesMayOpenInsideACsvField) {
  const Outcome outcome = split(CopyFormat::csv(), 1, "1,a\"b,\"\"c\"d,2\n");
  ASSERT_EQ(outcome.rows.size(), 1U);
  EXPECT_EQ(outcome.rows[0].key, "ab,\"cd");
}

TEST(CopyRowSplitter, OpenQuoteInTheHeaderIsSkippedWithIt) {
  CopyFormat format = CopyFormat::csv();
  format.header = true;
  const Outcome outcome = split(format, 0, "id,\"\n1,2\n");
  ASSERT_FALSE(outcome.error);
  ASSERT_EQ(outcome.rows.size(), 1U);
  EXPECT_EQ(outcome.rows[0].kind, Kind::kHeader);
}

TEST(CopyRowSplitter, QuotedNullTextIsNoNull) {
  const Outcome outcome = split(CopyFormat::csv(), 1, "1,\n1,\"\"\n");
  EXPECT_EQ(outcome.rows.at(0).key, std::nullopt);
  EXPECT_EQ(outcome.rows.at(1).key, "");
}

struct BadCase {
  CopyFormat format;
  std::string_view data;
  std::string_view says;
};

TEST(CopyRowSplitter, BadDataIsRefusedWithItsLine) {
  const BadCase cases[] = {
      {CopyFormat::text(), "1\ta\n2\r\n", "literal carriage return found in data, line 2"},
      {CopyFormat::text(), "1\ta\r\n2\ta\n", "literal newline found in data, line 2"},
      {CopyFormat::text(), "1\ta\r\n2\ra\r\n", "literal carriage return found in data, line 2"},
      {CopyFormat::text(), "1\ta\r2\ta\n", "literal newline found in data, line 2"},
      {CopyFormat::text(), "1\ta\n\\.x\n", "end-of-copy marker corrupt, line 2"},
      {CopyFormat::text(), "1\ta\\.x\n", "end-of-copy marker corrupt, line 1"},
      {CopyFormat::text(), "1\ta\n\\.\r", "does not match previous newline style, line 2"},
      {CopyFormat::text(), "1\ta\n2\ta\\.\n3\ta\n", "not alone on its line, line 2"},
      {CopyFormat::text(), "1\ta\n2\n", "missing data for field 2, line 2"},
      {CopyFormat::csv(), "1,a\n2,\"\n\n", "unterminated CSV quoted field"},
      {CopyFormat::csv(), "1,a\r\n\"\n\",a\n", "unquoted newline found in data, line 3"},
      {CopyFormat::csv(), "1,\"a\nb\"\n2\n", "missing data for field 2, line 3"},
      {CopyFormat::binary(), "1,a\n", "COPY file signature not recognized"},
      {CopyFormat::binary(), "", "COPY file signature not recognized"},
      {CopyFormat::binary(), "PGCOPY\n", "COPY file signature not recognized"},
  };
  for (const BadCase& each : cases) {
    for (const std::size_t size : {1U, 100U}) {
      const Outcome outcome = split(each.format, 1, cut_evenly(as_bytes(each.data), size));
      ASSERT_TRUE(outcome.error) << each.data;
      EXPECT_EQ(outcome.error->code, ErrorCode::kBadCopyFormat);
      EXPECT_NE(outcome.error->message.find(each.says), std::string::npos)
          << outcome.error->message << " for " << each.data;
    }
  }
}

TEST(CopyRowSplitter, BadBinaryIsRefused) {
  const std::string header("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", 19);
  const std::string oids("PGCOPY\n\xff\r\n\0\0\1\0\0\0\0\0\0", 19);
  const std::string critical("PGCOPY\n\xff\r\n\0\x80\0\0\0\0\0\0\0", 19);
  const std::string negative("PGCOPY\n\xff\r\n\0\0\0\0\0\xff\xff\xff\xff", 19);
  for (const std::string& data :
       {oids, critical, negative, header + std::string("\0\1\xff\xff\xff\xfe", 6),
        header + std::string("\xff\xfe", 2), header + std::string("\xff\xff\0", 3),
        header + std::string("\0\1\0\0\0\2a", 7), header + std::string("\0\0", 2)}) {
    const Outcome outcome = split(CopyFormat::binary(), 0, data);
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, ErrorCode::kBadCopyFormat);
  }
}

TEST(CopyRowSplitter, RowOverTheLimitIsRefused) {
  const std::string long_line(100, 'x');
  const std::string binary =
      std::string("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\1\x3f\xff\xff\xff", 25);
  for (const std::size_t size : {1U, 200U}) {
    const auto text = split(CopyFormat::text(), {}, cut_evenly(as_bytes(long_line), size), 99);
    ASSERT_TRUE(text.error);
    EXPECT_EQ(text.error->code, ErrorCode::kProgramLimit);
    const auto tuple = split(CopyFormat::binary(), {}, cut_evenly(as_bytes(binary), size), 99);
    ASSERT_TRUE(tuple.error);
    EXPECT_EQ(tuple.error->code, ErrorCode::kProgramLimit);
  }
}

TEST(CopyRowSplitter, WholeRowIsAViewIntoTheChunk) {
  const std::string_view data = "1\ta\n2\tb\n";
  CopyRowSplitter splitter(CopyFormat::text(), {.key_field = 0});
  Bytes chunk = as_bytes(data);
  CopyRow row;
  ASSERT_EQ(splitter.next(chunk, row), Next::kRow);
  EXPECT_EQ(row.raw.data(), as_bytes(data).data());
  EXPECT_EQ(row.key->data(), as_bytes(data).data());
}

TEST(CopyRowSplitter, RowsAreCountedWithoutHeaderAndEnd) {
  CopyFormat format = CopyFormat::csv();
  format.header = true;
  CopyRowSplitter splitter(format, {.key_field = 0});
  Bytes chunk = as_bytes("id\n1\n\"2\n\"\n3\n\\.\n");
  CopyRow row;
  std::vector<std::uint64_t> lines;
  while (splitter.next(chunk, row) == Next::kRow) {
    lines.push_back(row.line);
  }
  EXPECT_EQ(splitter.rows(), 3U);
  EXPECT_EQ(lines, (std::vector<std::uint64_t>{1, 2, 3, 5, 6}));
}

}  // namespace
}  // namespace sherd::wire
