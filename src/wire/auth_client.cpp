#include <array>
#include <utility>

#include <fmt/format.h>

#include <sherd/wire/auth.hpp>
#include <sherd/wire/build.hpp>

#include "auth_text.hpp"

namespace sherd::wire {
namespace {

constexpr std::string_view kGs2Header = "n,,";  // no channel binding

std::unexpected<Error> out_of_turn(AuthRequest request) {
  return fail(
      ErrorCode::kProtocolViolation,
      fmt::format(
          "server sent authentication request {} out of turn", static_cast<unsigned>(request)
      )
  );
}

std::unexpected<Error> refused(std::string message, std::string hint) {
  return fail(ErrorCode::kInvalidAuthorization, std::move(message), std::move(hint));
}

}  // namespace

ClientAuth::ClientAuth(Credentials credentials, RandomSource& random, ClientAuthOptions options)
    : credentials_(std::move(credentials)), random_(random), options_(options) {}

Result<AuthProgress> ClientAuth::on_message(Bytes body, std::string& out) {
  const State state = std::exchange(state_, State::kOver);  // every early return below is final
  SHERD_TRY(const Authentication message, Authentication::decode(body));
  const std::string_view data = as_text(message.data);
  switch (state) {
    case State::kStart:
      return on_start(message, out);
    case State::kScramFirst:
      if (message.request == AuthRequest::kSaslContinue) {
        SHERD_TRY_VOID(answer_challenge(data, out));
        state_ = State::kScramFinal;
        return AuthProgress::kContinue;
      }
      break;
    case State::kScramFinal:
      if (message.request == AuthRequest::kSaslFinal) {
        SHERD_TRY_VOID(check_server(data));
        state_ = State::kPasswordSent;
        return AuthProgress::kContinue;
      }
      break;
    case State::kPasswordSent:
      if (message.request == AuthRequest::kOk) {
        return AuthProgress::kDone;
      }
      break;
    case State::kOver:
      break;
  }
  return out_of_turn(message.request);
}

Result<AuthProgress> ClientAuth::on_start(const Authentication& message, std::string& out) {
  switch (message.request) {
    case AuthRequest::kOk:
      if (!options_.allow_trust) {
        return refused(
            "server let us in without asking for a password",
            "require a password in its pg_hba.conf"
        );
      }
      return AuthProgress::kDone;
    case AuthRequest::kCleartext:
      SHERD_TRY_VOID(send_cleartext(out));
      state_ = State::kPasswordSent;
      return AuthProgress::kContinue;
    case AuthRequest::kMd5:
      SHERD_TRY_VOID(send_md5(message.data, out));
      state_ = State::kPasswordSent;
      return AuthProgress::kContinue;
    case AuthRequest::kSasl:
      SHERD_TRY_VOID(start_scram(message, out));
      state_ = State::kScramFirst;
      return AuthProgress::kContinue;
    case AuthRequest::kKerberosV5:
    case AuthRequest::kGss:
    case AuthRequest::kSspi:
      return fail(
          ErrorCode::kUnsupported, "server asks for Kerberos, GSSAPI or SSPI authentication",
          "use scram-sha-256 in its pg_hba.conf"
      );
    case AuthRequest::kGssContinue:
    case AuthRequest::kSaslContinue:
    case AuthRequest::kSaslFinal:
      break;
  }
  return out_of_turn(message.request);
}

Result<std::string_view> ClientAuth::password() const {
  if (!credentials_.password || credentials_.password->empty()) {
    return fail(
        ErrorCode::kInvalidPassword,
        fmt::format("server asks for the password of \"{}\", and none is known", credentials_.user)
    );
  }
  return *credentials_.password;
}

Result<> ClientAuth::send_cleartext(std::string& out) {
  if (!options_.allow_cleartext) {
    return refused(
        "server asks for the password in clear text",
        "use TLS to the shard, or scram-sha-256 in its pg_hba.conf"
    );
  }
  SHERD_TRY(const std::string_view secret, password());
  return append_password(out, secret);
}

Result<> ClientAuth::send_md5(Bytes salt, std::string& out) {
  if (!options_.allow_md5) {
    return refused("server asks for an MD5 password", "use scram-sha-256 in its pg_hba.conf");
  }
  SHERD_TRY(const std::string_view secret, password());
  return append_password(out, md5_answer(md5_secret(credentials_.user, secret), salt));
}

Result<> ClientAuth::start_scram(const Authentication& message, std::string& out) {
  if (!message.offers(kScramSha256)) {
    return fail(
        ErrorCode::kUnsupported, "server offers no SASL mechanism but those with channel binding",
        "SCRAM-SHA-256 is what is spoken here"
    );
  }
  SHERD_TRY_VOID(password());
  client_nonce_ = make_nonce(random_);
  client_first_bare_ = fmt::format("n=,r={}", client_nonce_);  // PostgreSQL ignores the name here
  const std::string first = fmt::format("{}{}", kGs2Header, client_first_bare_);
  return append_sasl_initial(out, kScramSha256, as_bytes(first));
}

Result<> ClientAuth::answer_challenge(std::string_view server_first, std::string& out) {
  SHERD_TRY(const auto challenge, parse_scram_challenge(server_first, client_nonce_));
  if (challenge.iterations > options_.max_scram_iterations) {
    return refused(
        fmt::format(
            "server asks for {} SCRAM iterations, limit {}", challenge.iterations,
            options_.max_scram_iterations
        ),
        "store the password with fewer iterations (scram_iterations)"
    );
  }
  SHERD_TRY(const std::string_view secret, password());
  const ScramDigest salted =
      salted_password(secret, as_bytes(challenge.salt), challenge.iterations);
  const std::string without_proof =
      fmt::format("c={},r={}", base64(as_bytes(kGs2Header)), challenge.nonce);
  const std::string signed_text =
      scram_auth_message(client_first_bare_, server_first, without_proof);
  server_signature_ = scram_server_signature(scram_server_key(salted), signed_text);
  const ScramDigest proof = scram_proof(salted, signed_text);
  return append_sasl_response(out, as_bytes(fmt::format("{},p={}", without_proof, base64(proof))));
}

Result<> ClientAuth::check_server(std::string_view server_final) const {
  if (server_final.size() > kMaxScramMessageBytes || !server_final.starts_with("v=")) {
    return refused(
        "server did not prove that it knows the password", "check the user and the address"
    );
  }
  // Extensions may follow the signature.
  const std::string_view text = server_final.substr(2, server_final.find(',') - 2);
  const std::optional<std::string> signature = from_base64(text);
  if (!signature || !equal_in_constant_time(as_bytes(*signature), server_signature_)) {
    return refused(
        "server did not prove that it knows the password",
        "another server may answer at this address"
    );
  }
  return {};
}

}  // namespace sherd::wire
