#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <sherd/base/text.hpp>

#include "walker.hpp"

namespace sherd::sql {
namespace {

/// The value of an option or setting as text; nullopt for what is no plain value.
std::optional<std::string> plain_value(const Node* node) {
  if (node == nullptr) {
    return std::string();
  }
  switch (node->type) {
    case T_String:
      return std::string(as<String>(node)->sval);
    case T_Integer:
      return fmt::format("{}", as<Integer>(node)->ival);
    case T_Float:
      return std::string(as<Float>(node)->fval);
    case T_Boolean:
      return std::string(as<Boolean>(node)->boolval ? "true" : "false");
    case T_A_Star:
      return std::string("*");
    case T_A_Const:
      return as<A_Const>(node)->isnull ? std::nullopt : plain_value(&as<A_Const>(node)->val.node);
    case T_TypeCast:
      return plain_value(as<TypeCast>(node)->arg);
    case T_TypeName:
      return dotted(as<::TypeName>(node)->names);
    case T_List: {
      std::string joined;
      for (const Node* item : ListOf<>(as<List>(node))) {
        joined += joined.empty() ? "" : ",";
        joined += plain_value(item).value_or("");
      }
      return joined;
    }
    default:
      return std::nullopt;
  }
}

bool is_true(const Node* node) {
  const std::string value = to_lower(plain_value(node).value_or(""));
  return value == "1" || value == "on" || value == "true";
}

/// An option without a value is on.
bool is_on(const DefElem* option) {
  return option->arg == nullptr || is_true(option->arg);
}

const DefElem* find_option(const List* options, std::string_view name) {
  const DefElem* found = nullptr;
  for (const auto* option : ListOf<DefElem>(options)) {
    if (name == option->defname) {
      found = option;
    }
  }
  return found;
}

/// ISOLATION LEVEL, READ ONLY and DEFERRABLE of BEGIN, SET TRANSACTION and SET SESSION
/// CHARACTERISTICS.
template <class Out>
void transaction_options(const List* options, Out& out) {
  for (const auto* option : ListOf<DefElem>(options)) {
    const std::string_view name = option->defname;
    if (name == "transaction_isolation") {
      out.isolation = plain_value(option->arg).value_or("");
    } else if (name == "transaction_read_only") {
      out.read_only = is_true(option->arg);
    } else if (name == "transaction_deferrable") {
      out.deferrable = is_true(option->arg);
    }
  }
}

}  // namespace

struct Walker::UtilityRow {
  NodeTag node;
  void (Walker::*handler)(const Node*);
};

void Walker::utility(const Node* node) {
  static constexpr std::array kRows{
      UtilityRow{T_CopyStmt, &Walker::copy},
      UtilityRow{T_TransactionStmt, &Walker::transaction},
      UtilityRow{T_VariableSetStmt, &Walker::set_variable},
      UtilityRow{T_VariableShowStmt, &Walker::show},
      UtilityRow{T_PrepareStmt, &Walker::prepare},
      UtilityRow{T_ExecuteStmt, &Walker::execute},
      UtilityRow{T_DeallocateStmt, &Walker::deallocate},
      UtilityRow{T_DeclareCursorStmt, &Walker::declare_cursor},
      UtilityRow{T_FetchStmt, &Walker::cursor_use},
      UtilityRow{T_ClosePortalStmt, &Walker::close_cursor},
      UtilityRow{T_ListenStmt, &Walker::listen},
      UtilityRow{T_UnlistenStmt, &Walker::unlisten},
      UtilityRow{T_NotifyStmt, &Walker::notify},
      UtilityRow{T_ExplainStmt, &Walker::explain},
      UtilityRow{T_TruncateStmt, &Walker::truncate},
      UtilityRow{T_LockStmt, &Walker::lock},
      UtilityRow{T_VacuumStmt, &Walker::vacuum},
      UtilityRow{T_ClusterStmt, &Walker::cluster},
      UtilityRow{T_ReindexStmt, &Walker::reindex},
      UtilityRow{T_CheckPointStmt, &Walker::checkpoint},
      UtilityRow{T_DiscardStmt, &Walker::discard},
  };
  const auto* const row = std::ranges::find(kRows, node->type, &UtilityRow::node);
  if (row != kRows.end()) {
    (this->*row->handler)(node);
    return;
  }
  if (ddl(node)) {
    return;
  }
  Other other;
  other.tag = command_tag(node);
  if (other.tag == "???") {
    mark_unknown();
  }
  out_.body = std::move(other);
}

void Walker::tables(const List* range_vars, std::vector<Relation>& out) const {
  for (const auto* node : ListOf<RangeVar>(range_vars)) {
    out.push_back(table(node));
  }
}

void Walker::copy(const Node* node) {
  const auto* statement = as<CopyStmt>(node);
  Copy out;
  out.from = statement->is_from;
  out.is_query = statement->query != nullptr;
  out.stdio = statement->filename == nullptr && !statement->is_program;
  if (statement->relation != nullptr) {
    out.target = table(statement->relation);
  }
  for (const Node* name : ListOf<>(statement->attlist)) {
    out.columns.emplace_back(string_of(name));
  }
  for (const auto* option : ListOf<DefElem>(statement->options)) {
    const auto value = plain_value(option->arg);
    out.options.push_back({to_lower(option->defname), value.value_or("")});
    if (!value) {
      mark_unknown();
    }
  }
  out.has_where = statement->whereClause != nullptr;
  if (is_node(statement->query, T_SelectStmt)) {
    static_cast<void>(select(as<SelectStmt>(statement->query)));
  } else if (statement->query != nullptr) {
    cuts_ = false;
    modifying_cte(statement->query, new_block(false));
  }
  out_.body = std::move(out);
}

void Walker::transaction(const Node* node) {
  const auto* statement = as<TransactionStmt>(node);
  using Verb = Transaction::Verb;
  static constexpr std::array kVerbs{
      Verb::kBegin,          Verb::kBegin,
      Verb::kCommit,         Verb::kRollback,
      Verb::kSavepoint,      Verb::kRelease,
      Verb::kRollbackTo,     Verb::kPrepare,
      Verb::kCommitPrepared, Verb::kRollbackPrepared,
  };
  static_assert(TRANS_STMT_ROLLBACK_PREPARED + 1 == kVerbs.size());
  Transaction out;
  out.verb = kVerbs[static_cast<std::size_t>(statement->kind)];
  out.chain = statement->chain;
  out.name = text_or_empty(
      statement->savepoint_name != nullptr ? statement->savepoint_name : statement->gid
  );
  transaction_options(statement->options, out);
  out_.body = std::move(out);
}

void Walker::set_variable(const Node* node) {
  const auto* statement = as<VariableSetStmt>(node);
  using Verb = SetVariable::Verb;
  SetVariable out;
  out.local = statement->is_local;
  out.name = to_lower(text_or_empty(statement->name));
  switch (statement->kind) {
    case VAR_SET_VALUE:
      out.verb = Verb::kSet;
      break;
    case VAR_SET_DEFAULT:
      out.verb = Verb::kSetDefault;
      break;
    case VAR_SET_MULTI:
      set_characteristics(statement, out);
      break;
    case VAR_RESET:
      out.verb = Verb::kReset;
      break;
    case VAR_RESET_ALL:
      out.verb = Verb::kResetAll;
      break;
    default:
      mark_unknown();
      break;  // FROM CURRENT: functions only
  }
  if (statement->kind == VAR_SET_VALUE) {
    for (const Node* argument : ListOf<>(statement->args)) {
      const auto value = plain_value(argument);
      out.values.push_back(value.value_or(""));
      if (!value || is_node(argument, T_TypeCast)) {
        mark_unknown();  // SET TIME ZONE INTERVAL …: more than its text
      }
    }
  }
  out_.body = std::move(out);
}

void Walker::set_characteristics(const VariableSetStmt* node, SetVariable& out) const {
  out.verb = out.name == "session characteristics" ? SetVariable::Verb::kSetCharacteristics
                                                   : SetVariable::Verb::kSetTransaction;
  if (out.name == "transaction snapshot") {
    out.values.push_back(plain_value(ListOf<>(node->args)[0]).value_or(""));
    return;
  }
  transaction_options(node->args, out);
}

void Walker::show(const Node* node) {
  out_.body = Show{to_lower(text_or_empty(as<VariableShowStmt>(node)->name))};
}

// PREPARE name [(types)] AS query
void Walker::prepare(const Node* node) {
  Prepare out{.name = text_or_empty(as<PrepareStmt>(node)->name)};
  std::uint32_t at = extent_.begin + 2;
  if (tokens_.balanced()) {
    if (tokens_.is(at, '(')) {
      out.types = span_of(TokenRange{at + 1, tokens_[at].match});
      at = tokens_[at].match + 1;
    }
    if (tokens_.is(at, Keyword::kAs)) {
      out.query = span_of(TokenRange{at + 1, extent_.end});
    }
  }
  out_.body = std::move(out);
}

void Walker::execute(const Node* node) {
  const auto* statement = as<ExecuteStmt>(node);
  Execute out{.name = text_or_empty(statement->name)};
  const ListOf<> arguments(statement->params);
  out.arguments.resize(arguments.size());
  ExpressionFacts facts;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    operand(arguments[i], out.arguments[i]);
    collect(arguments[i], facts);  // an argument with a subquery is a block
  }
  const std::uint32_t open = extent_.begin + 2;  // EXECUTE name (
  if (tokens_.balanced() && tokens_.is(open, '(')) {
    const TokenRange inside{open + 1, tokens_[open].match};
    out.arguments_span = span_of(inside);
    const auto parts = split_at_commas(tokens_, inside);
    for (std::size_t i = 0; parts.size() == arguments.size() && i < parts.size(); ++i) {
      out.arguments[i].span = span_of(parts[i]);
    }
  }
  out_.body = std::move(out);
}

