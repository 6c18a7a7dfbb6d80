#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <sherd/merge/merger.hpp>
#include <sherd/pgtypes/numeric.hpp>
#include <sherd/pgtypes/oid.hpp>

// Plain values with an order of their own, their wire form, and a way to push them through a
// merger.

namespace sherd::merge::model {

using Random = std::mt19937_64;

inline std::uint64_t below(Random& random, std::uint64_t bound) {
  return random() % bound;
}

inline constexpr std::int64_t kNan = std::numeric_limits<std::int64_t>::max();

/// A value as the test knows it: `number` or `text` decides order and equality; `spelling` picks
/// one of several wire forms of one value (1.5 and 1.50; 0 and -0).
struct Cell {
  bool null = false;
  std::int64_t number = 0;  // int8; numeric: thousandths; float8: quarters, kNan
  std::string text{};
  unsigned spelling = 0;

  [[nodiscard]] int compare(const Cell& other) const {
    if (number != other.number) {
      return number < other.number ? -1 : 1;
    }
    const int order = text.compare(other.text);
    return order < 0 ? -1 : (order > 0 ? 1 : 0);
  }
  [[nodiscard]] bool same(const Cell& other) const {
    return null == other.null && (null || compare(other) == 0);
  }
};

using ModelRow = std::vector<Cell>;

struct Column {
  Oid type;
  std::int16_t format;
};

inline Cell random_cell(Random& random, Oid type, unsigned spread) {
  Cell cell;
  cell.null = below(random, 8) == 0;
  cell.spelling = static_cast<unsigned>(below(random, 3));
  if (type == oid::kText) {
    for (auto n = below(random, 12); n > 0; --n) {
      cell.text += static_cast<char>("ab\xC3\xBF zZ"[below(random, 7)]);
    }
    return cell;
  }
  cell.number =
      static_cast<std::int64_t>(below(random, spread)) - static_cast<std::int64_t>(spread / 2);
  if (type == oid::kFloat8 && below(random, 20) == 0) {
    cell.number = kNan;
  }
  return cell;
}

inline std::string numeric_text(std::int64_t thousandths, unsigned more_zeros) {
  const std::int64_t magnitude = std::abs(thousandths);
  return fmt::format(
      "{}{}.{:03}{}", thousandths < 0 ? "-" : "", magnitude / 1000, magnitude % 1000,
      std::string(more_zeros, '0')
  );
}

inline std::string encode_cell(const Cell& cell, const Column& column) {
  std::string out;
  const bool text = column.format == pgtypes::kTextFormat;
  if (column.type == oid::kText) {
    return cell.text;
  }
  if (column.type == oid::kInt8) {
    if (text) {
      return std::to_string(cell.number);
    }
    append_be(out, cell.number);
  } else if (column.type == oid::kNumeric) {
    const auto number = *pgtypes::Numeric::from_text(numeric_text(cell.number, cell.spelling));
    text ? number.append_text(out) : number.append_binary(out);
  } else {
    double value = cell.number == kNan ? std::nan("") : static_cast<double>(cell.number) / 4;
    value = value == 0 && cell.spelling == 1 ? -0.0 : value;
    if (text) {
      pgtypes::append_float8_text(value, {}, out);
    } else {
      append_be(out, std::bit_cast<std::uint64_t>(value));
    }
  }
  return out;
}

inline std::string encode(const ModelRow& row, const std::vector<Column>& columns) {
  std::string body;
  append_be(body, static_cast<std::uint16_t>(row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i].null) {
      append_be(body, std::int32_t{-1});
      continue;
    }
    const std::string value = encode_cell(row[i], columns[i]);
    append_be(body, static_cast<std::int32_t>(value.size()));
    body += value;
  }
  return body;
}

inline std::vector<ShardColumn> shard_columns(const std::vector<Column>& columns) {
  std::vector<ShardColumn> out;
  for (const Column& column : columns) {
    out.push_back(
        {.name = fmt::format("c{}", out.size()), .type = column.type, .format = column.format}
    );
  }
  return out;
}

/// Compares two rows by the recipe's keys on shard columns.
inline int compare_rows(const ModelRow& a, const ModelRow& b, const std::vector<SortKey>& order) {
  for (const SortKey& key : order) {
    const Cell& x = a[key.output];
    const Cell& y = b[key.output];
    if (x.null || y.null) {
      if (x.null != y.null) {
        return x.null == key.nulls_first ? -1 : 1;
      }
      continue;
    }
    if (const int c = x.compare(y); c != 0) {
      return key.descending ? -c : c;
    }
  }
  return 0;
}

/// Keeps equal items in their order. (std::stable_sort of libstdc++ 12 does not compile without a
/// warning.)
template <class T, class Before>
void sort_stably(std::vector<T>& items, Before before) {
  std::vector<std::pair<std::size_t, T>> numbered;
  for (T& item : items) {
    numbered.emplace_back(numbered.size(), std::move(item));
  }
  std::ranges::sort(numbered, [&](const auto& a, const auto& b) {
    return before(a.second, b.second) || (!before(b.second, a.second) && a.first < b.first);
  });
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i] = std::move(numbered[i].second);
  }
}

/// The bodies of the DataRow messages in `messages`.
inline std::vector<std::string> split_messages(std::string_view messages) {
  std::vector<std::string> bodies;
  while (!messages.empty()) {
    const auto length = load_be<std::uint32_t>(as_bytes(messages).data() + 1);
    if (messages.front() != 'D' || messages.size() < length + 1) {
      return {"malformed"};
    }
    bodies.emplace_back(messages.substr(5, length - 4));
    messages.remove_prefix(length + 1);
  }
  return bodies;
}

/// The fields of a body; a NULL is "<null>".
inline std::vector<std::string> fields_of(std::string_view body) {
  ByteReader reader(as_bytes(body));
  std::vector<std::string> fields(reader.read<std::uint16_t>());
  for (std::string& field : fields) {
    const auto size = reader.read<std::int32_t>();
    field = size < 0 ? "<null>"
                     : std::string(as_text(reader.read_bytes(static_cast<std::size_t>(size))));
  }
  return fields;
}

/// Pushes the shards' bodies in a random interleaving, draining in between; heeds wants(). Returns
/// the bodies that come out.
inline Result<std::vector<std::string>> run(
    Merger& merger, const std::vector<std::vector<std::string>>& shards, Random& random
) {
  std::vector<std::size_t> next(shards.size());
  std::vector<bool> finished(shards.size());
  std::string out;
  for (std::size_t idle = 0; !merger.done() && idle < 10'000; ++idle) {
    const auto shard = static_cast<std::size_t>(below(random, shards.size()));
    for (auto burst = below(random, 6); burst > 0 && merger.wants(shard); --burst) {
      if (next[shard] < shards[shard].size()) {
        SHERD_TRY_VOID(merger.push(shard, as_bytes(shards[shard][next[shard]++])));
        idle = 0;
      }
    }
    if (next[shard] == shards[shard].size() && !finished[shard] && below(random, 2) == 0) {
      finished[shard] = true;
      SHERD_TRY_VOID(merger.finish(shard));
    }
    if (below(random, 3) == 0) {
      std::string piece;
      SHERD_TRY_VOID(merger.drain(piece, 1 + below(random, 300)));
      out += piece;
    }
  }
  if (!merger.done()) {
    return fail(ErrorCode::kInternal, "the merger never gets done");
  }
  return split_messages(out);
}

}  // namespace sherd::merge::model
