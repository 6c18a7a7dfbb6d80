#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <sherd/base/error.hpp>

struct sqlite3;
struct sqlite3_stmt;

// SQLite's C interface as values that close themselves and results that cannot be ignored.

namespace sherd::catalog {

/// One prepared statement. Not thread-safe. Must not outlive its Database.
class Statement {
 public:
  Statement(sqlite3* database, sqlite3_stmt* statement) noexcept
      : database_(database), statement_(statement) {}

  /// Binds `values` to ?1, ?2 … (integers, doubles, texts).
  template <class... T>
  Statement& bind(const T&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }
  /// Steps to the next row; false at the end.
  [[nodiscard]] Result<bool> step();
  /// Runs it to its end.
  [[nodiscard]] Result<> run();

  [[nodiscard]] std::int64_t integer(int column) const noexcept;
  [[nodiscard]] double number(int column) const noexcept;
  [[nodiscard]] std::string text(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };

  void bind_one(int index, std::string_view text) noexcept;
  void bind_one(int index, double number) noexcept;
  void bind_integer(int index, std::int64_t value) noexcept;
  template <std::integral T>
  void bind_one(int index, T value) noexcept {
    bind_integer(index, static_cast<std::int64_t>(value));
  }

  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection to a SQLite file. Not thread-safe.
class Database {
 public:
  /// Opens or makes (mode 0600) the file at `path`, in WAL mode with full synchronisation.
  [[nodiscard]] static Result<Database> open(const std::string& path);

  /// Runs statements without results.
  [[nodiscard]] Result<> execute(std::string_view sql);
  [[nodiscard]] Result<Statement> prepare(std::string_view sql) const;
  /// The first column of the first row of `sql`.
  [[nodiscard]] Result<std::int64_t> integer(std::string_view sql) const;

 private:
  struct Close {
    void operator()(sqlite3* database) const noexcept;
  };
  explicit Database(sqlite3* database) noexcept : database_(database) {}
  [[nodiscard]] Result<> switch_to_wal();

  std::unique_ptr<sqlite3, Close> database_;
};

/// A write transaction: rolled back unless commit() returned well.
class WriteTransaction {
 public:
  [[nodiscard]] static Result<WriteTransaction> begin(Database& database);
  WriteTransaction(WriteTransaction&& other) noexcept
      : database_(std::exchange(other.database_, nullptr)) {}
  WriteTransaction& operator=(WriteTransaction&&) = delete;
  ~WriteTransaction();

  [[nodiscard]] Result<> commit();

 private:
  explicit WriteTransaction(Database& database) noexcept : database_(&database) {}

  Database* database_;
};

}  // namespace sherd::catalog
