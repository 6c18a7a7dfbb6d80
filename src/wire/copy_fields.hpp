#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sherd/base/bytes.hpp>
#include <sherd/wire/copy.hpp>

/// One field of a row of COPY data. Private to the module.
namespace sherd::wire {

struct PickedField {
  Bytes raw{};                   // as sent
  std::optional<Bytes> value{};  // decoded; in the row or in `scratch`
};

/// @param line  a row without its line end (text, CSV), or a tuple with its field count (binary),
///              as CopyRowSplitter found it.
/// @return nullopt if the row has too few fields.
[[nodiscard]] std::optional<PickedField> pick_field(
    Bytes line, const CopyFormat& format, std::uint32_t field, std::string& scratch
);

}  // namespace sherd::wire