void Walker::deallocate(const Node* node) {
  out_.body = Deallocate{text_or_empty(as<DeallocateStmt>(node)->name)};
}

// DECLARE name [options] CURSOR [WITH HOLD] FOR query
void Walker::declare_cursor(const Node* node) {
  const auto* statement = as<DeclareCursorStmt>(node);
  DeclareCursor out{.name = text_or_empty(statement->portalname)};
  out.hold = (statement->options & CURSOR_OPT_HOLD) != 0;
  std::uint32_t at = extent_.begin + 2;
  while (at < extent_.end && !tokens_.is(at, Keyword::kFor)) {
    ++at;
  }
  out.query = span_of(TokenRange{at + 1, extent_.end});
  out_.body = std::move(out);
}

void Walker::cursor_use(const Node* node) {
  out_.body = CursorUse{text_or_empty(as<FetchStmt>(node)->portalname)};
}

void Walker::close_cursor(const Node* node) {
  out_.body = CursorUse{text_or_empty(as<ClosePortalStmt>(node)->portalname)};
}

void Walker::listen(const Node* node) {
  out_.body = Notify{Notify::Verb::kListen, text_or_empty(as<ListenStmt>(node)->conditionname)};
}

void Walker::unlisten(const Node* node) {
  const char* name = as<UnlistenStmt>(node)->conditionname;
  out_.body = Notify{Notify::Verb::kUnlisten, name == nullptr ? "*" : name};
}

