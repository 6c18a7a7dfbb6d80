#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

#include <sherd/sql/print.hpp>
#include <sherd/sql/statement.hpp>

namespace sherd::sql {

/// Writes facts as indented lines.
class Printer {
 public:
  Printer(const Statement& statement, PrintSpans spans) : statement_(statement), spans_(spans) {}

  [[nodiscard]] std::string run();

  // Called by the visitor over bodies.
  void body(const Select& body);
  void body(const Insert& body);
  void body(const Update& body);
  void body(const Delete& body);
  void body(const Merge& body);
  void body(const Copy& body);
  void body(const Transaction& body);
  void body(const SetVariable& body);
  void body(const Show& body);
  void body(const Prepare& body);
  void body(const Execute& body);
  void body(const Deallocate& body);
  void body(const DeclareCursor& body);
  void body(const CursorUse& body);
  void body(const Notify& body);
  void body(const Explain& body);
  void body(const Truncate& body);
  void body(const Lock& body);
  void body(const Maintenance& body);
  void body(const Ddl& body);
  void body(const Discard& body);
  void body(const Other& body);

 private:
  class Indented;

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    text_.append(indent_ * 2, ' ');
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  void span(std::string_view label, Span span);
  void flag(std::string_view label, bool value);
  void named(std::string_view label, std::string_view value);
  void names(std::string_view label, const std::vector<std::string>& values);
  void options(
      std::string_view isolation, std::optional<bool> read_only, std::optional<bool> deferrable
  );
  void operand(std::string_view label, const Operand& operand);
  void predicate(std::string_view label, const Predicate& predicate);
  void facts(const ExpressionFacts& facts);
  void function(const FunctionCall& call);
  void relation(std::string_view label, const Relation& relation);
  void relations(std::string_view label, const std::vector<Relation>& relations);
  void join(const Block& block, std::uint32_t index);
  void target(const Target& target);
  void group(std::string_view label, const GroupItem& item);
  void sort(const SortItem& item);
  void clauses(const SelectSpans& spans);
  void block(std::uint32_t index);
  void block_tail(const Block& block);
  void ddl_tables(const Ddl& body);
  [[nodiscard]] std::string describe(const Operand& operand) const;

  const Statement& statement_;
  PrintSpans spans_;
  std::string text_{};
  std::size_t indent_ = 0;
};

}  // namespace sherd::sql
