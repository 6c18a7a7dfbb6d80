#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>

/// The computations and the text forms of SCRAM-SHA-256, without channel binding.
/// Passwords are used as their bytes: SASLprep leaves ASCII as it is, and of other text PostgreSQL
/// takes the raw bytes when SASLprep refuses it. Source: RFC 5802, RFC 7677.
namespace sherd::wire {

inline constexpr std::string_view kScramSha256 = "SCRAM-SHA-256";
inline constexpr std::string_view kScramSha256Plus = "SCRAM-SHA-256-PLUS";
inline constexpr std::uint32_t kScramDefaultIterations = 4096;
inline constexpr std::size_t kMaxScramMessageBytes = 4096;  // before any part of it is copied
inline constexpr std::size_t kMaxScramNonceBytes = 1024;
inline constexpr std::size_t kMaxScramSaltBytes = 1024;

using ScramDigest = std::array<std::byte, 32>;

[[nodiscard]] ScramDigest sha256(Bytes data);
[[nodiscard]] ScramDigest hmac_sha256(Bytes key, Bytes data);
/// PBKDF2-HMAC-SHA-256. Cost: 2 x iterations SHA-256 blocks.
[[nodiscard]] ScramDigest salted_password(
    std::string_view password, Bytes salt, std::uint32_t iterations
);
/// In a time that does not depend on the contents.
[[nodiscard]] bool equal_in_constant_time(Bytes a, Bytes b) noexcept;

[[nodiscard]] std::string base64(Bytes data);
/// Strict: padding required, nothing but the alphabet. nullopt otherwise.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// What a server keeps instead of a password.
struct ScramVerifier {
  std::uint32_t iterations = kScramDefaultIterations;
  std::string salt{};  // raw bytes
  ScramDigest stored_key{};
  ScramDigest server_key{};

  bool operator==(const ScramVerifier&) const = default;
};
[[nodiscard]] ScramVerifier make_scram_verifier(
    std::string_view password, Bytes salt, std::uint32_t iterations = kScramDefaultIterations
);
/// "SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>", as in pg_authid.
[[nodiscard]] std::string to_text(const ScramVerifier& verifier);
[[nodiscard]] std::optional<ScramVerifier> parse_scram_verifier(std::string_view text);

/// "r=<nonce>,s=<salt>,i=<iterations>". Borrows from the text, but for the salt.
struct ScramChallenge {
  std::string_view nonce{};
  std::string salt{};  // raw bytes
  std::uint32_t iterations = 0;
};
/// kProtocolViolation if it is malformed, too long, or its nonce does not begin with `client_nonce`
/// and go on.
[[nodiscard]] Result<ScramChallenge> parse_scram_challenge(
    std::string_view text, std::string_view client_nonce
);

/// "n,,n=<user>,r=<nonce>" in parts. Borrows from the text.
struct ScramClientFirst {
  std::string_view gs2_header{};  // "n,," or "y,,"
  std::string_view bare{};
  std::string_view nonce{};
};
/// kProtocolViolation if malformed; kUnsupported for channel binding and authorisation identities.
[[nodiscard]] Result<ScramClientFirst> parse_scram_client_first(std::string_view text);

/// "c=<binding>,r=<nonce>,p=<proof>" in parts. Borrows from the text, but for the proof.
struct ScramClientFinal {
  std::string_view binding{};  // base64 as sent
  std::string_view nonce{};
  std::string_view without_proof{};
  ScramDigest proof{};
};
[[nodiscard]] Result<ScramClientFinal> parse_scram_client_final(std::string_view text);

/// What a server remembers between its two messages.
struct ScramServerFirst {
  std::string gs2_header{};
  std::string client_first_bare{};
  std::string server_first{};
  std::string nonce{};  // client's and ours
};

/// The text that both sides sign.
[[nodiscard]] std::string scram_auth_message(
    std::string_view client_first_bare, std::string_view server_first,
    std::string_view client_final_without_proof
);
/// ClientKey XOR ClientSignature.
[[nodiscard]] ScramDigest scram_proof(const ScramDigest& salted, std::string_view auth_message);
[[nodiscard]] ScramDigest scram_server_signature(
    const ScramDigest& server_key, std::string_view auth_message
);
[[nodiscard]] ScramDigest scram_server_key(const ScramDigest& salted);
/// The proof was made by someone who knows the password behind `verifier`. Constant time.
[[nodiscard]] bool scram_proof_is_right(
    const ScramVerifier& verifier, const ScramDigest& proof, std::string_view auth_message
);

}  // namespace sherd::wire
