#include <algorithm>
#include <cmath>
#include <type_traits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sherd/config/parse.hpp>

// toml++ 3.3 asserts on some malformed texts ("[!"). With NDEBUG it would assume them away, so this
// file has its assertions thrown, and caught with its parse_error in parse_toml.
namespace sherd::config {
struct TomlAssertionFailed {};
}  // namespace sherd::config
#undef NDEBUG
#define TOML_ASSERT(condition) \
  ((condition) ? void(0) : throw ::sherd::config::TomlAssertionFailed{})
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <sherd/base/text.hpp>

#include "diagnostics.hpp"
#include "rows.hpp"
#include "validate.hpp"
#include "values.hpp"

namespace sherd::config {
namespace {

constexpr std::size_t kMaxFileBytes = 16U << 20;
constexpr std::size_t kMaxEntries = 10'000;  // of one repeated section

Place place_in(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

/// What is wrong with one value, and what to write instead.
struct Problem {
  std::string reason;
  std::string mend;
};
using Verdict = std::optional<Problem>;

struct Context {
  const SecretSource& secrets;
  Diagnostics& out;
};

template <class S>
void read_table(const toml::table& table, const std::string& path, S& into, Context& context);

/// Reads one value into one member: an overload per type of option.
struct Reader {
  const toml::node& node;
  const std::string& path;
  Bounds bounds;
  std::span<const std::string_view> choices;
  Context& context;

  [[nodiscard]] Verdict operator()(std::string& into) const {
    const auto text = node.value_exact<std::string>();
    if (!text) {
      return Problem{"expected a text", "write it in double quotes"};
    }
    into = *text;
    return choices.empty() ? std::nullopt : not_a_choice(choice_of(into));
  }
  [[nodiscard]] Verdict operator()(std::optional<std::string>& into) const {
    if (const auto text = node.value_exact<std::string>()) {
      into = *text;
    } else if (const auto number = node.value_exact<std::int64_t>()) {
      into = fmt::format("{}", *number);
    } else {
      return Problem{"expected a text or an integer", "write other values in double quotes"};
    }
    return std::nullopt;
  }
  [[nodiscard]] Verdict operator()(Secret& into) const;
  [[nodiscard]] Verdict operator()(bool& into) const {
    const auto value = node.value_exact<bool>();
    into = value.value_or(into);
    return value ? std::nullopt
                 : Verdict(Problem{"expected true or false", "write it without quotes"});
  }
  template <std::integral T>
  [[nodiscard]] Verdict operator()(T& into) const {
    const auto value = node.value_exact<std::int64_t>();
    const auto most = std::min<std::int64_t>(
        bounds.max, static_cast<std::int64_t>(std::min<std::uint64_t>(
                        std::numeric_limits<T>::max(), std::numeric_limits<std::int64_t>::max()
                    ))
    );
    if (!value) {
      return Problem{
          "expected an integer", fmt::format("write a number from {} to {}", bounds.min, most)
      };
    }
    if (*value < bounds.min || *value > most) {
      return Problem{
          fmt::format("{} is out of range", *value),
          fmt::format("write a number from {} to {}", bounds.min, most)
      };
    }
    into = static_cast<T>(*value);
    return std::nullopt;
  }
  [[nodiscard]] Verdict operator()(double& into) const {
    const auto value = node.is_number() ? node.value<double>() : std::nullopt;
    if (!value || !std::isfinite(*value) || *value <= static_cast<double>(bounds.min)
        || *value > static_cast<double>(bounds.max)) {
      return Problem{
          "expected a number in range",
          fmt::format("write a number above {}, at most {}", bounds.min, bounds.max)
      };
    }
    into = *value;
    return std::nullopt;
  }
  [[nodiscard]] Verdict operator()(Milliseconds& into) const {
    const auto value = duration_from_text(text_or_zero());
    if (!value) {
      return Problem{"expected a duration", "write one such as \"250ms\", \"5s\", \"10m\""};
    }
    into = *value;
    return value->count() < bounds.min
               ? Verdict(Problem{"the duration may not be 0", "write one such as \"5s\""})
               : std::nullopt;
  }
  [[nodiscard]] Verdict operator()(Size& into) const {
    const auto value = size_from_text(text_or_zero());
    if (!value) {
      return Problem{"expected a size", "write one such as \"4KiB\", \"64MiB\", \"1GiB\""};
    }
    into = *value;
    const auto bytes = static_cast<std::int64_t>(value->bytes);
    if (bytes < bounds.min || bytes > bounds.max) {
      const auto show = [](std::int64_t n) { return to_text(Size{static_cast<std::uint64_t>(n)}); };
      return Problem{
          fmt::format("{} is out of range", to_text(*value)),
          fmt::format("write a size from {} to {}", show(bounds.min), show(bounds.max))
      };
    }
    return std::nullopt;
  }
  [[nodiscard]] Verdict operator()(std::vector<std::string>& into) const;
  [[nodiscard]] Verdict operator()(std::map<std::string, std::string>& into) const;
  template <class S>
    requires(std::is_class_v<S>)
  [[nodiscard]] Verdict operator()(std::vector<S>& into) const;

  /// The number of the choice that `text` names.
  [[nodiscard]] std::optional<std::size_t> choice_of(std::string_view text) const {
    const auto found = std::ranges::find(choices, text);
    return found == choices.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(found - choices.begin()));
  }
  [[nodiscard]] Verdict not_a_choice(std::optional<std::size_t> choice) const {
    if (choice) {
      return std::nullopt;
    }
    const std::string text = node.value_or(std::string{});
    const std::vector<std::string> known(choices.begin(), choices.end());
    const auto near = nearest(text, known);
    return Problem{
        fmt::format("{} is none of {}", quoted(text), fmt::join(choices, ", ")),
        near ? fmt::format("did you mean \"{}\"?", *near)
             : fmt::format("write \"{}\"", choices.front())
    };
  }

 private:
  [[nodiscard]] std::string text_or_zero() const {
    return node.value_exact<std::int64_t>() == 0 ? "0"
                                                 : node.value_exact<std::string>().value_or("");
  }
};

Verdict Reader::operator()(Secret& into) const {
  const auto text = node.value_exact<std::string>();
  if (!text) {
    return Problem{
        "expected a secret", "write \"env:NAME\", \"file:PATH\", or the text itself in quotes"
    };
  }
  const bool from_environment = text->starts_with("env:");
  if (!from_environment && !text->starts_with("file:")) {
    into.value = *text;
    return std::nullopt;
  }
  const std::string name = text->substr(text->find(':') + 1);
  auto secret = from_environment ? context.secrets.environment(name) : context.secrets.file(name);
  if (!secret) {
    return Problem{
        fmt::format("{}: {}", quoted(*text), secret.error().message),
        from_environment ? "set that variable before the start"
                         : "make that file, readable by sherd alone"
    };
  }
  if (secret->empty()) {
    return Problem{fmt::format("{} is empty", quoted(*text)), "put the secret there"};
  }
  into.value = *std::move(secret);
  return std::nullopt;
}

Verdict Reader::operator()(std::vector<std::string>& into) const {
  const toml::array* array = node.as_array();
  const Problem problem{"expected a list of texts", "write [\"one\", \"two\"]"};
  if (array == nullptr) {
    return problem;
  }
  into.clear();
  for (const toml::node& element : *array) {
    const auto text = element.value_exact<std::string>();
    if (!text) {
      return problem;
    }
    into.push_back(*text);
  }
  return std::nullopt;
}

Verdict Reader::operator()(std::map<std::string, std::string>& into) const {
  const toml::table* table = node.as_table();
  const Problem problem{"expected a table of texts", "write { key = \"value\" }"};
  if (table == nullptr) {
    return problem;
  }
  into.clear();
  for (const auto& [key, element] : *table) {
    const auto text = element.value_exact<std::string>();
    if (!text) {
      return problem;
    }
    into.emplace(key.str(), *text);
  }
  return std::nullopt;
}

template <class S>
  requires(std::is_class_v<S>)
Verdict Reader::operator()(std::vector<S>& into) const {
  const toml::array* array = node.as_array();
  if (array == nullptr || array->size() > kMaxEntries) {
    return Problem{
        fmt::format("expected a list of tables, at most {}", kMaxEntries),
        fmt::format("write [[{}]]", path)
    };
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    const toml::table* table = array->get(i)->as_table();
    if (table == nullptr) {
      return Problem{"expected a list of tables", fmt::format("write [[{}]]", path)};
    }
    read_table(*table, fmt::format("{}[{}]", path, i), into.emplace_back(), context);
  }
  return std::nullopt;
}

template <class S>
Verdict read_field(const Reader& reader, const Row<S>& row, S& into) {
  return std::visit(
      [&]<class F>(const F& field) -> Verdict {
        if constexpr (std::is_same_v<F, ChoiceField<S>>) {
          const auto choice = reader.choice_of(reader.node.value_exact<std::string>().value_or(""));
          if (choice) {
            field.set(into, *choice);
          }
          return reader.not_a_choice(choice);
        } else {
          return reader(into.*field);
        }
      },
      row.field
  );
}

template <class S>
void read_option(
    const toml::key& key, const toml::node& node, const std::string& path, S& into, Context& context
) {
  const auto known = rows<S>();
  const auto row = std::ranges::find(known, key.str(), &Row<S>::name);
  if (row == known.end()) {
    std::vector<std::string> names;
    std::ranges::transform(known, std::back_inserter(names), [](const auto& r) {
      return std::string(r.name);
    });
    const auto near = nearest(key.str(), names);
    context.out.add(
        place_in(key.source()), fmt::format("unknown option {} in {}", quoted(key.str()), path),
        near ? fmt::format("did you mean \"{}\"?", *near)
             : fmt::format("known: {}", fmt::join(names, ", "))
    );
    return;
  }
  const std::string option = fmt::format("{}.{}", path, row->name);
  context.out.remember(option, place_in(node.source()));
  if (auto problem =
          read_field(Reader{node, option, row->bounds, row->choices, context}, *row, into)) {
    context.out.add_at(
        option, fmt::format("{}: {}", option, problem->reason), std::move(problem->mend)
    );
  } else if (const auto* text = std::get_if<std::string S::*>(&row->field);
             text != nullptr && row->presence == Presence::kRequired && (into.**text).empty()) {
    context.out.add_at(option, fmt::format("{} is empty", option), std::string(row->doc));
  }
}

template <class S>
void read_table(const toml::table& table, const std::string& path, S& into, Context& context) {
  context.out.remember(path, place_in(table.source()));
  for (const auto& [key, node] : table) {
    read_option(key, node, path, into, context);
  }
  for (const Row<S>& row : rows<S>()) {
    if (row.presence == Presence::kRequired && !table.contains(row.name)) {
      context.out.add_at(
          path, fmt::format("{} has no {}", path, row.name),
          fmt::format("set {}: {}", row.name, row.doc)
      );
    }
  }
}

template <class M>
void read_section(const toml::node& node, const std::string& name, M& member, Context& context) {
  context.out.remember(name, place_in(node.source()));
  if constexpr (kIsRepeated<M>) {
    if (const auto problem = Reader{node, name, {}, {}, context}(member)) {
      context.out.add_at(name, fmt::format("{}: {}", name, problem->reason), problem->mend);
    }
  } else if (const toml::table* table = node.as_table()) {
    read_table(*table, name, member, context);
  } else {
    context.out.add_at(
        name, fmt::format("{} is no section", name), fmt::format("write [{}]", name)
    );
  }
}

void read_file(const toml::table& root, Config& config, Context& context) {
  std::vector<std::string> names;
  for_each_section(config, [&](const Section& section, auto& member) {
    names.emplace_back(section.name);
    if (const toml::node* node = root.get(section.name)) {
      read_section(*node, names.back(), member, context);
    }
  });
  for (const auto& [key, node] : root) {
    if (std::ranges::find(names, key.str()) != names.end()) {
      continue;
    }
    const auto near = nearest(key.str(), names);
    context.out.add(
        place_in(key.source()), fmt::format("unknown section {}", quoted(key.str())),
        near ? fmt::format("did you mean \"{}\"?", *near)
             : fmt::format("known: {}", fmt::join(names, ", "))
    );
  }
}

struct TomlProblem {
  Place place;  // line 0: see line_of_problem
  std::string reason;
};

/// The only place that lets the TOML library throw.
std::expected<toml::table, TomlProblem> parse_toml(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return std::unexpected(TomlProblem{place_in(error.source()), std::string(error.description())});
  } catch (const TomlAssertionFailed&) {
    return std::unexpected(TomlProblem{{}, "this is not TOML"});
  }
}

/// The first line after which the text already has a problem without a place. The parser reads
/// forwards, so the prefixes without it and those with it can be told apart by bisection.
Place line_of_problem(std::string_view text) {
  std::vector<std::size_t> ends;
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    ends.push_back(at + 1);
  }
  ends.push_back(text.size());
  const auto bad = std::ranges::partition_point(ends, [&](std::size_t end) {
    const auto result = parse_toml(text.substr(0, end));
    return result || result.error().place.line != 0;
  });
  return {static_cast<std::uint32_t>(bad - ends.begin()) + 1, 1};
}

}  // namespace

std::expected<Config, std::vector<Error>> parse(
    std::string_view text, std::string_view file_name, const SecretSource& secrets
) {
  Diagnostics diagnostics(file_name);
  Config config;
  if (text.size() > kMaxFileBytes) {
    diagnostics.add({}, "the file is larger than 16 MiB", "is it a configuration file?");
    return std::unexpected(diagnostics.take());
  }
  const auto root = parse_toml(text);
  if (!root) {
    const Place place = root.error().place.line != 0 ? root.error().place : line_of_problem(text);
    diagnostics.add(place, root.error().reason, "mend the TOML syntax there");
    return std::unexpected(diagnostics.take());
  }
  Context context{secrets, diagnostics};
  read_file(*root, config, context);
  validate(config, diagnostics);
  if (!diagnostics.clean()) {
    return std::unexpected(diagnostics.take());
  }
  return config;
}

}  // namespace sherd::config
