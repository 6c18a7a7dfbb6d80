#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/sql/lift.hpp>
#include <sherd/sql/statement.hpp>

#include "clauses.hpp"
#include "tokens.hpp"
// clang-format off: PostgreSQL's macros come after everything else
#include "pg_nodes.hpp"
// clang-format on

namespace sherd::sql {

/// Reads one raw parse tree and states its facts. Calls no function of libpg_query (those may jump
/// over our destructors), it only looks at the nodes.
class Walker {
 public:
  /// Levels of expressions, subqueries and joins within each other. Chains of operators don't
  /// count.
  static constexpr std::uint32_t kMaxDepth = 1000;
  static constexpr std::size_t kMaxBlocks = 10'000;

  /// @param extent  the tokens of this statement.
  /// @param out     text and text_begin are set already.
  Walker(
      const Tokens& tokens, std::span<const Literal> literals, TokenRange extent, Statement& out
  ) noexcept
      : tokens_(tokens), literals_(literals), extent_(extent), out_(out) {}

  /// @return kStatementTooComplex when nested deeper than kMaxDepth.
  [[nodiscard]] Result<> run(const Node* statement);

 private:
  friend class DepthGuard;

  struct CteEntry {
    std::string_view name;
    std::uint32_t block;
  };
  struct UtilityRow;

  // walker.cpp
  void dispatch(const Node* statement);
  void mark_unknown() noexcept { out_.has_unknown_node = true; }
  [[nodiscard]] Span span_of(std::uint32_t begin, std::uint32_t end) const noexcept;
  [[nodiscard]] Span span_of(TokenRange range) const noexcept;
  [[nodiscard]] std::uint32_t new_block(bool is_cte);
  void check_select_count();

  // walk_expression.cpp
  void collect(const Node* node, ExpressionFacts& facts, bool in_function = false);
  void collect_list(const List* list, ExpressionFacts& facts, bool in_function = false);
  void collect_operator(const A_Expr* expression, ExpressionFacts& facts, bool in_function);
  void collect_function(const FuncCall* call, ExpressionFacts& facts, bool in_function);
  void collect_value_function(const SQLValueFunction* call, ExpressionFacts& facts, bool nested);
  void collect_sublink(const SubLink* link, ExpressionFacts& facts, bool in_function);
  void collect_case(const CaseExpr* expression, ExpressionFacts& facts, bool in_function);
  void collect_window(const WindowDef* window, ExpressionFacts& facts, bool in_function);
  void note_type(const ::TypeName* type);
  void collect_rare(const Node* node, ExpressionFacts& facts, bool in_function);
  void locate_function(const FuncCall* node, FunctionCall& call) const;
  [[nodiscard]] std::uint32_t block_of(const SubLink* link);
  [[nodiscard]] std::int64_t leftmost(const Node* node) const noexcept;

  // walk_operand.cpp
  void operand(const Node* node, Operand& out) const;
  void constant(const A_Const* node, Operand& out) const;
  void cast_operand(const TypeCast* node, Operand& out) const;
  [[nodiscard]] bool literal_at(std::int64_t offset, Operand& out) const;
  [[nodiscard]] static bool column(const ::ColumnRef* node, ColumnRef& out);
  [[nodiscard]] static bool type_name(const ::TypeName* node, TypeName& out);

  // walk_predicate.cpp
  void predicate(const Node* node, Predicate& out);
  void boolean(const BoolExpr* node, Predicate& out);
  void comparison(const A_Expr* node, Predicate& out);
  void operator_predicate(const A_Expr* node, Predicate& out) const;
  void not_distinct(const A_Expr* node, Predicate& out) const;
  void between(const A_Expr* node, Predicate& out) const;
  void in_list(const A_Expr* node, Predicate& out) const;
  void in_list_of_rows(const RowExpr* left, const List* rows, Predicate& out) const;
  void any_array(const A_Expr* node, Predicate& out) const;
  void any_of_elements(
      const Node* left, const A_ArrayExpr* array, const ::TypeName* cast, Predicate& out
  ) const;
  void in_subquery(const SubLink* node, Predicate& out);

