#include <array>
#include <functional>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <sherd/wire/build.hpp>
#include <sherd/wire/frame.hpp>

#include "rebuild.hpp"
#include "wire_testing.hpp"

namespace sherd::wire {
namespace {

using testing::PasswordKind;
using testing::rebuild;
using testing::SeededRandom;

struct Sample {
  std::string name;
  Side side;
  std::string wire;
  PasswordKind kind = PasswordKind::kPassword;
  bool is_any_body_good = false;  // the body is plain data: every prefix of it decodes too

  [[nodiscard]] Bytes body() const { return as_bytes(wire).subspan(kHeaderBytes); }
};

// Values for generated messages; own their bytes.
struct Values {
  std::vector<std::string> texts;
  std::vector<Value> values;
};

Values make_values(SeededRandom& random, std::size_t most) {
  Values made;
  const std::size_t count = random.below(most + 1);
  for (std::size_t i = 0; i < count; ++i) {
    made.texts.push_back(random.text(20, std::string_view("a\0b\xff", 4)));
  }
  for (const std::string& text : made.texts) {
    made.values.push_back(random.chance(20) ? Value() : Value(as_bytes(text)));
  }
  return made;
}

template <class T, class Make>
std::vector<T> make_some(SeededRandom& random, std::size_t most, Make make) {
  std::vector<T> made(random.below(most + 1));
  for (T& item : made) {
    item = make();
  }
  return made;
}

std::vector<Format> make_formats(SeededRandom& random, std::size_t most) {
  return make_some<Format>(random, most, [&] { return static_cast<Format>(random.below(2)); });
}

std::vector<Oid> make_oids(SeededRandom& random) {
  return make_some<Oid>(random, 5, [&] { return static_cast<Oid>(random.next()); });
}

std::vector<FieldDescription> make_fields(SeededRandom& random) {
  return make_some<FieldDescription>(random, 5, [&] {
    return FieldDescription{
        .name = random.text(8, "abc"),
        .table_oid = static_cast<Oid>(random.next()),
        .attnum = static_cast<std::int16_t>(random.next()),
        .type_oid = static_cast<Oid>(random.next()),
        .type_length = static_cast<std::int16_t>(random.next()),
        .type_modifier = static_cast<std::int32_t>(random.next()),
        .format = static_cast<Format>(random.below(2))
    };
  });
}

ErrorFields make_error_fields(SeededRandom& random) {
  ErrorFields fields;
  for (auto member :
       {&ErrorFields::severity, &ErrorFields::severity_fixed, &ErrorFields::code,
        &ErrorFields::message, &ErrorFields::detail, &ErrorFields::hint,
        &ErrorFields::internal_query, &ErrorFields::where, &ErrorFields::schema,
        &ErrorFields::table, &ErrorFields::column, &ErrorFields::datatype, &ErrorFields::constraint,
        &ErrorFields::file, &ErrorFields::routine}) {
    fields.*member = random.text(6, "xyz");
  }
  fields.position = static_cast<std::uint32_t>(random.below(3));
  fields.internal_position = static_cast<std::uint32_t>(random.next());
  fields.line = static_cast<std::uint32_t>(random.below(2));
  return fields;
}

class Samples {
 public:
  explicit Samples(std::uint64_t seed) : random_(seed) {}

  std::vector<Sample> make() {
    add_frontend();
    add_passwords();
    add_backend_session();
    add_backend_data();
    return std::move(samples_);
  }

 private:
  std::string text() { return random_.text(12, "abcXYZ $1"); }

  template <class Append>
  Sample& add(std::string name, Side side, Append append) {
    Sample sample{.name = std::move(name), .side = side, .wire = {}};
    if constexpr (std::is_void_v<decltype(append(sample.wire))>) {
      append(sample.wire);
    } else {
      EXPECT_TRUE(append(sample.wire)) << sample.name;
    }
    samples_.push_back(std::move(sample));
    return samples_.back();
  }

