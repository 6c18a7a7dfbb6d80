#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/base/ids.hpp>
#include <sherd/wire/message.hpp>
#include <sherd/wire/view.hpp>

/// Bodies of the messages that a client sends. Every decode() takes a body without its header and
/// checks all of it: kProtocolViolation if something is missing, malformed or left over. Results
/// borrow from the body unless they say "owns".
namespace sherd::wire {

struct SslRequest {};
struct GssEncRequest {};

struct CancelRequest {
  std::uint32_t process_id = 0;
  std::string secret{};  // owns; 4..256 bytes

  bool operator==(const CancelRequest&) const = default;
};

struct StartupParameter {
  std::string name{};
  std::string value{};

  bool operator==(const StartupParameter&) const = default;
};

/// Owns its parameters, in the order they came. No name comes twice.
struct StartupMessage {
  std::uint16_t major = 3;
  std::uint16_t minor = 0;
  std::vector<StartupParameter> parameters{};

  /// nullptr if there is none of that name.
  [[nodiscard]] const std::string* find(std::string_view name) const noexcept;
  bool operator==(const StartupMessage&) const = default;
};

using StartupPacket = std::variant<SslRequest, GssEncRequest, CancelRequest, StartupMessage>;

/// @param body  the packet behind its length field, as StartupAssembler gives it.
/// Parameters of another major version than 3 are not looked at.
[[nodiscard]] Result<StartupPacket> decode_startup_packet(Bytes body);

struct Query {
  std::string_view sql{};
  [[nodiscard]] static Result<Query> decode(Bytes body);
};

struct Parse {
  std::string_view statement{};  // "" is the unnamed one
  std::string_view sql{};
  IntegerList<std::uint32_t> types{};  // 0: to be inferred; may be fewer than there are parameters
  [[nodiscard]] static Result<Parse> decode(Bytes body);
};

/// The rule for format codes: none is text for all, one is for all, else one each.
/// REQUIRES: codes.size() <= 1 or index < codes.size().
[[nodiscard]] Format format_at(const IntegerList<std::int16_t>& codes, std::size_t index) noexcept;

struct Bind {
  std::string_view portal{};
  std::string_view statement{};
  IntegerList<std::int16_t> formats{};  // 0, 1 or values.size() of them, each 0 or 1
  ValueList values{};
  IntegerList<std::int16_t> result_formats{};  // each 0 or 1
  /// kInvalidParameterValue for a format code other than 0 and 1.
  [[nodiscard]] static Result<Bind> decode(Bytes body);
};

enum class Target : char { kStatement = 'S', kPortal = 'P' };

struct Describe {
  Target target = Target::kStatement;
  std::string_view name{};
  [[nodiscard]] static Result<Describe> decode(Bytes body);
};

struct Close {
  Target target = Target::kStatement;
  std::string_view name{};
  [[nodiscard]] static Result<Close> decode(Bytes body);
};

struct Execute {
  std::string_view portal{};
  std::int32_t max_rows = 0;  // 0 or below: all
  [[nodiscard]] static Result<Execute> decode(Bytes body);
};

struct CopyFail {
  std::string_view reason{};
  [[nodiscard]] static Result<CopyFail> decode(Bytes body);
};

struct PasswordMessage {
  std::string_view password{};
  [[nodiscard]] static Result<PasswordMessage> decode(Bytes body);
};

struct SaslInitialResponse {
  std::string_view mechanism{};
  std::optional<Bytes> data{};
  [[nodiscard]] static Result<SaslInitialResponse> decode(Bytes body);
};

// SASLResponse, CopyData: the body is the data.

struct FunctionCall {
  Oid function = 0;
  IntegerList<std::int16_t> formats{};
  ValueList arguments{};
  Format result_format = Format::kText;
  [[nodiscard]] static Result<FunctionCall> decode(Bytes body);
};

}  // namespace sherd::wire