  // walk_query.cpp
  [[nodiscard]] std::uint32_t select(const SelectStmt* statement);
  void select_into(const SelectStmt* statement, std::uint32_t index);
  void plain_select(const SelectStmt* statement, Block& block);
  void set_operation(const SelectStmt* statement, std::uint32_t index);
  void values_lists(const List* lists, Block& block);
  void enter_with(const WithClause* with);
  void build_cte(const CommonTableExpr* cte, std::uint32_t index);
  [[nodiscard]] std::optional<std::uint32_t> visible_cte(std::string_view name) const noexcept;
  void targets(const List* list, std::vector<Target>& out);
  void target(const ResTarget* node, Target& out);
  void group_item(const Node* node, GroupItem& out);
  void sort_item(const SortBy* node, SortItem& out);
  void tail(const SelectStmt* statement, Block& block);
  void limits(const SelectStmt* statement, Block& block);

  // walk_from.cpp
  void from_list(const List* items, Block& block);
  [[nodiscard]] std::uint32_t from_item(const Node* node, Block& block);
  [[nodiscard]] std::uint32_t join(const JoinExpr* node, Block& block);
  [[nodiscard]] std::uint32_t leaf(Relation relation, Block& block);
  void table_sample(const RangeTableSample* node, Relation& out);
  void function_relation(const RangeFunction* node, Relation& out);
  void table_function(const RangeTableFunc* node, Relation& out);
  [[nodiscard]] Relation table(const RangeVar* node) const;
  [[nodiscard]] Relation table_of_names(const List* names) const;

  // walk_spans.cpp
  void cut_select(const SelectStmt* statement, std::uint32_t index);
  void cut_set_operation(const SelectStmt* statement, std::uint32_t index);
  void cut_modification(
      Keyword verb, const WithClause* with, bool has_from, bool has_where, Block& block
  );
  void set_spans(const ClauseRanges& ranges, Block& block);
  void target_spans(const List* nodes, TokenRange range, std::vector<Target>& targets);
  void group_spans(TokenRange range, Block& block) const;
  void distinct_spans(TokenRange head, Block& block) const;
  void sort_spans(const List* nodes, TokenRange range, Block& block) const;
  void values_spans(TokenRange range, std::vector<std::vector<Operand>>& rows) const;
  void note_range(std::uint32_t index, TokenRange range);
  [[nodiscard]] std::uint32_t returning_token(TokenRange range) const;
  void returning_spans(const List* nodes, std::vector<Target>& targets);
  void widen_to_with(const WithClause* with, TokenRange& range) const;

  // walk_modify.cpp
  void select_statement(const Node* node);
  void insert_statement(const Node* node);
  void update_statement(const Node* node);
  void delete_statement(const Node* node);
  void merge_statement(const Node* node);
  void insert_rows(const List* lists, Insert& insert);
  void insert_row_spans(const List* lists, Insert& insert) const;
  void on_conflict(const OnConflictClause* node, ExpressionFacts& facts);
  void update(const UpdateStmt* statement, Block& block, Update& out);
  void set_column(const ResTarget* target, Update& out);
  void delete_from(const DeleteStmt* statement, Block& block, Delete& out);
  void modifying_cte(const Node* node, std::uint32_t index);
  void modifying_insert(const InsertStmt* statement, Block& block);
  void where(const Node* condition, Block& block);
  static void add_facts(ExpressionFacts&& more, ExpressionFacts& facts);
  [[nodiscard]] TokenRange cte_extent(const CommonTableExpr* cte) const;

  // walk_utility.cpp
  void utility(const Node* node);
  void copy(const Node* node);
  void transaction(const Node* node);
  void set_variable(const Node* node);
  void set_characteristics(const VariableSetStmt* node, SetVariable& out) const;
  void show(const Node* node);
  void prepare(const Node* node);
  void execute(const Node* node);
  void deallocate(const Node* node);
  void declare_cursor(const Node* node);
  void cursor_use(const Node* node);
  void close_cursor(const Node* node);
  void listen(const Node* node);
  void unlisten(const Node* node);
  void notify(const Node* node);
  void explain(const Node* node);
  void truncate(const Node* node);
  void lock(const Node* node);
  void vacuum(const Node* node);
  void cluster(const Node* node);
  void reindex(const Node* node);
  void checkpoint(const Node* node);
  void discard(const Node* node);
  void tables(const List* range_vars, std::vector<Relation>& out) const;

