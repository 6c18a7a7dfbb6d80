#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// Facts about one statement: what it says, by syntax alone. Names are not resolved here (that takes
// the schema, which `plan` has), and no parse-tree node leaves this room. Names are folded as
// PostgreSQL folds them (unquoted: lower case).
//
// Every Span is in bytes of Statement::text, the text that was analysed. Facts that are reused for
// another text with the same key keep their meaning, but their spans must go through `span_in`
// (transfer.hpp).

namespace sherd::sql {

/// A piece of the statement's text, in bytes.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
  [[nodiscard]] bool empty() const noexcept { return length == 0; }
  [[nodiscard]] std::uint32_t end() const noexcept { return begin + length; }
  [[nodiscard]] std::string_view of(std::string_view text) const {
    return text.substr(begin, length);
  }
};

struct ColumnRef {
  std::string schema;     // "" if none: s.t.c
  std::string qualifier;  // table name or alias, "" if none
  std::string name;       // "*" for a star
};

/// Name of a type as written in a cast: "int8", "text", "numeric"; schema "pg_catalog" is dropped.
struct TypeName {
  std::string schema;
  std::string name;  // "" = no cast
  bool is_array = false;
  bool has_modifier = false;  // varchar(3), numeric(10,2): the cast may change the value
  [[nodiscard]] bool empty() const noexcept { return name.empty(); }
};

/// One side of a comparison, as far as it is understood.
struct Operand {
  enum class Kind : std::uint8_t {
    kOpaque,  // anything else: a function, arithmetic, a subquery
    kColumn,
    kParameter,  // $n
    kLiteral,    // literals[number] of the lifted text
    kNull,
    kTrue,
    kFalse,
    kDefault,  // DEFAULT in VALUES or SET
  };
  Kind kind = Kind::kOpaque;
  std::uint32_t number = 0;  // parameter: 1-based; literal: 0-based index into Lifted::literals
  bool negated = false;      // literal with a minus sign before it (the sign is not in the literal)
  ColumnRef column{};
  TypeName cast{
  };  // outermost explicit cast of a literal, parameter or NULL (kOpaque if a column is cast)
  Span span{
  };  // the whole expression; length 0 where its end is not certain (x::type outside a list)
};

enum class CompareOp : std::uint8_t { kEqual, kLess, kLessEqual, kGreater, kGreaterEqual };

/// A condition. What is not exactly understood is kOpaque: nothing may be concluded from it, nor
/// from its negation. Strict kinds (all but kAnd, kOr, kNotDistinct, kIsNull, kOpaque, kConstant)
/// are never true when a column in them is NULL.
struct Predicate {
  enum class Kind : std::uint8_t {
    kOpaque,
    kAnd,          // children; none: true
    kOr,           // children; none: false
    kCompare,      // left op right (only with pg's own operators: unqualified or
                   // OPERATOR(pg_catalog.=))
    kNotDistinct,  // left IS NOT DISTINCT FROM right
    kIn,           // left IN (list), also = ANY (ARRAY[...])
    kAnyArray,     // left = ANY (right), right a parameter or an array literal '{...}'
    kInSubquery,   // left IN (SELECT ...) / = ANY (SELECT ...): block
    kIsNull,       // left IS NULL
    kConstant,     // value
  };
  Kind kind = Kind::kOpaque;
  CompareOp op = CompareOp::kEqual;
  bool value = false;
  Operand left{};
  Operand right{};
  std::vector<Operand> list{};
  std::vector<Predicate> children{};
  std::uint32_t block = 0;
};

struct FunctionCall {
  std::string schema;
  std::string name;
  bool is_window = false;  // has OVER
  bool is_star = false;    // count(*)
  bool distinct = false;
  bool has_filter = false;
  bool has_order = false;  // ORDER BY inside, or WITHIN GROUP
  bool within_group = false;
  bool variadic = false;
  bool nested_in_function = false;  // stands inside another call's arguments
  std::uint32_t argument_count = 0;
  Operand argument{};  // the first argument
  Span arguments{};    // text between the parentheses
  Span filter{};       // text of the condition inside FILTER (WHERE ...)
  Span span{};         // the whole call, with FILTER and OVER
};

/// What an expression mentions anywhere inside, not counting subqueries (they are blocks).
struct ExpressionFacts {
  std::vector<ColumnRef> columns{};
  std::vector<FunctionCall> functions{
  };  // outermost first; CURRENT_DATE and kin as pg_catalog.current_date
  std::vector<std::uint32_t> subqueries{};  // blocks
  bool has_parameter = false;
  bool has_operator_qualified = false;  // OPERATOR(schema.op)
};

