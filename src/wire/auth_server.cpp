#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include <sherd/wire/auth.hpp>
#include <sherd/wire/build.hpp>

#include "auth_text.hpp"

namespace sherd::wire {
namespace {

constexpr std::size_t kSaltBytes = 16;

bool is_md5_secret(std::string_view text) noexcept {
  return text.size() == 35 && text.starts_with("md5")
         && text.find_first_not_of("0123456789abcdef", 3) == std::string_view::npos;
}

std::unexpected<Error> wrong_password(std::string_view user) {
  return fail(
      ErrorCode::kInvalidPassword,
      fmt::format("password authentication failed for user \"{}\"", user)
  );
}

}  // namespace

StoredSecret StoredSecret::from_text(std::string text) {
  StoredSecret secret;
  if (is_md5_secret(text)) {
    secret.kind_ = Kind::kMd5;
  } else if (auto verifier = parse_scram_verifier(text)) {
    secret.kind_ = Kind::kScram;
    secret.scram_ = *std::move(verifier);
  }
  secret.text_ = std::move(text);
  return secret;
}

ServerAuth::ServerAuth(Settings settings, RandomSource& random)
    : settings_(std::move(settings)), random_(random) {
  // As PostgreSQL: a user whose verifier is SCRAM's can only log in that way.
  if (settings_.method == AuthMethod::kMd5 && settings_.secret
      && settings_.secret->kind() == StoredSecret::Kind::kScram) {
    settings_.method = AuthMethod::kScramSha256;
  }
}

AuthProgress ServerAuth::start(std::string& out) {
  switch (settings_.method) {
    case AuthMethod::kTrust:
      state_ = State::kOver;
      append_authentication(out, AuthRequest::kOk);
      return AuthProgress::kDone;
    case AuthMethod::kCleartext:
      state_ = State::kCleartext;
      append_authentication(out, AuthRequest::kCleartext);
      break;
    case AuthMethod::kMd5:
      state_ = State::kMd5;
      std::ranges::copy(as_bytes(random_bytes(random_, md5_salt_.size())), md5_salt_.begin());
      append_authentication_md5(out, md5_salt_);
      break;
    case AuthMethod::kScramSha256:
      state_ = State::kScramFirst;
      append_authentication_sasl(out, std::array{kScramSha256});
      break;
  }
  return AuthProgress::kContinue;
}

Result<AuthProgress> ServerAuth::on_message(char type, Bytes body, std::string& out) {
  using Handler = Result<AuthProgress> (ServerAuth::*)(Bytes, std::string&);
  struct Row {
    State state;
    Handler handler;
  };
  static constexpr Row kRows[] = {
      {State::kCleartext, &ServerAuth::on_cleartext},
      {State::kMd5, &ServerAuth::on_md5},
      {State::kScramFirst, &ServerAuth::on_scram_first},
      {State::kScramFinal, &ServerAuth::on_scram_final},
  };
  const State state = std::exchange(state_, State::kOver);  // a handler that goes on sets it again
  const auto* const row = std::ranges::find(kRows, state, &Row::state);
  if (row == std::end(kRows) || type != letter(FrontendType::kPassword)) {
    return fail(ErrorCode::kProtocolViolation, "expected password response");
  }
  if (body.size() > kMaxAuthBytes) {
    return fail(ErrorCode::kProtocolViolation, "password response is too long");
  }
  return (this->*row->handler)(body, out);
}

Result<AuthProgress> ServerAuth::finish(bool is_right, std::string& out) {
  if (!is_right) {
    return wrong_password(settings_.user);
  }
  append_authentication(out, AuthRequest::kOk);
  return AuthProgress::kDone;
}

Result<AuthProgress> ServerAuth::on_cleartext(Bytes body, std::string& out) {
  SHERD_TRY(const auto message, PasswordMessage::decode(body));
  if (!settings_.secret || message.password.empty()) {
    return wrong_password(settings_.user);
  }
  const StoredSecret& secret = *settings_.secret;
  switch (secret.kind()) {
    case StoredSecret::Kind::kPlain:
      // Digests, so that not even the length of the secret can be timed.
      return finish(
          equal_in_constant_time(
              sha256(as_bytes(message.password)), sha256(as_bytes(secret.text()))
          ),
          out
      );
    case StoredSecret::Kind::kMd5:
      return finish(
          equal_in_constant_time(
              as_bytes(md5_secret(settings_.user, message.password)), as_bytes(secret.text())
          ),
          out
      );
    case StoredSecret::Kind::kScram: {
      const ScramVerifier& known = secret.scram();
      const ScramVerifier given =
          make_scram_verifier(message.password, as_bytes(known.salt), known.iterations);
      return finish(equal_in_constant_time(given.stored_key, known.stored_key), out);
    }
  }
  return wrong_password(settings_.user);
}

Result<AuthProgress> ServerAuth::on_md5(Bytes body, std::string& out) {
  SHERD_TRY(const auto message, PasswordMessage::decode(body));
  // An unknown user is compared with what nobody can know.
  std::string secret = md5_secret(settings_.user, random_bytes(random_, kSaltBytes));
  if (settings_.secret) {
    secret = settings_.secret->kind() == StoredSecret::Kind::kMd5
                 ? settings_.secret->text()
                 : md5_secret(settings_.user, settings_.secret->text());
  }
  const std::string expected = md5_answer(secret, md5_salt_);
  const bool is_right = equal_in_constant_time(as_bytes(message.password), as_bytes(expected));
  return finish(is_right && settings_.secret.has_value(), out);
}

// Salts that we make up are derived, not random: a user whose salt changes from one login to the
// next would be known for one without a verifier.
void ServerAuth::choose_verifier() {
  if (settings_.secret && settings_.secret->kind() == StoredSecret::Kind::kScram) {
    verifier_ = settings_.secret->scram();
    return;
  }
  const ScramDigest derived = hmac_sha256(as_bytes(settings_.mock_key), as_bytes(settings_.user));
  const Bytes salt = Bytes(derived).first(kSaltBytes);
  if (settings_.secret && settings_.secret->kind() == StoredSecret::Kind::kPlain) {
    verifier_ = make_scram_verifier(settings_.secret->text(), salt);
    return;
  }
  is_mock_ = true;
  verifier_.salt = as_text(salt);
}

Result<AuthProgress> ServerAuth::on_scram_first(Bytes body, std::string& out) {
  SHERD_TRY(const auto initial, SaslInitialResponse::decode(body));
  if (initial.mechanism != kScramSha256 || !initial.data) {
    return fail(
        ErrorCode::kProtocolViolation, "client selected an invalid SASL authentication mechanism"
    );
  }
  SHERD_TRY(const auto first, parse_scram_client_first(as_text(*initial.data)));
  choose_verifier();
  exchange_.gs2_header = first.gs2_header;
  exchange_.client_first_bare = first.bare;
  exchange_.nonce = fmt::format("{}{}", first.nonce, make_nonce(random_));
  exchange_.server_first = fmt::format(
      "r={},s={},i={}", exchange_.nonce, base64(as_bytes(verifier_.salt)), verifier_.iterations
  );
  append_authentication_data(out, AuthRequest::kSaslContinue, exchange_.server_first);
  state_ = State::kScramFinal;
  return AuthProgress::kContinue;
}

Result<AuthProgress> ServerAuth::on_scram_final(Bytes body, std::string& out) {
  SHERD_TRY(const auto last, parse_scram_client_final(as_text(body)));
  if (last.nonce != exchange_.nonce) {
    return fail(ErrorCode::kProtocolViolation, "malformed SCRAM message: nonce does not match");
  }
  if (last.binding != base64(as_bytes(exchange_.gs2_header))) {
    return fail(ErrorCode::kProtocolViolation, "unexpected SCRAM channel-binding attribute");
  }
  const std::string signed_text =
      scram_auth_message(exchange_.client_first_bare, exchange_.server_first, last.without_proof);
  const bool is_right = scram_proof_is_right(verifier_, last.proof, signed_text);
  if (!is_right || is_mock_) {
    return wrong_password(settings_.user);
  }
  const ScramDigest signature = scram_server_signature(verifier_.server_key, signed_text);
  append_authentication_data(out, AuthRequest::kSaslFinal, fmt::format("v={}", base64(signature)));
  return finish(true, out);
}

}  // namespace sherd::wire
