// The server is the oracle of keys: what its input functions read, we read; what it writes, we
// write; what it refuses, we refuse with its words or leave to it.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/key.hpp>

#include "keygen.hpp"
#include "pg_server.hpp"

namespace sherd {
namespace {

using pgtypes::Key;
using pgtypes::KeyType;
using testing::KeyGenerator;
using testing::PgServer;
using testing::PgSession;

const std::uint64_t kSeed = testing::seed_or(7);

struct Column {
  KeyType type;
  std::string sql;
  std::string send;
};

const std::vector<Column>& columns() {
  static const std::vector<Column> kColumns = {
      {KeyType::kInt2, "smallint", "int2send"},
      {KeyType::kInt4, "integer", "int4send"},
      {KeyType::kInt8, "bigint", "int8send"},
      {KeyType::kText, "text", "textsend"},
      {KeyType::kVarchar, "varchar", "varcharsend"},
      {KeyType::kUuid, "uuid", "uuid_send"},
      {KeyType::kDate, "date", "date_send"},
      {KeyType::kTimestamp, "timestamp", "timestamp_send"},
      {KeyType::kTimestamptz, "timestamptz", "timestamptz_send"},
      {KeyType::kNumeric, "numeric", "numeric_send"},
  };
  return kColumns;
}

std::string unhex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

class KeyOracle : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto server = PgServer::start();
    ASSERT_TRUE(server.has_value()) << to_string(server.error());
    server_ = std::move(*server);
    auto session = PgSession::open(server_->connection_string());
    ASSERT_TRUE(session.has_value());
    session_ = std::make_unique<PgSession>(std::move(*session));
  }
  static void TearDownTestSuite() {
    session_.reset();
    server_.reset();
  }

  // Reads `text` on both sides and compares value, text and binary form.
  static void compare(const Column& column, const std::string& text) {
    SCOPED_TRACE(fmt::format("{} '{}'", column.sql, text));
    const auto rows = session_->query(
        fmt::format(
            "SELECT v::text, encode({}(v), 'hex') FROM (SELECT $1::text::{} AS v) s", column.send,
            column.sql
        ),
        {text}
    );
    std::string scratch;
    const auto key = pgtypes::key_from_text(column.type, text, scratch);
    if (!rows) {
      if (key) {
        ADD_FAILURE() << "the server refuses it: " << rows.error().message;
      } else if (key.error().code != ErrorCode::kUnsupported) {
        EXPECT_EQ(key.error().message, rows.error().message);
        EXPECT_EQ(key.error().sqlstate(), rows.error().sqlstate());
      }
      return;
    }
    if (!key) {
      EXPECT_EQ(key.error().code, ErrorCode::kUnsupported) << to_string(key.error());
      ++unsupported_;
      return;
    }
    ++read_;
    const std::string sent = unhex(*rows->at(0).at(1));
    std::string binary_scratch;
    const auto received = pgtypes::key_from_binary(column.type, 0, as_bytes(sent), binary_scratch);
    ASSERT_TRUE(received.has_value()) << to_string(received.error());
    EXPECT_TRUE(pgtypes::equal(*key, *received));
    std::string text_scratch;
    const std::string_view canonical = pgtypes::canonical_text(*key, text_scratch);
    if (column.type != KeyType::kNumeric) {
      EXPECT_EQ(canonical, *rows->at(0).at(0));
      return;
    }
    const auto same = session_->query(
        "SELECT $1::numeric = $2::numeric, trim_scale($2::numeric)::text",
        {std::string(canonical), *rows->at(0).at(0)}
    );
    ASSERT_TRUE(same.has_value());
    EXPECT_EQ(*same->at(0).at(0), "t");
    EXPECT_EQ(canonical, *same->at(0).at(1));
  }

  static std::unique_ptr<PgServer> server_;
  static std::unique_ptr<PgSession> session_;
  static int read_;
  static int unsupported_;
};

