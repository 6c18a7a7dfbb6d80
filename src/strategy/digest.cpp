#include "digest.hpp"

#include <charconv>
#include <memory>

#include <fmt/format.h>
#include <openssl/evp.h>

#include <sherd/base/bytes.hpp>

namespace sherd::strategy {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"md5", "sha256"};
constexpr std::array<const char*, 2> kLibraryNames = {"MD5", "SHA256"};

// One fetched algorithm and one context that is set up for it: starting anew costs no look-up and
// no allocation.
class Hasher {
 public:
  explicit Hasher(const char* name) noexcept
      : algorithm_(EVP_MD_fetch(nullptr, name, nullptr), &EVP_MD_free),
        context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free),
        good_(
            algorithm_ != nullptr && context_ != nullptr
            && EVP_DigestInit_ex(context_.get(), algorithm_.get(), nullptr) == 1
        ) {}

  [[nodiscard]] bool good() const noexcept { return good_; }

  [[nodiscard]] std::optional<Digest> run(std::string_view text) noexcept {
    std::array<std::byte, EVP_MAX_MD_SIZE> bytes{};
    auto* out = reinterpret_cast<unsigned char*>(bytes.data());
    if (!good_ || EVP_DigestInit_ex(context_.get(), nullptr, nullptr) != 1
        || EVP_DigestUpdate(context_.get(), text.data(), text.size()) != 1
        || EVP_DigestFinal_ex(context_.get(), out, nullptr) != 1) [[unlikely]] {
      return std::nullopt;
    }
    Digest digest;  // md5 leaves the rest of `bytes` zero
    for (std::size_t i = 0; i < digest.words.size(); ++i) {
      digest.words[i] = load_be<std::uint64_t>(bytes.data() + 8 * i);
    }
    return digest;
  }

 private:
  std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> algorithm_;
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool good_;
};

Hasher& hasher_of(HashFunction hash) noexcept {
  // A memo of the library's objects, not state: what they compute depends on the argument alone.
  thread_local std::array<Hasher, 2> hashers = {Hasher(kLibraryNames[0]), Hasher(kLibraryNames[1])};
  return hashers[static_cast<std::size_t>(hash)];
}

}  // namespace

std::string_view name_of(HashFunction hash) noexcept {
  return kNames[static_cast<std::size_t>(hash)];
}

std::optional<HashFunction> hash_named(std::string_view name) noexcept {
  if (name == kNames[0]) {
    return HashFunction::kMd5;
  }
  return name == kNames[1] ? std::optional(HashFunction::kSha256) : std::nullopt;
}

Result<> check_available(HashFunction hash) {
  if (!hasher_of(hash).good()) {
    return fail(
        ErrorCode::kInvalidConfig,
        fmt::format("the cryptographic library does not offer {}", name_of(hash)),
        "use another hash function, or the slot strategy, which needs none"
    );
  }
  return {};
}

std::optional<Digest> digest_of(HashFunction hash, std::string_view text) noexcept {
  return hasher_of(hash).run(text);
}

std::optional<Digest> digest_of(HashFunction hash, const pgtypes::Key& key) noexcept {
  pgtypes::KeyTextBuffer buffer;
  return hasher_of(hash).run(pgtypes::canonical_text(key, buffer));
}

std::uint32_t modulo(const Digest& digest, HashFunction hash, std::uint32_t divisor) noexcept {
  const std::uint64_t word_weight =
      (~std::uint64_t{0} % divisor + 1) % divisor;  // 2^64 mod divisor
  std::uint64_t rest = digest.words[0] % divisor;
  for (std::size_t i = 1; i < words_of(hash); ++i) {
    rest = (rest * word_weight + digest.words[i] % divisor) % divisor;  // below 2^64
  }
  return static_cast<std::uint32_t>(rest);
}

std::string to_hex(const Digest& digest, HashFunction hash) {
  std::string text;
  for (std::size_t i = 0; i < words_of(hash); ++i) {
    fmt::format_to(std::back_inserter(text), "{:016x}", digest.words[i]);
  }
  return text;
}

std::optional<Digest> digest_from_hex(std::string_view text, HashFunction hash) noexcept {
  if (text.size() != 16 * words_of(hash)) {
    return std::nullopt;
  }
  Digest digest;
  for (std::size_t i = 0; i < words_of(hash); ++i) {
    const char* at = text.data() + 16 * i;
    const auto parsed = std::from_chars(at, at + 16, digest.words[i], 16);
    if (parsed.ec != std::errc{} || parsed.ptr != at + 16) {
      return std::nullopt;
    }
  }
  return digest;
}

}  // namespace sherd::strategy
