#pragma once

#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/clock.hpp>

/// Texts that both authentication machines make. Private to the module.
namespace sherd::wire {

/// 144 bits as base64 (24 characters).
[[nodiscard]] std::string make_nonce(RandomSource& random);
/// `size` unpredictable bytes.
[[nodiscard]] std::string random_bytes(RandomSource& random, std::size_t size);
/// What a client sends: "md5" and the MD5 of the secret's digits and the salt.
/// @param secret  as md5_secret() makes it.
[[nodiscard]] std::string md5_answer(std::string_view secret, Bytes salt);

}  // namespace sherd::wire