  void add_frontend() {
    constexpr Side kSide = Side::kFrontend;
    add("Query", kSide, [&](auto& o) { return append_query(o, text()); });
    add("Parse", kSide,
        [&](auto& o) { return append_parse(o, text(), text(), make_oids(random_)); });
    add("Bind", kSide, [&](auto& o) {
      const Values values = make_values(random_, 6);
      const std::vector<Format> formats(values.values.size(), Format::kBinary);
      const auto results = make_formats(random_, 4);
      const std::string portal = text();
      return append_bind(
          o, {.portal = portal,
              .statement = portal,
              .formats = formats,
              .values = values.values,
              .result_formats = results}
      );
    });
    add("Describe", kSide, [&](auto& o) { return append_describe(o, Target::kPortal, text()); });
    add("Close", kSide, [&](auto& o) { return append_close(o, Target::kStatement, text()); });
    add("Execute", kSide, [&](auto& o) {
      return append_execute(o, text(), static_cast<std::int32_t>(random_.next()));
    });
    add("Sync", kSide, append_sync);
    add("Flush", kSide, append_flush);
    add("Terminate", kSide, append_terminate);
    add("CopyFail", kSide, [&](auto& o) { append_copy_fail(o, text()); });
    add("CopyDone", kSide, append_copy_done);
    add("CopyData", kSide, [&](auto& o) { return append_copy_data(o, as_bytes(text())); }
    ).is_any_body_good = true;
    add("FunctionCall", kSide, [&](auto& o) {
      const Values values = make_values(random_, 3);
      return append_function_call(
          o, {.function = 1,
              .formats = std::array{Format::kBinary},
              .values = values.values,
              .result_format = Format::kBinary}
      );
    });
  }

  void add_passwords() {
    constexpr Side kSide = Side::kFrontend;
    add("Password", kSide, [&](auto& o) { return append_password(o, text()); });
    add("SASLInitialResponse", kSide, [&](auto& o) {
      return append_sasl_initial(o, "SCRAM-SHA-256", as_bytes("n,,n=,r=x"));
    }).kind = PasswordKind::kSaslInitial;
    add("SASLInitialResponse without data", kSide, [&](auto& o) {
      return append_sasl_initial(o, text(), std::nullopt);
    }).kind = PasswordKind::kSaslInitial;
    Sample& response = add("SASLResponse", kSide, [&](auto& o) {
      return append_sasl_response(o, as_bytes("c=biws"));
    });
    response.kind = PasswordKind::kSaslResponse;
    response.is_any_body_good = true;
  }

  void add_backend_session() {
    constexpr Side kSide = Side::kBackend;
    add("AuthenticationOk", kSide, [](auto& o) { append_authentication(o, AuthRequest::kOk); });
    add("AuthenticationMD5Password", kSide,
        [](auto& o) { append_authentication_md5(o, std::array<std::byte, 4>{}); });
    add("AuthenticationSASL", kSide,
        [](auto& o) { append_authentication_sasl(o, std::array<std::string_view, 2>{"A", "B"}); });
    add("NegotiateProtocolVersion", kSide, [](auto& o) {
      append_negotiate_protocol_version(o, 2, std::array<std::string, 2>{"_pq_.a", "_pq_.b"});
    });
    add("BackendKeyData", kSide, [](auto& o) { append_backend_key_data(o, 77, as_bytes("1234")); });
    add("ParameterStatus", kSide, [&](auto& o) { append_parameter_status(o, text(), text()); });
    add("ReadyForQuery", kSide, [](auto& o) { append_ready(o, TransactionStatus::kFailed); });
    add("CommandComplete", kSide, [&](auto& o) { append_command_complete(o, text()); });
    add("EmptyQueryResponse", kSide, append_empty_query);
    add("ParseComplete", kSide, append_parse_complete);
    add("BindComplete", kSide, append_bind_complete);
    add("CloseComplete", kSide, append_close_complete);
    add("NoData", kSide, append_no_data);
    add("PortalSuspended", kSide, append_portal_suspended);
    add("ErrorResponse", kSide, [&](auto& o) { append_error(o, make_error_fields(random_)); });
    add("NoticeResponse", kSide, [&](auto& o) { append_notice(o, make_error_fields(random_)); });
    add("NotificationResponse", kSide, [&](auto& o) { append_notification(o, 3, text(), text()); });
  }

