#include <array>
#include <charconv>

#include <fmt/format.h>

#include <sherd/txn/global_id.hpp>

namespace sherd::txn {
namespace {

constexpr std::string_view kPrefix = "sherd_";

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::string GlobalId::record_name() const {
  return fmt::format(
      "{}{}_{:016x}_{}_{}", kPrefix, cluster, router, sequence, index_of(decision_shard)
  );
}

std::string GlobalId::prepared_name(ShardId shard) const {
  return fmt::format("{}_{}", record_name(), index_of(shard));
}

std::optional<GlobalId> GlobalId::parse(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    return std::nullopt;
  }
  name.remove_prefix(kPrefix.size());
  std::array<std::string_view, 5> parts;  // cluster, router, sequence, decision shard, shard
  for (std::size_t i = parts.size(); i-- > 1;) {
    const auto at = name.rfind('_');
    if (at == std::string_view::npos) {
      return std::nullopt;
    }
    parts[i] = name.substr(at + 1);
    name = name.substr(0, at);
  }
  parts[0] = name;
  const auto router = number<std::uint64_t>(parts[1], 16);
  const auto sequence = number<std::uint64_t>(parts[2], 10);
  const auto decision = number<std::uint32_t>(parts[3], 10);
  const auto shard = number<std::uint32_t>(parts[4], 10);
  if (parts[0].empty() || !router || !sequence || !decision || !shard) {
    return std::nullopt;
  }
  return GlobalId{
      .cluster = std::string(parts[0]),
      .router = *router,
      .sequence = *sequence,
      .decision_shard = ShardId(*decision)
  };
}

}  // namespace sherd::txn
