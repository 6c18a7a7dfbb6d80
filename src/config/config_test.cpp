#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sherd/config/options.hpp>
#include <sherd/config/parse.hpp>

#include "values.hpp"

namespace sherd::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FakeSecrets final : public SecretSource {
 public:
  [[nodiscard]] Result<std::string> environment(std::string_view name) const override {
    return found("env:", name);
  }
  [[nodiscard]] Result<std::string> file(std::string_view path) const override {
    return found("file:", path);
  }
  std::map<std::string, std::string> known{{"env:PW", "from-env"}, {"file:pw.txt", "from-file"}};

 private:
  [[nodiscard]] Result<std::string> found(std::string_view kind, std::string_view name) const {
    const auto at = known.find(std::string(kind) + std::string(name));
    if (at == known.end()) {
      return fail(ErrorCode::kUndefinedObject, "not set");
    }
    return at->second;
  }
};

constexpr std::string_view kGood = R"(
[listen]
auth = "trust"
[[shards]]
id = "s1"
host = "db1"
user = "app"
)";

std::expected<Config, std::vector<Error>> parsed(std::string_view text) {
  return parse(text, "t.toml", FakeSecrets{});
}

/// The errors as single lines.
std::vector<std::string> errors_of(std::string_view text) {
  std::vector<std::string> lines;
  if (const auto config = parsed(text); !config) {
    for (const Error& error : config.error()) {
      lines.push_back(to_string(error));
    }
  }
  return lines;
}

std::string only_error_of(std::string_view text) {
  const std::vector<std::string> errors = errors_of(text);
  return errors.size() == 1 ? errors.front() : fmt::format("{} errors", errors.size());
}

std::string good_and(std::string_view more) {
  return std::string(kGood) + std::string(more);
}

TEST(Parse, SmallestFileTakesDefaults) {
  const auto config = parsed(kGood);
  ASSERT_TRUE(config.has_value()) << errors_of(kGood).front();
  EXPECT_EQ(config->listen.port, 6432);
  EXPECT_EQ(config->pool.size, 20U);
  EXPECT_EQ(config->limits.merge_memory_bytes.bytes, 64U << 20);
  EXPECT_EQ(config->shards.front().port, 5432);
}

TEST(Parse, EveryKindOfValueIsRead) {
  const auto config = parsed(R"(
[listen]
host = ""
socket_dir = "/run/sherd"
port = 0
[pool]
mode = "session"
connect_timeout = "250ms"
query_wait_timeout = 0
[health]
max_replica_lag = "1GiB"
[[users]]
name = "app"
password = "env:PW"
shard_user = "app_on_shard"
shard_password = "file:pw.txt"
admin = true
[[shards]]
id = "eu-1"
host = "/tmp/pg"
port = 5433
user = "app"
weight = 2
region = "eu"
priority = -3
tags = ["ssd", "new"]
replicas = [{ host = "r1" }, { host = "r2", port = 5434 }]
[[tables]]
name = "users"
key = "country"
strategy = "geographic"
region_mapping = { DE = "eu", FR = "eu" }
[[tables]]
name = "orders"
key = "country"
colocate_with = "users"
)");
  ASSERT_TRUE(config.has_value()) << to_string(config.error().front());
  EXPECT_EQ(config->pool.mode, PoolMode::kSession);
  EXPECT_EQ(config->pool.connect_timeout, Milliseconds(250));
  EXPECT_EQ(config->pool.query_wait_timeout, Milliseconds(0));
  EXPECT_EQ(config->health.max_replica_lag.bytes, 1ULL << 30);
  EXPECT_EQ(config->users.front().password.value, "from-env");
  EXPECT_EQ(config->users.front().shard_password.value, "from-file");
  const Shard& shard = config->shards.front();
  EXPECT_EQ(shard.weight, 2.0);
  EXPECT_EQ(shard.priority, -3);
  EXPECT_THAT(shard.tags, ElementsAre("ssd", "new"));
  ASSERT_EQ(shard.replicas.size(), 2U);
  EXPECT_EQ(shard.replicas[1].port, 5434);
  EXPECT_EQ(config->tables.front().region_mapping.at("FR"), "eu");
}