  void add_backend_data() {
    constexpr Side kSide = Side::kBackend;
    add("ParameterDescription", kSide,
        [&](auto& o) { return append_parameter_description(o, make_oids(random_)); });
    add("RowDescription", kSide,
        [&](auto& o) { return append_row_description(o, make_fields(random_)); });
    add("DataRow", kSide,
        [&](auto& o) { return append_data_row(o, make_values(random_, 6).values); });
    for (const BackendType type :
         {BackendType::kCopyInResponse, BackendType::kCopyOutResponse,
          BackendType::kCopyBothResponse}) {
      add("CopyResponse", kSide, [&](auto& o) {
        return append_copy_response(o, type, Format::kBinary, make_formats(random_, 5));
      });
    }
    add("CopyData from the server", kSide, [&](auto& o) {
      return append_copy_data(o, as_bytes(text()));
    }).is_any_body_good = true;
    add("CopyDone from the server", kSide, append_copy_done);
    add("FunctionCallResponse", kSide,
        [](auto& o) { return append_function_call_response(o, as_bytes("value")); });
    add("FunctionCallResponse NULL", kSide,
        [](auto& o) { return append_function_call_response(o, std::nullopt); });
  }

  SeededRandom random_;
  std::vector<Sample> samples_{};
};

TEST(Codec, EveryMessageRoundTrips) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    for (const Sample& sample : Samples(seed).make()) {
      const auto again = rebuild(sample.side, sample.wire[0], sample.body(), sample.kind);
      ASSERT_TRUE(again) << sample.name << ": " << to_string(again.error());
      ASSERT_EQ(*again, sample.wire) << sample.name << " seed " << seed;
    }
  }
}

TEST(Codec, EveryTypeOfBothSidesIsSampled) {
  std::array<std::array<bool, 256>, 2> seen{};
  for (const Sample& sample : Samples(1).make()) {
    seen[static_cast<std::size_t>(sample.side)][static_cast<unsigned char>(sample.wire[0])] = true;
  }
  for (const Side side : {Side::kFrontend, Side::kBackend}) {
    for (int type = 0; type < 256; ++type) {
      EXPECT_EQ(
          seen[static_cast<std::size_t>(side)][static_cast<std::size_t>(type)],
          is_known_type(side, static_cast<char>(type))
      ) << type;
    }
  }
}

TEST(Codec, LengthFieldIsTheLength) {
  for (const Sample& sample : Samples(5).make()) {
    MessageAssembler assembler(sample.side);
    Bytes chunk = as_bytes(sample.wire);
    Message message;
    ASSERT_EQ(assembler.next(chunk, message), Scan::kFound) << sample.name;
    EXPECT_EQ(message.body.size(), sample.body().size()) << sample.name;
    EXPECT_TRUE(chunk.empty()) << sample.name;
  }
}

TEST(Codec, EveryTruncatedBodyIsRefused) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const Sample& sample : Samples(seed).make()) {
      for (std::size_t size = 0; size < sample.body().size(); ++size) {
        // A copy of its own, so that a sanitizer sees a read beyond it.
        const std::vector<std::byte> cut(sample.body().begin(), sample.body().begin() + size);
        const auto decoded = rebuild(sample.side, sample.wire[0], cut, sample.kind);
        ASSERT_EQ(decoded.has_value(), sample.is_any_body_good)
            << sample.name << " cut at " << size << " seed " << seed;
      }
    }
  }
}

TEST(Codec, ByteTooManyIsRefused) {
  for (const Sample& sample : Samples(9).make()) {
    if (sample.name == "BackendKeyData") {
      continue;  // the key's length is free since protocol 3.2
    }
    std::string longer(as_text(sample.body()));
    longer.push_back('\0');
    const auto decoded = rebuild(sample.side, sample.wire[0], as_bytes(longer), sample.kind);
    EXPECT_EQ(decoded.has_value(), sample.is_any_body_good) << sample.name;
  }
}

TEST(Codec, BytesAreThoseOfTheManual) {
  std::string out;
  ASSERT_TRUE(append_bind(
      out, {.portal = "p",
            .statement = "s",
            .formats = std::array{Format::kBinary},
            .values = std::array<Value, 2>{as_bytes("x"), std::nullopt},
            .result_formats = {}}
  ));
  EXPECT_EQ(
      out, std::string(
               "B\0\0\0\x19"
               "p\0s\0"
               "\0\1\0\1"
               "\0\2\0\0\0\1x\xff\xff\xff\xff"
               "\0\0",
               26
           )
  );
  out.clear();
  append_ready(out, TransactionStatus::kInTransaction);
  EXPECT_EQ(out, std::string("Z\0\0\0\5T", 6));
  out.clear();
  ASSERT_TRUE(append_startup(out, {.parameters = {{"user", "me"}}}));
  EXPECT_EQ(out, std::string("\0\0\0\x11\0\3\0\0user\0me\0\0", 17));
  out.clear();
  append_ssl_request(out);
  EXPECT_EQ(out, std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8));
  out.clear();
  ASSERT_TRUE(append_row_description(
      out, std::array{FieldDescription{
               .name = "a", .table_oid = 1, .attnum = 2, .type_oid = 23, .type_length = 4
           }}
  ));
  EXPECT_EQ(
      out, std::string("T\0\0\0\x1a\0\1a\0\0\0\0\1\0\2\0\0\0\x17\0\4\xff\xff\xff\xff\0\0", 27)
  );
}

