#include <array>

#include <gtest/gtest.h>

#include <sherd/wire/auth.hpp>
#include <sherd/wire/build.hpp>
#include <sherd/wire/frame.hpp>

#include "wire_testing.hpp"

namespace sherd::wire {
namespace {

using testing::SeededRandom;

// RFC 7677, section 3.
constexpr std::string_view kClientNonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kClientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view kServerFirst =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view kClientFinal =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view kServerFinal = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

TEST(Scram, VectorOfRfc7677) {
  const auto challenge = parse_scram_challenge(kServerFirst, kClientNonce);
  ASSERT_TRUE(challenge);
  const auto first = parse_scram_client_first(kClientFirst);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->nonce, kClientNonce);
  const auto last = parse_scram_client_final(kClientFinal);
  ASSERT_TRUE(last);
  const std::string text = scram_auth_message(first->bare, kServerFirst, last->without_proof);
  const auto salted = salted_password("pencil", as_bytes(challenge->salt), challenge->iterations);
  EXPECT_EQ(scram_proof(salted, text), last->proof);
  EXPECT_EQ(base64(scram_server_signature(scram_server_key(salted), text)), kServerFinal);
  const ScramVerifier verifier = make_scram_verifier("pencil", as_bytes(challenge->salt));
  EXPECT_TRUE(scram_proof_is_right(verifier, last->proof, text));
  ScramDigest wrong = last->proof;
  wrong[31] ^= std::byte{1};
  EXPECT_FALSE(scram_proof_is_right(verifier, wrong, text));
}

TEST(Scram, VerifierRoundTripsAsText) {
  const ScramVerifier verifier = make_scram_verifier("pencil", as_bytes("0123456789abcdef"), 64);
  EXPECT_EQ(parse_scram_verifier(to_text(verifier)), verifier);
}

TEST(Scram, MalformedVerifierIsNone) {
  const std::string good = to_text(make_scram_verifier("pencil", as_bytes("salt"), 10));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_scram_verifier(good.substr(0, size))) << size;
  }
  EXPECT_FALSE(parse_scram_verifier(good + "="));
  EXPECT_FALSE(parse_scram_verifier("SCRAM-SHA-256$0:" + good.substr(17)));
}

