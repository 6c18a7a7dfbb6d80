#include "project.hpp"

#include <bit>

#include <fmt/format.h>

#include <sherd/pgtypes/numeric.hpp>
#include <sherd/pgtypes/oid.hpp>

#include "scalar.hpp"

namespace sherd::merge {
namespace {

using pgtypes::Numeric;

Oid average_type(Oid sum) {
  return sum == oid::kInt8 ? oid::kNumeric : sum;
}

OutputColumn describe_output(const Output& output, const ShardColumn& from, std::int16_t format) {
  if (output.kind == Output::Kind::kAverage) {
    const bool numeric = average_type(from.type) == oid::kNumeric;
    return {
        .name = output.name.empty() ? "avg" : output.name,
        .type = average_type(from.type),
        .format = format,
        .type_size = static_cast<std::int16_t>(numeric ? -1 : 8),
    };
  }
  return {
      .name = output.name.empty() ? from.name : output.name,
      .type = from.type,
      .typmod = from.typmod,
      .format = format,
      .type_size = from.type_size,
      .table = from.table,
      .table_column = from.table_column,
  };
}

std::vector<Output> outputs_of(const Recipe& recipe, std::size_t columns) {
  if (!recipe.outputs.empty()) {
    return recipe.outputs;
  }
  std::vector<Output> all;
  for (std::size_t i = 0; i < columns; ++i) {
    all.push_back({.column = static_cast<std::uint32_t>(i)});
  }
  return all;
}

}  // namespace

std::int16_t format_at(std::span<const std::int16_t> formats, std::size_t index) {
  if (formats.size() == 1) {
    return formats.front();
  }
  return index < formats.size() ? formats[index] : pgtypes::kTextFormat;
}

Result<Projector::Step> Projector::make_step(
    const Output& output, std::span<const ShardColumn> columns, std::int16_t format
) {
  const bool average = output.kind == Output::Kind::kAverage;
  if (output.column >= columns.size() || (average && output.count_column >= columns.size())) {
    return fail(ErrorCode::kInternal, "merge recipe names a column that the shards do not send");
  }
  const ShardColumn& from = columns[output.column];
  const bool computable = !average || from.type == oid::kInt8 || from.type == oid::kNumeric
                          || from.type == oid::kFloat8;
  const bool counted = !average || columns[output.count_column].type == oid::kInt8;
  if (!computable || !counted) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("avg over shards cannot be made of a sum of {}", pgtypes::type_name(from.type)),
        "select sum() and count() instead"
    );
  }
  if (!average && !pgtypes::is_convertible(from.type, from.format, format)) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "a result of {} over several shards can be sent in {} format only",
            pgtypes::type_name(from.type), from.format == pgtypes::kTextFormat ? "text" : "binary"
        ),
        fmt::format("ask for that format, or cast it to another type")
    );
  }
  return Step{
      .kind = output.kind,
      .column = output.column,
      .count_column = output.count_column,
      .type = from.type,
      .from = from.format,
      .count_format = average ? columns[output.count_column].format : std::int16_t{0},
      .to = format,
  };
}

Result<Projector> Projector::create(
    const Recipe& recipe, std::span<const ShardColumn> columns, const MergeOptions& options
) {
  const std::vector<Output> outputs = outputs_of(recipe, columns.size());
  const std::size_t formats = options.output_formats.size();
  if (formats > 1 && formats != outputs.size()) {
    return fail(
        ErrorCode::kProtocolViolation,
        fmt::format(
            "bind message has {} result formats but query has {} columns", formats, outputs.size()
        )
    );
  }
  Projector made;
  made.text_ = options.text;
  made.identity_ = outputs.size() == columns.size();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::int16_t format = format_at(options.output_formats, i);
    SHERD_TRY(const Step step, make_step(outputs[i], columns, format));
    made.identity_ = made.identity_ && step.kind == Output::Kind::kColumn && step.column == i
                     && step.from == step.to;
    made.steps_.push_back(step);
    made.outputs_.push_back(describe_output(outputs[i], columns[step.column], format));
  }
  return made;
}

Result<> Projector::append_average(const Step& step, const RowView& row, std::string& out) const {
  const Field& sum = row[step.column];
  SHERD_TRY(const std::int64_t count, read_count(row[step.count_column], step.count_format));
  if (sum.is_null() || count == 0) {
    append_null(out);
    return {};
  }
  if (step.type == oid::kFloat8) {
    SHERD_TRY(const double total, read_float8(sum.bytes(), step.from));
    return append_field(out, [&](std::string& to) -> Result<> {
      // The server adds to a zero, a sum begins with its first value: of -0 alone they differ.
      append_float8((total + 0.0) / static_cast<double>(count), step.to, text_, to);
      return {};
    });
  }
  SHERD_TRY(const Numeric total, read_numeric(sum.bytes(), step.type, step.from));
  SHERD_TRY(const Numeric mean, total.divide(Numeric(count)));
  return append_field(out, [&](std::string& to) -> Result<> {
    append_numeric(mean, step.to, to);
    return {};
  });
}

Result<> Projector::append_body(const RowView& row, std::string& out) const {
  append_be(out, static_cast<std::uint16_t>(steps_.size()));
  for (const Step& step : steps_) {
    if (step.kind == Output::Kind::kAverage) {
      SHERD_TRY_VOID(append_average(step, row, out));
      continue;
    }
    const Field& field = row[step.column];
    if (field.is_null() || step.from == step.to) {
      append_field(out, field);
      continue;
    }
    SHERD_TRY_VOID(append_field(out, [&](std::string& to) {
      return pgtypes::convert(step.type, step.from, step.to, field.bytes(), text_, to);
    }));
  }
  return {};
}

}  // namespace sherd::merge
