#include <sherd/engine/bind_message.hpp>

namespace sherd::engine {

BindMessage split_bind(Bytes body) {
  ByteReader reader(body);
  (void)reader.read_cstring();
  (void)reader.read_cstring();
  const std::size_t begin = body.size() - reader.remaining();
  const auto formats = reader.read<std::uint16_t>();
  (void)reader.read_bytes(std::size_t{formats} * 2);
  const auto values = reader.read<std::uint16_t>();
  for (std::uint16_t i = 0; i < values; ++i) {
    const auto length = reader.read<std::int32_t>();
    (void)reader.read_bytes(length > 0 ? static_cast<std::size_t>(length) : 0);
  }
  const std::size_t end = body.size() - reader.remaining();
  return {.parameters = body.subspan(begin, end - begin), .result_formats = body.subspan(end)};
}

void append_bind(
    std::string& out, std::string_view portal, std::string_view statement, Bytes parameters,
    Bytes result_formats
) {
  const std::size_t length =
      4 + portal.size() + 1 + statement.size() + 1 + parameters.size() + result_formats.size();
  out += 'B';
  append_be(out, static_cast<std::uint32_t>(length));
  out.append(portal).append(1, '\0').append(statement).append(1, '\0');
  out.append(as_text(parameters)).append(as_text(result_formats));
}

}  // namespace sherd::engine
