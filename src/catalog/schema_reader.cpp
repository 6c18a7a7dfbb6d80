#include <array>
#include <charconv>
#include <cstddef>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>

#include <sherd/catalog/schema_reader.hpp>

namespace sherd::catalog {
namespace {

using topology::Column;
using topology::ForeignKey;
using topology::FunctionInfo;
using topology::RelationInfo;
using topology::RelationKind;
using topology::Schema;
using topology::UniqueConstraint;
using topology::Volatility;

using Row = std::vector<std::optional<std::string>>;

// Places of the answers in schema_queries().
enum Answer : std::size_t {
  kDatabase = 2,
  kRelations,
  kColumns,
  kUnique,
  kForeignKeys,
  kFunctions,
  kDefinitions,
  kAnswers = 10
};
constexpr std::array<std::size_t, kAnswers> kWidths = {0, 1, 6, 9, 10, 4, 6, 7, 3, 0};

const std::string& text(const Row& row, std::size_t column) {
  static const std::string kNone;
  return row[column] ? *row[column] : kNone;
}
bool flag(const Row& row, std::size_t column) {
  return text(row, column) == "t";
}
char letter(const Row& row, std::size_t column) {
  return text(row, column).empty() ? '\0' : text(row, column).front();
}

template <class T>
T number(const Row& row, std::size_t column) {
  const std::string& digits = text(row, column);
  T value{};
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

Result<> check_shape(const std::vector<RowSet>& results) {
  bool right = results.size() == kAnswers;
  for (std::size_t i = 0; right && i < kAnswers; ++i) {
    for (const Row& row : results[i]) {
      right = right && row.size() == kWidths[i];
    }
  }
  if (!right || results[kDatabase].size() != 1) {
    return fail(
        ErrorCode::kProtocolViolation, "the shard's answer about its schema has an unexpected shape"
    );
  }
  return {};
}

struct KindRow {
  char letter;
  RelationKind kind;
};
constexpr std::array kKinds = {
    KindRow{'r', RelationKind::kTable},        KindRow{'p', RelationKind::kPartitionedTable},
    KindRow{'v', RelationKind::kView},         KindRow{'m', RelationKind::kMaterializedView},
    KindRow{'f', RelationKind::kForeignTable}, KindRow{'S', RelationKind::kSequence},
};

RelationKind kind_of(char letter) {
  for (const KindRow& row : kKinds) {
    if (row.letter == letter) {
      return row.kind;
    }
  }
  return RelationKind::kForeignTable;  // not asked for; nothing is ever proved about these
}

/// The relations being filled, by the shard's own object id.
class Relations {
 public:
  explicit Relations(const RowSet& rows) {
    relations_.reserve(rows.size());
    for (const Row& row : rows) {
      places_.emplace(text(row, 0), relations_.size());
      relations_.push_back(
          {.schema = text(row, 1),
           .name = text(row, 2),
           .kind = kind_of(letter(row, 3)),
           .has_parent = flag(row, 4),
           .has_children = flag(row, 5),
           .has_triggers = flag(row, 6),
           .has_rules = flag(row, 7),
           .view_definition = text(row, 8)}
      );
    }
  }

  /// nullptr for one that is not listed (the index of a TOAST table, say).
  [[nodiscard]] RelationInfo* find(const std::string& oid) {
    const auto found = places_.find(oid);
    return found == places_.end() ? nullptr : &relations_[found->second];
  }
  [[nodiscard]] std::vector<RelationInfo> take() { return std::move(relations_); }

 private:
  std::vector<RelationInfo> relations_{};
  std::unordered_map<std::string, std::size_t> places_{};
};

void add_columns(const RowSet& rows, Relations& relations) {
  for (const Row& row : rows) {
    if (RelationInfo* relation = relations.find(text(row, 0))) {
      relation->columns.push_back(
          {.name = text(row, 1),
           .type = number<Oid>(row, 2),
           .type_name = text(row, 3),
           .typmod = number<std::int32_t>(row, 4),
           .not_null = flag(row, 5),
           .collation = text(row, 6),
           .default_expression = text(row, 7),
           .identity = letter(row, 8),
           .generated = flag(row, 9)}
      );
    }
  }
}

void add_unique(const RowSet& rows, Relations& relations) {
  for (const Row& row : rows) {
    RelationInfo* relation = relations.find(text(row, 0));
    if (relation == nullptr) {
      continue;
    }
    if (relation->unique.empty() || relation->unique.back().name != text(row, 1)) {
      relation->unique.push_back({.name = text(row, 1), .is_primary = flag(row, 2)});
    }
    relation->unique.back().columns.push_back(text(row, 3));
  }
}

void add_foreign_keys(const RowSet& rows, Relations& relations) {
  for (const Row& row : rows) {
    RelationInfo* relation = relations.find(text(row, 0));
    if (relation == nullptr) {
      continue;
    }
    std::vector<ForeignKey>& keys = relation->foreign_keys;
    if (keys.empty() || keys.back().name != text(row, 1)) {
      keys.push_back({.name = text(row, 1), .target_schema = text(row, 2), .target = text(row, 3)});
    }
    keys.back().columns.push_back(text(row, 4));
    keys.back().target_columns.push_back(text(row, 5));
  }
}

topology::FunctionMap functions_of(const RowSet& rows) {
  topology::FunctionMap functions;
  functions.reserve(rows.size());
  for (const Row& row : rows) {
    const char volatility = letter(row, 5);
    functions.emplace(
        text(row, 0),
        FunctionInfo{
            .is_aggregate = flag(row, 1),
            .is_window = flag(row, 2),
            .is_set_returning = flag(row, 3),
            .is_builtin = flag(row, 4),
            .volatility = volatility == 'i'   ? Volatility::kImmutable
                          : volatility == 's' ? Volatility::kStable
                                              : Volatility::kVolatile,
            .source = text(row, 6)
        }
    );
  }
  return functions;
}

/// SHA-256 over texts, each with its length, so that two lists of texts never look like one
/// another.
class Fingerprint {
 public:
  Fingerprint() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }

  void add(std::string_view value) {
    const std::string length = fmt::format("{}:", value.size());
    EVP_DigestUpdate(context_.get(), length.data(), length.size());
    EVP_DigestUpdate(context_.get(), value.data(), value.size());
  }
  [[nodiscard]] std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string hex;
    for (const unsigned char byte : std::span(digest).first(size / 2)) {  // 128 bits are enough
      hex += fmt::format("{:02x}", byte);
    }
    return hex;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

/// All that was read but object ids, in an order that does not come from them.
std::string fingerprint_of(
    const std::vector<RowSet>& results, std::span<const RelationInfo> relations
) {
  Fingerprint print;
  for (std::size_t column = 0; column + 1 < kWidths[kDatabase];
       ++column) {  // all but the server's version
    print.add(text(results[kDatabase].front(), column));
  }
  // Relations come sorted by name; their columns by place. Columns dropped on one shard only leave
  // no trace.
  for (const RelationInfo& relation : relations) {
    print.add(relation.schema);
    print.add(relation.name);
    print.add(fmt::format("{}", static_cast<int>(relation.kind)));
    print.add(relation.view_definition);
    print.add(fmt::format("{}", relation.columns.size()));
    for (const Column& column : relation.columns) {
      print.add(column.name);
      print.add(column.type_name);
      print.add(column.collation);
      print.add(column.default_expression);
      print.add(fmt::format(
          "{} {} {}", column.not_null, static_cast<int>(column.identity), column.generated
      ));
    }
  }
  for (const Row& row : results[kDefinitions]) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      print.add(text(row, column));
    }
  }
  return print.finish();
}

}  // namespace

Result<Schema> schema_from_rows(const std::vector<RowSet>& results) {
  SHERD_TRY_VOID(check_shape(results));
  Relations relations(results[kRelations]);
  add_columns(results[kColumns], relations);
  add_unique(results[kUnique], relations);
  add_foreign_keys(results[kForeignKeys], relations);

  const Row& database = results[kDatabase].front();
  Schema::Parts parts;
  parts.collation_provider = letter(database, 2);
  // An ICU database sorts by its ICU locale; datcollate is what libc functions see.
  const std::string& locale = text(database, 3);
  parts.database_collation = locale.empty() ? text(database, 0) : locale;
  parts.collation_version = text(database, 1);
  parts.encoding = text(database, 4);
  parts.server_version_num = number<std::uint32_t>(database, 5);
  parts.relations = relations.take();
  parts.functions = functions_of(results[kFunctions]);
  parts.fingerprint = fingerprint_of(results, parts.relations);
  return Schema(std::move(parts));
}

}  // namespace sherd::catalog
