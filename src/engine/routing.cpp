#include <algorithm>

#include <fmt/format.h>

#include <sherd/engine/routing.hpp>

namespace sherd::engine {
namespace {

class CopyRouter {
 public:
  CopyRouter(
      std::shared_ptr<const strategy::Placement> placement, const plan::CopyPlan& copy,
      std::vector<ShardId> shards
  )
      : placement_(std::move(placement)), copy_(copy), shards_(std::move(shards)) {}

  Result<std::size_t> operator()(std::optional<Bytes> field) {
    if (!field) {
      return fail(
          ErrorCode::kNullKey,
          fmt::format(
              "null value in column \"{}\" of relation \"{}\", by which rows are distributed",
              copy_.key_column, copy_.table
          ),
          "give every row a key"
      );
    }
    SHERD_TRY(const pgtypes::Key key, decode(*field));
    SHERD_TRY(
        const ShardId owner, placement_->owner(pgtypes::stored_key(key, copy_.key_typmod, stored_))
    );
    const auto found = std::ranges::find(shards_, owner);
    if (found == shards_.end()) {
      return fail(ErrorCode::kInternal, "the key's shard takes no part in this COPY");
    }
    return static_cast<std::size_t>(found - shards_.begin());
  }

 private:
  Result<pgtypes::Key> decode(Bytes field) {
    return copy_.format == plan::CopyPlan::Format::kBinary
               ? pgtypes::key_from_binary(copy_.key_type, copy_.key_oid, field, scratch_)
               : pgtypes::key_from_text(copy_.key_type, as_text(field), scratch_);
  }

  std::shared_ptr<const strategy::Placement> placement_;
  plan::CopyPlan copy_;
  std::vector<ShardId> shards_;
  std::string scratch_;
  std::string stored_;
};

}  // namespace

exec::CopyIn::Router copy_router(
    const topology::Group& group, const plan::CopyPlan& copy, std::vector<ShardId> shards
) {
  return CopyRouter(group.placement, copy, std::move(shards));
}

}  // namespace sherd::engine
