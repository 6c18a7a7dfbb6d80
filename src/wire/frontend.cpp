#include <algorithm>

#include <sherd/wire/backend.hpp>
#include <sherd/wire/frontend.hpp>

#include "decode.hpp"

namespace sherd::wire {
namespace {

Result<StartupPacket> decode_cancel(ByteReader reader) {
  CancelRequest cancel;
  cancel.process_id = reader.read<std::uint32_t>();
  cancel.secret = as_text(reader.read_bytes(reader.remaining()));
  if (!reader.ok() || cancel.secret.size() < kMinCancelKeyBytes
      || cancel.secret.size() > kMaxCancelKeyBytes) {
    return malformed("CancelRequest");
  }
  return cancel;
}

Result<StartupPacket> decode_startup(std::uint32_t version, ByteReader reader) {
  StartupMessage startup;
  startup.major = static_cast<std::uint16_t>(version >> 16);
  startup.minor = static_cast<std::uint16_t>(version & 0xFFFF);
  if (startup.major != 3) {
    return startup;  // laid out in a way that we do not know
  }
  while (true) {
    const std::string_view name = reader.read_cstring();
    if (name.empty()) {
      break;  // the terminator, or nothing was left
    }
    const std::string_view value = reader.read_cstring();
    if (startup.find(name) != nullptr) {
      // Two readers of one packet could disagree about who logs in.
      return fail(ErrorCode::kProtocolViolation, "startup parameter given twice");
    }
    startup.parameters.push_back({.name = std::string(name), .value = std::string(value)});
  }
  if (!reader.finished()) {
    return fail(
        ErrorCode::kProtocolViolation,
        "invalid startup packet layout: expected terminator as last byte"
    );
  }
  return startup;
}

Result<> check_formats(const IntegerList<std::int16_t>& codes) {
  for (const std::int16_t code : codes) {
    if (!is_format(code)) {
      return fail(
          ErrorCode::kInvalidParameterValue, fmt::format("unsupported format code: {}", code)
      );
    }
  }
  return {};
}

struct Named {
  Target target;
  std::string_view name;
};

Result<Named> decode_named(Bytes body, std::string_view message) {
  ByteReader reader(body);
  const char target = reader.read<char>();
  const std::string_view name = reader.read_cstring();
  if (!reader.finished() || (target != 'S' && target != 'P')) {
    return malformed(message);
  }
  return Named{static_cast<Target>(target), name};
}

}  // namespace

const std::string* StartupMessage::find(std::string_view name) const noexcept {
  const auto at = std::ranges::find(parameters, name, &StartupParameter::name);
  return at == parameters.end() ? nullptr : &at->value;
}

Result<StartupPacket> decode_startup_packet(Bytes body) {
  ByteReader reader(body);
  const auto code = reader.read<std::uint32_t>();
  if (!reader.ok()) {
    return malformed("startup");
  }
  switch (code) {
    case kSslRequestCode:
    case kGssEncRequestCode:
      if (!reader.finished()) {
        return malformed(code == kSslRequestCode ? "SSLRequest" : "GSSENCRequest");
      }
      return code == kSslRequestCode ? StartupPacket(SslRequest{}) : StartupPacket(GssEncRequest{});
    case kCancelRequestCode:
      return decode_cancel(reader);
    default:
      return decode_startup(code, reader);
  }
}

Result<Query> Query::decode(Bytes body) {
  ByteReader reader(body);
  const Query message{.sql = reader.read_cstring()};
  if (!reader.finished()) {
    return malformed("Query");
  }
  return message;
}

Result<Parse> Parse::decode(Bytes body) {
  ByteReader reader(body);
  Parse message;
  message.statement = reader.read_cstring();
  message.sql = reader.read_cstring();
  message.types = read_list<std::uint32_t>(reader);
  if (!reader.finished()) {
    return malformed("Parse");
  }
  return message;
}

Format format_at(const IntegerList<std::int16_t>& codes, std::size_t index) noexcept {
  if (codes.empty()) {
    return Format::kText;
  }
  return static_cast<Format>(codes.size() == 1 ? codes[0] : codes[index]);
}

Result<Bind> Bind::decode(Bytes body) {
  ByteReader reader(body);
  Bind message;
  message.portal = reader.read_cstring();
  message.statement = reader.read_cstring();
  message.formats = read_list<std::int16_t>(reader);
  const auto count = reader.read<std::uint16_t>();
  const std::optional<ValueList> values = ValueList::read(reader, count);
  message.result_formats = read_list<std::int16_t>(reader);
  if (!values || !reader.finished()) {
    return malformed("Bind");
  }
  message.values = *values;
  if (message.formats.size() > 1 && message.formats.size() != message.values.size()) {
    return fail(
        ErrorCode::kProtocolViolation,
        fmt::format(
            "bind message has {} parameter formats but {} parameters", message.formats.size(),
            message.values.size()
        )
    );
  }
  SHERD_TRY_VOID(check_formats(message.formats));
  SHERD_TRY_VOID(check_formats(message.result_formats));
  return message;
}

Result<Describe> Describe::decode(Bytes body) {
  SHERD_TRY(const Named named, decode_named(body, "Describe"));
  return Describe{.target = named.target, .name = named.name};
}

Result<Close> Close::decode(Bytes body) {
  SHERD_TRY(const Named named, decode_named(body, "Close"));
  return Close{.target = named.target, .name = named.name};
}

Result<Execute> Execute::decode(Bytes body) {
  ByteReader reader(body);
  Execute message;
  message.portal = reader.read_cstring();
  message.max_rows = reader.read<std::int32_t>();
  if (!reader.finished()) {
    return malformed("Execute");
  }
  return message;
}

Result<CopyFail> CopyFail::decode(Bytes body) {
  ByteReader reader(body);
  const CopyFail message{.reason = reader.read_cstring()};
  if (!reader.finished()) {
    return malformed("CopyFail");
  }
  return message;
}

Result<PasswordMessage> PasswordMessage::decode(Bytes body) {
  ByteReader reader(body);
  const PasswordMessage message{.password = reader.read_cstring()};
  if (!reader.finished()) {
    return malformed("PasswordMessage");
  }
  return message;
}

Result<SaslInitialResponse> SaslInitialResponse::decode(Bytes body) {
  ByteReader reader(body);
  SaslInitialResponse message;
  message.mechanism = reader.read_cstring();
  const std::optional<ValueList> data = ValueList::read(reader, 1);
  if (!data || !reader.finished()) {
    return malformed("SASLInitialResponse");
  }
  message.data = (*data)[0];
  return message;
}

Result<FunctionCall> FunctionCall::decode(Bytes body) {
  ByteReader reader(body);
  FunctionCall message;
  message.function = reader.read<std::uint32_t>();
  message.formats = read_list<std::int16_t>(reader);
  const auto count = reader.read<std::uint16_t>();
  const std::optional<ValueList> arguments = ValueList::read(reader, count);
  const auto result_format = reader.read<std::int16_t>();
  if (!arguments || !reader.finished()
      || (message.formats.size() > 1 && message.formats.size() != count)) {
    return malformed("FunctionCall");
  }
  message.arguments = *arguments;
  message.result_format = static_cast<Format>(result_format);
  SHERD_TRY_VOID(check_formats(message.formats));
  if (!is_format(result_format)) {
    return fail(
        ErrorCode::kInvalidParameterValue, fmt::format("unsupported format code: {}", result_format)
    );
  }
  return message;
}

}  // namespace sherd::wire
