#pragma once

#include <string>
#include <vector>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/wire/backend.hpp>
#include <sherd/wire/build.hpp>
#include <sherd/wire/frontend.hpp>

/// Decoding a message and building it anew: the identity, if both are right. For tests and fuzzers.
namespace sherd::wire::testing {

/// What a 'p' message is follows from the context alone.
enum class PasswordKind : std::uint8_t { kPassword, kSaslInitial, kSaslResponse };

namespace detail {

[[nodiscard]] inline std::vector<Value> values_of(const ValueList& list) {
  return {list.begin(), list.end()};
}
[[nodiscard]] inline std::vector<Format> formats_of(const IntegerList<std::int16_t>& list) {
  std::vector<Format> formats;
  for (const std::int16_t code : list) {
    formats.push_back(static_cast<Format>(code));
  }
  return formats;
}
[[nodiscard]] inline std::vector<Oid> oids_of(const IntegerList<std::uint32_t>& list) {
  return {list.begin(), list.end()};
}

inline Result<> rebuild_password(PasswordKind kind, Bytes body, std::string& out) {
  switch (kind) {
    case PasswordKind::kPassword: {
      SHERD_TRY(const auto message, PasswordMessage::decode(body));
      return append_password(out, message.password);
    }
    case PasswordKind::kSaslInitial: {
      SHERD_TRY(const auto message, SaslInitialResponse::decode(body));
      return append_sasl_initial(out, message.mechanism, message.data);
    }
    case PasswordKind::kSaslResponse:
      return append_sasl_response(out, body);
  }
  return {};
}

inline Result<> rebuild_bind(Bytes body, std::string& out) {
  SHERD_TRY(const auto message, Bind::decode(body));
  const auto formats = formats_of(message.formats);
  const auto values = values_of(message.values);
  const auto result_formats = formats_of(message.result_formats);
  return append_bind(
      out, {.portal = message.portal,
            .statement = message.statement,
            .formats = formats,
            .values = values,
            .result_formats = result_formats}
  );
}

inline Result<> rebuild_function_call(Bytes body, std::string& out) {
  SHERD_TRY(const auto message, FunctionCall::decode(body));
  const auto formats = formats_of(message.formats);
  const auto values = values_of(message.arguments);
  return append_function_call(
      out, {.function = message.function,
            .formats = formats,
            .values = values,
            .result_format = message.result_format}
  );
}

inline Result<> rebuild_authentication(Bytes body, std::string& out) {
  SHERD_TRY(const auto message, Authentication::decode(body));
  append_authentication_data(out, message.request, as_text(message.data));
  return {};
}

inline Result<> rebuild_negotiation(Bytes body, std::string& out) {
  SHERD_TRY(const auto message, NegotiateProtocolVersion::decode(body));
  const std::vector<std::string> options(
      message.unknown_options.begin(), message.unknown_options.end()
  );
  append_negotiate_protocol_version(out, message.newest_minor, options);
  return {};
}

template <class Append>
Result<> rebuild_empty(Bytes body, std::string& out, Append append) {
  SHERD_TRY_VOID(decode_empty(body));
  append(out);
  return {};
}

inline Result<> rebuild_frontend(
    FrontendType type, Bytes body, PasswordKind kind, std::string& out
) {
  switch (type) {
    case FrontendType::kBind:
      return rebuild_bind(body, out);
    case FrontendType::kClose: {
      SHERD_TRY(const auto message, Close::decode(body));
      return append_close(out, message.target, message.name);
    }
    case FrontendType::kCopyData:
      return append_copy_data(out, body);
    case FrontendType::kCopyDone:
      return rebuild_empty(body, out, append_copy_done);
    case FrontendType::kCopyFail: {
      SHERD_TRY(const auto message, CopyFail::decode(body));
      append_copy_fail(out, message.reason);
      return {};
    }
    case FrontendType::kDescribe: {
      SHERD_TRY(const auto message, Describe::decode(body));
      return append_describe(out, message.target, message.name);
    }
    case FrontendType::kExecute: {
      SHERD_TRY(const auto message, Execute::decode(body));
      return append_execute(out, message.portal, message.max_rows);
    }
    case FrontendType::kFlush:
      return rebuild_empty(body, out, append_flush);
    case FrontendType::kFunctionCall:
      return rebuild_function_call(body, out);
    case FrontendType::kParse: {
      SHERD_TRY(const auto message, Parse::decode(body));
      return append_parse(out, message.statement, message.sql, oids_of(message.types));
    }
    case FrontendType::kPassword:
      return rebuild_password(kind, body, out);
    case FrontendType::kQuery: {
      SHERD_TRY(const auto message, Query::decode(body));
      return append_query(out, message.sql);
    }
    case FrontendType::kSync:
      return rebuild_empty(body, out, append_sync);
    case FrontendType::kTerminate:
      return rebuild_empty(body, out, append_terminate);
  }
  return fail(ErrorCode::kProtocolViolation, "unknown type");
}

inline Result<> rebuild_copy_response(BackendType type, Bytes body, std::string& out) {
  SHERD_TRY(const auto message, CopyResponse::decode(body));
  return append_copy_response(out, type, message.format, formats_of(message.column_formats));
}

inline Result<> rebuild_fields(BackendType type, Bytes body, std::string& out) {
  SHERD_TRY(const auto fields, ErrorFields::decode(body));
  if (type == BackendType::kErrorResponse) {
    append_error(out, fields);
  } else {
    append_notice(out, fields);
  }
  return {};
}

// The messages about rows and parameters.
inline Result<> rebuild_backend_data(BackendType type, Bytes body, std::string& out) {
  switch (type) {
    case BackendType::kDataRow: {
      SHERD_TRY(const auto message, DataRow::decode(body));
      return append_data_row(out, values_of(message));
    }
    case BackendType::kRowDescription: {
      SHERD_TRY(const auto message, RowDescription::decode(body));
      return append_row_description(out, message.fields());
    }
    case BackendType::kParameterDescription: {
      SHERD_TRY(const auto message, ParameterDescription::decode(body));
      return append_parameter_description(out, oids_of(message.types));
    }
    case BackendType::kFunctionCallResponse: {
      SHERD_TRY(const auto message, FunctionCallResponse::decode(body));
      return append_function_call_response(out, message.value);
    }
    case BackendType::kCopyData:
      return append_copy_data(out, body);
    case BackendType::kCopyBothResponse:
    case BackendType::kCopyInResponse:
    case BackendType::kCopyOutResponse:
      return rebuild_copy_response(type, body, out);
    default:
      return fail(ErrorCode::kProtocolViolation, "unknown type");
  }
}

// The messages about the session.
inline Result<> rebuild_backend_session(BackendType type, Bytes body, std::string& out) {
  switch (type) {
    case BackendType::kAuthentication:
      return rebuild_authentication(body, out);
    case BackendType::kNegotiateProtocolVersion:
      return rebuild_negotiation(body, out);
    case BackendType::kBackendKeyData: {
      SHERD_TRY(const auto message, BackendKeyData::decode(body));
      append_backend_key_data(out, message.process_id, message.secret);
      return {};
    }
    case BackendType::kCommandComplete: {
      SHERD_TRY(const auto message, CommandComplete::decode(body));
      append_command_complete(out, message.tag);
      return {};
    }
    case BackendType::kNotificationResponse: {
      SHERD_TRY(const auto message, NotificationResponse::decode(body));
      append_notification(out, message.process_id, message.channel, message.payload);
      return {};
    }
    case BackendType::kParameterStatus: {
      SHERD_TRY(const auto message, ParameterStatus::decode(body));
      append_parameter_status(out, message.name, message.value);
      return {};
    }
    case BackendType::kReadyForQuery: {
      SHERD_TRY(const auto message, ReadyForQuery::decode(body));
      append_ready(out, message.status);
      return {};
    }
    default:
      return rebuild_backend_data(type, body, out);
  }
}

inline Result<> rebuild_backend(BackendType type, Bytes body, std::string& out) {
  switch (type) {
    case BackendType::kBindComplete:
      return rebuild_empty(body, out, append_bind_complete);
    case BackendType::kCloseComplete:
      return rebuild_empty(body, out, append_close_complete);
    case BackendType::kCopyDone:
      return rebuild_empty(body, out, append_copy_done);
    case BackendType::kEmptyQueryResponse:
      return rebuild_empty(body, out, append_empty_query);
    case BackendType::kNoData:
      return rebuild_empty(body, out, append_no_data);
    case BackendType::kParseComplete:
      return rebuild_empty(body, out, append_parse_complete);
    case BackendType::kPortalSuspended:
      return rebuild_empty(body, out, append_portal_suspended);
    case BackendType::kErrorResponse:
    case BackendType::kNoticeResponse:
      return rebuild_fields(type, body, out);
    default:
      return rebuild_backend_session(type, body, out);
  }
}

}  // namespace detail

[[nodiscard]] inline Result<std::string> rebuild(
    Side side, char type, Bytes body, PasswordKind kind = PasswordKind::kPassword
) {
  std::string out;
  if (side == Side::kFrontend) {
    SHERD_TRY_VOID(detail::rebuild_frontend(static_cast<FrontendType>(type), body, kind, out));
  } else {
    SHERD_TRY_VOID(detail::rebuild_backend(static_cast<BackendType>(type), body, out));
  }
  return out;
}

}  // namespace sherd::wire::testing
