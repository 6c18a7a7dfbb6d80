#include <algorithm>
#include <array>
#include <utility>

#include "walker.hpp"

namespace sherd::sql {
namespace {

using Object = Ddl::Object;
using Verb = Ddl::Verb;

// A tag of "" depends on more than the node: see command_tag.
constexpr std::array kRows{
    CommandRow{T_AlterCollationStmt, "ALTER COLLATION", Object::kOther, Verb::kAlter, true},
    CommandRow{
        T_AlterDatabaseRefreshCollStmt, "ALTER DATABASE", Object::kDatabase, Verb::kAlter, true
    },
    CommandRow{T_AlterDatabaseSetStmt, "ALTER DATABASE", Object::kDatabase, Verb::kAlter, true},
    CommandRow{T_AlterDatabaseStmt, "ALTER DATABASE", Object::kDatabase, Verb::kAlter, true},
    CommandRow{
        T_AlterDefaultPrivilegesStmt, "ALTER DEFAULT PRIVILEGES", Object::kGrant, Verb::kAlter, true
    },
    CommandRow{T_AlterDomainStmt, "ALTER DOMAIN", Object::kDomain, Verb::kAlter, true},
    CommandRow{T_AlterEnumStmt, "ALTER TYPE", Object::kType, Verb::kAlter, true},
    CommandRow{T_AlterEventTrigStmt, "ALTER EVENT TRIGGER", Object::kTrigger, Verb::kAlter, true},
    CommandRow{
        T_AlterExtensionContentsStmt, "ALTER EXTENSION", Object::kExtension, Verb::kAlter, true
    },
    CommandRow{T_AlterExtensionStmt, "ALTER EXTENSION", Object::kExtension, Verb::kAlter, true},
    CommandRow{T_AlterFdwStmt, "ALTER FOREIGN DATA WRAPPER", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterForeignServerStmt, "ALTER SERVER", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterFunctionStmt, "", Object::kFunction, Verb::kAlter, true},
    CommandRow{T_AlterObjectDependsStmt, "", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterObjectSchemaStmt, "", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterOpFamilyStmt, "ALTER OPERATOR FAMILY", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterOperatorStmt, "ALTER OPERATOR", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterOwnerStmt, "", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterPolicyStmt, "ALTER POLICY", Object::kPolicy, Verb::kAlter, true},
    CommandRow{T_AlterPublicationStmt, "ALTER PUBLICATION", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterRoleSetStmt, "ALTER ROLE", Object::kRole, Verb::kAlter, true},
    CommandRow{T_AlterRoleStmt, "ALTER ROLE", Object::kRole, Verb::kAlter, true},
    CommandRow{T_AlterSeqStmt, "ALTER SEQUENCE", Object::kSequence, Verb::kAlter, true},
    CommandRow{T_AlterStatsStmt, "ALTER STATISTICS", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterSubscriptionStmt, "ALTER SUBSCRIPTION", Object::kOther, Verb::kAlter, true},
    CommandRow{T_AlterSystemStmt, "ALTER SYSTEM", Object::kOther, Verb::kAlter, true},
    CommandRow{
        T_AlterTSConfigurationStmt, "ALTER TEXT SEARCH CONFIGURATION", Object::kOther, Verb::kAlter,
        true
    },
    CommandRow{
        T_AlterTSDictionaryStmt, "ALTER TEXT SEARCH DICTIONARY", Object::kOther, Verb::kAlter, true
    },
    CommandRow{T_AlterTableMoveAllStmt, "", Object::kTable, Verb::kAlter, true},
    CommandRow{
        T_AlterTableSpaceOptionsStmt, "ALTER TABLESPACE", Object::kTablespace, Verb::kAlter, true
    },
    CommandRow{T_AlterTableStmt, "", Object::kTable, Verb::kAlter, true},
    CommandRow{T_AlterTypeStmt, "ALTER TYPE", Object::kType, Verb::kAlter, true},
    CommandRow{T_AlterUserMappingStmt, "ALTER USER MAPPING", Object::kOther, Verb::kAlter, true},
    CommandRow{T_CallStmt, "CALL", Object::kOther, Verb::kOther, false},
    CommandRow{T_CommentStmt, "COMMENT", Object::kComment, Verb::kOther, true},
    CommandRow{T_CompositeTypeStmt, "CREATE TYPE", Object::kType, Verb::kCreate, true},
    CommandRow{T_ConstraintsSetStmt, "SET CONSTRAINTS", Object::kOther, Verb::kOther, false},
    CommandRow{T_CreateAmStmt, "CREATE ACCESS METHOD", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateCastStmt, "CREATE CAST", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateConversionStmt, "CREATE CONVERSION", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateDomainStmt, "CREATE DOMAIN", Object::kDomain, Verb::kCreate, true},
    CommandRow{T_CreateEnumStmt, "CREATE TYPE", Object::kType, Verb::kCreate, true},
    CommandRow{
        T_CreateEventTrigStmt, "CREATE EVENT TRIGGER", Object::kTrigger, Verb::kCreate, true
    },
    CommandRow{T_CreateExtensionStmt, "CREATE EXTENSION", Object::kExtension, Verb::kCreate, true},
    CommandRow{T_CreateFdwStmt, "CREATE FOREIGN DATA WRAPPER", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateForeignServerStmt, "CREATE SERVER", Object::kOther, Verb::kCreate, true},
    CommandRow{
        T_CreateForeignTableStmt, "CREATE FOREIGN TABLE", Object::kTable, Verb::kCreate, true
    },
    CommandRow{T_CreateFunctionStmt, "", Object::kFunction, Verb::kCreate, true},
    CommandRow{T_CreateOpClassStmt, "CREATE OPERATOR CLASS", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateOpFamilyStmt, "CREATE OPERATOR FAMILY", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreatePLangStmt, "CREATE LANGUAGE", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreatePolicyStmt, "CREATE POLICY", Object::kPolicy, Verb::kCreate, true},
    CommandRow{T_CreatePublicationStmt, "CREATE PUBLICATION", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateRangeStmt, "CREATE TYPE", Object::kType, Verb::kCreate, true},
    CommandRow{T_CreateRoleStmt, "CREATE ROLE", Object::kRole, Verb::kCreate, true},
    CommandRow{T_CreateSchemaStmt, "CREATE SCHEMA", Object::kSchema, Verb::kCreate, true},
    CommandRow{T_CreateSeqStmt, "CREATE SEQUENCE", Object::kSequence, Verb::kCreate, true},
    CommandRow{T_CreateStatsStmt, "CREATE STATISTICS", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateStmt, "CREATE TABLE", Object::kTable, Verb::kCreate, true},
    CommandRow{
        T_CreateSubscriptionStmt, "CREATE SUBSCRIPTION", Object::kOther, Verb::kCreate, true
    },
    CommandRow{T_CreateTableAsStmt, "", Object::kTable, Verb::kCreate, true},
    CommandRow{
        T_CreateTableSpaceStmt, "CREATE TABLESPACE", Object::kTablespace, Verb::kCreate, true
    },
    CommandRow{T_CreateTransformStmt, "CREATE TRANSFORM", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreateTrigStmt, "CREATE TRIGGER", Object::kTrigger, Verb::kCreate, true},
    CommandRow{T_CreateUserMappingStmt, "CREATE USER MAPPING", Object::kOther, Verb::kCreate, true},
    CommandRow{T_CreatedbStmt, "CREATE DATABASE", Object::kDatabase, Verb::kCreate, true},
    CommandRow{T_DefineStmt, "", Object::kOther, Verb::kCreate, true},
    CommandRow{T_DoStmt, "DO", Object::kOther, Verb::kOther, false},
    CommandRow{T_DropOwnedStmt, "DROP OWNED", Object::kRole, Verb::kDrop, true},
    CommandRow{T_DropRoleStmt, "DROP ROLE", Object::kRole, Verb::kDrop, true},
    CommandRow{T_DropStmt, "", Object::kOther, Verb::kDrop, true},
    CommandRow{T_DropSubscriptionStmt, "DROP SUBSCRIPTION", Object::kOther, Verb::kDrop, true},
    CommandRow{T_DropTableSpaceStmt, "DROP TABLESPACE", Object::kTablespace, Verb::kDrop, true},
    CommandRow{T_DropUserMappingStmt, "DROP USER MAPPING", Object::kOther, Verb::kDrop, true},
    CommandRow{T_DropdbStmt, "DROP DATABASE", Object::kDatabase, Verb::kDrop, true},
    CommandRow{T_GrantRoleStmt, "", Object::kGrant, Verb::kOther, true},
    CommandRow{T_GrantStmt, "", Object::kGrant, Verb::kOther, true},
    CommandRow{
        T_ImportForeignSchemaStmt, "IMPORT FOREIGN SCHEMA", Object::kSchema, Verb::kOther, true
    },
    CommandRow{T_IndexStmt, "CREATE INDEX", Object::kIndex, Verb::kCreate, true},
    CommandRow{T_LoadStmt, "LOAD", Object::kOther, Verb::kOther, false},
    CommandRow{T_ReassignOwnedStmt, "REASSIGN OWNED", Object::kRole, Verb::kOther, true},
    CommandRow{
        T_RefreshMatViewStmt, "REFRESH MATERIALIZED VIEW", Object::kMaterializedView, Verb::kOther,
        true
    },
    CommandRow{T_RenameStmt, "", Object::kOther, Verb::kAlter, true},
    CommandRow{T_RuleStmt, "CREATE RULE", Object::kOther, Verb::kCreate, true},
    CommandRow{T_SecLabelStmt, "SECURITY LABEL", Object::kOther, Verb::kOther, true},
    CommandRow{T_ViewStmt, "CREATE VIEW", Object::kView, Verb::kCreate, true},
};

struct ObjectRow {
  ObjectType type;
  std::string_view name;  // as it stands in ALTER … and DROP …
  Object object;
};

constexpr std::array kObjects{
    ObjectRow{OBJECT_ACCESS_METHOD, "ACCESS METHOD", Object::kOther},
    ObjectRow{OBJECT_AGGREGATE, "AGGREGATE", Object::kFunction},
    ObjectRow{OBJECT_ATTRIBUTE, "TYPE", Object::kType},
    ObjectRow{OBJECT_CAST, "CAST", Object::kOther},
    ObjectRow{OBJECT_COLLATION, "COLLATION", Object::kOther},
    ObjectRow{OBJECT_COLUMN, "TABLE", Object::kTable},
    ObjectRow{OBJECT_CONVERSION, "CONVERSION", Object::kOther},
    ObjectRow{OBJECT_DATABASE, "DATABASE", Object::kDatabase},
    ObjectRow{OBJECT_DOMAIN, "DOMAIN", Object::kDomain},
    ObjectRow{OBJECT_DOMCONSTRAINT, "DOMAIN", Object::kDomain},
    ObjectRow{OBJECT_EVENT_TRIGGER, "EVENT TRIGGER", Object::kTrigger},
    ObjectRow{OBJECT_EXTENSION, "EXTENSION", Object::kExtension},
    ObjectRow{OBJECT_FDW, "FOREIGN DATA WRAPPER", Object::kOther},
    ObjectRow{OBJECT_FOREIGN_SERVER, "SERVER", Object::kOther},
    ObjectRow{OBJECT_FOREIGN_TABLE, "FOREIGN TABLE", Object::kTable},
    ObjectRow{OBJECT_FUNCTION, "FUNCTION", Object::kFunction},
    ObjectRow{OBJECT_INDEX, "INDEX", Object::kIndex},
    ObjectRow{OBJECT_LANGUAGE, "LANGUAGE", Object::kOther},
    ObjectRow{OBJECT_LARGEOBJECT, "LARGE OBJECT", Object::kOther},
    ObjectRow{OBJECT_MATVIEW, "MATERIALIZED VIEW", Object::kMaterializedView},
    ObjectRow{OBJECT_OPCLASS, "OPERATOR CLASS", Object::kOther},
    ObjectRow{OBJECT_OPERATOR, "OPERATOR", Object::kOther},
    ObjectRow{OBJECT_OPFAMILY, "OPERATOR FAMILY", Object::kOther},
    ObjectRow{OBJECT_POLICY, "POLICY", Object::kPolicy},
    ObjectRow{OBJECT_PROCEDURE, "PROCEDURE", Object::kFunction},
    ObjectRow{OBJECT_PUBLICATION, "PUBLICATION", Object::kOther},
    ObjectRow{OBJECT_ROLE, "ROLE", Object::kRole},
    ObjectRow{OBJECT_ROUTINE, "ROUTINE", Object::kFunction},
    ObjectRow{OBJECT_RULE, "RULE", Object::kOther},
    ObjectRow{OBJECT_SCHEMA, "SCHEMA", Object::kSchema},
    ObjectRow{OBJECT_SEQUENCE, "SEQUENCE", Object::kSequence},
    ObjectRow{OBJECT_STATISTIC_EXT, "STATISTICS", Object::kOther},
    ObjectRow{OBJECT_SUBSCRIPTION, "SUBSCRIPTION", Object::kOther},
    ObjectRow{OBJECT_TABCONSTRAINT, "TABLE", Object::kTable},
    ObjectRow{OBJECT_TABLE, "TABLE", Object::kTable},
    ObjectRow{OBJECT_TABLESPACE, "TABLESPACE", Object::kTablespace},
    ObjectRow{OBJECT_TRANSFORM, "TRANSFORM", Object::kOther},
    ObjectRow{OBJECT_TRIGGER, "TRIGGER", Object::kTrigger},
    ObjectRow{OBJECT_TSCONFIGURATION, "TEXT SEARCH CONFIGURATION", Object::kOther},
    ObjectRow{OBJECT_TSDICTIONARY, "TEXT SEARCH DICTIONARY", Object::kOther},
    ObjectRow{OBJECT_TSPARSER, "TEXT SEARCH PARSER", Object::kOther},
    ObjectRow{OBJECT_TSTEMPLATE, "TEXT SEARCH TEMPLATE", Object::kOther},
    ObjectRow{OBJECT_TYPE, "TYPE", Object::kType},
    ObjectRow{OBJECT_USER_MAPPING, "USER MAPPING", Object::kOther},
    ObjectRow{OBJECT_VIEW, "VIEW", Object::kView},
};

const ObjectRow* object_row(ObjectType type) noexcept {
  const auto* const row = std::ranges::find(kObjects, type, &ObjectRow::type);
  return row == kObjects.end() ? nullptr : row;
}

std::string with_object(std::string_view verb, ObjectType type) {
  const ObjectRow* row = object_row(type);
  return row == nullptr ? std::string("???") : std::string(verb).append(row->name);
}

// A column or an attribute is renamed on what its relation is.
std::string rename_tag(const RenameStmt* node) {
  const bool part = node->renameType == OBJECT_COLUMN || node->renameType == OBJECT_ATTRIBUTE;
  return with_object("ALTER ", part ? node->relationType : node->renameType);
}

std::string create_table_as_tag(const CreateTableAsStmt* node) {
  if (node->objtype == OBJECT_MATVIEW) {
    return "CREATE MATERIALIZED VIEW";
  }
  return node->is_select_into ? "SELECT INTO" : "CREATE TABLE AS";
}

}  // namespace

const CommandRow* command_row(NodeTag node) noexcept {
  const auto* const row = std::ranges::find(kRows, node, &CommandRow::node);
  return row == kRows.end() ? nullptr : row;
}

std::string command_tag(const Node* statement) {
  const CommandRow* row = command_row(statement->type);
  if (row == nullptr) {
    return "???";
  }
  if (!row->tag.empty()) {
    return std::string(row->tag);
  }
  switch (statement->type) {
    case T_AlterFunctionStmt:
      return with_object("ALTER ", as<AlterFunctionStmt>(statement)->objtype);
    case T_AlterObjectDependsStmt:
      return with_object("ALTER ", as<AlterObjectDependsStmt>(statement)->objectType);
    case T_AlterObjectSchemaStmt:
      return with_object("ALTER ", as<AlterObjectSchemaStmt>(statement)->objectType);
    case T_AlterOwnerStmt:
      return with_object("ALTER ", as<AlterOwnerStmt>(statement)->objectType);
    case T_AlterTableMoveAllStmt:
      return with_object("ALTER ", as<AlterTableMoveAllStmt>(statement)->objtype);
    case T_AlterTableStmt:
      return with_object("ALTER ", as<AlterTableStmt>(statement)->objtype);
    case T_CreateFunctionStmt:
      return as<CreateFunctionStmt>(statement)->is_procedure ? "CREATE PROCEDURE"
                                                             : "CREATE FUNCTION";
    case T_CreateTableAsStmt:
      return create_table_as_tag(as<CreateTableAsStmt>(statement));
    case T_DefineStmt:
      return with_object("CREATE ", as<DefineStmt>(statement)->kind);
    case T_DropStmt:
      return with_object("DROP ", as<DropStmt>(statement)->removeType);
    case T_GrantRoleStmt:
      return as<GrantRoleStmt>(statement)->is_grant ? "GRANT ROLE" : "REVOKE ROLE";
    case T_GrantStmt:
      return as<GrantStmt>(statement)->is_grant ? "GRANT" : "REVOKE";
    case T_RenameStmt:
      return rename_tag(as<RenameStmt>(statement));
    default:
      return "???";
  }
}

Ddl::Object object_of(ObjectType type) noexcept {
  const ObjectRow* row = object_row(type);
  return row == nullptr ? Object::kOther : row->object;
}

}  // namespace sherd::sql