void Walker::notify(const Node* node) {
  out_.body = Notify{Notify::Verb::kNotify, text_or_empty(as<NotifyStmt>(node)->conditionname)};
}

// EXPLAIN [ANALYZE] [VERBOSE] query, EXPLAIN (options) query. A query may begin with a bracket too.
void Walker::explain(const Node* node) {
  const auto* statement = as<ExplainStmt>(node);
  Explain out;
  if (const DefElem* option = find_option(statement->options, "analyze")) {
    out.analyze = is_on(option);
  }
  if (const DefElem* option = find_option(statement->options, "format")) {
    const std::string format = to_lower(plain_value(option->arg).value_or(""));
    out.format = format == "text" ? "" : format;
  }
  std::uint32_t at = extent_.begin + 1;
  if (statement->options != nullptr && tokens_.is(at, '(')) {
    at = tokens_[at].match + 1;
  } else if (statement->options != nullptr) {
    while (tokens_.is(at, Keyword::kAnalyze) || tokens_.is(at, Keyword::kVerbose)) {
      ++at;
    }
  }
  if (tokens_.balanced()) {
    out.query = span_of(TokenRange{at, extent_.end});
  }
  out_.body = std::move(out);
}

void Walker::truncate(const Node* node) {
  const auto* statement = as<TruncateStmt>(node);
  Truncate out;
  tables(statement->relations, out.targets);
  out.restart_identity = statement->restart_seqs;
  out.cascade = statement->behavior == DROP_CASCADE;
  out_.body = std::move(out);
}

void Walker::lock(const Node* node) {
  Lock out;
  tables(as<LockStmt>(node)->relations, out.targets);
  out_.body = std::move(out);
}

void Walker::vacuum(const Node* node) {
  const auto* statement = as<VacuumStmt>(node);
  Maintenance out;
  out.verb = statement->is_vacuumcmd ? "vacuum" : "analyze";
  out.outside_transaction = statement->is_vacuumcmd;
  for (const auto* item : ListOf<VacuumRelation>(statement->rels)) {
    out.targets.push_back(table(item->relation));
  }
  out_.body = std::move(out);
}

void Walker::cluster(const Node* node) {
  const auto* statement = as<ClusterStmt>(node);
  Maintenance out{.verb = "cluster"};
  out.outside_transaction = statement->relation == nullptr;
  if (statement->relation != nullptr) {
    out.targets.push_back(table(statement->relation));
  }
  out_.body = std::move(out);
}

void Walker::reindex(const Node* node) {
  const auto* statement = as<ReindexStmt>(node);
  Maintenance out{.verb = "reindex"};
  const DefElem* concurrently = find_option(statement->params, "concurrently");
  out.outside_transaction =
      statement->relation == nullptr || (concurrently != nullptr && is_on(concurrently));
  // An index stands here under its own name: its table is not in the text.
  if (statement->relation != nullptr) {
    out.targets.push_back(table(statement->relation));
  }
  out_.body = std::move(out);
}

void Walker::checkpoint(const Node*) {
  out_.body = Maintenance{.verb = "checkpoint"};
}

void Walker::discard(const Node* node) {
  static constexpr std::array<std::string_view, 4> kNames{"all", "plans", "sequences", "temp"};
  const auto target = static_cast<std::size_t>(as<DiscardStmt>(node)->target);
  out_.body = Discard{std::string(kNames.at(target))};
}

}  // namespace sherd::sql
