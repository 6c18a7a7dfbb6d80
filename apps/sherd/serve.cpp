#include <cstdio>

#include <fmt/format.h>

#include "commands.hpp"
#include "router.hpp"

namespace sherd::program {

int run_serve(const Common& common) {
  auto loaded = load_configuration(common.config);
  if (!loaded) {
    std::fprintf(stderr, "sherd: %s\n", to_string(loaded.error()).c_str());
    return 1;
  }
  const std::string host = loaded->config.listen.host;
  const std::string database = loaded->config.cluster.database;
  Router router(*std::move(loaded));
  if (const auto started = router.start(); !started) {
    std::fprintf(stderr, "sherd: %s\n", to_string(started.error()).c_str());
    return 1;
  }
  fmt::print("sherd ready: postgresql://{}:{}/{}\n", host, router.port(), database);
  std::fflush(stdout);
  router.run();
  fmt::print("sherd: draining\n");
  std::fflush(stdout);
  router.stop();
  return 0;
}

}  // namespace sherd::program
