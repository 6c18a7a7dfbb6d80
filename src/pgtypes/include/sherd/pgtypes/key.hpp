#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>

namespace sherd::pgtypes {

/// Types that a shard key may have.
enum class KeyType : std::uint8_t {
  kInt2,
  kInt4,
  kInt8,
  kText,
  kVarchar,
  kUuid,  // every strategy
  kDate,
  kTimestamp,
  kTimestamptz,
  kNumeric,  // range only
};

/// The key type of a column type, or nullopt where such a column can be no shard key.
[[nodiscard]] std::optional<KeyType> key_type_of(Oid type) noexcept;
[[nodiscard]] Oid oid_of(KeyType type) noexcept;
[[nodiscard]] std::string_view name_of(KeyType type) noexcept;  // "bigint"
[[nodiscard]] constexpr bool is_integer(KeyType t) noexcept {
  return t <= KeyType::kInt8;
}
[[nodiscard]] constexpr bool is_text(KeyType t) noexcept {
  return t == KeyType::kText || t == KeyType::kVarchar;
}

/// A shard key's value in its one canonical form: binary and text parameters, literals, COPY fields
/// and replicated rows of one value all become the same Key. Borrows its text. Trivially copyable.
struct Key {
  KeyType type = KeyType::kInt8;
  std::int64_t integer =
      0;  // integers; date: days, timestamps: µs, since 2000-01-01 (±infinity: min/max)
  std::array<std::byte, 16> uuid{};  // kUuid
  std::string_view text{};           // kText, kVarchar: UTF-8; kNumeric: canonical decimal text
};

/// The key that `text` (PostgreSQL's text form, as its input function would read it) stands for.
/// @param scratch  holds bytes that had to be made; must outlive the key.
/// @return kInvalidText, kOutOfRange with PostgreSQL's own message; kUnsupported where the text's
/// meaning depends
///         on the session (a date not in ISO form, 'now', a timestamptz without an offset).
[[nodiscard]] Result<Key> key_from_text(KeyType type, std::string_view text, std::string& scratch);

/// The key in a binary value of wire type `wire_type` (an integer of another width is accepted when
/// it fits; 0 means `type` itself). kInvalidBinary when the size is wrong.
[[nodiscard]] Result<Key> key_from_binary(
    KeyType type, Oid wire_type, Bytes value, std::string& scratch
);

[[nodiscard]] Key integer_key(KeyType type, std::int64_t value) noexcept;

/// The canonical text of `key`: integers in decimal, uuid in lower case with hyphens, text as it
/// is, date and timestamps in ISO. `scratch` holds it where it had to be made.
[[nodiscard]] std::string_view canonical_text(const Key& key, std::string& scratch);

/// Room for the canonical text of an integer or a uuid.
using KeyTextBuffer = std::array<char, 40>;
/// The canonical text of an integer, uuid, text, varchar or numeric key without allocation; "" for
/// other types.
[[nodiscard]] std::string_view canonical_text(const Key& key, KeyTextBuffer& buffer) noexcept;

/// What the server keeps of `key` when it is assigned to a column of the key's type with `typmod`
/// (-1: none): varchar(n) loses blanks past n characters, timestamp(p) and numeric(p, s) are
/// rounded. A key that the server will refuse there comes back as it is. A row must be placed by
/// this key; a predicate compares with the key as it was written.
/// @param scratch  holds bytes that had to be made; not the one that `key` borrows from.
[[nodiscard]] Key stored_key(const Key& key, std::int32_t typmod, std::string& scratch);

/// Order of two keys of one type, as the server sorts them (text: by bytes, collation "C").
[[nodiscard]] std::strong_ordering compare(const Key& a, const Key& b) noexcept;
[[nodiscard]] inline bool equal(const Key& a, const Key& b) noexcept {
  return compare(a, b) == 0;
}

/// A key that owns its text: for ranges and pins.
class OwnedKey {
 public:
  explicit OwnedKey(const Key& key) : key_(key), text_(key.text) {}
  [[nodiscard]] Key get() const noexcept {
    Key k = key_;
    k.text = text_;
    return k;
  }

 private:
  Key key_;
  std::string text_;
};

/// What PostgreSQL's hash partitioning computes for one key column: the 64-bit value that
/// satisfies_hash_partition takes modulo the modulus. Integers, text, varchar, uuid only.
/// Cost: about 5 ns for integers. Source: src/backend/partitioning/partbounds.c
/// (compute_partition_hash_value), src/common/hashfn.c, utils/adt/hashfunc.c.
[[nodiscard]] std::uint64_t partition_hash(const Key& key) noexcept;

}  // namespace sherd::pgtypes
