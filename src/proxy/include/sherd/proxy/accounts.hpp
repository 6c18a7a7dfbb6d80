#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <sherd/engine/options.hpp>
#include <sherd/wire/auth.hpp>

namespace sherd::proxy {

/// Who may log in, and as whom they reach the shards. Immutable; shared between threads.
struct Accounts {
  struct Entry {
    engine::Account account{};
    std::optional<wire::StoredSecret> secret{};
    bool is_admin = false;  // may use the console
  };
  wire::AuthMethod method = wire::AuthMethod::kScramSha256;
  bool allow_unlisted = false;  // with trust and no list: anybody
  std::map<std::string, Entry, std::less<>> by_name{};
  std::string mock_key{};  // so that unknown users look like known ones

  [[nodiscard]] const Entry* find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : &found->second;
  }
};
using AccountsPtr = std::shared_ptr<const Accounts>;

}  // namespace sherd::proxy
