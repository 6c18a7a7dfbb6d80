#include "engine.hpp"

#include <utility>

#include <fmt/format.h>

#include <sherd/base/check.hpp>

namespace sherd::merge {

Engine::Engine(Parts parts)
    : Merger(parts.projector.outputs()),
      parts_(std::move(parts)),
      window_(parts_.recipe),
      row_(parts_.columns.size()),
      finished_(parts_.shard_count, false),
      unfinished_(parts_.shard_count) {}

Result<> Engine::push(std::size_t shard, Bytes row) {
  SHERD_CHECK(shard < finished_.size());
  if (done()) {
    return {};
  }
  if (finished_[shard] || !row_.parse(row)) {
    return fail(ErrorCode::kProtocolViolation, "malformed row from a shard");
  }
  return take(shard, row);
}

Result<> Engine::finish(std::size_t shard) {
  SHERD_CHECK(shard < finished_.size());
  if (finished_[shard]) {
    return {};
  }
  finished_[shard] = true;
  --unfinished_;
  return unfinished_ == 0 && !window_.closed() ? on_all_finished() : Result<>{};
}

Result<> Engine::check_memory() const {
  const std::size_t limit = parts_.options.memory_bytes;
  if (held_bytes() <= limit) {
    return {};
  }
  return fail(
      ErrorCode::kConfigLimit,
      fmt::format("merging rows of several shards needs more than {} bytes of memory", limit),
      fmt::format(
          "raise {}, or make the statement return fewer rows or groups",
          parts_.options.memory_limit_name
      )
  );
}

Result<> Engine::emit(const RowView& view, Bytes row, std::string& out) {
  ++rows_drained_;
  if (parts_.projector.is_identity()) {
    append_message(out, row);
    return {};
  }
  return append_message(out, [&](std::string& to) {
    return parts_.projector.append_body(view, to);
  });
}

void ReadyRows::drain(std::string& out, std::size_t budget_bytes) {
  if (out.empty() && at_ == 0 && messages_.size() <= budget_bytes) {
    out.swap(messages_);
    return;
  }
  std::size_t end = at_;
  while (end < messages_.size() && end - at_ < budget_bytes) {
    const Bytes rest = as_bytes(messages_).subspan(end + 1);
    end += 1 + load_be<std::uint32_t>(rest.data());
  }
  out.append(messages_, at_, end - at_);
  at_ = end;
  if (at_ == messages_.size()) {
    messages_.clear();
    at_ = 0;
  } else if (at_ > messages_.size() / 2) {
    messages_.erase(0, at_);
    at_ = 0;
  }
}

}  // namespace sherd::merge
