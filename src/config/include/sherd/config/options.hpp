#pragma once

#include <string>
#include <vector>

#include <sherd/config/config.hpp>

// The option table, seen from outside: one row drives parsing, checks, documentation, SHOW CONFIG
// and reload.

namespace sherd::config {

/// One row of the option table. All texts as an operator writes them in the file.
struct OptionInfo {
  std::string section;        // "pool"; "shards", "shards.replicas" for repeated sections
  std::string name;           // "query_wait_timeout"
  std::string type;           // "duration", "size", "integer 1 to 65535", "one of scram, trust"
  std::string default_value;  // "30s"; "" where there is none
  std::string doc;            // one sentence
  bool required = false;
  bool reloadable = true;  // false: a change takes effect at the next start
};

/// Every option, in the order of the file's sections.
[[nodiscard]] std::vector<OptionInfo> options();

/// The options as a page of documentation (Markdown).
[[nodiscard]] std::string reference_markdown();

struct OptionValue {
  std::string option;  // "pool.size", "shards[s1].weight"
  std::string value;   // as written in the file; secrets as "***"
  bool reloadable = true;
};

/// What `config` says, option by option: for SHOW CONFIG.
[[nodiscard]] std::vector<OptionValue> describe(const Config& config);

struct Change {
  std::string option;  // "pool.size", "shards[s1]" for an entry that came or went
  std::string before;  // "" for a new entry; secrets as "***"
  std::string after;
  bool needs_restart = false;
  friend bool operator==(const Change&, const Change&) = default;
};

/// What a reload from `before` to `after` changes. Entries of repeated sections are told apart by
/// name.
[[nodiscard]] std::vector<Change> diff(const Config& before, const Config& after);

}  // namespace sherd::config
