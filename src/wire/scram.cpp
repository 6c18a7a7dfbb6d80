#include <algorithm>
#include <charconv>
#include <vector>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <sherd/base/check.hpp>
#include <sherd/wire/scram.hpp>

namespace sherd::wire {
namespace {

const unsigned char* raw(Bytes bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* raw(ScramDigest& digest) noexcept {
  return reinterpret_cast<unsigned char*>(digest.data());
}

std::unexpected<Error> bad_message(std::string_view detail) {
  return fail(ErrorCode::kProtocolViolation, fmt::format("malformed SCRAM message: {}", detail));
}

// Takes "<name>=<value>" up to the next comma from the front of `rest`.
std::optional<std::string_view> take_attribute(std::string_view& rest, char name) noexcept {
  if (rest.size() < 2 || rest[0] != name || rest[1] != '=') {
    return std::nullopt;
  }
  const auto comma = rest.find(',');
  const std::string_view value =
      rest.substr(2, comma == std::string_view::npos ? comma : comma - 2);
  rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  return value;
}

// RFC 5802: printable ASCII without the comma.
bool is_nonce(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kMaxScramNonceBytes
         && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != ','; });
}

std::optional<std::uint32_t> parse_iterations(std::string_view text) noexcept {
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr std::uint32_t kMost = 0x7FFFFFFF;  // the computation takes an int
  if (problem != std::errc{} || end != text.data() + text.size() || value == 0 || value > kMost) {
    return std::nullopt;
  }
  return value;
}

std::optional<ScramDigest> parse_digest(std::string_view text) {
  ScramDigest digest;
  const std::optional<std::string> bytes = from_base64(text);
  if (!bytes || bytes->size() != digest.size()) {
    return std::nullopt;
  }
  std::ranges::copy(as_bytes(*bytes), digest.begin());
  return digest;
}

ScramDigest exclusive_or(const ScramDigest& a, const ScramDigest& b) noexcept {
  ScramDigest result;
  std::ranges::transform(a, b, result.begin(), std::bit_xor<>{});
  return result;
}

}  // namespace

ScramDigest sha256(Bytes data) {
  ScramDigest digest;
  ::SHA256(raw(data), data.size(), raw(digest));
  return digest;
}

ScramDigest hmac_sha256(Bytes key, Bytes data) {
  ScramDigest digest;
  unsigned int size = 0;
  // An empty key may come with a null pointer, which HMAC would take for "the key of last time".
  static constexpr std::byte kNoKey{};
  const Bytes set_key = key.data() == nullptr ? Bytes(&kNoKey, 0) : key;
  const unsigned char* made = ::HMAC(
      ::EVP_sha256(), set_key.data(), static_cast<int>(set_key.size()), raw(data), data.size(),
      raw(digest), &size
  );
  SHERD_CHECK(made != nullptr && size == digest.size());
  return digest;
}

ScramDigest salted_password(std::string_view password, Bytes salt, std::uint32_t iterations) {
  ScramDigest digest;
  const int made = ::PKCS5_PBKDF2_HMAC(
      password.data(), static_cast<int>(password.size()), raw(salt), static_cast<int>(salt.size()),
      static_cast<int>(iterations), ::EVP_sha256(), static_cast<int>(digest.size()), raw(digest)
  );
  SHERD_CHECK(made == 1);
  return digest;
}

bool equal_in_constant_time(Bytes a, Bytes b) noexcept {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64(Bytes data) {
  std::string text((data.size() + 2) / 3 * 4 + 1, '\0');  // EVP adds a NUL
  const int size = ::EVP_EncodeBlock(
      reinterpret_cast<unsigned char*>(text.data()), raw(data), static_cast<int>(data.size())
  );
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  // EVP_DecodeBlock skips white space at the ends and counts padding as zero bytes.
  const auto padding = text.size() - std::min(text.size(), text.find_last_not_of('=') + 1);
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+'
           || c == '/';
  };
  if (text.size() % 4 != 0 || padding > 2 || text.size() > kMaxScramMessageBytes
      || !std::ranges::all_of(text.substr(0, text.size() - padding), is_digit)) {
    return std::nullopt;
  }
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = ::EVP_DecodeBlock(
      reinterpret_cast<unsigned char*>(bytes.data()), raw(as_bytes(text)),
      static_cast<int>(text.size())
  );
  if (size < 0) {
    return std::nullopt;
  }
  bytes.resize(static_cast<std::size_t>(size) - padding);
  return bytes;
}

ScramDigest scram_server_key(const ScramDigest& salted) {
  return hmac_sha256(salted, as_bytes("Server Key"));
}

ScramVerifier make_scram_verifier(std::string_view password, Bytes salt, std::uint32_t iterations) {
  const ScramDigest salted = salted_password(password, salt, iterations);
  return ScramVerifier{
      .iterations = iterations,
      .salt = std::string(as_text(salt)),
      .stored_key = sha256(hmac_sha256(salted, as_bytes("Client Key"))),
      .server_key = scram_server_key(salted),
  };
}

std::string to_text(const ScramVerifier& verifier) {
  return fmt::format(
      "{}${}:{}${}:{}", kScramSha256, verifier.iterations, base64(as_bytes(verifier.salt)),
      base64(verifier.stored_key), base64(verifier.server_key)
  );
}

