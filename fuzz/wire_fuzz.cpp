// Hostile clients and hostile servers: framing, every decoder, start-up, both authentication
// machines, COPY data. The first byte says which; the second says how the rest is cut.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <sherd/base/check.hpp>
#include <sherd/wire/auth.hpp>
#include <sherd/wire/copy.hpp>
#include <sherd/wire/frame.hpp>
#include <sherd/wire/startup.hpp>

#include "../src/wire/rebuild.hpp"
#include "../src/wire/wire_testing.hpp"

namespace {

using namespace sherd;        // NOLINT: a program of one file
using namespace sherd::wire;  // NOLINT

constexpr std::uint32_t kLimit = 1 << 16;

// What decodes is built anew, and that decodes to the same bytes again.
void check_rebuild(Side side, const Message& message) {
  for (const auto kind :
       {wire::testing::PasswordKind::kPassword, wire::testing::PasswordKind::kSaslInitial}) {
    const auto once = wire::testing::rebuild(side, message.type, message.body, kind);
    if (!once) {
      continue;
    }
    const Bytes body = as_bytes(*once).subspan(kHeaderBytes);
    const auto twice = wire::testing::rebuild(side, message.type, body, kind);
    SHERD_CHECK(twice && *twice == *once);
  }
}

// The messages are the same, whole and cut.
void fuzz_messages(Side side, Bytes data, std::size_t chunk_size) {
  std::string whole;
  std::string cut;
  const auto walk = [side](std::span<const Bytes> chunks, std::string& raw, bool check) {
    MessageAssembler assembler(side, kLimit);
    for (Bytes chunk : chunks) {
      Message message;
      Scan scan = Scan::kNeedMore;
      while ((scan = assembler.next(chunk, message)) == Scan::kFound) {
        raw += as_text(message.raw);
        if (check) {
          check_rebuild(side, message);
        }
      }
      SHERD_CHECK(assembler.buffered_bytes() <= kLimit + 1);
      if (scan == Scan::kBad) {
        SHERD_CHECK(!assembler.error().message.empty());
        return;
      }
      SHERD_CHECK(chunk.empty());
    }
  };
  walk(std::array{data}, whole, true);
  walk(wire::testing::cut_evenly(data, chunk_size), cut, false);
  SHERD_CHECK(whole == cut);
}

void fuzz_startup(Bytes data, std::size_t chunk_size, TlsPolicy policy) {
  StartupMachine machine(policy);
  std::string out;
  for (Bytes chunk : wire::testing::cut_evenly(data, chunk_size)) {
    StartupMachine::Next next = StartupMachine::Next::kNeedMore;
    do {
      next = machine.next(chunk, out);
    } while (next == StartupMachine::Next::kNeedMore && !chunk.empty());
    if (next == StartupMachine::Next::kStartTls) {
      machine.on_tls();
    } else if (next == StartupMachine::Next::kStartup) {
      SHERD_CHECK(!machine.user().empty() && !machine.database().empty());
      SHERD_CHECK(policy != TlsPolicy::kRequired || machine.is_encrypted());
      return;
    } else if (next != StartupMachine::Next::kNeedMore) {
      return;
    }
  }
}

// Nobody who does not know the password gets in, and no server that does not is believed.
void fuzz_client_auth(Bytes data) {
  wire::testing::SeededRandom random(1);
  ClientAuth client({"app", "secret"}, random, {.allow_trust = false, .max_scram_iterations = 3});
  MessageAssembler assembler(Side::kBackend, kMaxAuthBytes);
  Message message;
  std::string out;
  bool sent_answer = false;
  while (assembler.next(data, message) == Scan::kFound) {
    const auto progress = client.on_message(message.body, out);
    if (!progress) {
      return;
    }
    SHERD_CHECK(*progress == AuthProgress::kContinue || sent_answer);
    sent_answer = !out.empty();
  }
}

void fuzz_server_auth(Bytes data, std::size_t choice) {
  wire::testing::SeededRandom random(2);
  const auto method = static_cast<AuthMethod>(1 + choice % 3);
  static const ScramVerifier verifier = make_scram_verifier("a long secret", as_bytes("salt"), 2);
  static const std::array<std::optional<StoredSecret>, 3> secrets = {
      std::nullopt, StoredSecret::from_text(to_text(verifier)),
      StoredSecret::from_text(md5_secret("app", "a long secret"))
  };
  ServerAuth server(
      {.method = method, .user = "app", .secret = secrets[choice / 3 % 3], .mock_key = "k"}, random
  );
  std::string out;
  SHERD_CHECK(server.start(out) == AuthProgress::kContinue);
  MessageAssembler assembler(Side::kFrontend, kMaxAuthBytes);
  Message message;
  while (assembler.next(data, message) == Scan::kFound) {
    const auto progress = server.on_message(message.type, message.body, out);
    SHERD_CHECK(!progress || *progress == AuthProgress::kContinue);
  }
}

struct CopyOutcome {
  std::string rows;
  bool is_bad = false;
};

CopyOutcome split(const CopyFormat& format, std::span<const Bytes> chunks) {
  CopyRowSplitter splitter(format, {.key_field = 1, .max_row_bytes = kLimit});
  CopyOutcome outcome;
  CopyRow row;
  auto next = CopyRowSplitter::Next::kNeedMore;
  const auto note = [&] {
    outcome.rows += as_text(row.raw);
    outcome.rows += static_cast<char>('0' + static_cast<int>(row.kind));
    outcome.rows += row.key ? std::string(as_text(*row.key)) : std::string("NULL");
  };
  for (Bytes chunk : chunks) {
    while ((next = splitter.next(chunk, row)) == CopyRowSplitter::Next::kRow) {
      note();
    }
    if (next == CopyRowSplitter::Next::kBad) {
      outcome.is_bad = true;
      return outcome;
    }
  }
  while ((next = splitter.finish(row)) == CopyRowSplitter::Next::kRow) {
    note();
  }
  outcome.is_bad = next == CopyRowSplitter::Next::kBad;
  return outcome;
}

void fuzz_copy(Bytes data, std::size_t chunk_size, std::size_t choice) {
  CopyFormat format;
  format.kind = static_cast<CopyFormat::Kind>(choice % 3);
  format.delimiter = choice % 2 == 0 ? ',' : '\t';
  format.escape = choice / 2 % 2 == 0 ? '"' : '\\';
  format.header = choice / 4 % 2 == 0;
  const CopyOutcome whole = split(format, std::array{data});
  const CopyOutcome cut = split(format, wire::testing::cut_evenly(data, chunk_size));
  SHERD_CHECK(whole.rows == cut.rows && whole.is_bad == cut.is_bad);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::size_t choice = data[0] / 6;
  const std::size_t chunk_size = 1 + data[1] % 17;
  const Bytes rest = std::as_bytes(std::span(data, size)).subspan(2);
  switch (data[0] % 6) {
    case 0:
      fuzz_messages(Side::kFrontend, rest, chunk_size);
      break;
    case 1:
      fuzz_messages(Side::kBackend, rest, chunk_size);
      break;
    case 2:
      fuzz_startup(rest, chunk_size, static_cast<TlsPolicy>(choice % 3));
      break;
    case 3:
      fuzz_client_auth(rest);
      break;
    case 4:
      fuzz_server_auth(rest, choice);
      break;
    default:
      fuzz_copy(rest, chunk_size, choice);
      break;
  }
  return 0;
}
