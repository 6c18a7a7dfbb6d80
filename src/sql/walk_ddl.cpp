#include <fmt/format.h>

#include "walker.hpp"

namespace sherd::sql {
namespace {

// RELPERSISTENCE_TEMP of the server's pg_class.h, which needs more of the server than there is
// here.
constexpr char kTemporary = 't';

bool is_temporary(const RangeVar* relation) noexcept {
  return relation != nullptr && relation->relpersistence == kTemporary;
}

std::vector<std::string> strings_of(const List* list) {
  std::vector<std::string> strings;
  for (const Node* item : ListOf<>(list)) {
    strings.emplace_back(string_of(item));
  }
  return strings;
}

bool names_tables(ObjectType type) noexcept {
  switch (type) {
    case OBJECT_TABLE:
    case OBJECT_VIEW:
    case OBJECT_MATVIEW:
    case OBJECT_SEQUENCE:
    case OBJECT_INDEX:
    case OBJECT_FOREIGN_TABLE:
      return true;
    default:
      return false;
  }
}

/// DROP TRIGGER name ON table and kin: the table's name with one part more behind it.
bool is_part_of_table(ObjectType type) noexcept {
  switch (type) {
    case OBJECT_TRIGGER:
    case OBJECT_POLICY:
    case OBJECT_RULE:
    case OBJECT_COLUMN:
    case OBJECT_TABCONSTRAINT:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Walker::ddl(const Node* node) {
  const CommandRow* row = command_row(node->type);
  if (row == nullptr || !row->is_ddl) {
    return false;
  }
  Ddl out;
  out.object = row->object;
  out.verb = row->verb;
  out.tag = command_tag(node);
  ddl_details(node, out);
  out_.body = std::move(out);
  return true;
}

void Walker::ddl_details(const Node* node, Ddl& out) {
  const auto add = [&](const RangeVar* relation) {
    if (relation != nullptr) {
      out.relations.push_back(table(relation));
      out.temporary |= is_temporary(relation);
    }
  };
  switch (node->type) {
    case T_CreateStmt:
      create_table(as<CreateStmt>(node), out);
      return;
    case T_CreateForeignTableStmt:
      create_table(&as<CreateForeignTableStmt>(node)->base, out);
      return;
    case T_CreateTableAsStmt: {
      const auto* statement = as<CreateTableAsStmt>(node);
      out.if_not_exists = statement->if_not_exists;
      create_table_as(statement->query, statement->into, out);
      out.object = object_of(statement->objtype);
      return;
    }
    case T_AlterTableStmt:
      alter_table(as<AlterTableStmt>(node), out);
      return;
    case T_IndexStmt:
      create_index(as<IndexStmt>(node), out);
      return;
    case T_RenameStmt:
      rename(as<RenameStmt>(node), out);
      return;
    case T_DropStmt:
      drop(as<DropStmt>(node), out);
      return;
    case T_ViewStmt:
      create_view(as<ViewStmt>(node), out);
      return;
    case T_AlterObjectSchemaStmt: {
      const auto* statement = as<AlterObjectSchemaStmt>(node);
      out.object = object_of(statement->objectType);
      out.new_schema = text_or_empty(statement->newschema);
      out.if_exists = statement->missing_ok;
      add(statement->relation);
      return;
    }
    case T_AlterOwnerStmt:
      out.object = object_of(as<AlterOwnerStmt>(node)->objectType);
      add(as<AlterOwnerStmt>(node)->relation);
      return;
    case T_CreateSeqStmt:
      out.if_not_exists = as<CreateSeqStmt>(node)->if_not_exists;
      add(as<CreateSeqStmt>(node)->sequence);
      return;
    case T_AlterSeqStmt:
      out.if_exists = as<AlterSeqStmt>(node)->missing_ok;
      add(as<AlterSeqStmt>(node)->sequence);
      return;
    default:
      ddl_rest(node, out);
      return;
  }
}

void Walker::ddl_rest(const Node* node, Ddl& out) {
  const auto add = [&](const RangeVar* relation) {
    if (relation != nullptr) {
      out.relations.push_back(table(relation));
    }
  };
  switch (node->type) {
    case T_CreateTrigStmt:
      add(as<CreateTrigStmt>(node)->relation);
      return;
    case T_CreatePolicyStmt:
      add(as<CreatePolicyStmt>(node)->table);
      return;
    case T_AlterPolicyStmt:
      add(as<AlterPolicyStmt>(node)->table);
      return;
    case T_RuleStmt:
      add(as<RuleStmt>(node)->relation);
      return;
    case T_RefreshMatViewStmt:
      add(as<RefreshMatViewStmt>(node)->relation);
      return;
    case T_AlterObjectDependsStmt:
      add(as<AlterObjectDependsStmt>(node)->relation);
      return;
    case T_CompositeTypeStmt:
      add(as<CompositeTypeStmt>(node)->typevar);
      return;
    case T_CreateStatsStmt:
      for (const Node* relation : ListOf<>(as<CreateStatsStmt>(node)->relations)) {
        add(is_node(relation, T_RangeVar) ? as<RangeVar>(relation) : nullptr);
      }
      return;
    case T_CreateSchemaStmt:
      out.if_not_exists = as<CreateSchemaStmt>(node)->if_not_exists;
      if (as<CreateSchemaStmt>(node)->schemaElts != nullptr) {
        mark_unknown();  // tables made within it
      }
      return;
    case T_CreateExtensionStmt:
      out.if_not_exists = as<CreateExtensionStmt>(node)->if_not_exists;
      return;
    case T_DefineStmt:
      out.object = object_of(as<DefineStmt>(node)->kind);
      return;
    case T_CommentStmt:
      comment(as<CommentStmt>(node), out);
      return;
    case T_GrantStmt:
      grant(as<GrantStmt>(node), out);
      return;
    case T_CreatedbStmt:
    case T_DropdbStmt:
    case T_CreateTableSpaceStmt:
    case T_DropTableSpaceStmt:
    case T_AlterSystemStmt:
    case T_CreateSubscriptionStmt:
    case T_DropSubscriptionStmt:
      out.concurrently = true;
      return;  // not in a transaction either
    default:
      return;
  }
}

void Walker::comment(const CommentStmt* node, Ddl& out) const {
  if (names_tables(node->objtype) && is_node(node->object, T_List)) {
    out.relations.push_back(table_of_names(as<List>(node->object)));
  }
}

void Walker::grant(const GrantStmt* node, Ddl& out) const {
  const bool named = node->targtype == ACL_TARGET_OBJECT
                     && (node->objtype == OBJECT_TABLE || node->objtype == OBJECT_SEQUENCE);
  for (const Node* object : ListOf<>(named ? node->objects : nullptr)) {
    if (is_node(object, T_RangeVar)) {
      out.relations.push_back(table(as<RangeVar>(object)));
    }
  }
}

void Walker::create_table(const CreateStmt* node, Ddl& out) const {
  out.relations.push_back(table(node->relation));
  out.temporary = is_temporary(node->relation);
  out.if_not_exists = node->if_not_exists;
  for (const Node* element : ListOf<>(node->tableElts)) {
    if (is_node(element, T_ColumnDef)) {
      column_definition(as<ColumnDef>(element), out);
    } else if (is_node(element, T_Constraint)) {
      constraint(as<Constraint>(element), {}, out);
    } else if (is_node(element, T_TableLikeClause)) {
      out.relations.push_back(table(as<TableLikeClause>(element)->relation));
    }
  }
  for (const Node* element : ListOf<>(node->constraints)) {
    constraint(as<Constraint>(element), {}, out);
  }
  tables(node->inhRelations, out.relations);
}

void Walker::create_table_as(const Node* query, const IntoClause* into, Ddl& out) {
  out.object = Ddl::Object::kTable;
  out.verb = Ddl::Verb::kCreate;
  out.is_ctas = true;
  out.relations.push_back(table(into->rel));
  out.temporary = is_temporary(into->rel);
  query_of_ddl(query);
}

void Walker::create_view(const ViewStmt* node, Ddl& out) {
  out.relations.push_back(table(node->view));
  out.temporary = is_temporary(node->view);
  query_of_ddl(node->query);
}

// Its relations become blocks, so that whoever plans sees what it reads; its text is not cut.
void Walker::query_of_ddl(const Node* query) {
  cuts_ = false;
  if (is_node(query, T_SelectStmt)) {
    static_cast<void>(select(as<SelectStmt>(query)));
  } else {
    mark_unknown();  // CREATE TABLE AS EXECUTE
  }
}

void Walker::column_definition(const ColumnDef* node, Ddl& out) const {
  for (const auto* item : ListOf<Constraint>(node->constraints)) {
    constraint(item, text_or_empty(node->colname), out);
  }
}

// @param column  that it is written behind; "" for one of the table.
void Walker::constraint(const Constraint* node, std::string_view column, Ddl& out) const {
  switch (node->contype) {
    case CONSTR_PRIMARY:
    case CONSTR_UNIQUE:
      out.creates_unique = true;
      out.unique_columns.push_back(
          column.empty() ? strings_of(node->keys) : std::vector{std::string(column)}
      );
      return;
    case CONSTR_EXCLUSION: {
      out.creates_unique = true;
      std::vector<std::string>& columns = out.unique_columns.emplace_back();
      for (const auto* pair : ListOf<List>(node->exclusions)) {
        columns.push_back(text_or_empty(as<IndexElem>(ListOf<>(pair)[0])->name));
      }
      return;
    }
    case CONSTR_FOREIGN:
      out.creates_foreign_key = true;
      if (node->pktable != nullptr) {
        out.foreign_targets.push_back(table(node->pktable));
      }
      return;
    default:
      return;
  }
}

void Walker::alter_table(const AlterTableStmt* node, Ddl& out) const {
  out.object = object_of(node->objtype);
  out.relations.push_back(table(node->relation));
  out.if_exists = node->missing_ok;
  for (const Node* command : ListOf<>(node->cmds)) {
    if (is_node(command, T_AlterTableCmd)) {
      alter_table_command(as<AlterTableCmd>(command), out);
    }
  }
}

void Walker::alter_table_command(const AlterTableCmd* node, Ddl& out) const {
  switch (node->subtype) {
    case AT_AddColumn:
      if (is_node(node->def, T_ColumnDef)) {
        column_definition(as<ColumnDef>(node->def), out);
      }
      return;
    case AT_AddConstraint:
      if (is_node(node->def, T_Constraint)) {
        constraint(as<Constraint>(node->def), {}, out);
      }
      return;
    case AT_DropColumn:
      out.dropped_columns.push_back(text_or_empty(node->name));
      return;
    case AT_AlterColumnType:
      out.altered_columns.push_back(text_or_empty(node->name));
      return;
    case AT_AddInherit:
    case AT_DropInherit:
      if (is_node(node->def, T_RangeVar)) {
        out.relations.push_back(table(as<RangeVar>(node->def)));
      }
      return;
    case AT_AttachPartition:
    case AT_DetachPartition:
    case AT_DetachPartitionFinalize:
      if (is_node(node->def, T_PartitionCmd)) {
        out.relations.push_back(table(as<PartitionCmd>(node->def)->name));
        out.concurrently |= as<PartitionCmd>(node->def)->concurrent;
      }
      return;
    default:
      return;
  }
}

void Walker::create_index(const IndexStmt* node, Ddl& out) const {
  out.relations.push_back(table(node->relation));
  out.concurrently = node->concurrent;
  out.if_not_exists = node->if_not_exists;
  if (!node->unique) {
    return;
  }
  out.creates_unique = true;
  std::vector<std::string>& columns = out.unique_columns.emplace_back();
  for (const auto* element : ListOf<IndexElem>(node->indexParams)) {
    columns.push_back(text_or_empty(element->name));
  }
}

void Walker::rename(const RenameStmt* node, Ddl& out) const {
  const bool of_column = node->renameType == OBJECT_COLUMN;
  out.object = object_of(of_column ? node->relationType : node->renameType);
  out.if_exists = node->missing_ok;
  out.renamed_to = text_or_empty(node->newname);
  out.renames_table = node->renameType == OBJECT_TABLE;
  if (of_column) {
    out.renamed_column = text_or_empty(node->subname);
  }
  if (node->relation != nullptr) {
    out.relations.push_back(table(node->relation));
  }
}

void Walker::drop(const DropStmt* node, Ddl& out) const {
  out.object = object_of(node->removeType);
  out.if_exists = node->missing_ok;
  out.concurrently = node->concurrent;
  for (const Node* object : ListOf<>(node->objects)) {
    if (!is_node(object, T_List)) {
      continue;
    }
    const auto* names = as<List>(object);
    if (names_tables(node->removeType)) {
      out.relations.push_back(table_of_names(names));
    } else if (is_part_of_table(node->removeType) && ListOf<>(names).size() > 1) {
      List table_name = *names;
      --table_name.length;
      out.relations.push_back(table_of_names(&table_name));
    }
  }
}

}  // namespace sherd::sql
