#include <sherd/wire/backend.hpp>

#include "decode.hpp"

namespace sherd::wire {
namespace {

FieldView read_field(ByteReader& reader) noexcept {
  FieldView field;
  field.name = reader.read_cstring();
  field.table_oid = reader.read<std::uint32_t>();
  field.attnum = reader.read<std::int16_t>();
  field.type_oid = reader.read<std::uint32_t>();
  field.type_length = reader.read<std::int16_t>();
  field.type_modifier = reader.read<std::int32_t>();
  field.format = static_cast<Format>(reader.read<std::int16_t>());
  return field;
}

}  // namespace

FieldView RowDescription::iterator::operator*() const noexcept {
  ByteReader reader(rest_);
  return read_field(reader);
}

RowDescription::iterator& RowDescription::iterator::operator++() noexcept {
  ByteReader reader(rest_);
  static_cast<void>(read_field(reader));  // only stepped over
  rest_ = rest_.last(reader.remaining());
  --left_;
  return *this;
}

Result<RowDescription> RowDescription::decode(Bytes body) {
  ByteReader reader(body);
  RowDescription description;
  description.count_ = reader.read<std::uint16_t>();
  description.fields_ = body.last(reader.remaining());
  for (std::uint32_t i = 0; i < description.count_ && reader.ok(); ++i) {
    const FieldView field = read_field(reader);
    if (!is_format(static_cast<std::int16_t>(field.format))) {
      return malformed("RowDescription");
    }
  }
  if (!reader.finished()) {
    return malformed("RowDescription");
  }
  return description;
}

std::vector<FieldDescription> RowDescription::fields() const {
  std::vector<FieldDescription> owned;
  owned.reserve(size());
  for (const FieldView field : *this) {
    owned.push_back(
        {.name = std::string(field.name),
         .table_oid = field.table_oid,
         .attnum = field.attnum,
         .type_oid = field.type_oid,
         .type_length = field.type_length,
         .type_modifier = field.type_modifier,
         .format = field.format}
    );
  }
  return owned;
}

Result<DataRow> DataRow::decode(Bytes body) {
  ByteReader reader(body);
  const auto count = reader.read<std::uint16_t>();
  const std::optional<ValueList> values = ValueList::read(reader, count);
  if (!values || !reader.finished()) [[unlikely]] {
    return malformed("DataRow");
  }
  return DataRow{*values};
}

Result<CommandComplete> CommandComplete::decode(Bytes body) {
  ByteReader reader(body);
  const CommandComplete message{.tag = reader.read_cstring()};
  if (!reader.finished()) {
    return malformed("CommandComplete");
  }
  return message;
}

Result<ReadyForQuery> ReadyForQuery::decode(Bytes body) {
  ByteReader reader(body);
  const char status = reader.read<char>();
  if (!reader.finished() || (status != 'I' && status != 'T' && status != 'E')) {
    return malformed("ReadyForQuery");
  }
  return ReadyForQuery{.status = static_cast<TransactionStatus>(status)};
}

Result<ParameterStatus> ParameterStatus::decode(Bytes body) {
  ByteReader reader(body);
  ParameterStatus message;
  message.name = reader.read_cstring();
  message.value = reader.read_cstring();
  if (!reader.finished()) {
    return malformed("ParameterStatus");
  }
  return message;
}

Result<BackendKeyData> BackendKeyData::decode(Bytes body) {
  ByteReader reader(body);
  BackendKeyData message;
  message.process_id = reader.read<std::uint32_t>();
  message.secret = reader.read_bytes(reader.remaining());
  const std::size_t size = message.secret.size();
  if (!reader.ok() || size < kMinCancelKeyBytes || size > kMaxCancelKeyBytes) {
    return malformed("BackendKeyData");
  }
  return message;
}

Result<NotificationResponse> NotificationResponse::decode(Bytes body) {
  ByteReader reader(body);
  NotificationResponse message;
  message.process_id = reader.read<std::uint32_t>();
  message.channel = reader.read_cstring();
  message.payload = reader.read_cstring();
  if (!reader.finished()) {
    return malformed("NotificationResponse");
  }
  return message;
}

Result<ParameterDescription> ParameterDescription::decode(Bytes body) {
  ByteReader reader(body);
  const ParameterDescription message{.types = read_list<std::uint32_t>(reader)};
  if (!reader.finished()) {
    return malformed("ParameterDescription");
  }
  return message;
}

Result<CopyResponse> CopyResponse::decode(Bytes body) {
  ByteReader reader(body);
  const auto format = reader.read<std::int8_t>();
  CopyResponse message;
  message.format = static_cast<Format>(format);
  message.column_formats = read_list<std::int16_t>(reader);
  if (!reader.finished() || !is_format(format) || !are_formats(message.column_formats)) {
    return malformed("CopyResponse");
  }
  return message;
}

Result<NegotiateProtocolVersion> NegotiateProtocolVersion::decode(Bytes body) {
  ByteReader reader(body);
  NegotiateProtocolVersion message;
  message.newest_minor = reader.read<std::uint32_t>();
  const auto count = reader.read<std::uint32_t>();
  // Each option takes a byte at least, so the loop ends with the body whatever the count says.
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    message.unknown_options.push_back(reader.read_cstring());
  }
  if (!reader.finished()) {
    return malformed("NegotiateProtocolVersion");
  }
  return message;
}

