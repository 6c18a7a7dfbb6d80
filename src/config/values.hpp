#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <sherd/config/config.hpp>

namespace sherd::config {

/// "250ms", "5s", "10m", "2h", "1d", "0"; nullopt for anything else and for more than 10 000 days.
[[nodiscard]] std::optional<Milliseconds> duration_from_text(std::string_view text);
/// In the largest unit that divides it: "90s" for 90 000 ms, "0" for none.
[[nodiscard]] std::string to_text(Milliseconds duration);

/// "64MiB", "4KiB", "1GiB", "2TiB", "512B", "0"; nullopt for anything else (also "64MB", whose
/// meaning is disputed).
[[nodiscard]] std::optional<Size> size_from_text(std::string_view text);
[[nodiscard]] std::string to_text(Size size);

/// `text` as TOML writes it: in double quotes, with escapes.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace sherd::config
