#include "sqlite.hpp"

#include <cerrno>
#include <cstring>
#include <tuple>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

namespace sherd::catalog {
namespace {

constexpr int kBusyTimeoutMs = 5'000;
constexpr int kWalAttempts = 250;
constexpr int kWalPauseMs = 20;

std::unexpected<Error> failure(sqlite3* database, std::string_view doing) {
  const int code = sqlite3_errcode(database) & 0xff;
  Error error{
      .code = code == SQLITE_CONSTRAINT ? ErrorCode::kInvalidParameterValue : ErrorCode::kIo,
      .message = fmt::format("state file: {}: {}", doing, sqlite3_errmsg(database))
  };
  if (code == SQLITE_BUSY) {
    error.code = ErrorCode::kObjectInUse;
    error.hint = "another process holds the state file for long; try again";
  } else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
    error.hint = "restore the state file from a backup";
  }
  return fail(std::move(error));
}

/// Makes the file readable by its owner alone, before SQLite would make it for all. An existing
/// file is left alone: opening and closing it here would drop the locks that this process holds on
/// it.
Result<> create_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  if (errno == EEXIST) {
    return {};
  }
  return fail(
      ErrorCode::kIo,
      fmt::format("cannot make the state file \"{}\": {}", path, std::strerror(errno)),
      "make its folder, writable by sherd, or change [state] path"
  );
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}
void Database::Close::operator()(sqlite3* database) const noexcept {
  sqlite3_close(database);
}

// A failed bind leaves NULL, which the NOT NULL of every column turns into an error of the step.
void Statement::bind_one(int index, std::string_view text) noexcept {
  sqlite3_bind_text64(
      statement_.get(), index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8
  );
}
void Statement::bind_one(int index, double number) noexcept {
  sqlite3_bind_double(statement_.get(), index, number);
}
void Statement::bind_integer(int index, std::int64_t value) noexcept {
  sqlite3_bind_int64(statement_.get(), index, value);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW || code == SQLITE_DONE) {
    return code == SQLITE_ROW;
  }
  return failure(database_, "cannot run a statement");
}

Result<> Statement::run() {
  while (true) {
    SHERD_TRY(const bool more, step());
    if (!more) {
      sqlite3_reset(statement_.get());
      return {};
    }
  }
}

std::int64_t Statement::integer(int column) const noexcept {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::number(int column) const noexcept {
  return sqlite3_column_double(statement_.get(), column);
}
std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string{} : std::string(text, static_cast<std::size_t>(size));
}

Result<Database> Database::open(const std::string& path) {
  SHERD_TRY_VOID(create_private(path));
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) {
    return fail(
        ErrorCode::kIo,
        fmt::format("cannot open the state file \"{}\": {}", path, sqlite3_errstr(code)),
        "check that it is a file that sherd may read and write"
    );
  }
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  SHERD_TRY_VOID(database.switch_to_wal());
  SHERD_TRY_VOID(database.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"));
  return database;
}

// The switch does not wait for other connections through the busy timeout, so it is tried again
// here.
Result<> Database::switch_to_wal() {
  for (int attempt = 1;; ++attempt) {
    auto mode = prepare("PRAGMA journal_mode = WAL");
    if (mode) {
      auto row = mode->step();
      if (row && *row && mode->text(0) == "wal") {
        return {};
      }
      if (!row && row.error().code != ErrorCode::kObjectInUse) {
        return std::unexpected(row.error());
      }
    } else if (mode.error().code != ErrorCode::kObjectInUse) {
      return std::unexpected(mode.error());
    }
    if (attempt == kWalAttempts) {
      return fail(
          ErrorCode::kIo, "the state file cannot be put into WAL mode", "keep it on a local disk"
      );
    }
    sqlite3_sleep(kWalPauseMs);
  }
}

Result<> Database::execute(std::string_view sql) {
  if (sqlite3_exec(database_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr)
      != SQLITE_OK) {
    return failure(database_.get(), "cannot run a statement");
  }
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(
      database_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr
  );
  if (code != SQLITE_OK) {
    return failure(database_.get(), "cannot prepare a statement");
  }
  return Statement(database_.get(), statement);
}

Result<std::int64_t> Database::integer(std::string_view sql) const {
  SHERD_TRY(Statement statement, prepare(sql));
  SHERD_TRY(const bool found, statement.step());
  return found ? Result<std::int64_t>(statement.integer(0))
               : fail(ErrorCode::kIo, "state file: a row is missing", "restore it from a backup");
}

Result<WriteTransaction> WriteTransaction::begin(Database& database) {
  SHERD_TRY_VOID(database.execute("BEGIN IMMEDIATE"));
  return WriteTransaction(database);
}

WriteTransaction::~WriteTransaction() {
  if (database_ != nullptr) {
    // Fails only where SQLite has rolled back by itself already.
    std::ignore = database_->execute("ROLLBACK");
  }
}

Result<> WriteTransaction::commit() {
  SHERD_TRY_VOID(database_->execute("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace sherd::catalog
