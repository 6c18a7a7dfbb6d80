#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <sherd/pgtypes/oid.hpp>
#include <sherd/pgtypes/value.hpp>

#include "pg_server.hpp"

// Order, equality and conversion of generated values of each type, in both formats, against the
// server's own.

namespace sherd::pgtypes {
namespace {

using testing::PgServer;
using testing::PgSession;

struct TypeCase {
  std::string_view name;
  Oid type;
  std::string_view sql_type;
  std::string_view expression;  // over i
  bool text = true;             // text form can be compared
};

constexpr std::string_view kText =
    "array_to_string(ARRAY(SELECT substr('aAbB zZ1é€', 1 + (random() * 9)::int, 1) "
    "FROM generate_series(1, (random() * 4 + i * 0)::int)), '')";
constexpr std::string_view kInet =
    "CASE WHEN i % 3 = 0 THEN '2001:db8::' || to_hex((random() * 9)::int) || '/' || (100 + "
    "random() * 28)::int "
    "ELSE '10.' || (random() * 2)::int || '.' || (random() * 3)::int || '.' || (random() * "
    "255)::int || '/' || (random() * "
    "32)::int END";

const std::vector<TypeCase>& cases() {
  static const std::string text(kText);
  static const std::string inet(kInet);
  static const std::string cidr = "network((" + inet + ")::inet)";
  static const std::vector<TypeCase> kCases = {
      {"bool", oid::kBool, "bool", "random() < 0.5"},
      {"int2", oid::kInt2, "int2", "(random() - 0.5) * 65000"},
      {"int4", oid::kInt4, "int4", "(random() - 0.5) * 4e9"},
      {"int8", oid::kInt8, "int8", "(random() - 0.5) * 10 ^ (random() * 18)"},
      {"oid", oid::kOid, "oid", "(random() * 4294967295)::bigint"},
      {"float8", oid::kFloat8, "float8",
       "CASE WHEN i % 7 = 0 THEN (ARRAY['NaN', 'Infinity', '-Infinity', '0', '-0', '1e23', "
       "'5e-324', '2.2250738585072014e-308',"
       " '9007199254740993'])[1 + i % 9]::float8 ELSE (random() - 0.5) * 10 ^ (random() * 60 - "
       "30)::int END"},
      {"float4", oid::kFloat4, "float4",
       "CASE WHEN i % 7 = 0 THEN (ARRAY['NaN', 'Infinity', '-Infinity', '0', '-0', '1e23', "
       "'1e-45', '16777216', '3.4e38'])"
       "[1 + i % 9]::float4 ELSE ((random() - 0.5) * 10 ^ (random() * 40 - 20)::int)::float4 END"},
      {"numeric", oid::kNumeric, "numeric",
       "CASE i % 5 WHEN 0 THEN (ARRAY['NaN', 'Infinity', '-Infinity', '0', '0.00', '1', '1.000', "
       "'-1', '-1.0', '0.00001', "
       "'10000', '10000.0'])[1 + i % 12]::numeric WHEN 1 THEN round((random() * 10)::numeric - 5, "
       "i % 4) ELSE "
       "round((random() - 0.5)::numeric * (10::numeric ^ (random() * 40 - 10)::int), (random() * "
       "20)::int) END"},
      {"text", oid::kText, "text COLLATE \"C\"", text},
      {"varchar", oid::kVarchar, "varchar(9) COLLATE \"C\"", text},
      {"bpchar", oid::kBpchar, "char(6) COLLATE \"C\"", text},
      {"name", oid::kName, "name", text},
      {"char", oid::kChar, "\"char\"", "chr(1 + (random() * 120)::int)"},
      {"bytea", oid::kBytea, "bytea",
       "substr(decode(md5((i % 300)::text), 'hex'), 1, (random() * 12)::int)"},
      {"bit", oid::kBit, "bit(9)", "(random() * 511)::int::bit(9)"},
      {"varbit", oid::kVarbit, "varbit",
       "substring((random() * 65535)::int::bit(18) from 1 for (random() * 18)::int)"},
      {"uuid", oid::kUuid, "uuid", "md5((i % 300)::text)::uuid"},
      {"date", oid::kDate, "date",
       "CASE i % 9 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN '0044-03-15 "
       "BC'::date - i ELSE '2000-01-01'::date "
       "+ ((random() - 0.5) * 4000000)::int % 700000 END"},
      {"timestamp", oid::kTimestamp, "timestamp",
       "CASE i % 9 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' ELSE '1900-01-01'::timestamp + "
       "interval '1 us' * (random() * 10 "
       "^ (random() * 17))::bigint - interval '1 year' * (i % 3000) END"},
      {"timestamptz", oid::kTimestamptz, "timestamptz",
       "CASE i % 9 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' ELSE '1700-01-01 "
       "00:00+00'::timestamptz + interval '1 us' * "
       "(random() * 10 ^ (random() * 16))::bigint + interval '1 year' * (i % 700) END"},
      {"time", oid::kTime, "time",
       "CASE WHEN i % 20 = 0 THEN '24:00:00'::time ELSE time '00:00' + interval '1 us' * (random() "
       "* 8e10)::bigint END"},
      {"timetz", oid::kTimetz, "timetz",
       "to_char((random() * 22)::int, 'FM00') || ':00:0' || i % 10 || '.5' || CASE WHEN i % 2 = 0 "
       "THEN '+' ELSE '-' END || "
       "to_char((random() * 11)::int, 'FM00') || (ARRAY['', ':30', ':53:28'])[1 + i % 3]"},
      {"interval", oid::kInterval, "interval",
       "make_interval(months => ((random() - 0.5) * 40)::int, days => ((random() - 0.5) * "
       "100)::int * (i % 2), secs => "
       "((random() - 0.5) * 10 ^ (random() * 8)) * (i % 3))"},
      {"money", oid::kMoney, "money", "((random() - 0.5) * 1e9)::numeric::money", false},
      {"macaddr", oid::kMacaddr, "macaddr", "substr(md5((i % 300)::text), 1, 12)"},
      {"macaddr8", 774, "macaddr8", "substr(md5((i % 300)::text), 1, 16)"},
      {"inet", oid::kInet, "inet", inet, false},
      {"cidr", oid::kCidr, "cidr", cidr, false},
  };
  return kCases;
}

/// Values in one format with their places in the server's order; equal values share a place.
struct Ranked {
  std::vector<std::string> values;
  std::vector<int> ranks;
};

class ValueOracle : public ::testing::TestWithParam<TypeCase> {
 protected:
  static void SetUpTestSuite() {
    auto started = PgServer::start();
    ASSERT_TRUE(started) << to_string(started.error());
    server_ = started->release();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  void SetUp() override {
    auto opened = PgSession::open(server_->connection_string());
    ASSERT_TRUE(opened);
    session_.emplace(*std::move(opened));
    const TypeCase& c = GetParam();
    run("SET timezone = 'Europe/Berlin'; SELECT setseed(0.3)");
    run(fmt::format("CREATE TEMP TABLE v (i int, v {})", c.sql_type));
    run(fmt::format(
        "INSERT INTO v SELECT i, (s.x)::{} FROM generate_series(1, 900) i, LATERAL (SELECT {} AS "
        "x) s",
        c.sql_type.substr(0, c.sql_type.find(" COLLATE")), c.expression
    ));
  }
  void run(const std::string& sql) {
    const auto done = session_->query(sql);
    ASSERT_TRUE(done) << to_string(done.error()) << "\n" << sql;
  }
  Ranked fetch(std::int16_t format) {
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(
        PQexecParams(
            session_->raw(), "SELECT v, dense_rank() OVER (ORDER BY v)::int4 FROM v ORDER BY i", 0,
            nullptr, nullptr, nullptr, nullptr, format
        ),
        PQclear
    );
    EXPECT_EQ(PQresultStatus(result.get()), PGRES_TUPLES_OK) << PQerrorMessage(session_->raw());
    Ranked out;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
      const auto size = static_cast<std::size_t>(PQgetlength(result.get(), row, 0));
      out.values.emplace_back(PQgetvalue(result.get(), row, 0), size);
      const char* const rank = PQgetvalue(result.get(), row, 1);
      out.ranks.push_back(
          format == kTextFormat ? std::stoi(rank)
                                : load_be<std::int32_t>(reinterpret_cast<const std::byte*>(rank))
      );
    }
    return out;
  }
  void expect_order(std::int16_t format) {
    const auto comparator = make_comparator(GetParam().type, format, &Collation::bytes());
    ASSERT_TRUE(comparator) << to_string(comparator.error());
    const Ranked all = fetch(format);
    ASSERT_EQ(all.values.size(), 900U);
    std::vector<Ordinal> ordinals(all.values.size());
    std::vector<std::string> forms(all.values.size());
    for (std::size_t i = 0; i < ordinals.size(); ++i) {
      ASSERT_TRUE(comparator->decode(as_bytes(all.values[i]), ordinals[i])) << all.values[i];
      comparator->append_canonical(ordinals[i], forms[i]);
    }
    for (std::size_t i = 0; i < ordinals.size(); ++i) {
      for (std::size_t j = 0; j < ordinals.size(); ++j) {
        ASSERT_EQ(comparator->compare(ordinals[i], ordinals[j]), all.ranks[i] <=> all.ranks[j])
            << all.values[i] << " and " << all.values[j];
        ASSERT_EQ(forms[i] == forms[j], all.ranks[i] == all.ranks[j])
            << all.values[i] << " and " << all.values[j];
      }
    }
  }
  void expect_conversion(std::int16_t from, std::int16_t to, const TextSettings& settings) {
    const Ranked source = fetch(from);
    const Ranked target = fetch(to);
    for (std::size_t i = 0; i < source.values.size(); ++i) {
      std::string converted;
      const auto done =
          convert(GetParam().type, from, to, as_bytes(source.values[i]), settings, converted);
      ASSERT_TRUE(done) << source.values[i];
      ASSERT_EQ(converted, target.values[i]);
    }
  }

