#include "sherd/net/slice.hpp"

#include <cstring>
#include <new>

namespace sherd::net {

namespace {

/// Bytes that follow their block in one piece of memory.
void release_copy(Block* block) noexcept {
  block->~Block();
  ::operator delete(block);
}

struct TextBlock : Block {
  explicit TextBlock(std::string&& from) noexcept : text(std::move(from)) {
    release = [](Block* block) noexcept { delete static_cast<TextBlock*>(block); };
  }
  std::string text;
};

}  // namespace

Slice Slice::copy_of(std::string_view text) {
  if (text.empty()) {
    return {};
  }
  void* memory = ::operator new(sizeof(Block) + text.size());
  auto* block = new (memory) Block{.refs = 1, .release = release_copy};
  auto* data = reinterpret_cast<std::byte*>(block + 1);
  std::memcpy(data, text.data(), text.size());
  return {block, data, text.size()};
}

Slice Slice::adopt(std::string&& text) {
  if (text.empty()) {
    return {};
  }
  auto* block = new TextBlock(std::move(text));
  return {block, reinterpret_cast<const std::byte*>(block->text.data()), block->text.size()};
}

}  // namespace sherd::net
