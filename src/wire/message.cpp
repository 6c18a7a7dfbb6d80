#include <array>
#include <cstddef>

#include <sherd/wire/message.hpp>

namespace sherd::wire {
namespace {

using NameTable = std::array<std::string_view, 256>;

constexpr std::size_t slot(char type) noexcept {
  return static_cast<unsigned char>(type);
}

constexpr NameTable make_frontend_names() {
  NameTable names{};
  names[slot('B')] = "Bind";
  names[slot('C')] = "Close";
  names[slot('d')] = "CopyData";
  names[slot('c')] = "CopyDone";
  names[slot('f')] = "CopyFail";
  names[slot('D')] = "Describe";
  names[slot('E')] = "Execute";
  names[slot('H')] = "Flush";
  names[slot('F')] = "FunctionCall";
  names[slot('P')] = "Parse";
  names[slot('p')] = "PasswordMessage";
  names[slot('Q')] = "Query";
  names[slot('S')] = "Sync";
  names[slot('X')] = "Terminate";
  return names;
}

constexpr NameTable make_backend_names() {
  NameTable names{};
  names[slot('R')] = "Authentication";
  names[slot('K')] = "BackendKeyData";
  names[slot('2')] = "BindComplete";
  names[slot('3')] = "CloseComplete";
  names[slot('C')] = "CommandComplete";
  names[slot('W')] = "CopyBothResponse";
  names[slot('d')] = "CopyData";
  names[slot('c')] = "CopyDone";
  names[slot('G')] = "CopyInResponse";
  names[slot('H')] = "CopyOutResponse";
  names[slot('D')] = "DataRow";
  names[slot('I')] = "EmptyQueryResponse";
  names[slot('E')] = "ErrorResponse";
  names[slot('V')] = "FunctionCallResponse";
  names[slot('v')] = "NegotiateProtocolVersion";
  names[slot('n')] = "NoData";
  names[slot('N')] = "NoticeResponse";
  names[slot('A')] = "NotificationResponse";
  names[slot('t')] = "ParameterDescription";
  names[slot('S')] = "ParameterStatus";
  names[slot('1')] = "ParseComplete";
  names[slot('s')] = "PortalSuspended";
  names[slot('Z')] = "ReadyForQuery";
  names[slot('T')] = "RowDescription";
  return names;
}

constexpr NameTable kFrontendNames = make_frontend_names();
constexpr NameTable kBackendNames = make_backend_names();

constexpr std::array<std::string_view, 8> kSeverityNames = {"ERROR",  "FATAL", "PANIC", "WARNING",
                                                            "NOTICE", "DEBUG", "INFO",  "LOG"};

}  // namespace

std::string_view message_name(Side side, char type) noexcept {
  return side == Side::kFrontend ? kFrontendNames[slot(type)] : kBackendNames[slot(type)];
}

std::string_view name_of(Severity severity) noexcept {
  return kSeverityNames[static_cast<std::size_t>(severity) % kSeverityNames.size()];
}

}  // namespace sherd::wire
