#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <gnu/libc-version.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>

#include <sherd/base/text.hpp>
#include <sherd/pgtypes/collation.hpp>

namespace sherd::pgtypes {
namespace {

constexpr std::string_view kHint =
    "add COLLATE \"C\" to the ORDER BY expression or aggregate argument, or let the rows come from "
    "one shard";

std::unexpected<Error> unavailable(std::string_view name, std::string_view why) {
  return fail(
      ErrorCode::kUnsupported,
      fmt::format(
          "text under collation \"{}\" cannot be compared outside the server: {}", name, why
      ),
      std::string(kHint)
  );
}

/// "C.UTF-8", "C.utf8": order of code points, and the server records no version for it.
bool is_c_utf8(std::string_view locale) {
  return equals_ignoring_case(locale, "C.UTF-8") || equals_ignoring_case(locale, "C.utf8");
}

bool is_c(std::string_view locale) {
  return locale == "C" || locale == "POSIX";
}

/// "UTF-8" and "UTF8" are one.
std::string plain_encoding(std::string_view encoding) {
  std::string plain;
  for (const char c : to_lower(encoding)) {
    if (c != '-' && c != '_') {
      plain += c;
    }
  }
  return plain;
}

struct LibcVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const LibcVersion&) const = default;
};

std::optional<LibcVersion> parse_version(std::string_view text) {
  LibcVersion out;
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, out.major);
  if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') {
    return std::nullopt;
  }
  const auto minor = std::from_chars(major.ptr + 1, end, out.minor);
  if (minor.ec != std::errc{} || minor.ptr != end) {
    return std::nullopt;
  }
  return out;
}

constexpr LibcVersion kStrictCodePoints{2, 35};  // since then C.UTF-8 sorts strictly by code point

/// Empty when the server's libc order of `facts` is this machine's; otherwise why not.
std::string_view difference_from_here(const CollationFacts& facts) {
  const auto theirs = parse_version(facts.version.empty() ? facts.libc_version : facts.version);
  const auto ours = parse_version(gnu_get_libc_version());
  if (!theirs) {
    return "the server does not tell the version of its C library";
  }
  if (!ours) {
    return "the version of this machine's C library is not known";
  }
  if (is_c_utf8(facts.locale)) {
    const bool strict = *theirs >= kStrictCodePoints && *ours >= kStrictCodePoints;
    return strict ? "" : "C.UTF-8 is strict only from version 2.35 of the C library on";
  }
  return *theirs == *ours ? "" : "the server's C library has another version than this machine's";
}

/// Zero-terminated copies of two texts, on the stack while they are short.
class TerminatedPair {
 public:
  TerminatedPair(std::string_view a, std::string_view b) : a_size_(a.size()) {
    if (a.size() + b.size() + 2 > stack_.size()) {
      heap_.resize(a.size() + b.size() + 2);
    }
    char* const to = start();
    a.copy(to, a.size());
    to[a.size()] = '\0';
    b.copy(to + a.size() + 1, b.size());
    to[a.size() + 1 + b.size()] = '\0';
  }
  [[nodiscard]] const char* a() { return start(); }
  [[nodiscard]] const char* b() { return start() + a_size_ + 1; }

 private:
  [[nodiscard]] char* start() { return heap_.empty() ? stack_.data() : heap_.data(); }

  std::size_t a_size_;
  std::array<char, 1024> stack_;
  std::string heap_{};
};

}  // namespace

Collation::~Collation() {
  if (locale_ != nullptr) {
    freelocale(static_cast<locale_t>(locale_));
  }
}

const Collation& Collation::bytes() noexcept {
  static const Collation order(nullptr);
  return order;
}

Result<std::shared_ptr<const Collation>> Collation::make(const CollationFacts& facts) {
  const bool utf8 = plain_encoding(facts.encoding) == "utf8";
  const bool libc_c = facts.provider == 'c' && is_c(facts.locale);
  if (libc_c || (facts.provider == 'b' && (utf8 || is_c(facts.locale)))) {
    return std::shared_ptr<const Collation>(new Collation(nullptr));
  }
  if (!facts.deterministic) {
    return unavailable(facts.name, "it is not deterministic");
  }
  if (facts.provider != 'c') {
    return unavailable(facts.name, "its order comes from ICU or another provider");
  }
  if (const auto why = difference_from_here(facts); !why.empty()) {
    return unavailable(facts.name, why);
  }
  const locale_t locale = newlocale(LC_COLLATE_MASK | LC_CTYPE_MASK, facts.locale.c_str(), nullptr);
  if (locale == nullptr) {
    return unavailable(
        facts.name, fmt::format("locale \"{}\" is not on this machine", facts.locale)
    );
  }
  std::shared_ptr<const Collation> order(new Collation(locale));
  if (plain_encoding(nl_langinfo_l(CODESET, locale)) != plain_encoding(facts.encoding)) {
    return unavailable(facts.name, "its encoding here is not the database's");
  }
  return order;
}

std::strong_ordering Collation::compare(std::string_view a, std::string_view b) const noexcept {
  if (locale_ != nullptr && a != b) {
    TerminatedPair texts(a, b);
    if (const int order = strcoll_l(texts.a(), texts.b(), static_cast<locale_t>(locale_));
        order != 0) {
      return order <=> 0;
    }
  }
  return a.compare(b) <=> 0;  // char_traits compares as unsigned bytes
}

namespace {

constexpr std::string_view kDefault = "default";

std::string_view plain_name(std::string_view name) {
  constexpr std::string_view kSchema = "pg_catalog.";
  if (name.starts_with(kSchema)) {
    name.remove_prefix(kSchema.size());
  }
  return name.empty() ? kDefault : name;
}

bool is_byte_order(std::string_view plain) {
  return plain == "C" || plain == "POSIX" || plain == "ucs_basic";
}

}  // namespace

void CollationSet::add(const CollationFacts& facts) {
  entries_.insert_or_assign(
      std::string(plain_name(facts.name)), Entry{facts.deterministic, Collation::make(facts)}
  );
}

Result<const Collation*> CollationSet::find(std::string_view name) const {
  const std::string_view plain = plain_name(name);
  if (is_byte_order(plain)) {
    return &Collation::bytes();
  }
  const auto entry = entries_.find(plain);
  if (entry == entries_.end()) {
    return unavailable(plain, "the collation is not known");
  }
  if (!entry->second.order) {
    return fail(entry->second.order.error());
  }
  return entry->second.order->get();
}

bool CollationSet::is_deterministic(std::string_view name) const {
  const std::string_view plain = plain_name(name);
  if (plain == kDefault || is_byte_order(plain)) {
    return true;
  }
  const auto entry = entries_.find(plain);
  return entry != entries_.end() && entry->second.deterministic;
}

}  // namespace sherd::pgtypes
