#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>

#include <sherd/base/bytes.hpp>

/// Views of the repeated parts of message bodies. They borrow the body; decoding has checked it, so
/// reading from a view cannot fail.
namespace sherd::wire {

/// Integers of fixed width in network order.
template <std::integral T>
class IntegerList {
 public:
  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    explicit iterator(const std::byte* at) noexcept : at_(at) {}
    [[nodiscard]] T operator*() const noexcept { return load_be<T>(at_); }
    iterator& operator++() noexcept {
      at_ += sizeof(T);
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const iterator&) const = default;

   private:
    const std::byte* at_ = nullptr;
  };

  IntegerList() = default;
  /// @param bytes  a multiple of sizeof(T).
  explicit IntegerList(Bytes bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() / sizeof(T); }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  /// REQUIRES: index < size().
  [[nodiscard]] T operator[](std::size_t index) const noexcept {
    return load_be<T>(bytes_.data() + index * sizeof(T));
  }
  [[nodiscard]] iterator begin() const noexcept { return iterator(bytes_.data()); }
  [[nodiscard]] iterator end() const noexcept { return iterator(bytes_.data() + bytes_.size()); }

 private:
  Bytes bytes_{};
};

/// Values with their lengths: the columns of a DataRow, the parameters of a Bind. NULL is nullopt.
class ValueList {
 public:
  class iterator {
   public:
    using value_type = std::optional<Bytes>;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    iterator() = default;
    iterator(const std::byte* at, std::uint16_t left) noexcept : at_(at), left_(left) {}
    [[nodiscard]] std::optional<Bytes> operator*() const noexcept {
      const auto size = load_be<std::int32_t>(at_);
      if (size < 0) {
        return std::nullopt;
      }
      return Bytes(at_ + sizeof size, static_cast<std::size_t>(size));
    }
    iterator& operator++() noexcept {
      const auto size = load_be<std::int32_t>(at_);
      at_ += sizeof size + (size > 0 ? static_cast<std::size_t>(size) : 0);
      --left_;
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    /// Of two iterators over one list.
    bool operator==(const iterator& other) const noexcept { return left_ == other.left_; }

   private:
    const std::byte* at_ = nullptr;
    std::uint16_t left_ = 0;
  };

  ValueList() = default;
  /// Reads `count` values; nullopt if `reader` holds fewer or a length is below -1.
  /// Cost: O(count), no allocation.
  [[nodiscard]] static std::optional<ValueList> read(
      ByteReader& reader, std::uint16_t count
  ) noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  /// Cost: O(index): iterate where all are wanted. REQUIRES: index < size().
  [[nodiscard]] std::optional<Bytes> operator[](std::size_t index) const noexcept;
  /// Writes the first out.size() values. @return how many there were to write.
  std::size_t copy_to(std::span<std::optional<Bytes>> out) const noexcept;
  [[nodiscard]] iterator begin() const noexcept { return {bytes_.data(), count_}; }
  [[nodiscard]] iterator end() const noexcept { return {nullptr, 0}; }
  /// The values as on the wire, lengths included.
  [[nodiscard]] Bytes raw() const noexcept { return bytes_; }

 private:
  ValueList(Bytes bytes, std::uint16_t count) noexcept : bytes_(bytes), count_(count) {}

  Bytes bytes_{};
  std::uint16_t count_ = 0;
};

}  // namespace sherd::wire
