#include "key_order.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace sherd::strategy {
namespace {

using pgtypes::Key;
using pgtypes::KeyType;
using pgtypes::OwnedKey;

struct Ends {
  std::int64_t first;
  std::int64_t last;
};

template <class T>
constexpr Ends ends() noexcept {
  return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

constexpr Ends ends_of(KeyType type) noexcept {
  switch (type) {
    case KeyType::kInt2:
      return ends<std::int16_t>();
    case KeyType::kInt4:
      return ends<std::int32_t>();
    default:
      return ends<std::int64_t>();
  }
}

OwnedKey with_integer(Key key, std::int64_t value) {
  key.integer = value;
  return OwnedKey(key);
}

// Adds one to (or takes one from) a 128-bit number; false where it would wrap.
bool step(std::array<std::byte, 16>& uuid, bool up) noexcept {
  const std::byte wrapping = up ? std::byte{0xff} : std::byte{0};
  for (std::size_t i = uuid.size(); i-- > 0;) {
    const bool carries = uuid[i] == wrapping;
    uuid[i] = static_cast<std::byte>(static_cast<int>(uuid[i]) + (up ? 1 : -1));
    if (!carries) {
      return true;
    }
  }
  return false;
}

std::optional<OwnedKey> stepped_uuid(Key key, bool up) {
  return step(key.uuid, up) ? std::optional(OwnedKey(key)) : std::nullopt;
}

bool all_bytes(const Key& key, std::byte value) noexcept {
  return std::ranges::all_of(key.uuid, [=](std::byte b) { return b == value; });
}

}  // namespace

std::optional<OwnedKey> next_key(const Key& key) {
  if (is_integral(key.type)) {
    return key.integer >= ends_of(key.type).last
               ? std::nullopt
               : std::optional(with_integer(key, key.integer + 1));
  }
  if (key.type == KeyType::kUuid) {
    return stepped_uuid(key, true);
  }
  if (!pgtypes::is_text(key.type)) {
    return std::nullopt;
  }
  const std::string next = std::string(key.text) + '\x01';
  Key made = key;
  made.text = next;
  return OwnedKey(made);
}

std::optional<OwnedKey> previous_key(const Key& key) {
  if (is_integral(key.type)) {
    return key.integer <= ends_of(key.type).first
               ? std::nullopt
               : std::optional(with_integer(key, key.integer - 1));
  }
  if (key.type == KeyType::kUuid) {
    return stepped_uuid(key, false);
  }
  if (!pgtypes::is_text(key.type) || !key.text.ends_with('\x01')) {
    return std::nullopt;
  }
  Key made = key;
  made.text.remove_suffix(1);
  return OwnedKey(made);
}

bool is_first_key(KeyType type, const Key& key) noexcept {
  if (is_integral(type)) {
    return key.integer <= ends_of(type).first;
  }
  if (type == KeyType::kUuid) {
    return all_bytes(key, std::byte{0});
  }
  return pgtypes::is_text(type) ? key.text.empty() : key.text == "-Infinity";
}

bool is_last_key(KeyType type, const Key& key) noexcept {
  if (is_integral(type)) {
    return key.integer >= ends_of(type).last;
  }
  if (type == KeyType::kUuid) {
    return all_bytes(key, std::byte{0xff});
  }
  return type == KeyType::kNumeric && key.text == "NaN";
}

}  // namespace sherd::strategy
