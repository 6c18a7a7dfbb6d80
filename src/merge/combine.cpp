#include "combine.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <sherd/pgtypes/numeric.hpp>
#include <sherd/pgtypes/oid.hpp>

#include "scalar.hpp"

namespace sherd::merge {
namespace {

using pgtypes::Comparator;
using pgtypes::Numeric;
using pgtypes::TextSettings;

/// Type and format of the column that a state is read from and written to.
struct Shape {
  Oid type = 0;
  std::int16_t format = 0;
  TextSettings text{};
};

/// Sums, conjunctions and the like of anything that fits 64 bits.
class IntegerFold final : public Accumulator {
 public:
  using Fold = bool (*)(std::int64_t, std::int64_t, std::int64_t&);  // false: overflow

  IntegerFold(const Shape& shape, Fold fold, bool starts_at_zero)
      : shape_(shape), fold_(fold), starts_at_zero_(starts_at_zero) {}

  void add_group() override { states_.push_back({0, starts_at_zero_}); }

  Result<> add(std::size_t group, const Field& field) override {
    if (field.is_null()) {
      return {};
    }
    SHERD_TRY(const std::int64_t value, read_integer(field.bytes(), shape_.type, shape_.format));
    State& state = states_[group];
    if (!state.any) {
      state = {value, true};
      return {};
    }
    if (!fold_(state.value, value, state.value)) {
      return fail(
          ErrorCode::kOutOfRange, fmt::format("{} out of range", pgtypes::type_name(shape_.type))
      );
    }
    return {};
  }

  void append(std::size_t group, std::string& out) const override {
    const State& state = states_[group];
    if (!state.any) {
      append_null(out);
      return;
    }
    append_field(out, [&](std::string& to) {
      append_integer(state.value, shape_.type, shape_.format, to);
      return 0;
    });
  }

  std::size_t bytes() const noexcept override { return states_.capacity() * sizeof(State); }

 private:
  struct State {
    std::int64_t value = 0;
    bool any = false;
  };

  Shape shape_;
  Fold fold_;
  bool starts_at_zero_;
  std::vector<State> states_;
};

bool add_checked(std::int64_t a, std::int64_t b, std::int64_t& out) {
  return !__builtin_add_overflow(a, b, &out);
}
bool both(std::int64_t a, std::int64_t b, std::int64_t& out) {
  out = a & b;
  return true;
}
bool either(std::int64_t a, std::int64_t b, std::int64_t& out) {
  out = a | b;
  return true;
}

class NumericSum final : public Accumulator {
 public:
  explicit NumericSum(const Shape& shape) : shape_(shape) {}

  void add_group() override { states_.emplace_back(); }

  Result<> add(std::size_t group, const Field& field) override {
    if (field.is_null()) {
      return {};
    }
    SHERD_TRY(Numeric value, read_numeric(field.bytes(), shape_.type, shape_.format));
    std::optional<Numeric>& state = states_[group];
    heap_bytes_ -= state ? state->heap_bytes() : 0;
    if (state) {
      state->add(value);
    } else {
      state = std::move(value);
    }
    heap_bytes_ += state->heap_bytes();
    return {};
  }

  void append(std::size_t group, std::string& out) const override {
    const std::optional<Numeric>& state = states_[group];
    if (!state) {
      append_null(out);
      return;
    }
    append_field(out, [&](std::string& to) {
      append_numeric(*state, shape_.format, to);
      return 0;
    });
  }

  std::size_t bytes() const noexcept override {
    return states_.capacity() * sizeof(std::optional<Numeric>) + heap_bytes_;
  }

 private:
  Shape shape_;
  std::vector<std::optional<Numeric>> states_;
  std::size_t heap_bytes_ = 0;
};

template <class Float>
struct FloatCodec;

template <>
struct FloatCodec<double> {
  static constexpr auto read = read_float8;
  static constexpr auto append = append_float8;
};

template <>
struct FloatCodec<float> {
  static constexpr auto read = read_float4;
  static constexpr auto append = append_float4;
};

template <class Float>
class FloatSum final : public Accumulator {
 public:
  explicit FloatSum(const Shape& shape) : shape_(shape) {}

  void add_group() override { states_.push_back({}); }

