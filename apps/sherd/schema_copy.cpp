#include "schema_copy.hpp"

#include <filesystem>

#include <fmt/format.h>

#include <sherd/localcluster/postgres.hpp>

namespace sherd::program {
namespace {

// As one word of a shell command.
std::string shell_word(const std::string& text) {
  std::string word = "'";
  for (const char c : text) {
    word += c == '\'' ? "'\\''" : std::string(1, c);
  }
  return word + "'";
}

std::string connection_words(const topology::Endpoint& endpoint) {
  return fmt::format(
      "-h {} -p {} -U {} {}", shell_word(endpoint.host), endpoint.port, shell_word(endpoint.user),
      shell_word(endpoint.database)
  );
}

}  // namespace

Result<> copy_schema(const topology::Endpoint& from, const topology::Endpoint& to) {
  SHERD_TRY(const std::filesystem::path bin, localcluster::postgres_bin());
  const std::string command = fmt::format(
      "set -o pipefail; PGPASSWORD={0} {1}/pg_dump --schema-only --exclude-schema=sherd {2} | "
      "PGPASSWORD={3} {1}/psql -X -q -1 -v ON_ERROR_STOP=1 -o /dev/null {4}",
      shell_word(from.password), bin.string(), connection_words(from), shell_word(to.password),
      connection_words(to)
  );
  SHERD_TRY(
      const localcluster::Output output,
      localcluster::run({"/bin/bash", "-c", command}, {}, std::chrono::minutes(10))
  );
  if (output.exit_status != 0) {
    return fail(
        Error{.code = ErrorCode::kIo, .message = "copying the schema failed", .detail = output.text}
    );
  }
  return {};
}

}  // namespace sherd::program
