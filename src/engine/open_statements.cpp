#include <algorithm>

#include <sherd/engine/open_statements.hpp>

namespace sherd::engine {

OpenStatements::Ticket OpenStatements::begin(Epoch epoch) {
  const auto found = std::ranges::find(by_epoch_, epoch, &Count::epoch);
  if (found == by_epoch_.end()) {
    by_epoch_.push_back({epoch, 1});
  } else {
    ++found->statements;
  }
  publish_oldest();
  return {*this, epoch};
}

void OpenStatements::Ticket::add(ShardId shard) {
  if (owner_ == nullptr) {
    return;
  }
  std::vector<std::uint64_t>& counts = owner_->by_shard_;
  if (counts.size() <= index_of(shard)) {
    counts.resize(index_of(shard) + 1);
  }
  ++counts[index_of(shard)];
  shards_.push_back(shard);
}

void OpenStatements::Ticket::end() noexcept {
  OpenStatements* const owner = std::exchange(owner_, nullptr);
  if (owner == nullptr) {
    return;
  }
  for (const ShardId shard : shards_) {
    --owner->by_shard_[index_of(shard)];
  }
  shards_.clear();
  const auto found = std::ranges::find(owner->by_epoch_, epoch_, &Count::epoch);
  if (--found->statements == 0 && owner->by_epoch_.size() > 1) {
    owner->by_epoch_.erase(found);
  }
  owner->publish_oldest();
}

void OpenStatements::publish_oldest() noexcept {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (const Count& count : by_epoch_) {
    if (count.statements > 0) {
      oldest = std::min(oldest, number_of(count.epoch));
    }
  }
  oldest_.store(oldest, std::memory_order_release);
}

std::uint64_t OpenStatements::running_on(ShardId shard) const noexcept {
  return index_of(shard) < by_shard_.size() ? by_shard_[index_of(shard)] : 0;
}

std::uint64_t OpenStatements::running() const noexcept {
  std::uint64_t sum = 0;
  for (const Count& count : by_epoch_) {
    sum += count.statements;
  }
  return sum;
}

}  // namespace sherd::engine
