#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/wire/message.hpp>
#include <sherd/wire/view.hpp>

/// Bodies of the messages that a server sends. Every decode() takes a body without its header and
/// checks all of it: kProtocolViolation if something is missing, malformed or left over. Results
/// borrow from the body unless they say "owns".
namespace sherd::wire {

/// One column of a result. Owns its name.
struct FieldDescription {
  std::string name{};
  Oid table_oid = 0;        // 0 if the column is no table's
  std::int16_t attnum = 0;  // number in that table
  Oid type_oid = 0;
  std::int16_t type_length = 0;  // pg_type.typlen; below 0 for a varying width
  std::int32_t type_modifier = -1;
  Format format = Format::kText;

  bool operator==(const FieldDescription&) const = default;
};

/// The same, borrowed.
struct FieldView {
  std::string_view name{};
  Oid table_oid = 0;
  std::int16_t attnum = 0;
  Oid type_oid = 0;
  std::int16_t type_length = 0;
  std::int32_t type_modifier = -1;
  Format format = Format::kText;
};

class RowDescription {
 public:
  class iterator {
   public:
    using value_type = FieldView;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    iterator(Bytes rest, std::uint16_t left) noexcept : rest_(rest), left_(left) {}
    [[nodiscard]] FieldView operator*() const noexcept;
    iterator& operator++() noexcept;
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator& other) const noexcept { return left_ == other.left_; }

   private:
    Bytes rest_{};
    std::uint16_t left_ = 0;
  };

  [[nodiscard]] static Result<RowDescription> decode(Bytes body);
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] iterator begin() const noexcept { return {fields_, count_}; }
  [[nodiscard]] iterator end() const noexcept { return {{}, 0}; }
  /// Owned copies.
  [[nodiscard]] std::vector<FieldDescription> fields() const;

 private:
  Bytes fields_{};
  std::uint16_t count_ = 0;
};

/// Iterate it for the columns: nullopt for NULL, else the value's bytes.
struct DataRow : ValueList {
  /// Cost: O(columns), no allocation.
  [[nodiscard]] static Result<DataRow> decode(Bytes body);
};

/// "INSERT 0 5" in parts.
struct CommandTag {
  std::string_view verb{};              // "INSERT", "CREATE TABLE"
  std::optional<std::uint64_t> rows{};  // the count, where the tag has one
  std::optional<std::uint64_t> oid{};   // INSERT's first number

  bool operator==(const CommandTag&) const = default;
};
/// Numbers that are too large or not decimal count as part of the verb.
[[nodiscard]] CommandTag parse_command_tag(std::string_view tag) noexcept;
/// "SELECT 3", "INSERT 0 3", "BEGIN".
[[nodiscard]] std::string to_text(const CommandTag& tag);

struct CommandComplete {
  std::string_view tag{};
  [[nodiscard]] static Result<CommandComplete> decode(Bytes body);
};

/// Fields of an ErrorResponse or NoticeResponse. Owns them; "" or 0 where a field is absent.
struct ErrorFields {
  std::string severity{};               // S: in the server's language
  std::string severity_fixed{};         // V: never translated
  std::string code{};                   // C: SQLSTATE
  std::string message{};                // M
  std::string detail{};                 // D
  std::string hint{};                   // H
  std::uint32_t position = 0;           // P: 1-based character in the statement
  std::uint32_t internal_position = 0;  // p
  std::string internal_query{};         // q
  std::string where{};                  // W
  std::string schema{};                 // s
  std::string table{};                  // t
  std::string column{};                 // c
  std::string datatype{};               // d
  std::string constraint{};             // n
  std::string file{};                   // F
  std::uint32_t line = 0;               // L
  std::string routine{};                // R

  /// Unknown fields are skipped, as the protocol wants. A server that leaves out the SQLSTATE is
  /// no reason to fail: `code` is then "".
  [[nodiscard]] static Result<ErrorFields> decode(Bytes body);
  /// The severity that can be compared: V, or S from servers before 9.6.
  [[nodiscard]] std::string_view severity_name() const noexcept {
    return severity_fixed.empty() ? severity : severity_fixed;
  }
  /// FATAL or PANIC: the server ends the connection.
  [[nodiscard]] bool ends_connection() const noexcept;

  bool operator==(const ErrorFields&) const = default;
};
/// kShardError with the shard's SQLSTATE ("XX000" if it sent none or a malformed one).
/// @param shard  name of the shard, for Error::shard.
[[nodiscard]] Error to_error(const ErrorFields& fields, std::string shard = {});
/// What a client is told about `error`. The shard's name goes nowhere: put it into the message.
[[nodiscard]] ErrorFields to_fields(const Error& error, Severity severity = Severity::kError);

struct ReadyForQuery {
  TransactionStatus status = TransactionStatus::kIdle;
  [[nodiscard]] static Result<ReadyForQuery> decode(Bytes body);
};

struct ParameterStatus {
  std::string_view name{};
  std::string_view value{};
  [[nodiscard]] static Result<ParameterStatus> decode(Bytes body);
};

inline constexpr std::size_t kMinCancelKeyBytes = 4;    // and all there is in protocol 3.0
inline constexpr std::size_t kMaxCancelKeyBytes = 256;  // protocol 3.2

struct BackendKeyData {
  std::uint32_t process_id = 0;
  Bytes secret{};  // kMinCancelKeyBytes..kMaxCancelKeyBytes
  [[nodiscard]] static Result<BackendKeyData> decode(Bytes body);
};

enum class AuthRequest : std::uint32_t {
  kOk = 0,
  kKerberosV5 = 2,
  kCleartext = 3,
  kMd5 = 5,
  kGss = 7,
  kGssContinue = 8,
  kSspi = 9,
  kSasl = 10,
  kSaslContinue = 11,
  kSaslFinal = 12,
};

struct Authentication {
  AuthRequest request = AuthRequest::kOk;
  Bytes data{};  // kMd5: 4 bytes of salt; kSasl: the list of mechanisms; kSaslContinue, kSaslFinal,
                 // kGssContinue: the mechanism's own
  /// A request code that is not in AuthRequest is a protocol violation.
  [[nodiscard]] static Result<Authentication> decode(Bytes body);
  /// kSasl only: the server takes this mechanism.
  [[nodiscard]] bool offers(std::string_view mechanism) const noexcept;
};

struct NotificationResponse {
  std::uint32_t process_id = 0;
  std::string_view channel{};
  std::string_view payload{};
  [[nodiscard]] static Result<NotificationResponse> decode(Bytes body);
};

struct ParameterDescription {
  IntegerList<std::uint32_t> types{};
  [[nodiscard]] static Result<ParameterDescription> decode(Bytes body);
};

/// CopyInResponse, CopyOutResponse and CopyBothResponse.
struct CopyResponse {
  Format format = Format::kText;
  IntegerList<std::int16_t> column_formats{};  // 0 or 1 each
  [[nodiscard]] static Result<CopyResponse> decode(Bytes body);
};

struct NegotiateProtocolVersion {
  std::uint32_t newest_minor = 0;
  std::vector<std::string_view> unknown_options{};
  [[nodiscard]] static Result<NegotiateProtocolVersion> decode(Bytes body);
};

struct FunctionCallResponse {
  std::optional<Bytes> value{};
  [[nodiscard]] static Result<FunctionCallResponse> decode(Bytes body);
};

/// For the messages of both sides that have no body: ParseComplete, BindComplete, CloseComplete,
/// NoData, PortalSuspended, EmptyQueryResponse, CopyDone, Sync, Flush, Terminate.
[[nodiscard]] Result<> decode_empty(Bytes body);

}  // namespace sherd::wire
