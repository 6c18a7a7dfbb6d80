#include <algorithm>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sherd/config/options.hpp>

#include "rows.hpp"
#include "values.hpp"

namespace sherd::config {
namespace {

enum class Show : std::uint8_t { kEverything, kNoSecrets };

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

template <class S>
std::string entry_text(const S& entry);

struct Printer {
  Show show;

  std::string operator()(const std::string& v) const { return quoted(v); }
  std::string operator()(const std::optional<std::string>& v) const { return v ? quoted(*v) : ""; }
  std::string operator()(const Secret& v) const {
    if (v.value.empty()) {
      return "\"\"";
    }
    return show == Show::kEverything ? quoted(v.value) : "***";
  }
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::integral auto v) const { return fmt::format("{}", v); }
  std::string operator()(double v) const { return fmt::format("{}", v); }
  std::string operator()(Milliseconds v) const { return quoted(to_text(v)); }
  std::string operator()(Size v) const { return quoted(to_text(v)); }
  std::string operator()(const std::vector<std::string>& v) const {
    std::vector<std::string> parts;
    std::ranges::transform(v, std::back_inserter(parts), quoted);
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  std::string operator()(const std::map<std::string, std::string>& v) const {
    std::vector<std::string> parts;
    for (const auto& [key, value] : v) {
      parts.push_back(fmt::format("{} = {}", quoted(key), quoted(value)));
    }
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  template <class S>
    requires(std::is_class_v<S>)
  std::string operator()(const std::vector<S>& v) const {
    std::vector<std::string> parts;
    std::ranges::transform(v, std::back_inserter(parts), entry_text<S>);
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
};

template <class S>
std::string value_text(const S& section, const Row<S>& row, Show show) {
  return std::visit(
      Overloaded{
          [&](const ChoiceField<S>& field) { return quoted(row.choices[field.get(section)]); },
          [&](auto member) { return Printer{show}(section.*member); },
      },
      row.field
  );
}

template <class S>
std::string entry_text(const S& entry) {
  std::vector<std::string> parts;
  for (const Row<S>& row : rows<S>()) {
    if (std::string text = value_text(entry, row, Show::kNoSecrets); !text.empty()) {
      parts.push_back(fmt::format("{} = {}", row.name, text));
    }
  }
  return fmt::format("{{{}}}", fmt::join(parts, ", "));
}

/// What an operator may write, in words.
struct TypeText {
  Bounds bounds;

  std::string operator()(const std::string&) const { return "text"; }
  std::string operator()(const std::optional<std::string>&) const { return "text or number"; }
  std::string operator()(const Secret&) const { return "secret"; }
  std::string operator()(bool) const { return "true or false"; }
  std::string operator()(std::integral auto) const {
    return bounds.max == Bounds{}.max ? "integer"
                                      : fmt::format("integer {} to {}", bounds.min, bounds.max);
  }
  std::string operator()(double) const {
    return fmt::format("number above {}, at most {}", bounds.min, bounds.max);
  }
  std::string operator()(Milliseconds) const {
    return bounds.min > 0 ? "duration above 0" : "duration";
  }
  std::string operator()(Size) const {
    const auto bytes = [](std::int64_t n) { return to_text(Size{static_cast<std::uint64_t>(n)}); };
    return bounds.min == 0 ? "size"
                           : fmt::format("size {} to {}", bytes(bounds.min), bytes(bounds.max));
  }
  std::string operator()(const std::vector<std::string>&) const { return "list of texts"; }
  std::string operator()(const std::map<std::string, std::string>&) const {
    return "table of texts";
  }
  template <class S>
    requires(std::is_class_v<S>)
  std::string operator()(const std::vector<S>&) const {
    return "list of tables";
  }
};

template <class S>
std::string type_text(const Row<S>& row) {
  if (!row.choices.empty()) {
    return fmt::format("one of {}", fmt::join(row.choices, ", "));
  }
  return std::visit(
      Overloaded{
          [](const ChoiceField<S>&) { return std::string("choice"); },
          [&](auto member) { return TypeText{row.bounds}(S{}.*member); },
      },
      row.field
  );
}

template <class S>
void add_infos(std::string_view section, std::vector<OptionInfo>& out) {
  for (const Row<S>& row : rows<S>()) {
    const bool required = row.presence == Presence::kRequired;
    out.push_back(
        {.section = std::string(section),
         .name = std::string(row.name),
         .type = type_text(row),
         .default_value = required ? "" : value_text(S{}, row, Show::kEverything),
         .doc = std::string(row.doc),
         .required = required,
         .reloadable = row.reload == Reload::kLive}
    );
  }
}

template <class M>
void add_section_infos(std::string_view section, const M&, std::vector<OptionInfo>& out) {
  if constexpr (!kIsRepeated<M>) {
    add_infos<M>(section, out);
  } else {
    using Entry = M::value_type;
    add_infos<Entry>(section, out);
    if constexpr (std::is_same_v<Entry, Shard>) {
      add_infos<Replica>("shards.replicas", out);
    } else if constexpr (std::is_same_v<Entry, Table>) {
      add_infos<Range>("tables.ranges", out);
    }
  }
}

template <class S>
void describe_rows(const std::string& prefix, const S& section, std::vector<OptionValue>& out) {
  for (const Row<S>& row : rows<S>()) {
    out.push_back(
        {.option = fmt::format("{}.{}", prefix, row.name),
         .value = value_text(section, row, Show::kNoSecrets),
         .reloadable = row.reload == Reload::kLive}
    );
  }
}

template <class S>
const std::string& name_of_entry(const S& entry) {
  return entry.*std::get<std::string S::*>(rows<S>().front().field);
}

template <class S>
void diff_rows(
    const std::string& prefix, const S& before, const S& after, std::vector<Change>& out
) {
  for (const Row<S>& row : rows<S>()) {
    if (value_text(before, row, Show::kEverything) == value_text(after, row, Show::kEverything)) {
      continue;
    }
    out.push_back(
        {.option = fmt::format("{}.{}", prefix, row.name),
         .before = value_text(before, row, Show::kNoSecrets),
         .after = value_text(after, row, Show::kNoSecrets),
         .needs_restart = row.reload == Reload::kRestart}
    );
  }
}

template <class S>
void diff_entries(
    std::string_view section, const std::vector<S>& before, const std::vector<S>& after,
    std::vector<Change>& out
) {
  const bool restart = rows<S>().front().reload == Reload::kRestart;
  const auto label = [&](const S& entry) {
    return fmt::format("{}[{}]", section, name_of_entry(entry));
  };
  for (const S& old : before) {
    const auto now = std::ranges::find(after, name_of_entry(old), name_of_entry<S>);
    if (now == after.end()) {
      out.push_back({label(old), entry_text(old), "", restart});
    } else {
      diff_rows(label(old), old, *now, out);
    }
  }
  for (const S& entry : after) {
    if (std::ranges::find(before, name_of_entry(entry), name_of_entry<S>) == before.end()) {
      out.push_back({label(entry), "", entry_text(entry), restart});
    }
  }
}

template <class M>
const M& member_of(const Config& config, std::string_view section) {
  const M* found = nullptr;
  for_each_section(config, [&](const Section& s, const auto& member) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, M>) {
      found = s.name == section ? &member : found;
    }
  });
  return *found;  // every section has its own type, so it is there
}

}  // namespace

std::vector<OptionInfo> options() {
  const Config defaults;
  std::vector<OptionInfo> infos;
  for_each_section(defaults, [&](const Section& section, const auto& member) {
    add_section_infos(section.name, member, infos);
  });
  return infos;
}

std::string reference_markdown() {
  const Config defaults;
  const std::vector<OptionInfo> infos = options();
  std::string page =
      "# Options of sherd.toml\n\n"
      "Durations are written `\"250ms\"`, `\"5s\"`, `\"10m\"`, `\"2h\"`, `\"1d\"`; sizes "
      "`\"4KiB\"`, `\"64MiB\"`, "
      "`\"1GiB\"`. A secret is the text itself, `\"env:NAME\"` or `\"file:PATH\"`. An unknown name "
      "is an error.\n"
      "Options marked *restart* take effect at the next start, all others at a reload.\n";
  const auto add_rows = [&](std::string_view name) {
    page += "\n| option | type | default | | |\n|---|---|---|---|---|\n";
    for (const OptionInfo& info : infos) {
      if (info.section == name) {
        page += fmt::format(
            "| `{}` | {} | {} | {} | {} |\n", info.name, info.type,
            info.required
                ? "required"
                : (info.default_value.empty() ? "" : fmt::format("`{}`", info.default_value)),
            info.reloadable ? "" : "restart", info.doc
        );
      }
    }
  };
  for_each_section(defaults, [&](const Section& section, const auto& member) {
    constexpr bool kRepeated = kIsRepeated<std::remove_cvref_t<decltype(member)>>;
    page += fmt::format(
        kRepeated ? "\n## `[[{}]]`\n\n{}\n" : "\n## `[{}]`\n\n{}\n", section.name, section.doc
    );
    add_rows(section.name);
    for (const std::string_view child : {"shards.replicas", "tables.ranges"}) {
      if (child.starts_with(section.name)) {
        page += fmt::format("\n### `[[{}]]`\n", child);
        add_rows(child);
      }
    }
  });
  return page;
}

std::vector<OptionValue> describe(const Config& config) {
  std::vector<OptionValue> values;
  for_each_section(config, [&](const Section& section, const auto& member) {
    if constexpr (kIsRepeated<std::remove_cvref_t<decltype(member)>>) {
      for (const auto& entry : member) {
        describe_rows(fmt::format("{}[{}]", section.name, name_of_entry(entry)), entry, values);
      }
    } else {
      describe_rows(std::string(section.name), member, values);
    }
  });
  return values;
}

std::vector<Change> diff(const Config& before, const Config& after) {
  std::vector<Change> changes;
  for_each_section(before, [&](const Section& section, const auto& old) {
    const auto& now = member_of<std::remove_cvref_t<decltype(old)>>(after, section.name);
    if constexpr (kIsRepeated<std::remove_cvref_t<decltype(old)>>) {
      diff_entries(section.name, old, now, changes);
    } else {
      diff_rows(std::string(section.name), old, now, changes);
    }
  });
  return changes;
}

}  // namespace sherd::config
