#include <array>
#include <utility>

#include "printer.hpp"

namespace sherd::sql {
namespace {

template <class Enum>
std::size_t at(Enum value) noexcept {
  return static_cast<std::size_t>(std::to_underlying(value));
}

}  // namespace

void Printer::body(const Select&) {
  line("SELECT");
}

void Printer::body(const Insert& body) {
  constexpr std::array kSources{"values", "select", "default values"};
  line("INSERT {}", kSources.at(at(body.source)));
  ++indent_;
  relation("into", body.target);
  flag("no-column-list", !body.has_column_list);
  names("columns", body.columns);
  span("rows", body.rows_span);
  for (std::size_t i = 0; i < body.rows.size(); ++i) {
    line("row");
    ++indent_;
    span("text", body.rows[i].span);
    for (const Operand& value : body.rows[i].values) {
      operand("-", value);
    }
    facts(body.row_facts[i]);
    --indent_;
  }
  if (body.source == Insert::Source::kSelect) {
    line("select block {}", body.select_block);
  }
  if (body.has_on_conflict) {
    line("on conflict {}", body.conflict_updates ? "update" : "nothing");
    names("  set", body.conflict_set_columns);
  }
  facts(body.conflict_facts);
  flag("overriding", body.has_overriding);
  flag("with", body.has_with);
  flag("returning", body.has_returning);
  for (const Target& item : body.returning) {
    target(item);
  }
  --indent_;
}

void Printer::body(const Update& body) {
  line("UPDATE");
  ++indent_;
  relation("target", body.target);
  for (std::size_t i = 0; i < body.set_columns.size(); ++i) {
    line("set {} = {}", body.set_columns[i], describe(body.set_values[i]));
    facts(body.set_facts[i]);
  }
  flag("from", body.has_from);
  flag("returning", body.has_returning);
  flag("with", body.has_with);
  flag("where-current-of", body.where_current_of);
  --indent_;
}

void Printer::body(const Delete& body) {
  line("DELETE");
  ++indent_;
  relation("target", body.target);
  flag("using", body.has_using);
  flag("returning", body.has_returning);
  flag("with", body.has_with);
  flag("where-current-of", body.where_current_of);
  --indent_;
}

void Printer::body(const Merge& body) {
  line("MERGE");
  ++indent_;
  relation("target", body.target);
  --indent_;
}

void Printer::body(const Copy& body) {
  line(
      "COPY {}{}{}", body.from ? "from" : "to", body.is_query ? " query" : "",
      body.stdio ? "" : " server-file"
  );
  ++indent_;
  if (!body.is_query) {
    relation("table", body.target);
  }
  names("columns", body.columns);
  for (const CopyOption& option : body.options) {
    line("option {} = [{}]", option.name, option.value);
  }
  flag("where", body.has_where);
  --indent_;
}

void Printer::options(
    std::string_view isolation, std::optional<bool> read_only, std::optional<bool> deferrable
) {
  named("isolation", isolation);
  if (read_only) {
    line("read-only {}", *read_only);
  }
  if (deferrable) {
    line("deferrable {}", *deferrable);
  }
}

void Printer::body(const Transaction& body) {
  constexpr std::array kVerbs{
      "begin",       "commit",  "rollback",        "savepoint",         "release",
      "rollback to", "prepare", "commit prepared", "rollback prepared",
  };
  line("TRANSACTION {}{}", kVerbs.at(at(body.verb)), body.chain ? " and chain" : "");
  ++indent_;
  named("name", body.name);
  options(body.isolation, body.read_only, body.deferrable);
  --indent_;
}

void Printer::body(const SetVariable& body) {
  constexpr std::array kVerbs{
      "set", "set default", "reset", "reset all", "set transaction", "set characteristics",
  };
  line("SET {}{} {}", kVerbs.at(at(body.verb)), body.local ? " local" : "", body.name);
  ++indent_;
  names("values", body.values);
  options(body.isolation, body.read_only, body.deferrable);
  --indent_;
}

void Printer::body(const Show& body) {
  line("SHOW {}", body.name);
}

void Printer::body(const Prepare& body) {
  line("PREPARE {}", body.name);
  ++indent_;
  span("types", body.types);
  span("query", body.query);
  --indent_;
}

void Printer::body(const Execute& body) {
  line("EXECUTE {}", body.name);
  ++indent_;
  span("arguments", body.arguments_span);
  for (const Operand& argument : body.arguments) {
    operand("-", argument);
  }
  --indent_;
}

void Printer::body(const Deallocate& body) {
  line("DEALLOCATE {}", body.name);
}

void Printer::body(const DeclareCursor& body) {
  line("DECLARE {}{}", body.name, body.hold ? " hold" : "");
  ++indent_;
  span("query", body.query);
  --indent_;
}

void Printer::body(const CursorUse& body) {
  line("CURSOR {}", body.name);
}

void Printer::body(const Notify& body) {
  constexpr std::array kVerbs{"LISTEN", "UNLISTEN", "NOTIFY"};
  line("{} {}", kVerbs.at(at(body.verb)), body.channel);
}

void Printer::body(const Explain& body) {
  line(
      "EXPLAIN{}{}{}", body.analyze ? " analyze" : "", body.format.empty() ? "" : " ", body.format
  );
  ++indent_;
  span("query", body.query);
  --indent_;
}

void Printer::body(const Truncate& body) {
  line("TRUNCATE{}{}", body.restart_identity ? " restart" : "", body.cascade ? " cascade" : "");
  ++indent_;
  relations("table", body.targets);
  --indent_;
}

void Printer::body(const Lock& body) {
  line("LOCK");
  ++indent_;
  relations("table", body.targets);
  --indent_;
}

void Printer::body(const Maintenance& body) {
  line("MAINTENANCE {}{}", body.verb, body.outside_transaction ? " outside-transaction" : "");
  ++indent_;
  relations("table", body.targets);
  --indent_;
}

void Printer::body(const Ddl& body) {
  constexpr std::array kObjects{
      "table",   "index",    "view",     "materialized view", "sequence", "type",
      "domain",  "function", "schema",   "extension",         "role",     "grant",
      "trigger", "policy",   "database", "tablespace",        "comment",  "other",
  };
  constexpr std::array kVerbs{"create", "alter", "drop", "other"};
  line("DDL [{}] {} {}", body.tag, kVerbs.at(at(body.verb)), kObjects.at(at(body.object)));
  ++indent_;
  flag("temporary", body.temporary);
  flag("concurrently", body.concurrently);
  flag("if-exists", body.if_exists);
  flag("if-not-exists", body.if_not_exists);
  flag("as-select", body.is_ctas);
  ddl_tables(body);
  --indent_;
}

void Printer::ddl_tables(const Ddl& body) {
  relations("table", body.relations);
  flag("unique", body.creates_unique);
  for (const auto& columns : body.unique_columns) {
    line("unique ({})", fmt::join(columns, ", "));
  }
  flag("foreign-key", body.creates_foreign_key);
  relations("references", body.foreign_targets);
  names("drops", body.dropped_columns);
  names("alters", body.altered_columns);
  named("renames", body.renamed_column);
  named("to", body.renamed_to);
  flag("renames-table", body.renames_table);
  named("schema", body.new_schema);
}

void Printer::body(const Discard& body) {
  line("DISCARD {}", body.what);
}

void Printer::body(const Other& body) {
  line("OTHER [{}]", body.tag);
}

}  // namespace sherd::sql