TEST(DataRow, ColumnsByIterationIndexAndCopyAgree) {
  std::string out;
  ASSERT_TRUE(
      append_data_row(out, std::array<Value, 3>{as_bytes("one"), std::nullopt, as_bytes("")})
  );
  const auto row = DataRow::decode(as_bytes(out).subspan(kHeaderBytes));
  ASSERT_TRUE(row);
  std::vector<std::string> seen;
  for (const std::optional<Bytes> value : *row) {
    seen.emplace_back(value ? as_text(*value) : "NULL");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "NULL", ""}));
  EXPECT_EQ(as_text(*(*row)[0]), "one");
  EXPECT_FALSE((*row)[1].has_value());
  std::array<Value, 2> two;
  EXPECT_EQ(row->copy_to(two), 3U);
  EXPECT_FALSE(two[1].has_value());
}

TEST(DataRow, NegativeLengthOtherThanNullIsRefused) {
  EXPECT_FALSE(DataRow::decode(as_bytes(std::string_view("\0\1\xff\xff\xff\xfe", 6))));
}

TEST(Bind, FormatCountMustFitParameters) {
  const std::string body(
      "\0\0"
      "\0\2\0\0\0\1"
      "\0\1\xff\xff\xff\xff"
      "\0\0",
      16
  );
  EXPECT_EQ(Bind::decode(as_bytes(body)).error().code, ErrorCode::kProtocolViolation);
}

TEST(Bind, UnknownFormatCodeIsRefused) {
  const std::string body(
      "\0\0"
      "\0\1\0\2"
      "\0\1\xff\xff\xff\xff"
      "\0\0",
      14
  );
  EXPECT_EQ(Bind::decode(as_bytes(body)).error().code, ErrorCode::kInvalidParameterValue);
}

TEST(FormatAt, OneCodeIsForAll) {
  EXPECT_EQ(format_at(IntegerList<std::int16_t>(), 3), Format::kText);
  const std::string one("\0\1", 2);
  EXPECT_EQ(format_at(IntegerList<std::int16_t>(as_bytes(one)), 3), Format::kBinary);
}

struct TagCase {
  std::string_view text;
  CommandTag tag;
};

TEST(CommandTag, IsParsedIntoVerbAndCounts) {
  const TagCase cases[] = {
      {"INSERT 0 5", {"INSERT", 5, 0}},
      {"SELECT 18446744073709551615", {"SELECT", 18446744073709551615ULL, {}}},
      {"CREATE TABLE", {"CREATE TABLE", {}, {}}},
      {"BEGIN", {"BEGIN", {}, {}}},
      {"", {"", {}, {}}},
      {"UPDATE 99999999999999999999", {"UPDATE 99999999999999999999", {}, {}}},
      {"COPY -1", {"COPY -1", {}, {}}},
      {" 5", {" 5", {}, {}}},
  };
  for (const TagCase& each : cases) {
    EXPECT_EQ(parse_command_tag(each.text), each.tag) << each.text;
    EXPECT_EQ(to_text(each.tag), each.text);
  }
}

TEST(ErrorFields, ServerWithoutSqlstateIsNoReasonToFail) {
  const auto fields = ErrorFields::decode(as_bytes(std::string_view("Mbroken\0\0", 9)));
  ASSERT_TRUE(fields);
  EXPECT_EQ(to_error(*fields, "s1").sqlstate(), "XX000");
}

TEST(ErrorFields, UnknownFieldIsSkipped) {
  const auto fields = ErrorFields::decode(as_bytes(std::string_view("?new\0C23505\0\0", 13)));
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->code, "23505");
}