std::unique_ptr<PgServer> KeyOracle::server_;
std::unique_ptr<PgSession> KeyOracle::session_;
int KeyOracle::read_ = 0;
int KeyOracle::unsupported_ = 0;

std::string spaced(KeyGenerator& random, std::string text) {
  return std::string(random.below(2), ' ') + text + std::string(random.below(2), '\t');
}

TEST_F(KeyOracle, IntegersAreReadAsTheServerReadsThem) {
  KeyGenerator random(kSeed);
  for (int i = 0; i < 600; ++i) {
    const Column& column = columns()[random.below(3)];
    std::string text = std::to_string(random.integer(random.below(2) == 0 ? 17 : 64));
    switch (random.below(8)) {
      case 0:
        text.insert(0, "+");
        break;
      case 1:
        text += "x";
        break;
      case 2:
        text.insert(0, "000");
        break;
      case 3:
        text += "0";
        break;
      case 4:
        text = "";
        break;
      case 5:
        text += " 1";
        break;
      default:
        break;
    }
    compare(column, spaced(random, text));
  }
}

TEST_F(KeyOracle, UuidsAreReadInEverySpelling) {
  KeyGenerator random(kSeed);
  for (int i = 0; i < 600; ++i) {
    std::string text = random.uuid();
    if (random.below(2) == 0) {
      std::erase(text, '-');
    }
    if (random.below(3) == 0) {
      text.insert(random.below(text.size()), "-");
    }
    if (random.below(4) == 0) {
      text[random.below(text.size())] = "AFg}{ "[random.below(6)];
    }
    for (char& c : text) {
      c = random.below(2) == 0 ? static_cast<char>(std::toupper(c)) : c;
    }
    if (random.below(3) == 0) {
      text = "{" + text + (random.below(4) == 0 ? "" : "}");
    }
    compare(columns()[5], text);
  }
}

TEST_F(KeyOracle, TextsAreTheirBytes) {
  KeyGenerator random(kSeed);
  for (int i = 0; i < 200; ++i) {
    compare(columns()[3 + random.below(2)], random.text());
  }
}

std::string random_date(KeyGenerator& random, bool early_end) {
  constexpr std::array<int, 8> kYears = {2000, 1999, 1, 4713, 4714, 294276, 294277, 5874897};
  const int year = random.below(4) == 0 ? kYears[random.below(early_end ? 7 : 8)]
                                        : static_cast<int>(random.below(3000));
  return fmt::format("{:04}-{:02}-{:02}", year, random.below(14), random.below(33));
}

std::string random_time(KeyGenerator& random) {
  std::string text = fmt::format("{:02}:{:02}", random.below(26), random.below(61));
  if (random.below(3) != 0) {
    text += fmt::format(":{:02}", random.below(62));
    if (random.below(2) == 0) {
      text += "." + std::to_string(random.below(1'000'000'000));
    }
  }
  return text;
}

TEST_F(KeyOracle, DatesAreReadAsTheServerReadsThem) {
  KeyGenerator random(kSeed);
  read_ = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string text = random_date(random, false);
    if (random.below(5) == 0) {
      text += random.below(2) == 0 ? " BC" : " bc";
    }
    compare(columns()[6], spaced(random, text));
  }
  for (const char* text :
       {"infinity", "-infinity", " Infinity ", "+infinity", "epoch", "today", "20200102",
        "2020-1-2", "Jan 2 2020", "2020-01-02 10:00", ""}) {
    compare(columns()[6], text);
  }
  EXPECT_GT(read_, 500);
}

TEST_F(KeyOracle, TimestampsAreReadAsTheServerReadsThem) {
  KeyGenerator random(kSeed);
  constexpr std::array<const char*, 14> kOffsets = {"Z",      "+00",    "+02",       "-0330",
                                                    "+05:30", "+15:59", "-15:59:59", "+16",
                                                    "",       "z",      " +01",      "+1",
                                                    "+01:60", " UTC"};
  read_ = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = random_date(random, true);
    if (random.below(10) != 0) {
      text += random.below(3) == 0 ? "T" : " ";
      text += random_time(random);
    }
    if (random.below(3) != 0) {
      text += kOffsets[random.below(kOffsets.size())];
    }
    if (random.below(6) == 0) {
      text += " BC";
    }
    compare(columns()[7 + random.below(2)], spaced(random, text));
  }
  for (const char* text :
       {"infinity", "-infinity", "now", "2020-01-01 24:00:00+00", "2020-01-01 24:00:00.0001+00",
        "2020-01-01 23:59:60+00", "294276-12-31 23:59:59.999999+00",
        "294276-12-31 23:59:59.9999999+00", "4714-11-24 00:00:00+00 BC",
        "4714-11-23 23:59:59.999999+00 BC"}) {
    compare(columns()[7], text);
    compare(columns()[8], text);
  }
  EXPECT_GT(read_, 1000);
}