  Result<> add(std::size_t group, const Field& field) override {
    if (field.is_null()) {
      return {};
    }
    SHERD_TRY(const Float value, FloatCodec<Float>::read(field.bytes(), shape_.format));
    State& state = states_[group];
    const Float sum = state.any ? state.value + value : value;
    if (std::isinf(sum) && !std::isinf(value) && !std::isinf(state.value)) {
      return fail(ErrorCode::kOutOfRange, "value out of range: overflow");
    }
    state = {sum, true};
    return {};
  }

  void append(std::size_t group, std::string& out) const override {
    const State& state = states_[group];
    if (!state.any) {
      append_null(out);
      return;
    }
    append_field(out, [&](std::string& to) {
      FloatCodec<Float>::append(state.value, shape_.format, shape_.text, to);
      return 0;
    });
  }

  std::size_t bytes() const noexcept override { return states_.capacity() * sizeof(State); }

 private:
  struct State {
    Float value = 0;
    bool any = false;
  };

  Shape shape_;
  std::vector<State> states_;
};

/// Intervals in binary: time, days and months are summed each for itself, as the server does.
class IntervalSum final : public Accumulator {
 public:
  void add_group() override { states_.push_back({}); }

  Result<> add(std::size_t group, const Field& field) override {
    if (field.is_null()) {
      return {};
    }
    ByteReader reader(field.bytes());
    State value{
        reader.read<std::int64_t>(), reader.read<std::int32_t>(), reader.read<std::int32_t>(), true
    };
    if (!reader.finished()) {
      return fail(ErrorCode::kProtocolViolation, "malformed value of interval from a shard");
    }
    if (value.is_infinite()) {
      return fail(ErrorCode::kUnsupported, "infinite intervals cannot be summed over shards");
    }
    State& state = states_[group];
    if (__builtin_add_overflow(state.time, value.time, &state.time)
        || __builtin_add_overflow(state.days, value.days, &state.days)
        || __builtin_add_overflow(state.months, value.months, &state.months)) {
      return fail(ErrorCode::kOutOfRange, "interval out of range");
    }
    state.any = true;
    return {};
  }

  void append(std::size_t group, std::string& out) const override {
    const State& state = states_[group];
    if (!state.any) {
      append_null(out);
      return;
    }
    append_field(out, [&](std::string& to) {
      append_be(to, state.time);
      append_be(to, state.days);
      append_be(to, state.months);
      return 0;
    });
  }

  std::size_t bytes() const noexcept override { return states_.capacity() * sizeof(State); }

 private:
  struct State {
    std::int64_t time = 0;  // microseconds
    std::int32_t days = 0;
    std::int32_t months = 0;
    bool any = false;

    /// As servers from 17 on keep an infinity: every field at its end.
    [[nodiscard]] bool is_infinite() const {
      using Wide = std::numeric_limits<std::int64_t>;
      using Narrow = std::numeric_limits<std::int32_t>;
      return (time == Wide::max() && days == Narrow::max() && months == Narrow::max())
             || (time == Wide::min() && days == Narrow::min() && months == Narrow::min());
    }
  };

  std::vector<State> states_;
};

/// The least or the greatest value, kept as it came.
class Extreme final : public Accumulator {
 public:
  Extreme(const Comparator& order, bool greatest) : order_(order), greatest_(greatest) {}

  void add_group() override { states_.emplace_back(); }

  Result<> add(std::size_t group, const Field& field) override {
    if (field.is_null()) {
      return {};
    }
    pgtypes::Ordinal value;
    if (!order_.decode(field.bytes(), value)) {
      return fail(order_.undecodable(field.bytes()));
    }
    State& state = states_[group];
    if (state.any) {
      pgtypes::Ordinal held;
      if (!order_.decode(as_bytes(state.bytes), held)) {
        return fail(order_.undecodable(as_bytes(state.bytes)));
      }
      const auto order = order_.compare(value, held);
      if (greatest_ ? order <= 0 : order >= 0) {
        return {};
      }
    }
    heap_bytes_ -= state.bytes.capacity();
    state.bytes.assign(as_text(field.bytes()));
    state.any = true;
    heap_bytes_ += state.bytes.capacity();
    return {};
  }

  void append(std::size_t group, std::string& out) const override {
    const State& state = states_[group];
    if (!state.any) {
      append_null(out);
      return;
    }
    append_field(out, [&](std::string& to) {
      to += state.bytes;
      return 0;
    });
  }

  std::size_t bytes() const noexcept override {
    return states_.capacity() * sizeof(State) + heap_bytes_;
  }

