#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/wire/backend.hpp>
#include <sherd/wire/frontend.hpp>
#include <sherd/wire/message.hpp>

/// Writing messages: each function appends one whole message, header included, to `out`.
///
/// Those that return a Result fail, with `out` as it was, if the message would be over
/// kMaxMessageBytes (kProgramLimit), if there are more than 65535 values, or if a text that must
/// end at a NUL holds one (kProtocolViolation): the receiver would see other bounds than the
/// sender. Those that return nothing cannot fail: what they carry is of fixed size, or it is text
/// for a human or a label, which is cut at its first NUL and at kMaxLabelBytes.
namespace sherd::wire {

inline constexpr std::size_t kMaxLabelBytes = 1024 * 1024;

using Value = std::optional<Bytes>;  // nullopt is NULL

// Both sides.

[[nodiscard]] Result<> append_copy_data(std::string& out, Bytes data);
void append_copy_done(std::string& out);

// Client to server.

[[nodiscard]] Result<> append_startup(std::string& out, const StartupMessage& message);
void append_ssl_request(std::string& out);
void append_gss_enc_request(std::string& out);
/// @param secret  at most kMaxCancelKeyBytes; the rest is cut.
void append_cancel_request(std::string& out, std::uint32_t process_id, Bytes secret);
[[nodiscard]] Result<> append_query(std::string& out, std::string_view sql);
[[nodiscard]] Result<> append_parse(
    std::string& out, std::string_view statement, std::string_view sql,
    std::span<const Oid> types = {}
);

struct BindArguments {
  std::string_view portal{};
  std::string_view statement{};
  std::span<const Format> formats{};  // 0, 1 or as many as values
  std::span<const Value> values{};
  std::span<const Format> result_formats{};
};
[[nodiscard]] Result<> append_bind(std::string& out, const BindArguments& arguments);
[[nodiscard]] Result<> append_describe(std::string& out, Target target, std::string_view name);
[[nodiscard]] Result<> append_close(std::string& out, Target target, std::string_view name);
[[nodiscard]] Result<> append_execute(
    std::string& out, std::string_view portal, std::int32_t max_rows = 0
);
void append_sync(std::string& out);
void append_flush(std::string& out);
void append_terminate(std::string& out);
void append_copy_fail(std::string& out, std::string_view reason);
[[nodiscard]] Result<> append_password(std::string& out, std::string_view password);
[[nodiscard]] Result<> append_sasl_initial(
    std::string& out, std::string_view mechanism, std::optional<Bytes> data
);
[[nodiscard]] Result<> append_sasl_response(std::string& out, Bytes data);

struct FunctionCallArguments {
  Oid function = 0;
  std::span<const Format> formats{};
  std::span<const Value> values{};
  Format result_format = Format::kText;
};
[[nodiscard]] Result<> append_function_call(
    std::string& out, const FunctionCallArguments& arguments
);

// Server to client.

/// For requests without data: kOk, kCleartext.
void append_authentication(std::string& out, AuthRequest request);
void append_authentication_md5(std::string& out, std::span<const std::byte, 4> salt);
void append_authentication_sasl(std::string& out, std::span<const std::string_view> mechanisms);
/// @param request  kSaslContinue or kSaslFinal.
void append_authentication_data(std::string& out, AuthRequest request, std::string_view data);
void append_negotiate_protocol_version(
    std::string& out, std::uint32_t newest_minor, std::span<const std::string> unknown_options
);
void append_backend_key_data(std::string& out, std::uint32_t process_id, Bytes secret);
void append_parameter_status(std::string& out, std::string_view name, std::string_view value);
void append_ready(std::string& out, TransactionStatus status);
void append_command_complete(std::string& out, std::string_view tag);
void append_empty_query(std::string& out);
void append_parse_complete(std::string& out);
void append_bind_complete(std::string& out);
void append_close_complete(std::string& out);
void append_no_data(std::string& out);
void append_portal_suspended(std::string& out);
void append_error(std::string& out, const ErrorFields& fields);
void append_error(std::string& out, const Error& error, Severity severity = Severity::kError);
void append_notice(std::string& out, const ErrorFields& fields);
void append_notification(
    std::string& out, std::uint32_t process_id, std::string_view channel, std::string_view payload
);
[[nodiscard]] Result<> append_parameter_description(std::string& out, std::span<const Oid> types);
[[nodiscard]] Result<> append_row_description(
    std::string& out, std::span<const FieldDescription> fields
);
[[nodiscard]] Result<> append_data_row(std::string& out, std::span<const Value> values);
/// @param type  kCopyInResponse, kCopyOutResponse or kCopyBothResponse.
[[nodiscard]] Result<> append_copy_response(
    std::string& out, BackendType type, Format format, std::span<const Format> column_formats
);
[[nodiscard]] Result<> append_function_call_response(std::string& out, Value value);

}  // namespace sherd::wire
