#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <sherd/config/options.hpp>
#include <sherd/config/parse.hpp>

namespace {

class NoSecrets final : public sherd::config::SecretSource {
 public:
  [[nodiscard]] sherd::Result<std::string> environment(std::string_view name) const override {
    return std::string(name);
  }
  [[nodiscard]] sherd::Result<std::string> file(std::string_view path) const override {
    return std::string(path);
  }
};

}  // namespace

// Any bytes end in a configuration or in errors; a configuration equals itself and can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = sherd::config::parse(text, "fuzz.toml", NoSecrets{});
  if (!config) {
    return config.error().empty() ? (std::abort(), 0) : 0;
  }
  if (!sherd::config::diff(*config, *config).empty() || sherd::config::describe(*config).empty()) {
    std::abort();
  }
  return 0;
}