  static inline PgServer* server_ = nullptr;
  std::optional<PgSession> session_;
};

TEST_P(ValueOracle, BinaryValuesCompareAsOnTheServer) {
  expect_order(kBinaryFormat);
}

TEST_P(ValueOracle, TextValuesCompareAsOnTheServerOrAreRefused) {
  if (GetParam().text) {
    expect_order(kTextFormat);
  } else {
    EXPECT_FALSE(make_comparator(GetParam().type, kTextFormat, nullptr));
  }
}

TEST_P(ValueOracle, ConversionGivesTheServersOtherForm) {
  if (is_convertible(GetParam().type, kTextFormat, kBinaryFormat)) {
    expect_conversion(kTextFormat, kBinaryFormat, {});
    expect_conversion(kBinaryFormat, kTextFormat, {});
  }
}

TEST_P(ValueOracle, FewerFloatDigitsAreTheServers) {
  if (GetParam().type == oid::kFloat8 || GetParam().type == oid::kFloat4) {
    for (const int digits : {0, -3, -15}) {
      run(fmt::format("SET extra_float_digits = {}", digits));
      expect_conversion(kBinaryFormat, kTextFormat, {.extra_float_digits = digits});
    }
  }
}

/// A style of output that tells no order must be refused, or else read rightly.
TEST_P(ValueOracle, ForeignOutputStyleIsRefusedOrReadRightly) {
  for (const char* setting :
       {"datestyle = 'SQL, DMY'", "datestyle = 'German'", "datestyle = 'Postgres, MDY'",
        "intervalstyle = 'sql_standard'", "intervalstyle = 'postgres_verbose'",
        "intervalstyle = 'iso_8601'", "bytea_output = 'escape'"}) {
    const auto comparator = make_comparator(GetParam().type, kTextFormat, &Collation::bytes());
    if (!comparator) {
      return;
    }
    run(fmt::format("SET {}", setting));
    const Ranked all = fetch(kTextFormat);
    std::optional<std::size_t> last;
    Ordinal before;
    for (std::size_t i = 0; i < all.values.size(); ++i) {
      Ordinal value;
      if (!comparator->decode(as_bytes(all.values[i]), value)) {
        EXPECT_THAT(
            comparator->undecodable(as_bytes(all.values[i])).hint, ::testing::HasSubstr("SET ")
        );
        continue;
      }
      if (last) {
        ASSERT_EQ(comparator->compare(before, value), all.ranks[*last] <=> all.ranks[i])
            << setting << ": " << all.values[*last] << " and " << all.values[i];
      }
      last = i;
      before = value;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, ValueOracle, ::testing::ValuesIn(cases()), [](const auto& info) {
  return std::string(info.param.name);
});

}  // namespace
}  // namespace sherd::pgtypes
