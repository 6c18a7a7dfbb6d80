#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sherd/base/bytes.hpp>

namespace sherd::merge {

/// One field of a row, borrowed; a NULL has no data.
struct Field {
  const std::byte* data = nullptr;
  std::int32_t size = -1;

  [[nodiscard]] bool is_null() const noexcept { return size < 0; }
  [[nodiscard]] Bytes bytes() const noexcept {
    return {data, size < 0 ? 0 : static_cast<std::size_t>(size)};
  }
};

/// The fields of a DataRow body; reused from row to row, so that a row costs no allocation.
class RowView {
 public:
  explicit RowView(std::size_t columns) : fields_(columns) {}

  /// False when `row` is not exactly that many well-formed fields.
  [[nodiscard]] bool parse(Bytes row) noexcept;
  /// The first `count` fields of a row that parse has accepted before.
  void parse_first(Bytes row, std::size_t count) noexcept;

  [[nodiscard]] const Field& operator[](std::size_t column) const noexcept {
    return fields_[column];
  }
  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }

 private:
  std::vector<Field> fields_;
};

/// Appends a field: its length, then what `write(out)` appends.
template <class Write>
auto append_field(std::string& out, Write&& write) {
  const std::size_t at = out.size();
  append_be(out, std::int32_t{0});
  auto result = write(out);
  const auto length = std::byteswap(static_cast<std::uint32_t>(out.size() - at - 4));
  out.replace(at, 4, reinterpret_cast<const char*>(&length), 4);
  return result;
}

inline void append_field(std::string& out, const Field& field) {
  append_be(out, field.size);
  out.append(as_text(field.bytes()));
}

inline void append_null(std::string& out) {
  append_be(out, std::int32_t{-1});
}

/// Appends a DataRow message whose body `write(out)` appends.
template <class Write>
auto append_message(std::string& out, Write&& write) {
  out += 'D';
  const std::size_t at = out.size();
  append_be(out, std::int32_t{0});
  auto result = write(out);
  const auto length = std::byteswap(static_cast<std::uint32_t>(out.size() - at));
  out.replace(at, 4, reinterpret_cast<const char*>(&length), 4);
  return result;
}

void append_message(std::string& out, Bytes body);

}  // namespace sherd::merge
