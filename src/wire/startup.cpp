#include <algorithm>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include <sherd/wire/build.hpp>
#include <sherd/wire/startup.hpp>

namespace sherd::wire {
namespace {

constexpr std::string_view kProtocolOptionPrefix = "_pq_.";

Error violation(std::string message) {
  return Error{.code = ErrorCode::kProtocolViolation, .message = std::move(message)};
}

// Takes the options of the protocol out of `startup` and names them: we know none.
std::vector<std::string> take_protocol_options(StartupMessage& startup) {
  std::vector<std::string> names;
  for (const StartupParameter& parameter : startup.parameters) {
    if (parameter.name.starts_with(kProtocolOptionPrefix)) {
      names.push_back(parameter.name);
    }
  }
  std::erase_if(startup.parameters, [](const StartupParameter& parameter) {
    return parameter.name.starts_with(kProtocolOptionPrefix);
  });
  return names;
}

}  // namespace

StartupMachine::Next StartupMachine::fail_with(Error error) {
  error_ = std::move(error);
  is_over_ = true;
  return Next::kFail;
}

StartupMachine::Next StartupMachine::next(Bytes& chunk, std::string& out) {
  if (is_over_) {
    return fail_with(violation("unexpected bytes after the startup packet"));
  }
  if (awaits_tls_) {
    return fail_with(violation("received unencrypted data after SSL request"));
  }
  Bytes body;
  switch (assembler_.next(chunk, body)) {
    case Scan::kNeedMore:
      return Next::kNeedMore;
    case Scan::kBad:
      return fail_with(assembler_.error());
    case Scan::kFound:
      break;
  }
  Result<StartupPacket> packet = decode_startup_packet(body);
  if (!packet) {
    return fail_with(std::move(packet).error());
  }
  return std::visit(
      [&](auto&& message) { return on_packet(std::move(message), chunk, out); }, *std::move(packet)
  );
}

StartupMachine::Next StartupMachine::on_packet(SslRequest, Bytes rest, std::string& out) {
  if (saw_ssl_request_ || is_encrypted_) {
    return fail_with(violation("second SSL request"));
  }
  saw_ssl_request_ = true;
  if (!rest.empty()) {
    return fail_with(violation("received unencrypted data after SSL request"));
  }
  if (tls_ == TlsPolicy::kOff) {
    out.push_back('N');
    return Next::kNeedMore;
  }
  out.push_back('S');
  awaits_tls_ = true;
  return Next::kStartTls;
}

StartupMachine::Next StartupMachine::on_packet(GssEncRequest, Bytes rest, std::string& out) {
  if (saw_gss_request_ || is_encrypted_) {
    return fail_with(violation("second GSSAPI encryption request"));
  }
  saw_gss_request_ = true;
  if (!rest.empty()) {
    return fail_with(violation("received unencrypted data after GSSAPI encryption request"));
  }
  out.push_back('N');
  return Next::kNeedMore;
}

StartupMachine::Next StartupMachine::on_packet(CancelRequest packet, Bytes, std::string&) {
  cancel_ = std::move(packet);
  is_over_ = true;
  return Next::kCancel;
}

StartupMachine::Next StartupMachine::on_packet(StartupMessage packet, Bytes, std::string& out) {
  if (packet.major != 3) {
    return fail_with(Error{
        .code = ErrorCode::kUnsupported,
        .message = fmt::format(
            "unsupported frontend protocol {}.{}: server supports 3.0 to 3.0", packet.major,
            packet.minor
        )
    });
  }
  if (tls_ == TlsPolicy::kRequired && !is_encrypted_) {
    return fail_with(Error{
        .code = ErrorCode::kInvalidAuthorization,
        .message = "connection requires TLS",
        .hint = "connect with sslmode=require or stricter"
    });
  }
  const std::string* const user = packet.find("user");
  if (user == nullptr || user->empty()) {
    return fail_with(Error{
        .code = ErrorCode::kInvalidAuthorization,
        .message = "no PostgreSQL user name specified in startup packet"
    });
  }
  const std::vector<std::string> options = take_protocol_options(packet);
  if (packet.minor > 0 || !options.empty()) {
    append_negotiate_protocol_version(out, 0, options);
  }
  packet.minor = 0;
  const std::string name = *packet.find("user");
  const auto database = std::ranges::find(packet.parameters, "database", &StartupParameter::name);
  if (database == packet.parameters.end()) {
    packet.parameters.push_back({.name = "database", .value = name});
  } else if (database->value.empty()) {
    database->value = name;
  }
  startup_ = std::move(packet);
  is_over_ = true;
  return Next::kStartup;
}

}  // namespace sherd::wire