std::optional<ScramVerifier> parse_scram_verifier(std::string_view text) {
  const auto take_until = [&text](char end) {
    const auto at = text.find(end);
    const std::string_view taken = text.substr(0, at);
    text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
    return taken;
  };
  if (take_until('$') != kScramSha256) {
    return std::nullopt;
  }
  const std::optional<std::uint32_t> iterations = parse_iterations(take_until(':'));
  std::optional<std::string> salt = from_base64(take_until('$'));
  const std::optional<ScramDigest> stored_key = parse_digest(take_until(':'));
  const std::optional<ScramDigest> server_key = parse_digest(text);
  if (!iterations || !salt || salt->empty() || salt->size() > kMaxScramSaltBytes || !stored_key
      || !server_key) {
    return std::nullopt;
  }
  return ScramVerifier{*iterations, *std::move(salt), *stored_key, *server_key};
}

Result<ScramChallenge> parse_scram_challenge(std::string_view text, std::string_view client_nonce) {
  if (text.size() > kMaxScramMessageBytes) {
    return bad_message("too long");
  }
  const std::optional<std::string_view> nonce = take_attribute(text, 'r');
  if (!nonce || !is_nonce(*nonce)) {
    return bad_message("no nonce");
  }
  if (!nonce->starts_with(client_nonce) || nonce->size() == client_nonce.size()) {
    return bad_message("the nonce does not continue ours");
  }
  const std::optional<std::string_view> salt_text = take_attribute(text, 's');
  std::optional<std::string> salt = from_base64(salt_text.value_or("?"));
  if (!salt || salt->empty() || salt->size() > kMaxScramSaltBytes) {
    return bad_message("no salt");
  }
  const std::optional<std::string_view> count = take_attribute(text, 'i');
  const std::optional<std::uint32_t> iterations = parse_iterations(count.value_or(""));
  if (!iterations || !text.empty()) {
    return bad_message("no iteration count");
  }
  return ScramChallenge{.nonce = *nonce, .salt = *std::move(salt), .iterations = *iterations};
}

Result<ScramClientFirst> parse_scram_client_first(std::string_view text) {
  if (text.size() > kMaxScramMessageBytes) {
    return bad_message("too long");
  }
  if (text.starts_with("p=")) {
    return fail(ErrorCode::kUnsupported, "SCRAM channel binding is not offered");
  }
  if (!text.starts_with("n,") && !text.starts_with("y,")) {
    return bad_message("no channel binding flag");
  }
  if (text.substr(2).starts_with("a=")) {
    return fail(ErrorCode::kUnsupported, "SCRAM authorization identity is not supported");
  }
  ScramClientFirst message{.gs2_header = text.substr(0, 3), .bare = text.substr(2)};
  if (!message.bare.starts_with(',')) {
    return bad_message("no GS2 header");
  }
  message.bare.remove_prefix(1);
  std::string_view rest = message.bare;
  if (rest.starts_with("m=")) {
    return bad_message("mandatory extension");
  }
  // The user is the one of the StartupMessage; PostgreSQL's clients send none here.
  if (!take_attribute(rest, 'n')) {
    return bad_message("no user attribute");
  }
  const std::optional<std::string_view> nonce = take_attribute(rest, 'r');
  if (!nonce || !is_nonce(*nonce)) {
    return bad_message("no nonce");
  }
  message.nonce = *nonce;
  return message;  // extensions that follow are optional, and signed with the rest
}

Result<ScramClientFinal> parse_scram_client_final(std::string_view text) {
  if (text.size() > kMaxScramMessageBytes) {
    return bad_message("too long");
  }
  const auto proof_at = text.rfind(",p=");  // base64 holds no comma: the proof is the last one
  if (proof_at == std::string_view::npos) {
    return bad_message("no proof");
  }
  const std::optional<ScramDigest> proof = parse_digest(text.substr(proof_at + 3));
  if (!proof) {
    return bad_message("no proof");
  }
  ScramClientFinal message{.without_proof = text.substr(0, proof_at), .proof = *proof};
  std::string_view rest = message.without_proof;
  const std::optional<std::string_view> binding = take_attribute(rest, 'c');
  const std::optional<std::string_view> nonce = take_attribute(rest, 'r');
  if (!binding || !nonce || !is_nonce(*nonce)) {
    return bad_message("no channel binding or nonce");
  }
  message.binding = *binding;
  message.nonce = *nonce;
  return message;
}

std::string scram_auth_message(
    std::string_view client_first_bare, std::string_view server_first,
    std::string_view client_final_without_proof
) {
  return fmt::format("{},{},{}", client_first_bare, server_first, client_final_without_proof);
}

ScramDigest scram_proof(const ScramDigest& salted, std::string_view auth_message) {
  const ScramDigest client_key = hmac_sha256(salted, as_bytes("Client Key"));
  return exclusive_or(client_key, hmac_sha256(sha256(client_key), as_bytes(auth_message)));
}

ScramDigest scram_server_signature(const ScramDigest& server_key, std::string_view auth_message) {
  return hmac_sha256(server_key, as_bytes(auth_message));
}

bool scram_proof_is_right(
    const ScramVerifier& verifier, const ScramDigest& proof, std::string_view auth_message
) {
  const ScramDigest signature = hmac_sha256(verifier.stored_key, as_bytes(auth_message));
  return equal_in_constant_time(sha256(exclusive_or(proof, signature)), verifier.stored_key);
}

}  // namespace sherd::wire
