#pragma once

#include <set>
#include <string>
#include <string_view>

#include <sherd/sql/statement.hpp>
#include <sherd/topology/snapshot.hpp>

namespace sherd::engine {

/// Users' functions and views that reach rows of distributed or reference tables: on one shard they
/// would see, or change, that shard's rows only. Told by words in their sources, also through one
/// another; what a function puts together at run time (EXECUTE with concatenated names) is not
/// seen.
class HiddenTables {
 public:
  HiddenTables() = default;
  explicit HiddenTables(const topology::Snapshot& snapshot);

  /// The statement calls such a function; CALL and DO are judged by their text.
  [[nodiscard]] bool reached_by(const sql::Statement& facts, std::string_view text) const;

 private:
  std::set<std::string, std::less<>> names_{};  // tables, and views over them
  std::set<std::string, std::less<>> functions_{};
};

}  // namespace sherd::engine
