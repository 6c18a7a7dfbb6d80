#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include <sherd/wire/build.hpp>

#include "error_fields.hpp"
#include "writer.hpp"

namespace sherd::wire {
namespace {

// Labels are bounded, so a message of a few of them is small.
template <class... Text>
void append_labels(std::string& out, BackendType type, Text... text) {
  open_small_message(out, type, static_cast<std::uint32_t>((0 + ... + (text.size() + 1))));
  (append_cstring(out, text), ...);
}

// The length is written when it is known.
void append_fields(std::string& out, BackendType type, const ErrorFields& fields) {
  const std::size_t begin = out.size();
  open_small_message(out, type, 0);
  const auto append_field = [&out](char field, std::string_view text) {
    out.push_back(field);
    append_cstring(out, text);
  };
  for (const TextField& row : kTextFields) {
    if (const std::string& text = fields.*row.member; !text.empty()) {
      append_field(row.letter, label(text));
    }
  }
  for (const NumberField& row : kNumberFields) {
    if (const std::uint32_t number = fields.*row.member; number != 0) {
      append_field(row.letter, fmt::format_int(number).c_str());
    }
  }
  out.push_back('\0');
  std::string length;
  append_be(length, static_cast<std::uint32_t>(out.size() - begin - 1));
  out.replace(begin + 1, length.size(), length);
}

}  // namespace

void append_authentication(std::string& out, AuthRequest request) {
  append_authentication_data(out, request, {});
}

void append_authentication_md5(std::string& out, std::span<const std::byte, 4> salt) {
  append_authentication_data(out, AuthRequest::kMd5, as_text(salt));
}

void append_authentication_sasl(std::string& out, std::span<const std::string_view> mechanisms) {
  std::string list;
  for (const std::string_view mechanism : mechanisms) {
    append_cstring(list, label(mechanism));
  }
  list.push_back('\0');
  append_authentication_data(out, AuthRequest::kSasl, list);
}

void append_authentication_data(std::string& out, AuthRequest request, std::string_view data) {
  const std::string_view kept = data.substr(0, kMaxLabelBytes);
  open_small_message(
      out, BackendType::kAuthentication, static_cast<std::uint32_t>(sizeof request + kept.size())
  );
  append_be(out, static_cast<std::uint32_t>(request));
  out.append(kept);
}

void append_negotiate_protocol_version(
    std::string& out, std::uint32_t newest_minor, std::span<const std::string> unknown_options
) {
  std::string list;
  std::uint32_t count = 0;
  for (const std::string& option : unknown_options) {
    if (list.size() + option.size() > kMaxStartupBytes) {
      break;  // they came in one start-up packet, so they fit
    }
    append_cstring(list, label(option));
    ++count;
  }
  open_small_message(
      out, BackendType::kNegotiateProtocolVersion,
      static_cast<std::uint32_t>(sizeof newest_minor + sizeof count + list.size())
  );
  append_be(out, newest_minor);
  append_be(out, count);
  out.append(list);
}

void append_backend_key_data(std::string& out, std::uint32_t process_id, Bytes secret) {
  const Bytes kept = secret.first(std::min(secret.size(), kMaxCancelKeyBytes));
  open_small_message(
      out, BackendType::kBackendKeyData, static_cast<std::uint32_t>(sizeof process_id + kept.size())
  );
  append_be(out, process_id);
  append_bytes(out, kept);
}

void append_parameter_status(std::string& out, std::string_view name, std::string_view value) {
  append_labels(out, BackendType::kParameterStatus, label(name), label(value));
}

void append_ready(std::string& out, TransactionStatus status) {
  open_small_message(out, BackendType::kReadyForQuery, 1);
  out.push_back(static_cast<char>(status));
}

void append_command_complete(std::string& out, std::string_view tag) {
  append_labels(out, BackendType::kCommandComplete, label(tag));
}

void append_empty_query(std::string& out) {
  open_small_message(out, BackendType::kEmptyQueryResponse, 0);
}

void append_parse_complete(std::string& out) {
  open_small_message(out, BackendType::kParseComplete, 0);
}

void append_bind_complete(std::string& out) {
  open_small_message(out, BackendType::kBindComplete, 0);
}

void append_close_complete(std::string& out) {
  open_small_message(out, BackendType::kCloseComplete, 0);
}

void append_no_data(std::string& out) {
  open_small_message(out, BackendType::kNoData, 0);
}

void append_portal_suspended(std::string& out) {
  open_small_message(out, BackendType::kPortalSuspended, 0);
}

void append_error(std::string& out, const ErrorFields& fields) {
  append_fields(out, BackendType::kErrorResponse, fields);
}

void append_error(std::string& out, const Error& error, Severity severity) {
  append_fields(out, BackendType::kErrorResponse, to_fields(error, severity));
}

void append_notice(std::string& out, const ErrorFields& fields) {
  append_fields(out, BackendType::kNoticeResponse, fields);
}

void append_notification(
    std::string& out, std::uint32_t process_id, std::string_view channel, std::string_view payload
) {
  const std::string_view name = label(channel);
  const std::string_view text = label(payload);
  open_small_message(
      out, BackendType::kNotificationResponse,
      static_cast<std::uint32_t>(sizeof process_id + name.size() + text.size() + 2)
  );
  append_be(out, process_id);
  append_cstring(out, name);
  append_cstring(out, text);
}

Result<> append_parameter_description(std::string& out, std::span<const Oid> types) {
  SHERD_TRY_VOID(check_count(types.size(), "parameters"));
  SHERD_TRY_VOID(open_message(out, BackendType::kParameterDescription, bytes_of_list(types)));
  append_list(out, types);
  return {};
}

Result<> append_row_description(std::string& out, std::span<const FieldDescription> fields) {
  constexpr std::size_t kFixedBytes = 3 * sizeof(std::uint32_t) + 3 * sizeof(std::int16_t);
  SHERD_TRY_VOID(check_count(fields.size(), "columns"));
  std::uint64_t size = sizeof(std::uint16_t);
  for (const FieldDescription& field : fields) {
    SHERD_TRY_VOID(check_cstring(field.name, "column name"));
    size += field.name.size() + 1 + kFixedBytes;
  }
  SHERD_TRY_VOID(open_message(out, BackendType::kRowDescription, size));
  append_be(out, static_cast<std::uint16_t>(fields.size()));
  for (const FieldDescription& field : fields) {
    append_cstring(out, field.name);
    append_be(out, field.table_oid);
    append_be(out, field.attnum);
    append_be(out, field.type_oid);
    append_be(out, field.type_length);
    append_be(out, field.type_modifier);
    append_be(out, static_cast<std::int16_t>(field.format));
  }
  return {};
}

Result<> append_data_row(std::string& out, std::span<const Value> values) {
  SHERD_TRY_VOID(check_count(values.size(), "columns"));
  SHERD_TRY_VOID(open_message(out, BackendType::kDataRow, bytes_of(values)));
  append_values(out, values);
  return {};
}

Result<> append_copy_response(
    std::string& out, BackendType type, Format format, std::span<const Format> column_formats
) {
  SHERD_TRY_VOID(check_count(column_formats.size(), "columns"));
  SHERD_TRY_VOID(open_message(out, type, 1 + bytes_of_list(column_formats)));
  append_be(out, static_cast<std::int8_t>(format));
  append_list(out, column_formats);
  return {};
}

Result<> append_function_call_response(std::string& out, Value value) {
  const std::uint64_t data_bytes = value ? value->size() : 0;
  SHERD_TRY_VOID(
      open_message(out, BackendType::kFunctionCallResponse, sizeof(std::int32_t) + data_bytes)
  );
  append_be<std::int32_t>(out, value ? static_cast<std::int32_t>(data_bytes) : -1);
  append_bytes(out, value.value_or(Bytes{}));
  return {};
}

}  // namespace sherd::wire