TEST(Base64, RoundTripsAndIsStrict) {
  SeededRandom random(1);
  for (int round = 0; round < 200; ++round) {
    const std::string bytes = random.text(40, std::string_view("\0\xff=a", 4));
    EXPECT_EQ(from_base64(base64(as_bytes(bytes))), bytes);
  }
  for (const std::string_view bad : {"abc", "ab=c", "a===", "====", " abc", "abc\n", "ab c"}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
}

TEST(Scram, ChallengeThatDoesNotContinueOurNonceIsRefused) {
  EXPECT_FALSE(parse_scram_challenge("r=abcd,s=QQ==,i=1", "abd"));
  EXPECT_FALSE(parse_scram_challenge("r=abc,s=QQ==,i=1", "abc"));
  EXPECT_TRUE(parse_scram_challenge("r=abcd,s=QQ==,i=1", "abc"));
}

TEST(Scram, OversizedChallengeIsRefused) {
  const std::string nonce(kMaxScramNonceBytes + 1, 'x');
  EXPECT_FALSE(parse_scram_challenge("r=" + nonce + ",s=QQ==,i=1", "x"));
  const std::string salt = base64(as_bytes(std::string(kMaxScramSaltBytes + 1, 's')));
  EXPECT_FALSE(parse_scram_challenge("r=ab,s=" + salt + ",i=1", "a"));
}

TEST(Scram, ChannelBindingAndIdentitiesAreRefused) {
  EXPECT_EQ(parse_scram_client_first("p=tls-unique,,n=,r=x").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(parse_scram_client_first("n,a=boss,n=,r=x").error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(parse_scram_client_first("n,,m=ext,n=,r=x"));
  EXPECT_FALSE(parse_scram_client_first("n,,n=,r="));
}

TEST(Md5Secret, IsWhatPostgresqlStores) {
  EXPECT_EQ(md5_secret("app", "secret"), "md56a422f785c9e20873908ce25d1736ae2");
}

// Both machines, message by message, as a proxy would drive them.
class Exchange {
 public:
  Exchange(Credentials credentials, ServerAuth::Settings settings, ClientAuthOptions options)
      : client_(std::move(credentials), client_random_, options),
        server_(std::move(settings), server_random_) {}

  // What goes over the wire; the message of number `tampered_step` is changed by `tamper`.
  using Tamper = void (*)(std::string& wire);
  Result<> run(int tampered_step = -1, Tamper tamper = nullptr) {
    std::string from_server;
    AuthProgress server = server_.start(from_server);
    int step = 0;
    while (true) {
      std::string from_client;
      while (!from_server.empty()) {
        const std::string message =
            take_message(from_server, step++ == tampered_step ? tamper : nullptr);
        SHERD_TRY(client_progress_, client_.on_message(as_bytes(message).subspan(5), from_client));
      }
      if (server == AuthProgress::kDone || from_client.empty()) {
        return {};
      }
      const std::string message =
          take_message(from_client, step++ == tampered_step ? tamper : nullptr);
      SHERD_TRY(server, server_.on_message(message[0], as_bytes(message).subspan(5), from_server));
      server_progress_ = server;
    }
  }
  [[nodiscard]] bool both_done() const {
    return client_progress_ == AuthProgress::kDone && server_progress_ == AuthProgress::kDone;
  }
  [[nodiscard]] bool is_client_done() const { return client_progress_ == AuthProgress::kDone; }
  [[nodiscard]] bool is_server_done() const { return server_progress_ == AuthProgress::kDone; }
  ClientAuth& client() { return client_; }
  ServerAuth& server() { return server_; }

 private:
  static std::string take_message(std::string& wire, Tamper tamper) {
    const std::size_t size = load_be<std::uint32_t>(as_bytes(wire).data() + 1) + 1;
    std::string message = wire.substr(0, size);
    wire.erase(0, size);
    if (tamper != nullptr) {
      tamper(message);
    }
    return message;
  }

  SeededRandom client_random_{1};
  SeededRandom server_random_{2};
  ClientAuth client_;
  ServerAuth server_;
  AuthProgress client_progress_ = AuthProgress::kContinue;
  AuthProgress server_progress_ = AuthProgress::kContinue;
};

constexpr ClientAuthOptions kAllowAll{.allow_cleartext = true};

std::string scram_text(std::string_view password) {
  return to_text(make_scram_verifier(password, as_bytes("0123456789abcdef")));
}

ServerAuth::Settings settings(AuthMethod method, std::optional<std::string> secret) {
  return {
      .method = method,
      .user = "app",
      .secret = secret ? std::optional(StoredSecret::from_text(*secret)) : std::nullopt,
      .mock_key = "mock key"
  };
}

struct MethodAndSecret {
  AuthMethod method;
  std::string secret;
};
const std::array<MethodAndSecret, 8> kGoodPairs = {{
    {AuthMethod::kCleartext,
     "s\xc3\xa9"
     "cret"},
    {AuthMethod::kCleartext, md5_secret(
                                 "app",
                                 "s\xc3\xa9"
                                 "cret"
                             )},
    {AuthMethod::kCleartext, scram_text("s\xc3\xa9"
                                        "cret")},
    {AuthMethod::kMd5,
     "s\xc3\xa9"
     "cret"},
    {AuthMethod::kMd5, md5_secret(
                           "app",
                           "s\xc3\xa9"
                           "cret"
                       )},
    {AuthMethod::kMd5, scram_text("s\xc3\xa9"
                                  "cret")},  // becomes SCRAM
    {AuthMethod::kScramSha256,
     "s\xc3\xa9"
     "cret"},
    {AuthMethod::kScramSha256, scram_text("s\xc3\xa9"
                                          "cret")},
}};

TEST(Authentication, RightPasswordOpensWithEveryMethodAndSecret) {
  for (const auto& [method, secret] : kGoodPairs) {
    Exchange exchange(
        {"app",
         "s\xc3\xa9"
         "cret"},
        settings(method, secret), kAllowAll
    );
    const auto result = exchange.run();
    ASSERT_TRUE(result) << secret << to_string(result.error());
    EXPECT_TRUE(exchange.both_done()) << secret;
  }
}

TEST(Authentication, WrongPasswordFailsWithEveryMethodAndSecret) {
  for (const auto& [method, secret] : kGoodPairs) {
    for (const std::string_view password :
         {"secret",
          "s\xc3\xa9"
          "cret ",
          "x"}) {
      Exchange exchange({"app", std::string(password)}, settings(method, secret), kAllowAll);
      EXPECT_EQ(exchange.run().error().code, ErrorCode::kInvalidPassword) << secret;
      EXPECT_FALSE(exchange.is_client_done());
      EXPECT_FALSE(exchange.is_server_done());
    }
  }
}

TEST(Authentication, StoredTextIsNoPasswordItself) {
  for (const auto& [method, secret] : kGoodPairs) {
    if (StoredSecret::from_text(secret).kind() != StoredSecret::Kind::kPlain) {
      Exchange exchange({"app", secret}, settings(method, secret), kAllowAll);
      EXPECT_EQ(exchange.run().error().code, ErrorCode::kInvalidPassword) << secret;
    }
  }
}

TEST(Authentication, TrustAsksNothing) {
  Exchange exchange({"app", {}}, settings(AuthMethod::kTrust, {}), {});
  ASSERT_TRUE(exchange.run());
  EXPECT_TRUE(exchange.is_client_done());
  Exchange distrustful({"app", {}}, settings(AuthMethod::kTrust, {}), {.allow_trust = false});
  EXPECT_EQ(distrustful.run().error().code, ErrorCode::kInvalidAuthorization);
}

TEST(ServerAuth, UnknownUserFailsLikeAWrongPassword) {
  for (const AuthMethod method :
       {AuthMethod::kCleartext, AuthMethod::kMd5, AuthMethod::kScramSha256}) {
    Exchange unknown({"app", "secret"}, settings(method, {}), kAllowAll);
    Exchange wrong({"app", "secret"}, settings(method, "other"), kAllowAll);
    EXPECT_EQ(unknown.run().error().message, wrong.run().error().message);
  }
}

std::string challenge_of(ServerAuth::Settings settings, std::uint64_t seed) {
  SeededRandom random(seed);
  ServerAuth server(std::move(settings), random);
  std::string out;
  EXPECT_EQ(server.start(out), AuthProgress::kContinue);
  out.clear();
  std::string initial;
  EXPECT_TRUE(append_sasl_initial(initial, kScramSha256, as_bytes("n,,n=,r=abc")));
  EXPECT_TRUE(server.on_message('p', as_bytes(initial).subspan(5), out));
  return out.substr(9);
}

TEST(ServerAuth, SaltOfAnUnknownUserIsTheSameAtEachLogin) {
  const auto salt_of = [](std::uint64_t seed) {
    const std::string text = challenge_of(settings(AuthMethod::kScramSha256, {}), seed);
    const auto challenge = parse_scram_challenge(text, "abc");
    EXPECT_TRUE(challenge) << text;
    EXPECT_EQ(challenge->iterations, kScramDefaultIterations);
    return challenge->salt;
  };
  EXPECT_EQ(salt_of(1), salt_of(2));
  EXPECT_EQ(salt_of(1).size(), 16U);
}

TEST(ServerAuth, NonceIsNewAtEachLogin) {
  const auto known = settings(AuthMethod::kScramSha256, scram_text("x"));
  EXPECT_NE(challenge_of(known, 1), challenge_of(known, 2));
}

// Steps of a SCRAM exchange: 0 SASL, 1 initial, 2 continue, 3 response, 4 final, 5 ok.
constexpr int kScramSteps = 6;

void flip_last(std::string& wire) {
  wire.back() = static_cast<char>(wire.back() ^ 1);
}
void cut_short(std::string& wire) {
  wire.pop_back();
}
void make_empty(std::string& wire) {
  wire.resize(5);
}
void add_byte(std::string& wire) {
  wire.push_back('x');
}
void replace_by_ok(std::string& wire) {
  wire.resize(5);
  append_be<std::uint32_t>(wire, 0);
}
void replace_by_cleartext(std::string& wire) {
  wire.resize(5);
  append_be<std::uint32_t>(wire, 3);
}

TEST(Authentication, TamperedMessageFailsAtEveryStep) {
  for (const Exchange::Tamper tamper : {flip_last, cut_short, make_empty}) {
    for (int step = 0; step < kScramSteps; ++step) {
      Exchange exchange(
          {"app", "pw"}, settings(AuthMethod::kScramSha256, scram_text("pw")), kAllowAll
      );
      EXPECT_FALSE(exchange.run(step, tamper)) << step;
      EXPECT_FALSE(exchange.both_done()) << step;
    }
  }
}

TEST(ClientAuth, ServerThatSkipsTheProofIsRefused) {
  for (const int step : {2, 4}) {
    for (const Exchange::Tamper tamper : {replace_by_ok, replace_by_cleartext}) {
      Exchange exchange(
          {"app", "pw"}, settings(AuthMethod::kScramSha256, scram_text("pw")), kAllowAll
      );
      const auto result = exchange.run(step, tamper);
      ASSERT_FALSE(result) << step;
      EXPECT_EQ(result.error().code, ErrorCode::kProtocolViolation);
      EXPECT_FALSE(exchange.is_client_done());
    }
  }
}

TEST(ClientAuth, SecondRequestAfterThePasswordIsRefused) {
  Exchange scram({"app", "pw"}, settings(AuthMethod::kScramSha256, scram_text("pw")), kAllowAll);
  EXPECT_FALSE(scram.run(5, replace_by_cleartext));
  EXPECT_FALSE(scram.is_client_done());
  Exchange cleartext({"app", "pw"}, settings(AuthMethod::kCleartext, "pw"), kAllowAll);
  EXPECT_FALSE(cleartext.run(2, replace_by_cleartext));
  EXPECT_FALSE(cleartext.is_client_done());
}

void change_signature(std::string& wire) {
  wire[12] = wire[12] == 'A' ? 'B' : 'A';
}

TEST(ClientAuth, ServerWithAnotherSignatureIsRefused) {
  Exchange exchange({"app", "pw"}, settings(AuthMethod::kScramSha256, scram_text("pw")), kAllowAll);
  const auto result = exchange.run(4, change_signature);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidAuthorization);
  EXPECT_FALSE(exchange.is_client_done());
}

// Answers the challenge as one who knows the password, but with a nonce or binding of its own.
Result<AuthProgress> answer_with(std::string_view binding, std::string_view nonce_suffix) {
  SeededRandom random(1);
  ServerAuth server(settings(AuthMethod::kScramSha256, scram_text("pw")), random);
  std::string out;
  EXPECT_EQ(server.start(out), AuthProgress::kContinue);
  out.clear();
  std::string wire;
  EXPECT_TRUE(append_sasl_initial(wire, kScramSha256, as_bytes("n,,n=,r=abc")));
  EXPECT_TRUE(server.on_message('p', as_bytes(wire).subspan(5), out));
  const std::string server_first = out.substr(9);
  const auto challenge = parse_scram_challenge(server_first, "abc");
  const std::string last = "c=" + std::string(binding) + ",r=" + std::string(challenge->nonce)
                           + std::string(nonce_suffix);
  const auto salted = salted_password("pw", as_bytes(challenge->salt), challenge->iterations);
  const auto proof = scram_proof(salted, scram_auth_message("n=,r=abc", server_first, last));
  return server.on_message('p', as_bytes(last + ",p=" + base64(proof)), out);
}

TEST(ServerAuth, SignedAnswerMustKeepNonceAndBinding) {
  EXPECT_EQ(answer_with("biws", "").value(), AuthProgress::kDone);
  EXPECT_EQ(answer_with("biws", "x").error().code, ErrorCode::kProtocolViolation);
  EXPECT_EQ(answer_with("eSws", "").error().code, ErrorCode::kProtocolViolation);
}

TEST(ClientAuth, NothingIsAcceptedAfterAnError) {
  Exchange exchange({"app", "pw"}, settings(AuthMethod::kScramSha256, scram_text("pw")), {});
  EXPECT_FALSE(exchange.run(2, add_byte));
  std::string ok;
  append_authentication(ok, AuthRequest::kOk);
  std::string out;
  EXPECT_FALSE(exchange.client().on_message(as_bytes(ok).subspan(5), out));
}

TEST(ServerAuth, NothingIsAcceptedAfterTheEnd) {
  for (const auto& [method, secret] : kGoodPairs) {
    Exchange exchange(
        {"app",
         "s\xc3\xa9"
         "cret"},
        settings(method, secret), kAllowAll
    );
    ASSERT_TRUE(exchange.run());
    std::string out;
    EXPECT_EQ(
        exchange.server().on_message('p', as_bytes(std::string_view("x\0", 2)), out).error().code,
        ErrorCode::kProtocolViolation
    );
    EXPECT_TRUE(out.empty());
  }
}

TEST(ServerAuth, AnyOtherMessageEndsTheMachine) {
  for (const char type : {'Q', 'P', 'X', 'S', '\0'}) {
    SeededRandom random(1);
    ServerAuth server(settings(AuthMethod::kCleartext, "secret"), random);
    std::string out;
    EXPECT_EQ(server.start(out), AuthProgress::kContinue);
    out.clear();
    const Bytes right = as_bytes(std::string_view("secret\0", 7));
    EXPECT_FALSE(server.on_message(type, right, out));
    EXPECT_FALSE(server.on_message('p', right, out));
    EXPECT_TRUE(out.empty());
  }
}

TEST(ServerAuth, MessageBeforeStartIsRefused) {
  SeededRandom random(1);
  ServerAuth server(settings(AuthMethod::kCleartext, "secret"), random);
  std::string out;
  EXPECT_FALSE(server.on_message('p', as_bytes(std::string_view("secret\0", 7)), out));
}

TEST(ClientAuth, CleartextIsRefusedUnlessAllowed) {
  Exchange exchange({"app", "pw"}, settings(AuthMethod::kCleartext, "pw"), {});
  EXPECT_EQ(exchange.run().error().code, ErrorCode::kInvalidAuthorization);
}

TEST(ClientAuth, MissingPasswordIsSaidBeforeAnythingIsSent) {
  for (const AuthMethod method :
       {AuthMethod::kCleartext, AuthMethod::kMd5, AuthMethod::kScramSha256}) {
    Exchange exchange({"app", {}}, settings(method, "pw"), kAllowAll);
    EXPECT_EQ(exchange.run().error().code, ErrorCode::kInvalidPassword);
  }
}

TEST(ClientAuth, IterationCountIsBounded) {
  const std::string costly = to_text(make_scram_verifier("pw", as_bytes("salt"), 5000));
  Exchange exchange(
      {"app", "pw"}, settings(AuthMethod::kScramSha256, costly), {.max_scram_iterations = 4999}
  );
  EXPECT_EQ(exchange.run().error().code, ErrorCode::kInvalidAuthorization);
}

TEST(ClientAuth, OnlyChannelBindingOfferedIsUnsupported) {
  SeededRandom random(1);
  ClientAuth client({"app", "pw"}, random);
  std::string offer;
  append_authentication_sasl(offer, std::array{kScramSha256Plus});
  std::string out;
  EXPECT_EQ(
      client.on_message(as_bytes(offer).subspan(5), out).error().code, ErrorCode::kUnsupported
  );
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace sherd::wire
