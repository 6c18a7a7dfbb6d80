#include <map>

#include <sherd/base/text.hpp>
#include <sherd/engine/hidden_tables.hpp>
#include <sherd/engine/mentions.hpp>

namespace sherd::engine {
namespace {

using Words = std::set<std::string, std::less<>>;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '$'
         || (static_cast<unsigned char>(c) & 0x80) != 0;
}

Words words_of(std::string_view source) {
  Words words;
  std::string word;
  for (const char c : to_lower(source)) {
    if (is_word(c)) {
      word += c;
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  if (!word.empty()) {
    words.insert(std::move(word));
  }
  return words;
}

bool meets(const Words& words, const Words& known) {
  for (const std::string& word : words) {
    if (known.contains(word)) {
      return true;
    }
  }
  return false;
}

}  // namespace

HiddenTables::HiddenTables(const topology::Snapshot& snapshot) {
  if (snapshot.shards.size() < 2 || snapshot.tables.empty()) {
    return;
  }
  for (const topology::Table& table : snapshot.tables) {
    names_.insert(to_lower(table.name));
  }
  std::map<std::string, Words> views;
  std::map<std::string, Words> sources;
  for (const topology::RelationInfo& relation : snapshot.schema->parts().relations) {
    if (!relation.view_definition.empty()) {
      views.emplace(to_lower(relation.name), words_of(relation.view_definition));
    }
  }
  for (const auto& [name, function] : snapshot.schema->parts().functions) {
    if (!function.source.empty()) {
      sources.emplace(name, words_of(function.source));
    }
  }
  bool has_grown = true;
  while (has_grown) {  // at most once per view and function
    has_grown = false;
    for (const auto& [name, words] : views) {
      has_grown = ((meets(words, names_) || meets(words, functions_)) && names_.insert(name).second)
                  || has_grown;
    }
    for (const auto& [name, words] : sources) {
      has_grown =
          ((meets(words, names_) || meets(words, functions_)) && functions_.insert(name).second)
          || has_grown;
    }
  }
}

bool HiddenTables::reached_by(const sql::Statement& facts, std::string_view text) const {
  if (names_.empty()) {
    return false;
  }
  if (std::holds_alternative<sql::Other>(facts.body)) {
    const Words words = words_of(text);
    return meets(words, names_) || meets(words, functions_);
  }
  return !functions_.empty() && calls(facts, [&](const sql::FunctionCall& call) {
    return functions_.contains(to_lower(call.name));
  });
}

}  // namespace sherd::engine
