#include "row.hpp"

namespace sherd::merge {

bool RowView::parse(Bytes row) noexcept {
  ByteReader reader(row);
  if (reader.read<std::uint16_t>() != fields_.size()) {
    return false;
  }
  for (Field& field : fields_) {
    field.size = reader.read<std::int32_t>();
    if (field.size < -1) {
      return false;
    }
    field.data =
        field.is_null() ? nullptr : reader.read_bytes(static_cast<std::size_t>(field.size)).data();
  }
  return reader.finished();
}

void RowView::parse_first(Bytes row, std::size_t count) noexcept {
  const std::byte* at = row.data() + sizeof(std::uint16_t);
  for (std::size_t i = 0; i < count; ++i) {
    Field& field = fields_[i];
    field.size = load_be<std::int32_t>(at);
    at += sizeof(std::int32_t);
    field.data = at;
    at += field.is_null() ? 0 : field.size;
  }
}

void append_message(std::string& out, Bytes body) {
  out += 'D';
  append_be(out, static_cast<std::uint32_t>(body.size() + 4));
  out.append(as_text(body));
}

}  // namespace sherd::merge
