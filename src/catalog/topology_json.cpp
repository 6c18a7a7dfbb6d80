#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sherd/catalog/topology_json.hpp>
#include <sherd/pgtypes/key.hpp>

namespace sherd::catalog {
namespace {

using nlohmann::json;
using pgtypes::KeyType;
using strategy::HashFunction;
using strategy::RangeSpec;
using strategy::StrategyKind;
using strategy::StrategySpec;

constexpr int kMaxFallbackDepth = 4;

constexpr std::array kKeyTypes = {KeyType::kInt2,   KeyType::kInt4,      KeyType::kInt8,
                                  KeyType::kText,   KeyType::kVarchar,   KeyType::kUuid,
                                  KeyType::kDate,   KeyType::kTimestamp, KeyType::kTimestamptz,
                                  KeyType::kNumeric};
constexpr std::array<std::string_view, 2> kHashNames = {"md5", "sha256"};
constexpr std::array<std::string_view, 3> kTableKinds = {"distributed", "reference", "local"};

json range_json(const RangeSpec& range) {
  json value{{"shard", range.shard}};
  if (range.low) {
    value["low"] = *range.low;
  }
  if (range.high) {
    value["high"] = *range.high;
  }
  return value;
}

json spec_json(const StrategySpec& spec) {
  json value{{"kind", name_of(spec.kind)}, {"key_type", pgtypes::name_of(spec.key_type)}};
  switch (spec.kind) {
    case StrategyKind::kConsistentHash:
      value["virtual_nodes_per_shard"] = spec.virtual_nodes_per_shard;
      [[fallthrough]];
    case StrategyKind::kHash:
      value["hash"] = kHashNames[static_cast<std::size_t>(spec.hash)];
      break;
    case StrategyKind::kRange:
      value["ranges"] = json::array();
      for (const RangeSpec& range : spec.ranges) {
        value["ranges"].push_back(range_json(range));
      }
      value["allow_gaps"] = spec.allow_gaps;
      break;
    case StrategyKind::kGeographic:
      value["region_mapping"] = spec.region_mapping;
      if (spec.default_region) {
        value["default_region"] = *spec.default_region;
      }
      break;
    case StrategyKind::kSlot:
      value["slots"] = spec.slots;
      break;
    case StrategyKind::kDirectory:
      value["pins"] = spec.pins;
      if (spec.fallback) {
        value["fallback"] = spec_json(*spec.fallback);
      }
      break;
  }
  return value;
}

/// Reads fields out of one JSON object; remembers the first thing that is wrong.
class Fields {
 public:
  explicit Fields(const json& object) : object_(object) {}

  void read(std::string_view name, std::string& into) {
    take(name, [&](const json& v) { return v.is_string() && (v.get_to(into), true); });
  }
  void read(std::string_view name, std::optional<std::string>& into) {
    take(name, [&](const json& v) { return v.is_string() && (into = v.get<std::string>(), true); });
  }
  void read(std::string_view name, bool& into) {
    take(name, [&](const json& v) { return v.is_boolean() && (v.get_to(into), true); });
  }
  void read(std::string_view name, std::uint32_t& into) {
    take(name, [&](const json& v) {
      const bool fits = v.is_number_unsigned() && v.get<std::uint64_t>() <= UINT32_MAX;
      return fits && (v.get_to(into), true);
    });
  }
  void read(std::string_view name, std::map<std::string, std::string>& into) {
    take(name, [&](const json& v) {
      if (!v.is_object()) {
        return false;
      }
      for (const auto& [key, text] : v.items()) {
        if (!text.is_string()) {
          return false;
        }
        into[key] = text.get<std::string>();
      }
      return true;
    });
  }
  /// Hands the field's value to `accept`, which says whether it is right.
  template <class Accept>
  void take(std::string_view name, Accept&& accept) {
    const auto found = object_.find(name);
    if (found == object_.end()) {
      return;
    }
    ++known_;
    if (!accept(*found) && wrong_.empty()) {
      wrong_ = name;
    }
  }
  [[nodiscard]] Result<> finish() const {
    if (!wrong_.empty()) {
      return fail(ErrorCode::kInvalidText, fmt::format("strategy: field \"{}\" is wrong", wrong_));
    }
    if (known_ != object_.size()) {
      return fail(
          ErrorCode::kInvalidText, "strategy: unknown field", "was it written by a newer sherd?"
      );
    }
    return {};
  }

