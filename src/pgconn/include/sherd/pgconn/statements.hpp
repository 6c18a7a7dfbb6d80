#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sherd::pgconn {

/// Which statements one server connection has prepared, by text and parameter types: the least
/// recently used goes when the bound is reached. Not thread-safe.
class StatementCache {
 public:
  explicit StatementCache(std::size_t max_bytes = 4 * 1024 * 1024) : max_bytes_(max_bytes) {}

  struct Use {
    std::string name{};                  // on the server
    bool is_new = false;                 // must be parsed first; call `forget` if that fails
    std::vector<std::string> evicted{};  // to be closed on the server first
  };
  /// The server's name for `key` (text and types in one string).
  [[nodiscard]] Use use(std::string_view key);
  /// Parsing failed, or the plan must not be used again.
  void forget(std::string_view key);
  void clear();
  [[nodiscard]] std::size_t size() const noexcept { return by_key_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Entry {
    std::string key;
    std::string name;
  };
  void drop(std::list<Entry>::iterator entry);

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t next_ = 1;
  std::list<Entry> by_age_{};  // most recent first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_{
  };  // keys live in by_age_
};

}  // namespace sherd::pgconn