struct Target {
  enum class Form : std::uint8_t {
    kColumn,      // column
    kStar,        // * or t.*: column.qualifier says which
    kFunction,    // exactly one function call: facts.functions[0]
    kExpression,  // anything else
  };
  Form form = Form::kExpression;
  ColumnRef column{};
  std::string name{};  // output name: the alias, or what PostgreSQL derives ("count", "?column?");
                       // "" if only the schema tells it (a star, a scalar subquery over a star)
  bool has_alias = false;
  Span expression{};  // without the alias
  Operand operand{};  // the expression as an operand (literal, parameter, column), else kOpaque
  ExpressionFacts facts{};
};

struct GroupItem {
  enum class Form : std::uint8_t { kColumn, kOrdinal, kExpression, kGroupingSet };
  Form form = Form::kExpression;
  ColumnRef column{};
  std::uint32_t ordinal = 0;  // 1-based
  Span expression{};
  ExpressionFacts facts{};
};

struct SortItem {
  enum class Form : std::uint8_t { kColumn, kOrdinal, kExpression };
  Form form = Form::kExpression;
  ColumnRef column{};         // unqualified: may be an output name
  std::uint32_t ordinal = 0;  // 1-based
  bool descending = false;
  std::optional<bool> nulls_first{};  // as written; default is descending
  bool using_operator = false;
  std::string collation{};  // COLLATE of the item itself: name, "" if none
  bool has_collation = false;
  Span expression{};  // without ASC/DESC/NULLS
  ExpressionFacts facts{};
};

enum class JoinKind : std::uint8_t { kInner, kLeft, kRight, kFull, kCross };

/// An item of FROM.
struct Relation {
  enum class Kind : std::uint8_t { kTable, kSubquery, kFunction, kCte, kOther };
  Kind kind = Kind::kTable;
  std::string schema{};
  std::string name{};
  std::string alias{};  // "" if none
  std::vector<std::string> column_aliases{};
  bool only = false;  // ONLY t
  bool lateral = false;
  bool tablesample = false;
  std::uint32_t block = 0;  // kSubquery, kCte
  Span name_span{};         // schema.name in the text, for rewriting
  ExpressionFacts facts{};  // kFunction
  [[nodiscard]] const std::string& visible_name() const noexcept {
    return alias.empty() ? name : alias;
  }
};

/// FROM as a tree. Node 0 … n; `root_joins` are joined by comma (inner).
struct JoinNode {
  bool is_leaf = true;
  std::uint32_t relation = 0;  // leaf: index into Block::relations
  JoinKind kind = JoinKind::kInner;
  std::uint32_t left = 0;  // indices into Block::join_nodes
  std::uint32_t right = 0;
  bool natural = false;
  std::vector<std::string> using_columns{};
  std::string using_alias{};                  // USING (…) AS x
  std::string alias{};                        // (a JOIN b …) AS x: hides the names of a and b
  std::vector<std::string> column_aliases{};  // of `alias`
  Predicate on{};  // kOpaque where USING or NATURAL says it; kAnd without children for CROSS
  ExpressionFacts on_facts{};
};

enum class SetOperation : std::uint8_t { kNone, kUnion, kUnionAll, kIntersect, kExcept };
enum class DistinctKind : std::uint8_t { kNone, kAll, kOn };

/// Clauses of a SELECT in the text, each with its keywords ("FROM a, b", "GROUP BY x"); empty if
/// absent. `targets` is the text between SELECT [DISTINCT …] and FROM. A set operation has `order`,
/// `limit` and `locking` only (those of the whole). UPDATE and DELETE: `from` (FROM, USING) and
/// `where`.
struct SelectSpans {
  Span select;  // "SELECT" with DISTINCT or ALL
  Span targets;
  Span from;
  Span where;
  Span group;
  Span having;
  Span window;
  Span order;
  Span limit;  // LIMIT/OFFSET/FETCH, all of them, in whatever order they stand
  Span locking;
  bool known = false;  // false: the text could not be cut with certainty; do not rewrite
};

