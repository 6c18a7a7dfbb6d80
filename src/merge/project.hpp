#pragma once

#include <span>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/merge/merger.hpp>
#include <sherd/merge/recipe.hpp>

#include "row.hpp"

namespace sherd::merge {

/// The format of output `index` under Bind's rule: none given: text; one: for all.
[[nodiscard]] std::int16_t format_at(std::span<const std::int16_t> formats, std::size_t index);

/// Makes the client's row out of a row in the shards' shape: picks columns, brings them to the
/// client's formats, computes averages.
class Projector {
 public:
  [[nodiscard]] static Result<Projector> create(
      const Recipe& recipe, std::span<const ShardColumn> columns, const MergeOptions& options
  );

  /// Rows need no change at all.
  [[nodiscard]] bool is_identity() const noexcept { return identity_; }
  [[nodiscard]] const std::vector<OutputColumn>& outputs() const noexcept { return outputs_; }
  /// Appends the body of the client's DataRow.
  [[nodiscard]] Result<> append_body(const RowView& row, std::string& out) const;

 private:
  struct Step {
    Output::Kind kind = Output::Kind::kColumn;
    std::uint32_t column = 0;
    std::uint32_t count_column = 0;
    Oid type = 0;  // of the shard column
    std::int16_t from = 0;
    std::int16_t count_format = 0;
    std::int16_t to = 0;
  };

  [[nodiscard]] static Result<Step> make_step(
      const Output& output, std::span<const ShardColumn> columns, std::int16_t format
  );
  [[nodiscard]] Result<> append_average(const Step& step, const RowView& row, std::string& out)
      const;

  std::vector<Step> steps_;
  std::vector<OutputColumn> outputs_;
  pgtypes::TextSettings text_;
  bool identity_ = false;
};

}  // namespace sherd::merge
