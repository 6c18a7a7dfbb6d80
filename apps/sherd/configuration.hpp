#pragma once

#include <filesystem>
#include <string>

#include <sherd/config/config.hpp>
#include <sherd/engine/options.hpp>
#include <sherd/proxy/accounts.hpp>
#include <sherd/proxy/server.hpp>

namespace sherd::program {

/// A configuration file with everything that was read for it.
struct Loaded {
  config::Config config{};
  std::filesystem::path path{};
  std::filesystem::path state_path{};  // of the durable state, absolute
};

/// Reads and checks `path`; prints every problem to stderr where there are some.
[[nodiscard]] Result<Loaded> load_configuration(const std::filesystem::path& path);

[[nodiscard]] std::size_t worker_count(const config::Config& config);
[[nodiscard]] Result<engine::Options> engine_options(const config::Config& config);
[[nodiscard]] proxy::ServerOptions server_options(const config::Config& config);
/// @param mock_key  secret and stable, so that unknown users look like known ones.
[[nodiscard]] proxy::AccountsPtr accounts_of(const config::Config& config, std::string mock_key);

}  // namespace sherd::program
