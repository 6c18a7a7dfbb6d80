#include <algorithm>

#include <fmt/format.h>

#include <sherd/wire/build.hpp>

#include "writer.hpp"

namespace sherd::wire {
namespace {

void append_code_packet(std::string& out, std::uint32_t code, std::uint32_t more_bytes) {
  append_be<std::uint32_t>(out, 2 * static_cast<std::uint32_t>(kLengthBytes) + more_bytes);
  append_be(out, code);
}

Result<> append_named(std::string& out, FrontendType type, Target target, std::string_view name) {
  SHERD_TRY_VOID(check_cstring(name, "name"));
  SHERD_TRY_VOID(open_message(out, type, 2 + std::uint64_t{name.size()}));
  out.push_back(static_cast<char>(target));
  append_cstring(out, name);
  return {};
}

Result<> check_format_count(std::span<const Format> formats, std::size_t values) {
  if (formats.size() > 1 && formats.size() != values) {
    return fail(
        ErrorCode::kProtocolViolation,
        fmt::format(
            "bind message has {} parameter formats but {} parameters", formats.size(), values
        )
    );
  }
  return {};
}

}  // namespace

Result<> append_copy_data(std::string& out, Bytes data) {
  SHERD_TRY_VOID(open_message(out, FrontendType::kCopyData, data.size()));
  append_bytes(out, data);
  return {};
}

void append_copy_done(std::string& out) {
  open_small_message(out, FrontendType::kCopyDone, 0);
}

Result<> append_startup(std::string& out, const StartupMessage& message) {
  std::uint64_t size = 2 * kLengthBytes + 1;
  for (const auto& [name, value] : message.parameters) {
    SHERD_TRY_VOID(check_cstring(name, "name of a startup parameter"));
    SHERD_TRY_VOID(check_cstring(value, "value of a startup parameter"));
    if (name.empty()) {
      return fail(ErrorCode::kProtocolViolation, "startup parameter without a name");
    }
    size += name.size() + value.size() + 2;
  }
  if (size > kMaxStartupBytes) {
    return fail(
        ErrorCode::kProgramLimit,
        fmt::format("startup packet of {} bytes, limit {}", size, kMaxStartupBytes)
    );
  }
  append_be(out, static_cast<std::uint32_t>(size));
  append_be(out, message.major);
  append_be(out, message.minor);
  for (const auto& [name, value] : message.parameters) {
    append_cstring(out, name);
    append_cstring(out, value);
  }
  out.push_back('\0');
  return {};
}

void append_ssl_request(std::string& out) {
  append_code_packet(out, kSslRequestCode, 0);
}

void append_gss_enc_request(std::string& out) {
  append_code_packet(out, kGssEncRequestCode, 0);
}

void append_cancel_request(std::string& out, std::uint32_t process_id, Bytes secret) {
  const Bytes kept = secret.first(std::min(secret.size(), kMaxCancelKeyBytes));
  append_code_packet(
      out, kCancelRequestCode, static_cast<std::uint32_t>(sizeof process_id + kept.size())
  );
  append_be(out, process_id);
  append_bytes(out, kept);
}

Result<> append_query(std::string& out, std::string_view sql) {
  SHERD_TRY_VOID(check_cstring(sql, "query"));
  SHERD_TRY_VOID(open_message(out, FrontendType::kQuery, sql.size() + 1));
  append_cstring(out, sql);
  return {};
}

Result<> append_parse(
    std::string& out, std::string_view statement, std::string_view sql, std::span<const Oid> types
) {
  SHERD_TRY_VOID(check_cstring(statement, "statement name"));
  SHERD_TRY_VOID(check_cstring(sql, "query"));
  SHERD_TRY_VOID(check_count(types.size(), "parameter types"));
  const std::uint64_t size = statement.size() + sql.size() + 2 + bytes_of_list(types);
  SHERD_TRY_VOID(open_message(out, FrontendType::kParse, size));
  append_cstring(out, statement);
  append_cstring(out, sql);
  append_list(out, types);
  return {};
}

Result<> append_bind(std::string& out, const BindArguments& arguments) {
  SHERD_TRY_VOID(check_cstring(arguments.portal, "portal name"));
  SHERD_TRY_VOID(check_cstring(arguments.statement, "statement name"));
  SHERD_TRY_VOID(check_count(arguments.values.size(), "parameters"));
  SHERD_TRY_VOID(check_count(arguments.result_formats.size(), "result formats"));
  SHERD_TRY_VOID(check_format_count(arguments.formats, arguments.values.size()));
  const std::uint64_t size = arguments.portal.size() + arguments.statement.size() + 2
                             + bytes_of_list(arguments.formats) + bytes_of(arguments.values)
                             + bytes_of_list(arguments.result_formats);
  SHERD_TRY_VOID(open_message(out, FrontendType::kBind, size));
  append_cstring(out, arguments.portal);
  append_cstring(out, arguments.statement);
  append_list(out, arguments.formats);
  append_values(out, arguments.values);
  append_list(out, arguments.result_formats);
  return {};
}

Result<> append_describe(std::string& out, Target target, std::string_view name) {
  return append_named(out, FrontendType::kDescribe, target, name);
}

Result<> append_close(std::string& out, Target target, std::string_view name) {
  return append_named(out, FrontendType::kClose, target, name);
}

Result<> append_execute(std::string& out, std::string_view portal, std::int32_t max_rows) {
  SHERD_TRY_VOID(check_cstring(portal, "portal name"));
  SHERD_TRY_VOID(open_message(out, FrontendType::kExecute, portal.size() + 1 + sizeof max_rows));
  append_cstring(out, portal);
  append_be(out, max_rows);
  return {};
}

void append_sync(std::string& out) {
  open_small_message(out, FrontendType::kSync, 0);
}

void append_flush(std::string& out) {
  open_small_message(out, FrontendType::kFlush, 0);
}

void append_terminate(std::string& out) {
  open_small_message(out, FrontendType::kTerminate, 0);
}

void append_copy_fail(std::string& out, std::string_view reason) {
  const std::string_view text = label(reason);
  open_small_message(out, FrontendType::kCopyFail, static_cast<std::uint32_t>(text.size() + 1));
  append_cstring(out, text);
}

Result<> append_password(std::string& out, std::string_view password) {
  SHERD_TRY_VOID(check_cstring(password, "password"));
  SHERD_TRY_VOID(open_message(out, FrontendType::kPassword, password.size() + 1));
  append_cstring(out, password);
  return {};
}

Result<> append_sasl_initial(
    std::string& out, std::string_view mechanism, std::optional<Bytes> data
) {
  SHERD_TRY_VOID(check_cstring(mechanism, "mechanism name"));
  const std::uint64_t data_bytes = data ? data->size() : 0;
  SHERD_TRY_VOID(open_message(
      out, FrontendType::kPassword, mechanism.size() + 1 + sizeof(std::int32_t) + data_bytes
  ));
  append_cstring(out, mechanism);
  append_be<std::int32_t>(out, data ? static_cast<std::int32_t>(data_bytes) : -1);
  append_bytes(out, data.value_or(Bytes{}));
  return {};
}

Result<> append_sasl_response(std::string& out, Bytes data) {
  SHERD_TRY_VOID(open_message(out, FrontendType::kPassword, data.size()));
  append_bytes(out, data);
  return {};
}

Result<> append_function_call(std::string& out, const FunctionCallArguments& arguments) {
  SHERD_TRY_VOID(check_count(arguments.values.size(), "arguments"));
  SHERD_TRY_VOID(check_format_count(arguments.formats, arguments.values.size()));
  const std::uint64_t size = sizeof(Oid) + bytes_of_list(arguments.formats)
                             + bytes_of(arguments.values) + sizeof(std::int16_t);
  SHERD_TRY_VOID(open_message(out, FrontendType::kFunctionCall, size));
  append_be(out, arguments.function);
  append_list(out, arguments.formats);
  append_values(out, arguments.values);
  append_be(out, static_cast<std::int16_t>(arguments.result_format));
  return {};
}

}  // namespace sherd::wire
