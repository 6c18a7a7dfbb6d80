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

using IsCall = std::function<bool(const sql::FunctionCall&)>;

class CallFinder {
 public:
  explicit CallFinder(const IsCall& is_one) : is_one_(is_one) {}

  [[nodiscard]] bool in(const sql::ExpressionFacts& facts) const {
    return std::ranges::any_of(facts.functions, is_one_);
  }
  [[nodiscard]] bool in(const std::vector<sql::ExpressionFacts>& all) const {
    return std::ranges::any_of(all, [&](const auto& facts) { return in(facts); });
  }
  /// Of anything that has `facts`: targets, relations, items of ORDER BY and GROUP BY.
  template <class T>
  [[nodiscard]] bool in_each(const std::vector<T>& items) const {
    return std::ranges::any_of(items, [&](const T& item) { return in(item.facts); });
  }
  [[nodiscard]] bool in(const sql::Block& block) const {
    return in(block.where_facts) || in(block.having_facts) || in(block.limit_facts)
           || in(block.values_facts) || in(block.window_facts) || in_each(block.targets)
           || in_each(block.relations) || in_each(block.order_by) || in_each(block.group_by)
           || in_each(block.distinct_on)
           || std::ranges::any_of(block.join_nodes, [&](const sql::JoinNode& node) {
                return in(node.on_facts);
              });
  }
  [[nodiscard]] bool in(const sql::Body& body) const {
    if (const auto* insert = std::get_if<sql::Insert>(&body)) {
      return in(insert->row_facts) || in(insert->conflict_facts) || in_each(insert->returning);
    }
    const auto* update = std::get_if<sql::Update>(&body);
    return update != nullptr && in(update->set_facts);
  }

 private:
  const IsCall& is_one_;
};

}  // namespace

bool calls(const sql::Statement& facts, const IsCall& is_one) {
  const CallFinder finder(is_one);
  return finder.in(facts.body) || std::ranges::any_of(facts.blocks, [&](const sql::Block& block) {
           return finder.in(block);
         });
}

bool mentions(const sql::Statement& facts, const IsOne& is_one) {
  return in_body(facts.body, is_one)
         || std::ranges::any_of(facts.blocks, [&](const sql::Block& block) {
              return std::ranges::any_of(block.relations, is_one);
            });
}

}  // namespace sherd::engine