TEST_F(KeyOracle, NumericsAreReadAsTheServerReadsThem) {
  KeyGenerator random(kSeed);
  const auto digits = [&](std::uint64_t most) {
    std::string text;
    for (std::uint64_t left = random.below(most); left > 0; --left) {
      text += static_cast<char>('0' + (random.below(3) == 0 ? 0 : random.below(10)));
    }
    return text;
  };
  read_ = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string text = std::array{"", "-", "+"}[random.below(3)] + digits(24);
    if (random.below(2) == 0) {
      text += "." + digits(24);
    }
    if (random.below(3) == 0) {
      text += std::array{"e", "E", "e+", "e-", "x"}[random.below(5)] + digits(3);
    }
    compare(columns()[9], spaced(random, text));
  }
  for (const char* text :
       {"NaN", "nan", "Infinity", "-inf", "+INF", "-nan", "1e131071", "1e131072", "1e-16383",
        "1e400000", "1e-400000", "0e5", "-0", "0.0", ".", "e", "1e",
        "99999999999999999999e18446744073709551616"}) {
    compare(columns()[9], text);
  }
  EXPECT_GT(read_, 700);
}

TEST_F(KeyOracle, OrderIsTheServersOrder) {
  KeyGenerator random(kSeed);
  for (const Column& column : columns()) {
    const std::string list = [&] {
      std::string values;
      for (int i = 0; i < 300; ++i) {
        std::string one;
        switch (column.type) {
          case KeyType::kInt2:
          case KeyType::kInt4:
          case KeyType::kInt8:
            one = std::to_string(random.integer(16));
            break;
          case KeyType::kUuid:
            one = random.uuid();
            break;
          case KeyType::kDate:
            one = fmt::format(
                "{}-{}-{}", 1 + random.below(4000) % 3000 + 1000, 1 + random.below(12),
                1 + random.below(28)
            );
            break;
          case KeyType::kTimestamp:
          case KeyType::kTimestamptz:
            one = fmt::format(
                "2020-01-{:02} 10:00:{:02}.{}+00", 1 + random.below(28), random.below(60),
                random.below(99)
            );
            break;
          case KeyType::kNumeric:
            one = std::array{"NaN", "Infinity", "-Infinity", "0", "-0.5", "0.25"}[random.below(6)];
            if (random.below(4) != 0) {
              one = fmt::format(
                  "{}{}.{}", random.below(2) == 0 ? "-" : "", random.below(200), random.below(100)
              );
            }
            break;
          default:
            one = random.text();
            std::erase_if(one, [](char c) { return c == '\'' || c == '\\'; });
        }
        values += fmt::format("{}('{}')", i == 0 ? "" : ",", one);
      }
      return values;
    }();
    const auto rows = session_->query(fmt::format(
        "SELECT v::text FROM (SELECT t::{0} AS v FROM (VALUES {1}) x(t)) y ORDER BY y.v {2}",
        column.sql, list, pgtypes::is_text(column.type) ? "COLLATE \"C\"" : ""
    ));
    ASSERT_TRUE(rows.has_value()) << column.sql << ": " << to_string(rows.error());
    for (std::size_t i = 1; i < rows->size(); ++i) {
      std::string a;
      std::string b;
      const auto left = pgtypes::key_from_text(column.type, *rows->at(i - 1).at(0), a);
      const auto right = pgtypes::key_from_text(column.type, *rows->at(i).at(0), b);
      ASSERT_TRUE(left.has_value() && right.has_value());
      EXPECT_TRUE(pgtypes::compare(*left, *right) <= 0)
          << column.sql << ": " << *rows->at(i - 1).at(0) << " before " << *rows->at(i).at(0);
    }
  }
}