TEST(Parse, RangeBoundsMayBeNumbersTextsOrOpen) {
  const auto config = parsed(good_and(R"(
[[tables]]
name = "t"
key = "k"
strategy = "range"
ranges = [{ shard = "s1", high = 10 }, { shard = "s1", low = "11" }]
)"));
  ASSERT_TRUE(config.has_value()) << to_string(config.error().front());
  EXPECT_EQ(config->tables.front().ranges[0].low, std::nullopt);
  EXPECT_EQ(config->tables.front().ranges[0].high, "10");
  EXPECT_EQ(config->tables.front().ranges[1].low, "11");
}

TEST(Parse, UnknownOptionNamesPlaceAndNearestName) {
  EXPECT_EQ(
      only_error_of(good_and("[pool]\nsise = 3\n")),
      "t.toml:9:1: unknown option \"sise\" in pool; did you mean \"size\"?"
  );
}

TEST(Parse, UnknownSectionNamesPlaceAndNearestName) {
  EXPECT_EQ(
      only_error_of(good_and("[limit]\nmax_clients = 3\n")),
      "t.toml:8:2: unknown section \"limit\"; did you mean \"limits\"?"
  );
}

TEST(Parse, AllErrorsAreReportedInTheOrderOfTheFile) {
  EXPECT_THAT(
      errors_of("[listen]\nport = 70000\nauth = \"trust\"\n[pool]\nsize = \"x\"\nmod = 1\n"
                "[[shards]]\nid = \"a\"\n"),
      ElementsAre(
          HasSubstr("t.toml:2:8: listen.port: 70000 is out of range"),
          HasSubstr("t.toml:5:8: pool.size: expected an integer"),
          HasSubstr("t.toml:6:1: unknown option \"mod\""), HasSubstr("shards[0] has no host"),
          HasSubstr("shards[0] has no user")
      )
  );
}

TEST(Parse, TextThatIsNotTomlNamesThePlace) {
  EXPECT_THAT(only_error_of("[pool\nsize = 1"), HasSubstr("t.toml:1:"));
  EXPECT_THAT(only_error_of("a = \"\xff\""), HasSubstr("t.toml:1:"));
  EXPECT_THAT(only_error_of("[pool]\n\n[!\n"), HasSubstr("t.toml:3:"));
  EXPECT_THAT(only_error_of("[pool]\n\u00c9t\u00e9 = 1\n"), HasSubstr("t.toml:2:"));
}

struct BadCase {
  std::string_view name;
  std::string_view text;      // after kGood
  std::string_view expected;  // in the one error
};

class BadInput : public testing::TestWithParam<BadCase> {};

TEST_P(BadInput, IsRefusedWithReasonAndMend) {
  const std::string error = only_error_of(good_and(GetParam().text));
  EXPECT_THAT(error, HasSubstr(GetParam().expected));
  EXPECT_THAT(error, HasSubstr("; ")) << "every error says what to change";
  EXPECT_THAT(error, testing::StartsWith("t.toml:"));
}

constexpr std::string_view kTable = "[[tables]]\nname = \"t\"\nkey = \"k\"\n";
#define SHERD_TABLE "[[tables]]\nname = \"t\"\nkey = \"k\"\n"
#define SHERD_SHARD "[[shards]]\nuser = \"u\"\n"

const BadCase kBadCases[] = {
    {"FloatForInteger", "[pool]\nsize = 1.5", "pool.size: expected an integer"},
    {"TextForInteger", "[pool]\nsize = \"20\"", "pool.size: expected an integer"},
    {"NegativeCount", "[pool]\nsize = -1", "-1 is out of range"},
    {"ZeroCount", "[pool]\nsize = 0", "0 is out of range"},
    {"HugeInteger", "[pool]\nsize = 9223372036854775807", "is out of range"},
    {"DurationWithoutUnit", "[pool]\nidle_timeout = 5", "expected a duration"},
    {"DurationTextWithoutUnit", "[pool]\nidle_timeout = \"5\"", "expected a duration"},
    {"NegativeDuration", "[pool]\nidle_timeout = \"-5s\"", "expected a duration"},
    {"EmptyDuration", "[pool]\nidle_timeout = \"\"", "expected a duration"},
    {"ZeroWhereTimeIsNeeded", "[pool]\nconnect_timeout = 0", "may not be 0"},
    {"DurationOverflow", "[pool]\nidle_timeout = \"99999999999999999d\"", "expected a duration"},
    {"SizeInMegabytes", "[limits]\nmessage_bytes = \"64MB\"", "expected a size"},
    {"SizeBelowBound", "[limits]\nmessage_bytes = \"1KiB\"", "1KiB is out of range"},
    {"SizeAboveBound", "[limits]\nmessage_bytes = \"1GiB\"", "1GiB is out of range"},
    {"SizeOverflow", "[limits]\nmessage_bytes = \"18446744073709551615TiB\"", "expected a size"},
    {"Misspelt choice", "[pool]\nmode = \"transactoin\"", "did you mean \"transaction\"?"},
    {"ChoiceOfWrongType", "[pool]\nmode = 1", "pool.mode"},
    {"TlsNotBuilt", "[tls]\nmode = \"require\"", "is none of disable"},
    {"SectionAsValue", "[cluster.database]\nx = 1", "cluster.database: expected a text"},
    {"TableForList", "[users]\nname = \"a\"", "expected a list of tables"},
    {"HomeShardUnknown", "[cluster]\nhome_shard = \"s2\"", "there is no shard \"s2\""},
    {"ConsoleDatabase", "[cluster]\ndatabase = \"sherd\"", "\"sherd\" is the console"},
    {"EmptyStatePath", "[state]\npath = \"\"", "no state file"},
    {"WeightZero", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\nweight = 0", "above 0"},
    {"WeightNan", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\nweight = nan", "above 0"},
    {"WeightInfinite", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\nweight = inf", "above 0"},
    {"ShardTwice", SHERD_SHARD "id = \"s1\"\nhost = \"h\"", "\"s1\" stands twice"},
    {"ShardNameWithSpace", SHERD_SHARD "id = \"s 2\"\nhost = \"h\"", "cannot name a shard"},
    {"EmptyShardName", SHERD_SHARD "id = \"\"\nhost = \"h\"", "id is empty"},
    {"SameServer", SHERD_SHARD "id = \"s2\"\nhost = \"db1\"", "same database as another"},
    {"ReplicaIsPrimary", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\nreplicas = [{host = \"h\"}]",
     "is the primary or another replica"},
    {"ReplicaAsText", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\nreplicas = [\"h:1\"]",
     "expected a list of tables"},
    {"TagsOfNumbers", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\ntags = [1]",
     "expected a list of texts"},
    {"SecretOfWrongType", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\npassword = 1234",
     "expected a secret"},
    {"SecretVariableMissing", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\npassword = \"env:NONE\"",
     "\"env:NONE\": not set"},
    {"SecretFileMissing", SHERD_SHARD "id = \"s2\"\nhost = \"h\"\npassword = \"file:none\"",
     "\"file:none\": not set"},
    {"UserWithoutName", "[[users]]\npassword = \"x\"", "users[0] has no name"},
    {"UserTwice", "[[users]]\nname = \"a\"\n[[users]]\nname = \"a\"", "\"a\" stands twice"},
    {"ShardPasswordAlone", "[[users]]\nname = \"a\"\nshard_password = \"x\"", "without shard_user"},
    {"TableWithoutKey", "[[tables]]\nname = \"t\"", "has no key"},
    {"ReferenceWithKey", SHERD_TABLE "kind = \"reference\"", "has key or colocate_with"},
    {"StrategyMisspelt", SHERD_TABLE "strategy = \"slots\"", "did you mean \"slot\"?"},
    {"SlotsNoPowerOfTwo", SHERD_TABLE "slots = 1000", "power of two"},
    {"RangeWithoutRanges", SHERD_TABLE "strategy = \"range\"", "needs ranges"},
    {"RangeOnUnknownShard", SHERD_TABLE "strategy = \"range\"\nranges = [{shard = \"x\"}]",
     "there is no shard \"x\""},
    {"RangeWithUnknownName",
     SHERD_TABLE "strategy = \"range\"\nranges = [{shard = \"s1\", lo = 1}]",
     "did you mean \"low\"?"},
    {"PinToUnknownShard", SHERD_TABLE "strategy = \"directory\"\npins = {a = \"s9\"}",
     "did you mean \"s1\"?"},
    {"RegionWithoutShard", SHERD_TABLE "strategy = \"geographic\"\ndefault_region = \"mars\"",
     "no shard is in region"},
    {"OptionOfOtherStrategy", SHERD_TABLE "strategy = \"hash\"\nslots = 64", "has no effect"},
    {"StrategyBesideColocation",
     SHERD_TABLE
     "[[tables]]\nname = \"u\"\nkey = \"k\"\ncolocate_with = \"t\"\nstrategy = \"hash\"",
     "no strategy of its own"},
    {"ColocatedWithUnknown", SHERD_TABLE "colocate_with = \"other\"", "stands above"},
    {"ColocatedWithItself", SHERD_TABLE "colocate_with = \"t\"", "stands above"},
    {"TableTwice", SHERD_TABLE SHERD_TABLE, "\"t\" stands twice"},
};
INSTANTIATE_TEST_SUITE_P(Parse, BadInput, testing::ValuesIn(kBadCases), [](const auto& info) {
  std::string name(info.param.name);
  std::erase(name, ' ');
  return name;
});

TEST(Parse, ErrorsNeverShowSecrets) {
  for (const std::string& line : errors_of(
           "[[users]]\nname = \"a\"\npassword = \"hunter2\"\nshard_password = \"hunter2\"\nx = 1\n"
           "[[shards]]\nid = \"s\"\nhost = \"h\"\nuser = \"u\"\npassword = \"hunter2\"\nport = 0\n"
       )) {
    EXPECT_THAT(line, testing::Not(HasSubstr("hunter2")));
  }
}

TEST(Parse, TrustBeyondLoopbackIsRefused) {
  EXPECT_THAT(
      only_error_of("[listen]\nhost = \"0.0.0.0\"\nauth = \"trust\"\n[[shards]]\nid = \"s\"\n"
                    "host = \"h\"\nuser = \"u\"\n"),
      HasSubstr("would let anyone on the network in")
  );
}

TEST(Parse, UserWithoutPasswordIsRefusedUnlessTrusted) {
  EXPECT_THAT(
      only_error_of("[[users]]\nname = \"a\"\n[[shards]]\nid = \"s\"\nhost = \"h\"\nuser = \"u\"\n"
      ),
      HasSubstr("user \"a\" has no password")
  );
}

TEST(Parse, NothingToListenOnIsRefused) {
  EXPECT_THAT(
      only_error_of(
          "[listen]\nhost = \"\"\nauth = \"trust\"\n[[shards]]\nid = \"s\"\nhost = \"h\"\n"
          "user = \"u\"\n"
      ),
      HasSubstr("nothing to listen on")
  );
}

TEST(Parse, AnyDamageToAGoodFileEndsInAConfigOrErrors) {
  std::mt19937 random(20240229);
  const std::string good =
      good_and(std::string(kTable) + "slots = 64\n[pool]\nidle_timeout = \"5s\"\n");
  for (int round = 0; round < 3000; ++round) {
    std::string text = good;
    for (int i = 0; i < 1 + round % 3; ++i) {
      text[random() % text.size()] = static_cast<char>(random() % 256);
    }
    const auto config = parsed(text);
    if (!config) {
      ASSERT_FALSE(config.error().empty());
      ASSERT_EQ(config.error().front().code, ErrorCode::kInvalidConfig);
    }
  }
}

TEST(Values, DurationsAndSizesReadBackWhatTheyPrint) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 10'000; ++round) {
    const Milliseconds duration(static_cast<std::int64_t>(random() % 864'000'000'000));
    EXPECT_EQ(duration_from_text(to_text(duration)), duration);
    const Size size{random() % (1ULL << 50)};
    EXPECT_EQ(size_from_text(to_text(size)), size);
  }
}

TEST(Options, NamesDifferAndEachHasADocumentedDefault) {
  std::set<std::string> seen;
  for (const OptionInfo& info : options()) {
    EXPECT_TRUE(seen.insert(info.section + "." + info.name).second)
        << info.section << "." << info.name;
    EXPECT_TRUE(info.doc.ends_with('.')) << info.name;
    EXPECT_FALSE(info.type.empty());
  }
  EXPECT_GT(seen.size(), 60U);
}

TEST(Options, DefaultsOfTheTablePassTheirOwnChecks) {
  std::map<std::string, std::string> sections;
  for (const OptionInfo& info : options()) {
    const bool single = info.section != "users" && !info.section.starts_with("shards")
                        && !info.section.starts_with("tables");
    if (single && !(info.section == "listen" && info.name == "auth")) {
      sections[info.section] += fmt::format("{} = {}\n", info.name, info.default_value);
    }
  }
  std::string text = "[listen]\nauth = \"trust\"\n" + sections["listen"];
  for (const auto& [name, body] : sections) {
    text += name == "listen" ? "" : fmt::format("[{}]\n{}", name, body);
  }
  text += "[[shards]]\nid = \"s1\"\nhost = \"db1\"\nuser = \"app\"\n";
  const auto config = parsed(text);
  ASSERT_TRUE(config.has_value()) << errors_of(text).front() << "\n" << text;
  EXPECT_TRUE(diff(*config, *parsed(kGood)).empty());
}

TEST(Options, ReferencePageHasEveryOption) {
  const std::string page = reference_markdown();
  for (const OptionInfo& info : options()) {
    EXPECT_THAT(page, HasSubstr(fmt::format("| `{}` | {} |", info.name, info.type)));
  }
}

TEST(OptionsPage, IsTheOneInDocs) {
  const std::string path = SHERD_SOURCE_DIR "/docs/options.md";
  if (std::getenv("SHERD_UPDATE_DOCS") != nullptr) {
    std::ofstream(path) << reference_markdown();
  }
  std::ifstream file(path);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(page, reference_markdown()) << "run `make docs`";
}

TEST(Describe, ShowsValuesButNoSecrets) {
  const auto config = parsed(good_and("[[users]]\nname = \"a\"\npassword = \"hunter2\"\n"));
  std::map<std::string, std::string> values;
  for (const OptionValue& value : describe(*config)) {
    values[value.option] = value.value;
    EXPECT_THAT(value.value, testing::Not(HasSubstr("hunter2")));
  }
  EXPECT_EQ(values.at("pool.idle_timeout"), "\"10m\"");
  EXPECT_EQ(values.at("users[a].password"), "***");
  EXPECT_EQ(values.at("shards[s1].host"), "\"db1\"");
}

TEST(Diff, EqualConfigurationsHaveNoDifference) {
  EXPECT_TRUE(diff(*parsed(kGood), *parsed(kGood)).empty());
}

TEST(Diff, ChangeOfAListeningPortNeedsARestartAndOneOfThePoolDoesNot) {
  Config after = *parsed(kGood);
  after.listen.port = 1;
  after.pool.size = 3;
  EXPECT_THAT(
      diff(*parsed(kGood), after),
      ElementsAre(Change{"listen.port", "6432", "1", true}, Change{"pool.size", "20", "3", false})
  );
}

TEST(Diff, ChangedSecretIsNoticedAndNotShown) {
  Config after = *parsed(kGood);
  Config before = after;
  before.shards[0].password.value = "one";
  after.shards[0].password.value = "two";
  EXPECT_THAT(diff(before, after), ElementsAre(Change{"shards[s1].password", "***", "***", false}));
}

TEST(Diff, EntriesAreToldApartByNameNotByPlace) {
  const auto before = parsed(good_and(SHERD_SHARD "id = \"s2\"\nhost = \"h2\"\n"));
  Config after = *before;
  std::swap(after.shards[0], after.shards[1]);
  EXPECT_TRUE(diff(*before, after).empty());
  after.shards[0].id = "s3";
  const std::vector<Change> changes = diff(*before, after);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].option, "shards[s2]");
  EXPECT_EQ(changes[0].after, "");
  EXPECT_EQ(changes[1].option, "shards[s3]");
  EXPECT_THAT(changes[1].after, HasSubstr("host = \"h2\""));
}

}  // namespace
}  // namespace sherd::config
