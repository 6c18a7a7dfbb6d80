#include <utility>

#include "engine.hpp"

namespace sherd::merge {
namespace {

/// Rows one after the other, as they come.
class ConcatMerger final : public Engine {
 public:
  explicit ConcatMerger(Parts parts) : Engine(std::move(parts)) {}

  bool wants(std::size_t shard) const noexcept override {
    return !finished(shard) && !window_.closed()
           && ready_.bytes() < parts_.options.shard_high_water_bytes;
  }
  Result<> drain(std::string& out, std::size_t budget_bytes) override {
    ready_.drain(out, budget_bytes);
    return {};
  }
  bool done() const noexcept override {
    return ready_.empty() && (window_.closed() || all_finished());
  }
  std::size_t held_bytes() const noexcept override { return ready_.bytes(); }
  bool passes_through() const noexcept override {
    return parts_.projector.is_identity() && !parts_.recipe.limit && parts_.recipe.offset == 0;
  }

 private:
  Result<> take(std::size_t, Bytes row) override {
    if (!window_.admit()) {
      return {};
    }
    SHERD_TRY_VOID(emit(row_, row, ready_.tail()));
    return check_memory();
  }

  ReadyRows ready_;
};

}  // namespace

Result<std::unique_ptr<Merger>> make_concat(Parts parts) {
  return std::make_unique<ConcatMerger>(std::move(parts));
}

}  // namespace sherd::merge