// A column with a type modifier keeps what stored_key says.
TEST_F(KeyOracle, StoredKeyIsWhatAColumnKeeps) {
  KeyGenerator random(kSeed);
  struct Modified {
    KeyType type;
    std::string sql;
  };
  const std::vector<Modified> types = {
      {KeyType::kVarchar, "varchar(5)"},         {KeyType::kNumeric, "numeric(6,2)"},
      {KeyType::kNumeric, "numeric(3,-2)"},      {KeyType::kNumeric, "numeric(3,5)"},
      {KeyType::kTimestamp, "timestamp(0)"},     {KeyType::kTimestamp, "timestamp(3)"},
      {KeyType::kTimestamptz, "timestamptz(2)"},
  };
  for (const Modified& type : types) {
    ASSERT_TRUE(session_->query("DROP TABLE IF EXISTS m").has_value());
    ASSERT_TRUE(session_->query(fmt::format("CREATE TABLE m (v {})", type.sql)).has_value());
    const auto modifier = session_->query(
        "SELECT atttypmod FROM pg_attribute WHERE attrelid = 'm'::regclass AND attnum = 1"
    );
    ASSERT_TRUE(modifier.has_value());
    const int typmod = std::stoi(*modifier->at(0).at(0));
    for (int i = 0; i < 300; ++i) {
      std::string text = random.text().substr(0, 0);
      if (type.type == KeyType::kVarchar) {
        for (std::uint64_t left = random.below(7); left > 0; --left) {
          text += std::array{"a", "ü", " ", "日"}[random.below(4)];
        }
        text += std::string(random.below(4), ' ');
      } else if (type.type == KeyType::kNumeric) {
        text = fmt::format(
            "{}{}.{:05}", random.below(2) == 0 ? "-" : "",
            random.below(2) == 0 ? random.below(3) : random.below(100000),
            random.below(2) == 0 ? random.below(1000) : random.below(100000)
        );
      } else {
        text = fmt::format(
            "{}-01-01 00:00:00.{:06}+00", random.below(2) == 0 ? 1990 : 2020,
            random.below(2) == 0 ? 500 * random.below(2000) : random.below(1000000)
        );
      }
      std::string scratch;
      std::string stored_scratch;
      const auto key = pgtypes::key_from_text(type.type, text, scratch);
      ASSERT_TRUE(key.has_value()) << text;
      const Key stored = pgtypes::stored_key(*key, typmod, stored_scratch);
      const auto rows = session_->query("INSERT INTO m VALUES ($1) RETURNING v::text", {text});
      if (!rows) {
        continue;  // the server refuses it: no row to place
      }
      std::string kept_scratch;
      const auto kept = pgtypes::key_from_text(type.type, *rows->at(0).at(0), kept_scratch);
      ASSERT_TRUE(kept.has_value());
      EXPECT_TRUE(pgtypes::equal(stored, *kept))
          << type.sql << " '" << text << "' is kept as " << *rows->at(0).at(0);
    }
  }
}

}  // namespace
}  // namespace sherd
