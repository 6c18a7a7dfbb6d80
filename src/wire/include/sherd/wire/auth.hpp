#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/clock.hpp>
#include <sherd/base/error.hpp>
#include <sherd/wire/backend.hpp>
#include <sherd/wire/scram.hpp>

/// Authentication as two machines without sockets. Each accepts exactly one kind of message in each
/// state; anything else is kProtocolViolation and ends the machine. Not thread-safe.
/// Source: PostgreSQL manual 55.2.1, 55.3; RFC 5802, RFC 7677.
namespace sherd::wire {

enum class AuthProgress : std::uint8_t { kContinue, kDone };

/// What we tell a server about ourselves.
struct Credentials {
  std::string user{};
  std::optional<std::string> password{};  // UTF-8
};

struct ClientAuthOptions {
  bool allow_cleartext = false;  // only where the way to the server is encrypted or local
  bool allow_md5 = true;
  bool allow_trust = true;                         // the server may let us in without asking
  std::uint32_t max_scram_iterations = 1'000'000;  // a hostile server could ask for hours of CPU
};

/// Our side of logging in at a shard.
class ClientAuth {
 public:
  /// @param random  of the nonce; borrowed for the life of the machine.
  ClientAuth(Credentials credentials, RandomSource& random, ClientAuthOptions options = {});

  /// Takes the body of an Authentication message and appends our answer, if any, to `out`.
  /// @return kDone after AuthenticationOk. kInvalidPassword: asked for a password and there is
  /// none;
  ///         kInvalidAuthorization: a method that is not allowed, or the server could not prove
  ///         that it knows the password; kUnsupported: a method that we do not speak (GSS, SSPI,
  ///         SCRAM-SHA-256-PLUS alone); kProtocolViolation: anything out of turn.
  /// Cost: one PBKDF2 of the server's iteration count with SCRAM.
  [[nodiscard]] Result<AuthProgress> on_message(Bytes body, std::string& out);

 private:
  enum class State : std::uint8_t { kStart, kPasswordSent, kScramFirst, kScramFinal, kOver };

  [[nodiscard]] Result<AuthProgress> on_start(const Authentication& message, std::string& out);
  [[nodiscard]] Result<> send_cleartext(std::string& out);
  [[nodiscard]] Result<> send_md5(Bytes salt, std::string& out);
  [[nodiscard]] Result<> start_scram(const Authentication& message, std::string& out);
  [[nodiscard]] Result<> answer_challenge(std::string_view server_first, std::string& out);
  [[nodiscard]] Result<> check_server(std::string_view server_final) const;
  [[nodiscard]] Result<std::string_view> password() const;

  Credentials credentials_;
  RandomSource& random_;
  ClientAuthOptions options_;
  State state_ = State::kStart;
  std::string client_nonce_{};
  std::string client_first_bare_{};
  ScramDigest server_signature_{};
};

enum class AuthMethod : std::uint8_t { kTrust, kCleartext, kMd5, kScramSha256 };

/// What is kept about a user's password. Owns it.
class StoredSecret {
 public:
  enum class Kind : std::uint8_t { kPlain, kMd5, kScram };

  /// Tells the kinds apart as PostgreSQL does: "md5" and 32 hexadecimal digits, a SCRAM verifier,
  /// anything else is the password itself.
  [[nodiscard]] static StoredSecret from_text(std::string text);

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// REQUIRES: kind() == kScram.
  [[nodiscard]] const ScramVerifier& scram() const noexcept { return scram_; }

 private:
  Kind kind_ = Kind::kPlain;
  std::string text_{};
  ScramVerifier scram_{};
};

/// A client that logs in at us. The user is fixed when the machine is made.
///
/// An unknown user sees the same messages as a known one and fails at the end with the same error.
/// A plain password with kScramSha256 costs a PBKDF2 at each login, which a stranger can time: turn
/// plain passwords into verifiers (make_scram_verifier) when the configuration is read.
class ServerAuth {
 public:
  struct Settings {
    AuthMethod method = AuthMethod::kScramSha256;
    std::string user{};
    std::optional<StoredSecret> secret{};  // nullopt: the user is unknown or has no password
    std::string mock_key{};  // secret and the same at each login, so that a mock salt is stable
  };
  /// @param random  of nonces and salts; borrowed for the life of the machine.
  ServerAuth(Settings settings, RandomSource& random);

  /// Appends the first Authentication message; kDone at once with kTrust. Call it once.
  [[nodiscard]] AuthProgress start(std::string& out);
  /// Takes a client's message. Appends AuthenticationOk when it returns kDone.
  /// @return kInvalidPassword: send it as FATAL and close. kProtocolViolation: a message that is
  /// not
  ///         the one expected (also any after the end).
  [[nodiscard]] Result<AuthProgress> on_message(char type, Bytes body, std::string& out);

 private:
  enum class State : std::uint8_t { kNew, kCleartext, kMd5, kScramFirst, kScramFinal, kOver };

  [[nodiscard]] Result<AuthProgress> finish(bool is_right, std::string& out);
  [[nodiscard]] Result<AuthProgress> on_cleartext(Bytes body, std::string& out);
  [[nodiscard]] Result<AuthProgress> on_md5(Bytes body, std::string& out);
  [[nodiscard]] Result<AuthProgress> on_scram_first(Bytes body, std::string& out);
  [[nodiscard]] Result<AuthProgress> on_scram_final(Bytes body, std::string& out);
  void choose_verifier();

  Settings settings_;
  RandomSource& random_;
  State state_ = State::kNew;
  std::array<std::byte, 4> md5_salt_{};
  ScramVerifier verifier_{};
  bool is_mock_ = false;  // no secret of the right kind: go through the motions, then fail
  ScramServerFirst exchange_{};
};

/// "md5" and the hexadecimal MD5 of password and user, as in pg_authid.
[[nodiscard]] std::string md5_secret(std::string_view user, std::string_view password);

}  // namespace sherd::wire
