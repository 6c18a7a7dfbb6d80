#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/error.hpp>

namespace sherd::session {

/// Values of run-time parameters by lower-case name, as the right side of `SET name TO …`:
/// "'UTC'", "'a', 'b'", "on".
using SettingMap = std::map<std::string, std::string, std::less<>>;

/// A number that is equal for equal maps and, but for accidents of 2^-64, only for those.
[[nodiscard]] std::uint64_t fingerprint(const SettingMap& settings);

/// The statements that turn a connection on which `applied` holds into one on which `wanted` holds,
/// joined with ";"; empty when there is nothing to do.
[[nodiscard]] std::string transition(const SettingMap& applied, const SettingMap& wanted);

/// What one client has SET, with PostgreSQL's transactional rules: a rolled-back SET is undone,
/// SET LOCAL ends with its transaction, savepoints nest. Not thread-safe.
class Settings {
 public:
  /// As a value of set_local: SET LOCAL … TO DEFAULT.
  static constexpr std::string_view kDefault = "DEFAULT";

  /// @param startup  what the client asked for when it connected: RESET goes back to it.
  explicit Settings(SettingMap startup = {});

  /// A start-up setting that need not be said to servers.
  void forget_startup(std::string_view name);
  void set(std::string name, std::string value);
  void set_local(std::string name, std::string value);
  void reset(std::string_view name);
  void reset_all();

  void begin();
  void commit();
  void rollback();
  void savepoint(std::string name);
  /// Names as PostgreSQL finds them: the innermost savepoint of that name. kInvalidSavepoint if
  /// none.
  [[nodiscard]] Result<> rollback_to(std::string_view name);
  [[nodiscard]] Result<> release(std::string_view name);
  /// No SET since the first open savepoint: what replay() says is then all that a late shard lacks.
  [[nodiscard]] bool session_is_same_at_savepoints() const;
  /// Open savepoints, outermost first: what a shard that joins late must be told.
  [[nodiscard]] std::vector<std::string> savepoints() const;

  /// The statements that bring a transaction that has only begun to where this one is: each open
  /// savepoint with the SET LOCALs before it, then those since.
  [[nodiscard]] std::string replay() const;

  /// What holds for the session, without SET LOCAL.
  [[nodiscard]] const SettingMap& session_values() const noexcept { return now_.session; }
  /// What SET LOCAL added in this transaction.
  [[nodiscard]] const SettingMap& local_values() const noexcept { return now_.local; }
  [[nodiscard]] std::uint64_t session_fingerprint() const noexcept { return now_.fingerprint; }
  /// The value in force: local before session; nullopt: the server's default.
  [[nodiscard]] std::optional<std::string_view> effective(std::string_view name) const;

 private:
  struct State {
    SettingMap session;
    SettingMap local;
    std::uint64_t fingerprint = 0;
  };
  struct Savepoint {
    std::string name;
    State saved;
  };
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const;
  void changed();

  SettingMap startup_;
  State now_;
  State at_begin_;
  std::vector<Savepoint> savepoints_{};
};

}  // namespace sherd::session