Result<FunctionCallResponse> FunctionCallResponse::decode(Bytes body) {
  ByteReader reader(body);
  const std::optional<ValueList> values = ValueList::read(reader, 1);
  if (!values || !reader.finished()) {
    return malformed("FunctionCallResponse");
  }
  return FunctionCallResponse{.value = (*values)[0]};
}

Result<> decode_empty(Bytes body) {
  if (!body.empty()) {
    return fail(
        ErrorCode::kProtocolViolation,
        fmt::format("invalid message format: {} bytes where none are expected", body.size())
    );
  }
  return {};
}

namespace {

// By request code: the number of data bytes, or kAny.
constexpr std::size_t kAny = SIZE_MAX;
struct AuthRow {
  AuthRequest request;
  std::size_t data_bytes;
};
constexpr AuthRow kAuthRows[] = {
    {AuthRequest::kOk, 0},
    {AuthRequest::kKerberosV5, 0},
    {AuthRequest::kCleartext, 0},
    {AuthRequest::kMd5, 4},
    {AuthRequest::kGss, 0},
    {AuthRequest::kGssContinue, kAny},
    {AuthRequest::kSspi, 0},
    {AuthRequest::kSasl, kAny},
    {AuthRequest::kSaslContinue, kAny},
    {AuthRequest::kSaslFinal, kAny},
};

// The names of mechanisms, each ended by NUL, and an empty one behind the last.
bool is_mechanism_list(Bytes data) noexcept {
  ByteReader reader(data);
  while (reader.ok()) {
    if (reader.read_cstring().empty()) {
      return reader.finished();
    }
  }
  return false;
}

}  // namespace

Result<Authentication> Authentication::decode(Bytes body) {
  ByteReader reader(body);
  const auto code = reader.read<std::uint32_t>();
  if (!reader.ok()) {
    return malformed("Authentication");
  }
  for (const AuthRow& row : kAuthRows) {
    if (static_cast<std::uint32_t>(row.request) != code) {
      continue;
    }
    const Bytes data = reader.read_bytes(reader.remaining());
    if ((row.data_bytes != kAny && data.size() != row.data_bytes)
        || (row.request == AuthRequest::kSasl && !is_mechanism_list(data))) {
      return malformed("Authentication");
    }
    return Authentication{.request = row.request, .data = data};
  }
  return fail(
      ErrorCode::kProtocolViolation, fmt::format("authentication method {} is unknown", code)
  );
}

bool Authentication::offers(std::string_view mechanism) const noexcept {
  if (request != AuthRequest::kSasl || mechanism.empty()) {
    return false;
  }
  ByteReader reader(data);
  while (true) {
    const std::string_view name = reader.read_cstring();
    if (name.empty()) {
      return false;
    }
    if (name == mechanism) {
      return true;
    }
  }
}

}  // namespace sherd::wire
