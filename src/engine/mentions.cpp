#include <algorithm>
#include <variant>

#include <sherd/engine/mentions.hpp>

namespace sherd::engine {
namespace {

using IsOne = std::function<bool(const sql::Relation&)>;

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

bool in_body(const sql::Body& body, const IsOne& is_one) {
  const auto any = [&](const std::vector<sql::Relation>& relations) {
    return std::ranges::any_of(relations, is_one);
  };
  return std::visit(
      Overloaded{
          [&](const sql::Insert& insert) { return is_one(insert.target); },
          [&](const sql::Update& update) { return is_one(update.target); },
          [&](const sql::Delete& erase) { return is_one(erase.target); },
          [&](const sql::Merge& merge) { return is_one(merge.target); },
          [&](const sql::Copy& copy) { return !copy.is_query && is_one(copy.target); },
          [&](const sql::Truncate& truncate) { return any(truncate.targets); },
          [&](const sql::Lock& lock) { return any(lock.targets); },
          [&](const sql::Maintenance& maintenance) { return any(maintenance.targets); },
          [&](const sql::Ddl& ddl) { return any(ddl.relations) || any(ddl.foreign_targets); },
          [](const auto&) { return false; }
      },
      body
  );
}

}  // namespace

bool mentions(const sql::Statement& facts, const IsOne& is_one) {
  return in_body(facts.body, is_one)
         || std::ranges::any_of(facts.blocks, [&](const sql::Block& block) {
              return std::ranges::any_of(block.relations, is_one);
            });
}

}  // namespace sherd::engine
