#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sherd {

/// What can go wrong, named by what the caller should do about it. Each has one row in the error
/// table (error.cpp): its SQLSTATE and the advice. Add a row there when you add a code here.
enum class ErrorCode : std::uint8_t {
  kInternal,                 // XX000: a defect of ours
  kUnsupported,              // 0A000: cannot be proved right; the message says what to change
  kSyntax,                   // 42601
  kUndefinedTable,           // 42P01
  kUndefinedColumn,          // 42703
  kUndefinedObject,          // 42704
  kUndefinedFunction,        // 42883
  kUndefinedPrepared,        // 26000
  kUndefinedCursor,          // 34000: portal does not exist
  kDuplicatePrepared,        // 42P05
  kDuplicateObject,          // 42710
  kDuplicateCursor,          // 42P03
  kInvalidTableDefinition,   // 42P16
  kInvalidParameterValue,    // 22023
  kInvalidText,              // 22P02: text that is no value of its type
  kInvalidBinary,            // 22P03
  kOutOfRange,               // 22003
  kBadCopyFormat,            // 22P04
  kNullKey,                  // 23502
  kNoShardForKey,            // 22023: a key outside every range, an unknown region
  kKeyTooLong,               // 54000
  kStatementTooComplex,      // 54001
  kProgramLimit,             // 54000
  kTooManyConnections,       // 53300
  kOutOfMemory,              // 53200
  kConfigLimit,              // 53400
  kProtocolViolation,        // 08P01
  kConnectionFailed,         // 08006: gone while a statement ran; its outcome may be unknown
  kCannotConnect,            // 08001
  kOutcomeUnknown,           // 08007
  kInvalidPassword,          // 28P01
  kInvalidAuthorization,     // 28000
  kInvalidCatalog,           // 3D000: no such database
  kInFailedTransaction,      // 25P02
  kActiveTransaction,        // 25001
  kNoActiveTransaction,      // 25P01
  kReadOnly,                 // 25006
  kInvalidSavepoint,         // 3B001
  kInvalidTransactionState,  // 25000
  kInsufficientPrivilege,    // 42501
  kQueryCanceled,            // 57014
  kTimeout,                  // 57014: a deadline of ours passed
  kAdminShutdown,            // 57P01
  kCannotConnectNow,         // 57P03
  kStaleTopology,            // 40001: the epoch grew meanwhile
  kObjectInUse,              // 55006
  kNotInPrerequisiteState,   // 55000
  kInvalidConfig,            // F0000
  kIo,                       // 58030
  kShardError,               // the shard's own SQLSTATE, in Error::sqlstate
};

/// What the caller may do after an error.
enum class Advice : std::uint8_t {
  kNeverRetry,
  kRetryStatement,
  kRetryTransaction,
  kRefreshTopology
};

struct ErrorRow {
  ErrorCode code;
  std::string_view sqlstate;  // five characters
  Advice advice;
};

/// The row of `code` in the error table. Cost: O(1).
[[nodiscard]] const ErrorRow& error_row(ErrorCode code) noexcept;

/// An error as a value. `message` is one sentence without a full stop, in PostgreSQL's manner.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::string detail{};
  std::string hint{};               // what to change
  std::string shard{};              // name of the shard that failed, if one did
  std::string sqlstate_of_shard{};  // set with kShardError only
  std::uint32_t position = 0;       // 1-based character in the statement, 0 if none

  [[nodiscard]] std::string_view sqlstate() const noexcept {
    return sqlstate_of_shard.empty() ? error_row(code).sqlstate
                                     : std::string_view(sqlstate_of_shard);
  }
  [[nodiscard]] Error with_hint(std::string text) && {
    hint = std::move(text);
    return std::move(*this);
  }
  [[nodiscard]] Error with_detail(std::string text) && {
    detail = std::move(text);
    return std::move(*this);
  }
};

/// "message (detail) hint": one line for logs and the command line.
[[nodiscard]] std::string to_string(const Error& error);

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{.code = code, .message = std::move(message)});
}
[[nodiscard]] inline std::unexpected<Error> fail(
    ErrorCode code, std::string message, std::string hint
) {
  return std::unexpected(Error{.code = code, .message = std::move(message), .hint = std::move(hint)}
  );
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected(std::move(error));
}

}  // namespace sherd

#define SHERD_CONCAT_(a, b) a##b
#define SHERD_CONCAT(a, b) SHERD_CONCAT_(a, b)
#define SHERD_TRY_(tmp, declaration, expression, return_keyword) \
  auto tmp = (expression);                                       \
  if (!tmp) [[unlikely]] {                                       \
    return_keyword std::unexpected(std::move(tmp).error());      \
  }                                                              \
  declaration = *std::move(tmp)

/// `SHERD_TRY(auto x, f());` declares x from a Result, or returns its error. A line of its own.
#define SHERD_TRY(declaration, ...) \
  SHERD_TRY_(SHERD_CONCAT(sherd_try_, __LINE__), declaration, (__VA_ARGS__), return)
/// The same in a coroutine.
#define SHERD_CO_TRY(declaration, ...) \
  SHERD_TRY_(SHERD_CONCAT(sherd_try_, __LINE__), declaration, (__VA_ARGS__), co_return)

#define SHERD_CHECK_OK_(tmp, expression, return_keyword)    \
  if (auto tmp = (expression); !tmp) [[unlikely]] {         \
    return_keyword std::unexpected(std::move(tmp).error()); \
  }
/// `SHERD_TRY_VOID(f());` goes on if a Result<void> is good, or returns its error.
#define SHERD_TRY_VOID(...) \
  SHERD_CHECK_OK_(SHERD_CONCAT(sherd_try_, __LINE__), (__VA_ARGS__), return)
#define SHERD_CO_TRY_VOID(...) \
  SHERD_CHECK_OK_(SHERD_CONCAT(sherd_try_, __LINE__), (__VA_ARGS__), co_return)