TEST(ErrorFields, ShardErrorKeepsWhatAClientSees) {
  ErrorFields fields;
  fields.code = "23505";
  fields.message = "duplicate key";
  fields.detail = "Key (id)=(1) already exists.";
  fields.position = 7;
  const Error error = to_error(fields, "s1");
  EXPECT_EQ(error.code, ErrorCode::kShardError);
  EXPECT_EQ(error.shard, "s1");
  const ErrorFields again = to_fields(error, Severity::kFatal);
  EXPECT_EQ(again.code, fields.code);
  EXPECT_EQ(again.detail, fields.detail);
  EXPECT_EQ(again.position, 7U);
  EXPECT_TRUE(again.ends_connection());
}

TEST(ErrorFields, ZeroByteInTextEndsTheFieldNotTheMessage) {
  std::string out;
  append_error(out, Error{.code = ErrorCode::kInternal, .message = std::string("a\0b", 3)});
  const auto fields = ErrorFields::decode(as_bytes(out).subspan(kHeaderBytes));
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->message, "a");
}

TEST(Build, ZeroByteInStatementIsRefusedAndNothingIsWritten) {
  const std::string_view sql("SELECT 1\0; DROP TABLE t", 23);
  std::string out = "before";
  EXPECT_EQ(append_query(out, sql).error().code, ErrorCode::kProtocolViolation);
  EXPECT_EQ(append_parse(out, "", sql).error().code, ErrorCode::kProtocolViolation);
  EXPECT_EQ(append_describe(out, Target::kPortal, sql).error().code, ErrorCode::kProtocolViolation);
  EXPECT_EQ(append_password(out, sql).error().code, ErrorCode::kProtocolViolation);
  EXPECT_EQ(out, "before");
}

TEST(Build, MoreThan65535ValuesAreRefused) {
  const std::vector<Value> values(65536);
  std::string out;
  EXPECT_EQ(append_data_row(out, values).error().code, ErrorCode::kProgramLimit);
  EXPECT_EQ(append_bind(out, {.values = values}).error().code, ErrorCode::kProgramLimit);
  EXPECT_TRUE(append_data_row(out, std::span(values).first(65535)));
}

TEST(Build, MessageOverAGigabyteIsRefusedWithoutBuildingIt) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  void* const pages = ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  const Bytes block(static_cast<const std::byte*>(pages), kBytes);
  std::string out;
  EXPECT_EQ(
      append_data_row(out, std::vector<Value>(16, block)).error().code, ErrorCode::kProgramLimit
  );
  // Over 4 GiB: a 32-bit sum would have come round to a small number.
  EXPECT_EQ(
      append_bind(out, {.values = std::vector<Value>(65, block)}).error().code,
      ErrorCode::kProgramLimit
  );
  EXPECT_LT(out.capacity(), 100U);
  ::munmap(pages, kBytes);
}

TEST(StartupPacket, EveryKindRoundTrips) {
  const StartupMessage startup{.parameters = {{"user", "app"}, {"application_name", ""}}};
  std::string out;
  ASSERT_TRUE(append_startup(out, startup));
  EXPECT_EQ(std::get<StartupMessage>(*decode_startup_packet(as_bytes(out).subspan(4))), startup);
  out.clear();
  append_cancel_request(out, 5, as_bytes("secret"));
  EXPECT_EQ(
      std::get<CancelRequest>(*decode_startup_packet(as_bytes(out).subspan(4))),
      (CancelRequest{.process_id = 5, .secret = "secret"})
  );
  out.clear();
  append_gss_enc_request(out);
  EXPECT_TRUE(std::holds_alternative<GssEncRequest>(*decode_startup_packet(as_bytes(out).subspan(4))
  ));
}

TEST(StartupPacket, ParameterGivenTwiceIsRefused) {
  std::string out;
  ASSERT_TRUE(append_startup(out, {.parameters = {{"user", "a"}, {"user", "postgres"}}}));
  EXPECT_EQ(
      decode_startup_packet(as_bytes(out).subspan(4)).error().code, ErrorCode::kProtocolViolation
  );
}

TEST(StartupPacket, EveryTruncatedPacketIsRefused) {
  std::string out;
  ASSERT_TRUE(append_startup(out, {.parameters = {{"user", "a"}, {"database", "b"}}}));
  const Bytes body = as_bytes(out).subspan(4);
  for (std::size_t size = 0; size < body.size(); ++size) {
    const std::vector<std::byte> cut(body.begin(), body.begin() + size);
    EXPECT_FALSE(decode_startup_packet(cut)) << size;
  }
}

}  // namespace
}  // namespace sherd::wire
