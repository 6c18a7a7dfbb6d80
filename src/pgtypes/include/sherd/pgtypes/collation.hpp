#pragma once

#include <compare>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <sherd/base/error.hpp>

// Order of text as the server sorts it, or nothing: an order that is not verified equal to the
// server's is not offered.

namespace sherd::pgtypes {

/// What the server says of a collation (pg_collation), or of the database's default (pg_database).
struct CollationFacts {
  std::string name{};     // "en_US.utf8", "C"; of the database default: "default"
  char provider = 'c';    // collprovider or datlocprovider: 'b' builtin, 'c' libc, 'i' ICU
  std::string locale{};   // collcollate or datcollate; 'b': the builtin locale
  std::string version{};  // collversion or datcollversion: "2.36"; "" when the server records none
  std::string libc_version{};  // the C library of the server where it is known otherwise; "" if not
  std::string encoding{"UTF8"};  // pg_encoding_to_char(encoding) of the database
  bool deterministic = true;
};

/// A total order of text. Immutable, thread-safe.
class Collation {
 public:
  /// The order of bytes: "C", "POSIX", "ucs_basic".
  [[nodiscard]] static const Collation& bytes() noexcept;

  /// The order that `facts` describe.
  /// @return kUnsupported, with the hint to add COLLATE "C", unless one of these holds:
  ///   - the locale is C or POSIX, or the provider is builtin and the encoding UTF8 (order of code
  ///   points, which is
  ///     the order of bytes);
  ///   - the provider is libc, the server's version of the C library is known and equal to this
  ///   machine's (for
  ///     "C.UTF-8", which has no version: 2.35 or later on both sides), and the locale can be
  ///     loaded here in the database's encoding.
  /// Cost: may read locale files; do it once, not per statement.
  [[nodiscard]] static Result<std::shared_ptr<const Collation>> make(const CollationFacts& facts);

  /// As the server compares under a deterministic collation: by the locale, ties by bytes.
  /// Cost: no allocation up to 1 KiB of text.
  [[nodiscard]] std::strong_ordering compare(std::string_view a, std::string_view b) const noexcept;
  [[nodiscard]] bool is_bytes() const noexcept { return locale_ == nullptr; }

  ~Collation();
  Collation(const Collation&) = delete;
  Collation& operator=(const Collation&) = delete;

 private:
  explicit Collation(void* locale) noexcept : locale_(locale) {}

  void* locale_;  // locale_t, owned; nullptr: bytes
};

/// The collations of a database by name. Immutable after it is filled; then thread-safe.
class CollationSet {
 public:
  /// Makes `facts` known under `name` ("default": the database's own). An order that cannot be had
  /// is remembered with its reason.
  void add(const CollationFacts& facts);

  /// @param name  "" and "default" mean the database's own; "pg_catalog." in front is ignored. "C",
  /// "POSIX" and
  ///              "ucs_basic" are always known.
  /// @return borrowed from the set; kUnsupported (hint: COLLATE "C") when the order cannot be had
  /// or is not known.
  [[nodiscard]] Result<const Collation*> find(std::string_view name) const;

  /// Whether equal means equal bytes under `name`. A name that is not known is not deterministic;
  /// the database's own always is (PostgreSQL allows nothing else).
  [[nodiscard]] bool is_deterministic(std::string_view name) const;

 private:
  struct Entry {
    bool deterministic = true;
    Result<std::shared_ptr<const Collation>> order;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace sherd::pgtypes