 private:
  const json& object_;
  std::size_t known_ = 0;
  std::string wrong_{};
};

bool read_ranges(const json& array, std::vector<RangeSpec>& into) {
  if (!array.is_array()) {
    return false;
  }
  for (const json& element : array) {
    if (!element.is_object() || !element.contains("shard")) {
      return false;
    }
    Fields fields(element);
    RangeSpec& range = into.emplace_back();
    fields.read("shard", range.shard);
    fields.read("low", range.low);
    fields.read("high", range.high);
    if (!fields.finish()) {
      return false;
    }
  }
  return true;
}

template <class E, std::size_t N>
bool read_name(const json& value, const std::array<std::string_view, N>& names, E& into) {
  for (std::size_t i = 0; i < N; ++i) {
    if (value == names[i]) {
      into = static_cast<E>(i);
      return true;
    }
  }
  return false;
}

bool read_key_type(const json& value, KeyType& into) {
  for (const KeyType type : kKeyTypes) {
    if (value == pgtypes::name_of(type)) {
      into = type;
      return true;
    }
  }
  return false;
}

Result<StrategySpec> spec_from(const json& object, int depth) {
  if (!object.is_object() || !object.contains("kind") || !object.contains("key_type")) {
    return fail(ErrorCode::kInvalidText, "strategy: no object with kind and key_type");
  }
  StrategySpec spec;
  Fields fields(object);
  fields.take("kind", [&](const json& v) {
    const auto kind = v.is_string() ? strategy::kind_named(v.get<std::string>()) : std::nullopt;
    spec.kind = kind.value_or(spec.kind);
    return kind.has_value();
  });
  fields.take("key_type", [&](const json& v) { return read_key_type(v, spec.key_type); });
  fields.take("hash", [&](const json& v) { return read_name(v, kHashNames, spec.hash); });
  fields.read("virtual_nodes_per_shard", spec.virtual_nodes_per_shard);
  fields.read("slots", spec.slots);
  fields.take("ranges", [&](const json& v) { return read_ranges(v, spec.ranges); });
  fields.read("allow_gaps", spec.allow_gaps);
  fields.read("region_mapping", spec.region_mapping);
  fields.read("default_region", spec.default_region);
  fields.read("pins", spec.pins);
  fields.take("fallback", [&](const json& v) {
    auto inner = depth < kMaxFallbackDepth ? spec_from(v, depth + 1)
                                           : fail(ErrorCode::kInvalidText, "nested too deeply");
    if (inner) {
      spec.fallback = std::make_shared<const StrategySpec>(*std::move(inner));
    }
    return inner.has_value();
  });
  SHERD_TRY_VOID(fields.finish());
  return spec;
}

json shard_json(const topology::Shard& shard) {
  return {
      {"id", index_of(shard.id)},   {"name", shard.name},     {"weight", shard.weight},
      {"region", shard.region},     {"active", shard.active}, {"read_only", shard.read_only},
      {"priority", shard.priority}, {"tags", shard.tags},
  };
}

json table_json(const topology::Table& table) {
  json value{
      {"schema", table.schema},
      {"name", table.name},
      {"kind", kTableKinds[static_cast<std::size_t>(table.kind)]},
  };
  if (table.kind == topology::TableKind::kDistributed) {
    value["group"] = index_of(table.group);
    value["key"] = table.key_column;
  }
  return value;
}

}  // namespace

Result<std::string> spec_to_json(const StrategySpec& spec) {
  try {
    return spec_json(spec).dump();
  } catch (const json::exception& error) {  // the library's only way to say "not UTF-8"
    return fail(ErrorCode::kInvalidText, fmt::format("strategy: {}", error.what()));
  }
}

Result<StrategySpec> spec_from_json(std::string_view text) {
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  return spec_from(object, 0);
}

std::string topology_to_json(const topology::Snapshot& snapshot) {
  json value{
      {"epoch", number_of(snapshot.epoch)},
      {"cluster_id", snapshot.cluster_id},
      {"home", index_of(snapshot.home)},
      {"shards", json::array()},
      {"groups", json::array()},
      {"tables", json::array()},
  };
  for (const topology::Shard& shard : snapshot.shards) {
    value["shards"].push_back(shard_json(shard));
  }
  for (const topology::Group& group : snapshot.groups) {
    value["groups"].push_back(
        {{"id", index_of(group.id)},
         {"name", group.name},
         {"strategy", spec_json(group.spec)},
         {"layout", group.placement ? group.placement->layout() : ""}}
    );
  }
  for (const topology::Table& table : snapshot.tables) {
    value["tables"].push_back(table_json(table));
  }
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace sherd::catalog
