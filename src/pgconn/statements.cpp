#include <sherd/pgconn/statements.hpp>

namespace sherd::pgconn {
namespace {

// What an entry costs beyond its text, here and, roughly, in the server.
constexpr std::size_t kEntryBytes = 256;

}  // namespace

StatementCache::Use StatementCache::use(std::string_view key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    by_age_.splice(by_age_.begin(), by_age_, found->second);
    return {.name = found->second->name};
  }
  Use result{.name = "sherd_" + std::to_string(next_++), .is_new = true};
  while (!by_age_.empty() && bytes_ + key.size() + kEntryBytes > max_bytes_) {
    result.evicted.push_back(by_age_.back().name);
    drop(std::prev(by_age_.end()));
  }
  by_age_.push_front({std::string(key), result.name});
  by_key_.emplace(by_age_.front().key, by_age_.begin());
  bytes_ += key.size() + kEntryBytes;
  return result;
}

void StatementCache::drop(std::list<Entry>::iterator entry) {
  bytes_ -= entry->key.size() + kEntryBytes;
  by_key_.erase(entry->key);
  by_age_.erase(entry);
}

void StatementCache::forget(std::string_view key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    drop(found->second);
  }
}

void StatementCache::clear() {
  by_key_.clear();
  by_age_.clear();
  bytes_ = 0;
}

}  // namespace sherd::pgconn
