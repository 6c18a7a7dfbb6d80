#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/config/config.hpp>

namespace sherd::config {

/// Where secrets come from; injected, since this room asks neither the environment nor the disk.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  /// What stands behind "env:NAME". kUndefinedObject if there is no such variable.
  [[nodiscard]] virtual Result<std::string> environment(std::string_view name) const = 0;
  /// What stands behind "file:PATH" (relative to the configuration's folder), a last newline left
  /// out. kIo if it cannot be read.
  [[nodiscard]] virtual Result<std::string> file(std::string_view path) const = 0;
};

/// Reads the text of a configuration file.
/// @param file_name  stands before each error: "sherd.toml:12:3: …".
/// @return every problem of the text at once (kInvalidConfig; what to change is the hint), at least
///         one; only what is not TOML at all ends at its first problem. Errors never show a secret.
[[nodiscard]] std::expected<Config, std::vector<Error>> parse(
    std::string_view text, std::string_view file_name, const SecretSource& secrets
);

}  // namespace sherd::config
