#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <sherd/base/error.hpp>
#include <sherd/merge/merger.hpp>
#include <sherd/merge/recipe.hpp>

#include "row.hpp"

namespace sherd::merge {

/// The states of one combined column, one per group. Groups are numbered from 0 as they are added.
class Accumulator {
 public:
  virtual ~Accumulator() = default;
  /// A new group without input.
  virtual void add_group() = 0;
  /// Combines `field` into `group`. kOutOfRange on overflow, kProtocolViolation for a malformed
  /// field.
  [[nodiscard]] virtual Result<> add(std::size_t group, const Field& field) = 0;
  /// Appends the result of `group` as a field (length first) in the column's type and format.
  virtual void append(std::size_t group, std::string& out) const = 0;
  /// Bytes held.
  [[nodiscard]] virtual std::size_t bytes() const noexcept = 0;
};

/// @param comparator  for kMin and kMax; ignored else.
/// @return kUnsupported where `how` is not defined for the column's type.
[[nodiscard]] Result<std::unique_ptr<Accumulator>> make_accumulator(
    Combine how, const ShardColumn& column, const pgtypes::Comparator* comparator,
    const pgtypes::TextSettings& text
);

}  // namespace sherd::merge
