// The server is the oracle of slots: what it accepts as the remainder of a hash partition is the
// slot of the key.

#include <array>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sherd/pgtypes/key.hpp>

#include "keygen.hpp"
#include "pg_server.hpp"

namespace sherd {
namespace {

using pgtypes::KeyType;
using testing::KeyGenerator;
using testing::PgServer;
using testing::PgSession;

const std::uint64_t kSeed = testing::seed_or(20240611);
constexpr std::size_t kKeys = 5000;
constexpr std::array<std::uint64_t, 5> kModuli = {1, 2, 64, 4096, 65536};

struct Case {
  KeyType type;
  std::string sql_type;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.sql_type;
}

std::string generated(KeyGenerator& random, KeyType type) {
  switch (type) {
    case KeyType::kInt2:
      return std::to_string(random.integer(16));
    case KeyType::kInt4:
      return std::to_string(random.integer(32));
    case KeyType::kInt8:
      return std::to_string(random.integer(64));
    case KeyType::kUuid:
      return random.uuid();
    default:
      return random.text();
  }
}

std::string array_literal(const std::vector<std::string>& items) {
  std::string out = "{";
  for (const std::string& item : items) {
    out += out.size() > 1 ? ",\"" : "\"";
    for (const char c : item) {
      if (c == '"' || c == '\\') {
        out += '\\';
      }
      out += c;
    }
    out += '"';
  }
  return out + "}";
}

class SlotOracle : public ::testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    auto server = PgServer::start();
    ASSERT_TRUE(server.has_value()) << to_string(server.error());
    server_ = std::move(*server);
  }
  static void TearDownTestSuite() { server_.reset(); }

  // How many (key, slot) pairs the server does not accept.
  static std::string refused(
      const Case& c, std::uint64_t modulus, const std::vector<std::string>& keys,
      const std::vector<std::string>& slots
  ) {
    auto session = PgSession::open(server_->connection_string());
    EXPECT_TRUE(session.has_value());
    EXPECT_TRUE(session->query("DROP TABLE IF EXISTS t").has_value());
    const auto made =
        session->query(fmt::format("CREATE TABLE t (k {}) PARTITION BY HASH (k)", c.sql_type));
    EXPECT_TRUE(made.has_value());
    const auto rows = session->query(
        fmt::format(
            "SELECT count(*) FROM unnest($1::{}[], $2::int[]) AS u(k, r) "
            "WHERE NOT satisfies_hash_partition('t'::regclass, {}, r, k)",
            c.sql_type, modulus
        ),
        {array_literal(keys), array_literal(slots)}
    );
    EXPECT_TRUE(rows.has_value()) << to_string(rows.error());
    return rows ? rows->at(0).at(0).value_or("") : "";
  }

  static std::unique_ptr<PgServer> server_;
};

std::unique_ptr<PgServer> SlotOracle::server_;

TEST_P(SlotOracle, SlotIsTheRemainderThatTheServerAccepts) {
  const Case& c = GetParam();
  KeyGenerator random(kSeed);
  std::vector<std::string> keys;
  std::vector<std::uint64_t> hashes;
  std::string scratch;
  for (std::size_t i = 0; i < kKeys; ++i) {
    keys.push_back(generated(random, c.type));
    const auto key = pgtypes::key_from_text(c.type, keys.back(), scratch);
    ASSERT_TRUE(key.has_value()) << keys.back();
    hashes.push_back(pgtypes::partition_hash(*key));
  }
  for (const std::uint64_t modulus : kModuli) {
    std::vector<std::string> slots;
    std::vector<std::string> neighbours;
    for (const std::uint64_t hash : hashes) {
      slots.push_back(std::to_string(hash & (modulus - 1)));
      neighbours.push_back(std::to_string((hash + 1) & (modulus - 1)));
    }
    EXPECT_EQ(refused(c, modulus, keys, slots), "0") << "modulus " << modulus << ", seed " << kSeed;
    if (modulus > 1) {  // the question can be answered no
      EXPECT_EQ(refused(c, modulus, keys, neighbours), std::to_string(kKeys));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, SlotOracle,
    ::testing::Values(
        Case{KeyType::kInt2, "smallint"}, Case{KeyType::kInt4, "integer"},
        Case{KeyType::kInt8, "bigint"}, Case{KeyType::kText, "text"},
        Case{KeyType::kVarchar, "varchar"}, Case{KeyType::kUuid, "uuid"}
    ),
    [](const auto& param) { return param.param.sql_type; }
);

}  // namespace
}  // namespace sherd