  // walk_ddl.cpp
  [[nodiscard]] bool ddl(const Node* node);
  void ddl_details(const Node* node, Ddl& out);
  void ddl_rest(const Node* node, Ddl& out);
  void comment(const CommentStmt* node, Ddl& out) const;
  void grant(const GrantStmt* node, Ddl& out) const;
  void create_table(const CreateStmt* node, Ddl& out) const;
  void create_table_as(const Node* query, const IntoClause* into, Ddl& out);
  void alter_table(const AlterTableStmt* node, Ddl& out) const;
  void alter_table_command(const AlterTableCmd* node, Ddl& out) const;
  void column_definition(const ColumnDef* node, Ddl& out) const;
  void constraint(const Constraint* node, std::string_view column, Ddl& out) const;
  void create_index(const IndexStmt* node, Ddl& out) const;
  void rename(const RenameStmt* node, Ddl& out) const;
  void drop(const DropStmt* node, Ddl& out) const;
  void create_view(const ViewStmt* node, Ddl& out);
  void query_of_ddl(const Node* query);

  const Tokens& tokens_;
  std::span<const Literal> literals_;
  TokenRange extent_;
  Statement& out_;
  std::vector<CteEntry> ctes_{};  // visible here, innermost last
  std::unordered_map<const SubLink*, std::uint32_t> sublinks_{};
  std::vector<const Node*> spine_{};        // right operands of a chain
  std::vector<TokenRange> ranges_{};        // per block, where known
  std::optional<std::uint32_t> current_{};  // the block being built
  std::uint32_t depth_ = 0;
  std::uint32_t select_stop_ = Tokens::kNone;  // token behind the source of the INSERT being built
  bool cuts_ = true;                           // false: no clause spans (DDL around the query)
  std::uint32_t plain_selects_ = 0;            // written with the word SELECT
  bool too_deep_ = false;
};

/// Counts a level while it lives. False: too deep, go no further.
class DepthGuard {
 public:
  explicit DepthGuard(Walker& walker) noexcept : walker_(walker) {
    ++walker_.depth_;
    walker_.too_deep_ = walker_.too_deep_ || walker_.depth_ > Walker::kMaxDepth;
  }
  ~DepthGuard() { --walker_.depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  [[nodiscard]] explicit operator bool() const noexcept { return !walker_.too_deep_; }

 private:
  Walker& walker_;
};

/// The name that PostgreSQL gives an output column without an alias (manual, section 7.3.2); ""
/// where only the schema tells it.
[[nodiscard]] std::string output_name(const Node* expression);

/// Name of an SQL value function (CURRENT_DATE and kin), as a column is named after it.
[[nodiscard]] std::string_view value_function_name(SQLValueFunctionOp op) noexcept;

/// Stands for any number of columns: t.*, (row).*. No position after it is certain.
[[nodiscard]] bool expands(const Node* expression) noexcept;
[[nodiscard]] bool any_expands(const List* expressions) noexcept;

/// "a.b", without pg_catalog.
[[nodiscard]] std::string dotted(const List* names);

/// What is known of a statement by its tag alone: its command tag, and for DDL what it does to
/// what.
struct CommandRow {
  NodeTag node;
  std::string_view tag;
  Ddl::Object object;
  Ddl::Verb verb;
  bool is_ddl;
};
/// @return nullptr for a node that is no utility statement.
[[nodiscard]] const CommandRow* command_row(NodeTag node) noexcept;

/// PostgreSQL's command tag of a utility statement.
[[nodiscard]] std::string command_tag(const Node* statement);
[[nodiscard]] Ddl::Object object_of(ObjectType type) noexcept;

}  // namespace sherd::sql
