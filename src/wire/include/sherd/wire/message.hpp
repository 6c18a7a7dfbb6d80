#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Words of PostgreSQL's frontend/backend protocol 3.0. Source: PostgreSQL manual, chapter 55.
namespace sherd::wire {

/// Who sends a message: the same letter means different things in the two directions.
enum class Side : std::uint8_t { kFrontend, kBackend };

enum class FrontendType : char {
  kBind = 'B',
  kClose = 'C',
  kCopyData = 'd',
  kCopyDone = 'c',
  kCopyFail = 'f',
  kDescribe = 'D',
  kExecute = 'E',
  kFlush = 'H',
  kFunctionCall = 'F',
  kParse = 'P',
  kPassword = 'p',  // PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse: by context
  kQuery = 'Q',
  kSync = 'S',
  kTerminate = 'X',
};

enum class BackendType : char {
  kAuthentication = 'R',
  kBackendKeyData = 'K',
  kBindComplete = '2',
  kCloseComplete = '3',
  kCommandComplete = 'C',
  kCopyBothResponse = 'W',
  kCopyData = 'd',
  kCopyDone = 'c',
  kCopyInResponse = 'G',
  kCopyOutResponse = 'H',
  kDataRow = 'D',
  kEmptyQueryResponse = 'I',
  kErrorResponse = 'E',
  kFunctionCallResponse = 'V',
  kNegotiateProtocolVersion = 'v',
  kNoData = 'n',
  kNoticeResponse = 'N',
  kNotificationResponse = 'A',
  kParameterDescription = 't',
  kParameterStatus = 'S',
  kParseComplete = '1',
  kPortalSuspended = 's',
  kReadyForQuery = 'Z',
  kRowDescription = 'T',
};

[[nodiscard]] constexpr char letter(FrontendType type) noexcept {
  return static_cast<char>(type);
}
[[nodiscard]] constexpr char letter(BackendType type) noexcept {
  return static_cast<char>(type);
}

/// Name of the message in the manual ("RowDescription"), "" for a letter that `side` never sends.
/// Cost: O(1).
[[nodiscard]] std::string_view message_name(Side side, char type) noexcept;
[[nodiscard]] inline bool is_known_type(Side side, char type) noexcept {
  return !message_name(side, type).empty();
}

enum class TransactionStatus : char { kIdle = 'I', kInTransaction = 'T', kFailed = 'E' };

enum class Format : std::int16_t { kText = 0, kBinary = 1 };

enum class Severity : std::uint8_t {
  kError,
  kFatal,
  kPanic,
  kWarning,
  kNotice,
  kDebug,
  kInfo,
  kLog
};
/// "ERROR", "FATAL", …
[[nodiscard]] std::string_view name_of(Severity severity) noexcept;

inline constexpr std::size_t kHeaderBytes = 5;  // type, then the length, which counts itself
inline constexpr std::size_t kLengthBytes = 4;

/// Limits on the length field of a message (the body and the four bytes of the field itself).
inline constexpr std::uint32_t kMaxStartupBytes = 10'000;
inline constexpr std::uint32_t kMaxAuthBytes = 64 * 1024;
inline constexpr std::uint32_t kMaxMessageBytes = (std::uint32_t{1} << 30) - 1;

/// Codes in the place of a protocol version in the first packet of a client.
inline constexpr std::uint32_t kProtocol30 = 3U << 16;
inline constexpr std::uint32_t kCancelRequestCode = 80877102;
inline constexpr std::uint32_t kSslRequestCode = 80877103;
inline constexpr std::uint32_t kGssEncRequestCode = 80877104;

}  // namespace sherd::wire
