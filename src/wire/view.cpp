#include <algorithm>

#include <sherd/base/check.hpp>
#include <sherd/wire/view.hpp>

namespace sherd::wire {

std::optional<ValueList> ValueList::read(ByteReader& reader, std::uint16_t count) noexcept {
  const ByteReader before = reader;
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto size = reader.read<std::int32_t>();
    if (size < -1) {
      return std::nullopt;
    }
    const std::size_t held = size > 0 ? static_cast<std::size_t>(size) : 0;
    static_cast<void>(reader.read_bytes(held));  // only stepped over; ok() is asked below
    bytes += sizeof size + held;
  }
  if (!reader.ok()) {
    return std::nullopt;
  }
  ByteReader again = before;
  return ValueList(again.read_bytes(bytes), count);
}

std::optional<Bytes> ValueList::operator[](std::size_t index) const noexcept {
  SHERD_DCHECK(index < count_);
  iterator it = begin();
  for (std::size_t i = 0; i < index; ++i) {
    ++it;
  }
  return *it;
}

std::size_t ValueList::copy_to(std::span<std::optional<Bytes>> out) const noexcept {
  iterator it = begin();
  const std::size_t wanted = std::min<std::size_t>(out.size(), count_);
  for (std::size_t i = 0; i < wanted; ++i, ++it) {
    out[i] = *it;
  }
  return count_;
}

}  // namespace sherd::wire
