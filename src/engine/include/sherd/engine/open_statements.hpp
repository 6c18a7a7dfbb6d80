#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <sherd/base/ids.hpp>

namespace sherd::engine {

/// The statements that one worker is running, by the epoch that each runs under and by shard: what
/// a change of the topology waits for. Written by its worker's thread only; `oldest` may be read
/// from any.
class OpenStatements {
 public:
  /// A statement under way; the end of its life is the end of the statement.
  class Ticket {
   public:
    Ticket() noexcept = default;
    Ticket(Ticket&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          epoch_(other.epoch_),
          shards_(std::move(other.shards_)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      if (this != &other) {
        end();
        owner_ = std::exchange(other.owner_, nullptr);
        epoch_ = other.epoch_;
        shards_ = std::move(other.shards_);
      }
      return *this;
    }
    ~Ticket() { end(); }
    /// The statement runs on `shard`, too.
    void add(ShardId shard);
    void end() noexcept;
    [[nodiscard]] Epoch epoch() const noexcept { return epoch_; }

   private:
    friend class OpenStatements;
    Ticket(OpenStatements& owner, Epoch epoch) noexcept : owner_(&owner), epoch_(epoch) {}
    OpenStatements* owner_ = nullptr;
    Epoch epoch_{};
    std::vector<ShardId> shards_{};
  };

  [[nodiscard]] Ticket begin(Epoch epoch);
  /// Of all statements under way; the largest number there is when there are none.
  [[nodiscard]] std::uint64_t oldest() const noexcept {
    return oldest_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t running_on(ShardId shard) const noexcept;
  [[nodiscard]] std::uint64_t running() const noexcept;

 private:
  struct Count {
    Epoch epoch{};
    std::uint64_t statements = 0;
  };
  void publish_oldest() noexcept;

  std::vector<Count> by_epoch_{};          // few: one, two while the topology changes
  std::vector<std::uint64_t> by_shard_{};  // by index of the shard
  std::atomic<std::uint64_t> oldest_{std::numeric_limits<std::uint64_t>::max()};
};

}  // namespace sherd::engine
