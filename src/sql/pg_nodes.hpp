#pragma once

// PostgreSQL's parse nodes, for the sources of this room only. Everything of ours and of the
// standard library that a source needs comes before this header: PostgreSQL's defines short and
// common names as macros.

#include <string>
#include <string_view>

// clang-format off: the order matters
#include <pg_query.h>

extern "C" {
#include <pg_query_internal.h>
#include <nodes/nodeFuncs.h>
#include <nodes/parsenodes.h>
#include <nodes/primnodes.h>
#include <nodes/value.h>
// clang-format on

// The server's headers declare it without the thread-local storage that libpg_query gives it.
extern __thread bool standard_conforming_strings;
}

#undef _
#undef snprintf
#undef vsnprintf
#undef sprintf
#undef vsprintf
#undef printf
#undef fprintf
#undef vprintf
#undef vfprintf
#undef strerror
#undef strerror_r
#undef Min
#undef Max
#undef Abs
#undef INFO
#undef ERROR
#undef WARNING
#undef NOTICE
#undef LOG
#undef DEBUG

namespace sherd::sql {

[[nodiscard]] inline int length_of(const List* list) noexcept {
  return list_length(list);
}

/// A view of a List's pointers, for range-for.
template <class T = Node>
class ListOf {
 public:
  explicit ListOf(const List* list) noexcept : list_(list) {}
  class Iterator {
   public:
    explicit Iterator(const ListCell* cell) noexcept : cell_(cell) {}
    [[nodiscard]] const T* operator*() const noexcept {
      return static_cast<const T*>(cell_->ptr_value);
    }
    Iterator& operator++() noexcept {
      ++cell_;
      return *this;
    }
    [[nodiscard]] bool operator==(const Iterator&) const noexcept = default;

   private:
    const ListCell* cell_;
  };
  [[nodiscard]] Iterator begin() const noexcept {
    return Iterator(list_ ? list_->elements : nullptr);
  }
  [[nodiscard]] Iterator end() const noexcept {
    return Iterator(list_ ? list_->elements + list_->length : nullptr);
  }
  [[nodiscard]] std::size_t size() const noexcept {
    return list_ ? static_cast<std::size_t>(list_->length) : 0;
  }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] const T* operator[](std::size_t index) const noexcept {
    return static_cast<const T*>(list_->elements[index].ptr_value);
  }
  [[nodiscard]] const T* back() const noexcept { return (*this)[size() - 1]; }

 private:
  const List* list_;
};

[[nodiscard]] inline bool is_node(const void* node, NodeTag tag) noexcept {
  return node != nullptr && static_cast<const Node*>(node)->type == tag;
}

/// `node` as a T; the caller has looked at its tag.
template <class T>
[[nodiscard]] const T* as(const void* node) noexcept {
  return static_cast<const T*>(node);
}

/// The text of a String node; "" for anything else.
[[nodiscard]] inline std::string_view string_of(const Node* node) noexcept {
  return is_node(node, T_String) ? std::string_view(as<String>(node)->sval) : std::string_view();
}

[[nodiscard]] inline std::string text_or_empty(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace sherd::sql
