#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace sherd::sql {

/// Random statements that PostgreSQL's grammar accepts, for property tests. The same seed gives the
/// same texts.
class SqlGenerator {
 public:
  explicit SqlGenerator(std::uint64_t seed) : random_(seed) {}

  [[nodiscard]] std::string statement() {
    switch (below(8)) {
      case 0:
        return insert();
      case 1:
        return update();
      case 2:
        return remove();
      default:
        return (below(4) == 0 ? with() : "") + select(3);
    }
  }

  [[nodiscard]] std::string integer() {
    return std::to_string(below(3) == 0 ? below(1'000'000'000) * 50 : below(100));
  }
  [[nodiscard]] std::string real() {
    return pick({"1.5", ".5", "2.", "3e7", "4.25e-3", "10000000000.000001"});
  }
  [[nodiscard]] std::string string() {
    return pick(
        {"'a'", "''", "'it''s'", "E'x\\n\\'y'", "$$q$$", "$t$ ' $$ $t$", "'-- no'", "'/*'", "'\\'"}
    );
  }
  [[nodiscard]] std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  std::string pick(std::initializer_list<std::string_view> choices) {
    return std::string(*(choices.begin() + below(choices.size())));
  }

  std::string space() { return pick({" ", " ", " ", "\n", "  ", " /* c ' */ ", " -- d\n"}); }
  std::string name() { return pick({"a", "b", "c", "id", "\"Q x\"", "k"}); }
  std::string table() { return pick({"t", "u", "s.v", "\"W\"", "w1"}); }

  std::string literal() {
    switch (below(4)) {
      case 0:
        return integer();
      case 1:
        return below(4) == 0 ? "-" + integer() : integer();
      case 2:
        return real();
      default:
        return string();
    }
  }

  std::string column() { return below(2) == 0 ? name() : pick({"t.", "u.", "x."}) + name(); }

  std::string value(int depth) {
    if (depth <= 0) {
      return below(3) == 0 ? literal() : column();
    }
    switch (below(15)) {
      case 0:
        return literal();
      case 1:
        return "$" + std::to_string(1 + below(5));
      case 2:
        return "(" + select(depth - 1) + ")";
      case 3:
        return value(depth - 1) + space() + pick({"+", "||", "*", "->"}) + space()
               + value(depth - 1);
      case 4:
        return "lower(" + value(depth - 1) + ")";
      case 5:
        return "count(*)"
               + (below(2) == 0 ? " FILTER (WHERE " + condition(depth - 1) + ")" : std::string());
      case 6:
        return "sum(DISTINCT " + value(depth - 1) + " ORDER BY " + column()
               + ") OVER (PARTITION BY " + value(depth - 1) + ")";
      case 7:
        return "CASE WHEN " + condition(depth - 1) + " THEN " + value(depth - 1) + " ELSE "
               + value(depth - 1) + " END";
      case 8:
        return "CAST(" + value(depth - 1) + " AS " + type() + ")";
      case 9:
        return literal() + "::" + type();
      case 10:
        return "ARRAY[" + value(depth - 1) + ", " + literal() + "]";
      case 11:
        return "EXTRACT(year FROM " + value(depth - 1) + ")";
      case 12:
        return "COALESCE(" + value(depth - 1) + ", ARRAY(" + select(depth - 1) + "))";
      case 13:
        return pick({"current_date", "NULL", "TRUE", "interval '1 day'", "bigint '5'", "(u).a"});
      default:
        return column();
    }
  }

  std::string type() {
    return pick(
        {"int", "bigint", "text", "varchar(10)", "numeric(10, 2)", "int[]", "uuid", "float(24)"}
    );
  }

  std::string condition(int depth) {
    switch (below(depth > 0 ? 16 : 3)) {
      case 0:
        return column() + " = " + literal();
      case 1:
        return column() + space() + pick({"<", ">=", "<>", "="}) + space() + value(depth - 1);
      case 2:
        return column() + " IS NULL";
      case 3:
        return condition(depth - 1) + space() + "AND" + space() + condition(depth - 1);
      case 4:
        return "(" + condition(depth - 1) + ") OR (" + condition(depth - 1) + ")";
      case 5:
        return "NOT (" + condition(depth - 1) + ")";
      case 6:
        return column() + " IN (" + literal() + ", " + value(depth - 1) + ")";
      case 7:
        return column() + " IN (" + select(depth - 1) + ")";
      case 8:
        return "EXISTS (" + select(depth - 1) + ")";
      case 9:
        return column() + " BETWEEN " + literal() + " AND " + literal();
      case 10:
        return column() + " IS NOT DISTINCT FROM " + value(depth - 1);
      case 11:
        return column() + " IS DISTINCT FROM " + literal();
      case 12:
        return column() + " = ANY (" + pick({"$1", "'{1,2}'", "ARRAY[1, 2]"}) + ")";
      case 13:
        return column() + " = ANY (" + select(depth - 1) + ")";
      case 14:
        return "(a, b) = (" + literal() + ", " + literal() + ")";
      default:
        return column() + " LIKE " + string();
    }
  }

  std::string from_item(int depth) {
    switch (below(depth > 0 ? 8 : 2)) {
      case 0:
      case 1:
        return table() + (below(2) == 0 ? " AS " + alias() : std::string());
      case 2:
        return "(" + select(depth - 1) + ") AS " + alias();
      case 3:
        return from_item(depth - 1) + " JOIN " + from_item(depth - 1) + " ON "
               + condition(depth - 1);
      case 4:
        return from_item(depth - 1) + " LEFT JOIN " + from_item(depth - 1) + " USING (id)";
      case 5:
        return "LATERAL (" + select(depth - 1) + ") " + alias();
      case 6:
        return "generate_series(1, " + value(depth - 1) + ") AS " + alias() + " (n)";
      default:
        return "ROWS FROM (unnest(" + value(depth - 1) + ")) AS " + alias();
    }
  }

  std::string alias() { return pick({"x", "y", "z", "e1"}); }

  std::string targets(int depth) {
    std::string text;
    for (std::size_t i = 0, count = 1 + below(3); i < count; ++i) {
      text += i == 0 ? "" : "," + space();
      text += below(6) == 0 ? pick({"*", "t.*"}) : value(depth);
      if (!text.ends_with('*') && below(3) == 0) {
        text += pick({" AS from", " AS n", " AS \"Q\"", " AS select_1"});
      }
    }
    return text;
  }

  std::string tail(int depth) {
    std::string text;
    if (below(3) == 0) {
      text += space() + "ORDER BY " + (below(3) == 0 ? "1" : value(depth - 1))
              + pick({"", " DESC", " ASC NULLS LAST"});
    }
    if (below(3) == 0) {
      text +=
          space() + "LIMIT " + integer() + (below(2) == 0 ? " OFFSET " + integer() : std::string());
    }
    return text;
  }

  std::string simple_select(int depth) {
    std::string text = "SELECT" + space();
    text += pick({"", "", "", "DISTINCT ", "ALL ", "DISTINCT ON (a, lower(b)) "}) + targets(depth);
    if (below(8) != 0) {
      text += space() + "FROM " + from_item(depth);
      text += below(4) == 0 ? ", " + from_item(depth) : "";
    }
    text += below(3) != 0 ? space() + "WHERE " + condition(depth) : "";
    if (below(4) == 0) {
      text += space() + "GROUP BY " + pick({"a", "1", "a, b", "ROLLUP (a, b)", "lower(a)"});
      text += below(2) == 0 ? " HAVING count(*) > " + integer() : "";
    }
    return text;
  }

  std::string select(int depth) {
    switch (below(depth > 0 ? 8 : 1)) {
      case 1:
        return "(" + simple_select(depth - 1) + tail(depth - 1) + ")" + set_word()
               + simple_select(depth - 1) + tail(depth - 1);
      case 2:
        return simple_select(depth - 1) + set_word() + simple_select(depth - 1) + tail(depth - 1);
      case 3:
        return "VALUES (" + value(depth - 1) + ", " + literal() + ")" + tail(depth - 1);
      case 4:
        return with() + simple_select(depth - 1);
      default:
        return simple_select(depth) + tail(depth) + (below(8) == 0 ? " FOR UPDATE" : "");
    }
  }

  std::string set_word() {
    return space() + pick({"UNION", "UNION ALL", "INTERSECT", "EXCEPT ALL"}) + space();
  }

  std::string with() {
    return "WITH " + pick({"", "RECURSIVE "}) + "x AS (" + select(1) + "), y (n) AS ("
           + (below(4) == 0 ? insert() + " RETURNING id" : select(1)) + ")" + space();
  }

  std::string insert() {
    std::string text = "INSERT INTO " + table() + pick({"", " (a, b)"}) + space();
    if (below(3) == 0) {
      text += simple_select(2);
    } else {
      text += "VALUES (" + value(1) + ", " + value(0) + ")";
      text += below(2) == 0 ? ", (" + literal() + ", DEFAULT)" : "";
    }
    text += below(4) == 0 ? " ON CONFLICT (a) DO UPDATE SET a = " + value(1) : "";
    return text;
  }

  std::string update() {
    return "UPDATE " + table() + " SET a = " + value(2) + ", (b, c) = (" + literal() + ", "
           + value(1) + ")" + (below(2) == 0 ? " FROM " + from_item(1) : std::string()) + " WHERE "
           + condition(2) + (below(3) == 0 ? " RETURNING " + targets(1) : std::string());
  }

  std::string remove() {
    return "DELETE FROM " + table() + (below(2) == 0 ? " USING " + from_item(1) : std::string())
           + " WHERE " + condition(2);
  }

  std::mt19937_64 random_;
};

}  // namespace sherd::sql
