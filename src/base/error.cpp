#include <array>
#include <cstddef>

#include <sherd/base/error.hpp>

namespace sherd {
namespace {

using enum ErrorCode;
using enum Advice;

// In the order of ErrorCode; error_test.cpp checks that.
constexpr std::array kRows = {
    ErrorRow{kInternal, "XX000", kNeverRetry},
    ErrorRow{kUnsupported, "0A000", kNeverRetry},
    ErrorRow{kSyntax, "42601", kNeverRetry},
    ErrorRow{kUndefinedTable, "42P01", kNeverRetry},
    ErrorRow{kUndefinedColumn, "42703", kNeverRetry},
    ErrorRow{kUndefinedObject, "42704", kNeverRetry},
    ErrorRow{kUndefinedFunction, "42883", kNeverRetry},
    ErrorRow{kUndefinedPrepared, "26000", kNeverRetry},
    ErrorRow{kUndefinedCursor, "34000", kNeverRetry},
    ErrorRow{kDuplicatePrepared, "42P05", kNeverRetry},
    ErrorRow{kDuplicateObject, "42710", kNeverRetry},
    ErrorRow{kDuplicateCursor, "42P03", kNeverRetry},
    ErrorRow{kInvalidTableDefinition, "42P16", kNeverRetry},
    ErrorRow{kInvalidParameterValue, "22023", kNeverRetry},
    ErrorRow{kInvalidText, "22P02", kNeverRetry},
    ErrorRow{kInvalidBinary, "22P03", kNeverRetry},
    ErrorRow{kOutOfRange, "22003", kNeverRetry},
    ErrorRow{kBadCopyFormat, "22P04", kNeverRetry},
    ErrorRow{kNullKey, "23502", kNeverRetry},
    ErrorRow{kNoShardForKey, "22023", kNeverRetry},
    ErrorRow{kKeyTooLong, "54000", kNeverRetry},
    ErrorRow{kStatementTooComplex, "54001", kNeverRetry},
    ErrorRow{kProgramLimit, "54000", kNeverRetry},
    ErrorRow{kTooManyConnections, "53300", kRetryTransaction},
    ErrorRow{kOutOfMemory, "53200", kRetryTransaction},
    ErrorRow{kConfigLimit, "53400", kNeverRetry},
    ErrorRow{kProtocolViolation, "08P01", kNeverRetry},
    ErrorRow{kConnectionFailed, "08006", kNeverRetry},
    ErrorRow{kCannotConnect, "08001", kRetryStatement},
    ErrorRow{kOutcomeUnknown, "08007", kNeverRetry},
    ErrorRow{kInvalidPassword, "28P01", kNeverRetry},
    ErrorRow{kInvalidAuthorization, "28000", kNeverRetry},
    ErrorRow{kInvalidCatalog, "3D000", kNeverRetry},
    ErrorRow{kInFailedTransaction, "25P02", kRetryTransaction},
    ErrorRow{kActiveTransaction, "25001", kNeverRetry},
    ErrorRow{kNoActiveTransaction, "25P01", kNeverRetry},
    ErrorRow{kReadOnly, "25006", kNeverRetry},
    ErrorRow{kInvalidSavepoint, "3B001", kNeverRetry},
    ErrorRow{kInvalidTransactionState, "25000", kNeverRetry},
    ErrorRow{kInsufficientPrivilege, "42501", kNeverRetry},
    ErrorRow{kQueryCanceled, "57014", kNeverRetry},
    ErrorRow{kTimeout, "57014", kRetryTransaction},
    ErrorRow{kAdminShutdown, "57P01", kRetryTransaction},
    ErrorRow{kCannotConnectNow, "57P03", kRetryTransaction},
    ErrorRow{kStaleTopology, "40001", kRefreshTopology},
    ErrorRow{kObjectInUse, "55006", kNeverRetry},
    ErrorRow{kNotInPrerequisiteState, "55000", kNeverRetry},
    ErrorRow{kInvalidConfig, "F0000", kNeverRetry},
    ErrorRow{kIo, "58030", kNeverRetry},
    ErrorRow{kShardError, "XX000", kNeverRetry},
};

}  // namespace

const ErrorRow& error_row(ErrorCode code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return index < kRows.size() ? kRows[index] : kRows.front();
}

std::string to_string(const Error& error) {
  std::string text = error.shard.empty() ? error.message : error.shard + ": " + error.message;
  if (!error.detail.empty()) {
    text += " (" + error.detail + ")";
  }
  if (!error.hint.empty()) {
    text += "; " + error.hint;
  }
  return text;
}

}  // namespace sherd