/// One query level: a SELECT, or the body of UPDATE/DELETE/MERGE (relations[0] is the target,
/// `targets` is RETURNING). A modifying CTE is a block too: relations[0] is its target.
struct Block {
  std::optional<std::uint32_t> parent{};  // enclosing block
  bool is_cte = false;
  std::vector<std::string> cte_columns{};  // WITH x (a, b)
  bool is_modifying_cte = false;           // WITH x AS (INSERT …)
  std::vector<Relation> relations{};       // all leaves of FROM, left to right
  std::vector<JoinNode> join_nodes{};
  std::vector<std::uint32_t> root_joins{};
  Predicate where{};  // kAnd without children if there is no WHERE
  ExpressionFacts where_facts{};
  std::vector<Target> targets{};
  std::vector<GroupItem> group_by{};
  bool group_distinct = false;
  bool has_having = false;
  Span having{};  // condition only
  ExpressionFacts having_facts{};
  bool has_window_clause = false;
  ExpressionFacts window_facts{};  // of the WINDOW clause
  DistinctKind distinct = DistinctKind::kNone;
  std::vector<GroupItem> distinct_on{};  // DISTINCT ON (…)
  std::vector<SortItem> order_by{};
  Operand limit{};                // kNull if none or LIMIT ALL
  Operand offset{};               // kNull if none
  ExpressionFacts limit_facts{};  // of LIMIT and OFFSET
  bool with_ties = false;
  bool has_locking = false;  // FOR UPDATE and friends
  bool has_into = false;     // SELECT INTO
  SetOperation set_operation = SetOperation::kNone;
  bool set_all = false;        // ALL, of INTERSECT and EXCEPT too
  std::uint32_t set_left = 0;  // blocks
  std::uint32_t set_right = 0;
  std::vector<std::vector<Operand>> values{};  // VALUES lists
  ExpressionFacts values_facts{};              // of all of them
  SelectSpans spans{};
  Span span{};
};

struct CteName {
  std::string name;
  std::uint32_t block = 0;
};

// Statements.

struct Select {};  // blocks[0]

struct InsertRow {
  Span span{};  // "(1, 'a')"
  std::vector<Operand> values{};
};

struct Insert {
  Relation target{};
  std::vector<std::string> columns{};  // empty: all, in order
  bool has_column_list = false;
  enum class Source : std::uint8_t { kValues, kSelect, kDefaultValues } source = Source::kValues;
  std::vector<InsertRow> rows{};             // kValues
  Span rows_span{};                          // from the first "(" to the last ")" of VALUES
  std::vector<ExpressionFacts> row_facts{};  // one a row, for functions in values
  std::uint32_t select_block = 0;            // kSelect
  bool has_on_conflict = false;
  bool conflict_updates = false;  // DO UPDATE
  std::vector<std::string> conflict_set_columns{};
  ExpressionFacts conflict_facts{};  // of the whole ON CONFLICT clause
  bool has_returning = false;
  std::vector<Target> returning{};
  bool has_overriding = false;  // OVERRIDING … VALUE
  bool has_with = false;
};

struct Update {
  Relation target{};  // also blocks[0].relations[0]
  std::vector<std::string> set_columns{};
  std::vector<Operand> set_values{};  // one a column; kOpaque where a multi-assignment
  std::vector<ExpressionFacts> set_facts{};
  bool has_from = false;
  bool has_returning = false;
  bool has_with = false;
  bool where_current_of = false;
};

struct Delete {
  Relation target{};  // also blocks[0].relations[0]
  bool has_using = false;
  bool has_returning = false;
  bool has_with = false;
  bool where_current_of = false;
};

struct Merge {
  Relation target{};
};

struct CopyOption {
  std::string name;   // lower case: "format", "delimiter", "null", "header", …
  std::string value;  // "" if none given (true)
};

struct Copy {
  bool from = false;      // FROM (in) or TO (out)
  bool is_query = false;  // COPY (query) TO: blocks[0]
  bool stdio = true;      // STDIN/STDOUT; false: a file or program of the server
  Relation target{};
  std::vector<std::string> columns{};
  std::vector<CopyOption> options{};
  bool has_where = false;
};

struct Transaction {
  enum class Verb : std::uint8_t {
    kBegin,
    kCommit,
    kRollback,
    kSavepoint,
    kRelease,
    kRollbackTo,
    kPrepare,
    kCommitPrepared,
    kRollbackPrepared,
  };
  Verb verb = Verb::kBegin;
  bool chain = false;       // AND CHAIN
  std::string name{};       // savepoint or global id
  std::string isolation{};  // "", "read committed", "repeatable read", "serializable", …
  std::optional<bool> read_only{};
  std::optional<bool> deferrable{};
};

struct SetVariable {
  enum class Verb : std::uint8_t {
    kSet,
    kSetDefault,
    kReset,
    kResetAll,
    kSetTransaction,
    kSetCharacteristics
  };
  Verb verb = Verb::kSet;
  bool local = false;
  std::string name{};  // lower case; "search_path", "timezone", "role", "session_authorization"
  std::vector<std::string> values{};  // as texts
  std::string isolation{};            // kSetTransaction / kSetCharacteristics
  std::optional<bool> read_only{};
  std::optional<bool> deferrable{};
};

