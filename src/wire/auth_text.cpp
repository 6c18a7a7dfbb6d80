#include "auth_text.hpp"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

#include <sherd/base/check.hpp>
#include <sherd/wire/auth.hpp>
#include <sherd/wire/scram.hpp>

namespace sherd::wire {
namespace {

constexpr std::string_view kMd5Prefix = "md5";

std::string md5_text(std::string_view first, std::string_view second) {
  const std::string both = fmt::format("{}{}", first, second);
  std::array<unsigned char, 16> digest{};
  unsigned int size = 0;
  const int made =
      ::EVP_Digest(both.data(), both.size(), digest.data(), &size, ::EVP_md5(), nullptr);
  SHERD_CHECK(made == 1 && size == digest.size());
  std::string text(kMd5Prefix);
  for (const unsigned char byte : digest) {
    text += fmt::format("{:02x}", byte);
  }
  return text;
}

}  // namespace

std::string random_bytes(RandomSource& random, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    append_be(bytes, random.next());
  }
  bytes.resize(size);
  return bytes;
}

std::string make_nonce(RandomSource& random) {
  constexpr std::size_t kNonceBytes = 18;  // no padding in base64
  return base64(as_bytes(random_bytes(random, kNonceBytes)));
}

std::string md5_secret(std::string_view user, std::string_view password) {
  return md5_text(password, user);
}

std::string md5_answer(std::string_view secret, Bytes salt) {
  return md5_text(secret.substr(kMd5Prefix.size()), as_text(salt));
}

}  // namespace sherd::wire
