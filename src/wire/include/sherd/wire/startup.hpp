#pragma once

#include <cstdint>
#include <string>

#include <sherd/base/bytes.hpp>
#include <sherd/base/error.hpp>
#include <sherd/wire/frame.hpp>
#include <sherd/wire/frontend.hpp>

namespace sherd::wire {

enum class TlsPolicy : std::uint8_t {
  kOff,       // SSLRequest is answered with 'N'
  kOptional,  // 'S'; a client that does not ask may go on in the clear
  kRequired,  // 'S'; a StartupMessage in the clear is refused (a CancelRequest is not)
};

/// The first bytes of a client, up to its StartupMessage or CancelRequest. At most one SSLRequest
/// and one GSSENCRequest; nothing may follow either before our answer is sent, so nothing put in by
/// a third party can be taken for the encrypted stream (CVE-2021-23214). Not thread-safe.
class StartupMachine {
 public:
  enum class Next : std::uint8_t {
    kNeedMore,  // send `out` if it grew ('N'), then feed more
    kStartTls,  // send `out` ('S'), do the handshake, call on_tls(), feed what is decrypted
    kCancel,    // cancel(): act on it and close without an answer
    kStartup,   // startup(): authenticate; send `out` first if it grew
    kFail,      // error(): send it as FATAL and close
  };

  explicit StartupMachine(TlsPolicy tls) noexcept : tls_(tls) {}

  /// Takes bytes from the front of `chunk` and appends what must be sent to `out`. After kStartup
  /// the rest of `chunk` is the client's next messages. After kCancel, kStartup and kFail the
  /// machine is over: a further call is kFail with kProtocolViolation.
  [[nodiscard]] Next next(Bytes& chunk, std::string& out);
  /// The handshake is done: what comes now is decrypted.
  void on_tls() noexcept {
    is_encrypted_ = true;
    awaits_tls_ = false;
  }

  /// After kStartup. Has a `user` that is not empty and a `database` (the user's name if the client
  /// named none); options of the protocol ("_pq_.…") are taken out. The minor version is ours, 0,
  /// whatever was asked: NegotiateProtocolVersion, where needed, is in `out`.
  [[nodiscard]] const StartupMessage& startup() const noexcept { return startup_; }
  [[nodiscard]] const std::string& user() const noexcept { return *startup_.find("user"); }
  [[nodiscard]] const std::string& database() const noexcept { return *startup_.find("database"); }
  /// After kCancel.
  [[nodiscard]] const CancelRequest& cancel() const noexcept { return cancel_; }
  /// After kFail: kProtocolViolation, kUnsupported (another major version), kInvalidAuthorization
  /// (no user; no TLS where it is required).
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  [[nodiscard]] bool is_encrypted() const noexcept { return is_encrypted_; }

 private:
  [[nodiscard]] Next fail_with(Error error);
  [[nodiscard]] Next on_packet(SslRequest packet, Bytes rest, std::string& out);
  [[nodiscard]] Next on_packet(GssEncRequest packet, Bytes rest, std::string& out);
  [[nodiscard]] Next on_packet(CancelRequest packet, Bytes rest, std::string& out);
  [[nodiscard]] Next on_packet(StartupMessage packet, Bytes rest, std::string& out);

  TlsPolicy tls_;
  StartupAssembler assembler_{};
  StartupMessage startup_{};
  CancelRequest cancel_{};
  Error error_{};
  bool is_encrypted_ = false;
  bool awaits_tls_ = false;
  bool saw_ssl_request_ = false;
  bool saw_gss_request_ = false;
  bool is_over_ = false;
};

}  // namespace sherd::wire