 private:
  struct State {
    std::string bytes{};
    bool any = false;
  };

  Comparator order_;
  bool greatest_;
  std::vector<State> states_;
  std::size_t heap_bytes_ = 0;
};

/// The columns that rows are grouped by: the first row's own bytes.
class GroupKey final : public Accumulator {
 public:
  void add_group() override { states_.emplace_back(); }

  Result<> add(std::size_t group, const Field& field) override {
    State& state = states_[group];
    if (!state.any) {
      state.any = true;
      state.null = field.is_null();
      state.bytes.assign(as_text(field.bytes()));
      heap_bytes_ += state.bytes.capacity();
    }
    return {};
  }

  void append(std::size_t group, std::string& out) const override {
    const State& state = states_[group];
    if (state.null) {
      append_null(out);
      return;
    }
    append_be(out, static_cast<std::int32_t>(state.bytes.size()));
    out += state.bytes;
  }

  std::size_t bytes() const noexcept override {
    return states_.capacity() * sizeof(State) + heap_bytes_;
  }

 private:
  struct State {
    std::string bytes{};
    bool any = false;
    bool null = true;
  };

  std::vector<State> states_;
  std::size_t heap_bytes_ = 0;
};

using Make = std::unique_ptr<Accumulator> (*)(const Shape&);

template <IntegerFold::Fold kFold, bool kFromZero = false>
std::unique_ptr<Accumulator> fold_integers(const Shape& shape) {
  return std::make_unique<IntegerFold>(shape, kFold, kFromZero);
}

template <class State>
std::unique_ptr<Accumulator> make(const Shape& shape) {
  if constexpr (std::is_default_constructible_v<State>) {
    return std::make_unique<State>();
  } else {
    return std::make_unique<State>(shape);
  }
}

struct Row {
  Combine how;
  Oid type;
  Make make;
  bool binary_only = false;  // the text form depends on the session
};

constexpr std::array kRows = {
    Row{Combine::kCount, oid::kInt8, fold_integers<add_checked, true>},
    Row{Combine::kSum, oid::kInt8, fold_integers<add_checked>},
    Row{Combine::kSum, oid::kMoney, fold_integers<add_checked>, true},
    Row{Combine::kSum, oid::kNumeric, make<NumericSum>},
    Row{Combine::kSum, oid::kFloat4, make<FloatSum<float>>},
    Row{Combine::kSum, oid::kFloat8, make<FloatSum<double>>},
    Row{Combine::kSum, oid::kInterval, make<IntervalSum>, true},
    Row{Combine::kBoolAnd, oid::kBool, fold_integers<both>},
    Row{Combine::kBoolOr, oid::kBool, fold_integers<either>},
    Row{Combine::kBitAnd, oid::kInt2, fold_integers<both>},
    Row{Combine::kBitAnd, oid::kInt4, fold_integers<both>},
    Row{Combine::kBitAnd, oid::kInt8, fold_integers<both>},
    Row{Combine::kBitOr, oid::kInt2, fold_integers<either>},
    Row{Combine::kBitOr, oid::kInt4, fold_integers<either>},
    Row{Combine::kBitOr, oid::kInt8, fold_integers<either>},
};

}  // namespace

Result<std::unique_ptr<Accumulator>> make_accumulator(
    Combine how, const ShardColumn& column, const Comparator* comparator, const TextSettings& text
) {
  if (how == Combine::kGroupKey) {
    return std::make_unique<GroupKey>();
  }
  if ((how == Combine::kMin || how == Combine::kMax) && comparator != nullptr) {
    return std::make_unique<Extreme>(*comparator, how == Combine::kMax);
  }
  const auto row = std::ranges::find_if(kRows, [&](const Row& r) {
    return r.how == how && r.type == column.type;
  });
  const bool binary = column.format == pgtypes::kBinaryFormat;
  const bool is_float = column.type == oid::kFloat4 || column.type == oid::kFloat8;
  const bool exact = binary || !is_float || text.extra_float_digits > 0;  // not rounded for display
  const bool known = row != kRows.end() && exact && (binary || !row->binary_only);
  if (!known) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format(
            "partial results of {} in {} format cannot be combined over shards",
            pgtypes::type_name(column.type), binary ? "binary" : "text"
        ),
        "cast the argument to numeric or double precision, or let the rows come from one shard"
    );
  }
  return row->make({column.type, column.format, text});
}

}  // namespace sherd::merge