struct Show {
  std::string name;  // "all" for SHOW ALL
};

struct Prepare {
  std::string name;
  Span query{};  // the statement after AS
  Span types{};  // text inside the parentheses, empty if none
};
struct Execute {
  std::string name;
  std::vector<Operand> arguments{};
  Span arguments_span{};
};
struct Deallocate {
  std::string name;  // "" for ALL
};

struct DeclareCursor {
  std::string name;
  bool hold = false;
  Span query{};
};
struct CursorUse {  // FETCH, MOVE, CLOSE
  std::string name;
};

struct Notify {
  enum class Verb : std::uint8_t { kListen, kUnlisten, kNotify } verb = Verb::kListen;
  std::string channel;  // "*" for UNLISTEN *
};

struct Explain {
  Span query{};  // the explained statement
  bool analyze = false;
  std::string format{};  // lower case, "" = text
};

struct Truncate {
  std::vector<Relation> targets{};
  bool restart_identity = false;
  bool cascade = false;
};

struct Lock {
  std::vector<Relation> targets{};
};

struct Maintenance {  // VACUUM, ANALYZE, REINDEX, CLUSTER, CHECKPOINT
  std::string verb;   // lower case
  std::vector<Relation> targets{};
  bool outside_transaction =
      false;  // VACUUM, CLUSTER and REINDEX of more than a table, … CONCURRENTLY
};

/// Anything that changes the schema.
struct Ddl {
  enum class Object : std::uint8_t {
    kTable,
    kIndex,
    kView,
    kMaterializedView,
    kSequence,
    kType,
    kDomain,
    kFunction,
    kSchema,
    kExtension,
    kRole,
    kGrant,
    kTrigger,
    kPolicy,
    kDatabase,
    kTablespace,
    kComment,
    kOther,
  };
  enum class Verb : std::uint8_t { kCreate, kAlter, kDrop, kOther };
  Object object = Object::kOther;
  Verb verb = Verb::kOther;
  std::string tag{};                  // "CREATE TABLE"
  std::vector<Relation> relations{};  // tables named: the altered, the dropped, the indexed
  bool temporary = false;             // CREATE TEMP …
  bool concurrently = false;          // CREATE INDEX CONCURRENTLY and kin: not in a transaction
  bool if_exists = false;
  bool if_not_exists = false;
  bool is_ctas = false;         // CREATE TABLE AS / SELECT INTO: blocks[0]
  bool creates_unique = false;  // PRIMARY KEY, UNIQUE, EXCLUDE, CREATE UNIQUE INDEX
  std::vector<std::vector<std::string>> unique_columns{
  };  // one list per such constraint; expression: ""
  bool creates_foreign_key = false;
  std::vector<Relation> foreign_targets{};
  std::vector<std::string> dropped_columns{};
  std::vector<std::string> altered_columns{};  // ALTER COLUMN … TYPE
  std::string renamed_column{};                // old name
  std::string renamed_to{};                    // new name of a column or a table
  bool renames_table = false;
  std::string new_schema{};  // SET SCHEMA
};

struct Discard {
  std::string what;  // "all", "plans", "temp", "sequences"
};

/// Everything else that a server can run: DO, CALL, LOAD, SECURITY LABEL, …
struct Other {
  std::string tag;
};

using Body = std::variant<
    Select, Insert, Update, Delete, Merge, Copy, Transaction, SetVariable, Show, Prepare, Execute,
    Deallocate, DeclareCursor, CursorUse, Notify, Explain, Truncate, Lock, Maintenance, Ddl,
    Discard, Other>;

/// Facts about one statement. Owns everything in it. Immutable after analysis; shared between
/// threads.
struct Statement {
  Body body{};
  std::vector<Block> blocks{};  // [0] is the root of a SELECT, UPDATE, DELETE, INSERT … SELECT
  std::vector<CteName> ctes{};
  bool has_recursive_cte = false;
  std::uint32_t parameter_count = 0;  // highest $n
  std::string text{};                 // this statement alone, without the trailing semicolon
  std::uint32_t literal_base = 0;     // index of its first literal in the lifted whole
  bool has_unknown_node =
      false;  // something in the tree that the analysis does not know: do not rely on the facts
  /// The facts depend on the value of a literal other than through an Operand (ORDER BY 1, SET x =
  /// 5, all DDL): they hold for this text only, not for another one with the same key.
  bool literal_dependent = false;
  std::uint32_t text_begin = 0;       // of `text` in the whole that was analysed
  std::vector<Span> literal_spans{};  // of each lifted literal of this statement, in `text`
};

}  // namespace sherd::sql
