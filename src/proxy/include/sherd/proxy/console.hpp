#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/engine/session.hpp>
#include <sherd/net/async.hpp>
#include <sherd/wire/backend.hpp>

namespace sherd::proxy {

class Client;
class WorkerThread;

/// What a console command answers.
struct ConsoleAnswer {
  std::vector<std::string> columns{};  // all text; none: no rows
  std::vector<std::vector<std::string>> rows{};
  std::string tag{};
};

/// The virtual database "sherd": SHOW and commands, in the simple and in the extended protocol.
/// Thread: its client's.
class Console {
 public:
  Console(WorkerThread& home, Client& client) : home_(home), client_(client) {}

  [[nodiscard]] static std::map<std::string, std::string> parameters();
  [[nodiscard]] net::Task<void> query(net::Slice message);
  [[nodiscard]] net::Task<void> batch(std::vector<engine::ClientMessage> messages, bool is_sync);

  /// A word list: upper-case commands, arguments as written.
  using Words = std::vector<std::string>;
  using Command = net::Task<Result<ConsoleAnswer>> (Console::*)(Words words);

 private:
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> run(std::string_view text);
  [[nodiscard]] net::Task<Result<>> on_message(const engine::ClientMessage* message);
  void send_answer(const ConsoleAnswer& answer, bool describe);
  void send_description(const std::vector<std::string>& columns);

  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_help(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_shards(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_pools(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_clients(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_servers(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_tables(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_topology(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_stats(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_moves(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_transactions(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_config(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_version(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> show_audit(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> pause(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> resume(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> reconnect(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> reload(Words words);
  [[nodiscard]] net::Task<Result<ConsoleAnswer>> kill(Words words);

  struct Entry {
    std::string_view name;  // "SHOW POOLS"
    Command command;
    std::string_view help;
  };
  static const std::vector<Entry>& commands();
  /// Runs `rows_of` in every worker's thread and puts the rows together.
  [[nodiscard]] net::Task<std::vector<std::vector<std::string>>> from_all_threads(
      std::function<std::vector<std::vector<std::string>>(WorkerThread&)> rows_of
  );

  WorkerThread& home_;
  Client& client_;
  std::map<std::string, std::string> statements_{};
  std::map<std::string, std::string> portals_{};
  bool skips_to_sync_ = false;
};

}  // namespace sherd::proxy
