#include <array>
#include <string_view>

#include <sherd/catalog/schema_reader.hpp>

// Where a query names no schema for an operator or a type, the empty search_path of the transaction
// makes it pg_catalog's. schema_version_query runs alone, so it names the schema of everything.

namespace sherd::catalog {
namespace {

constexpr std::string_view kBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
// Everything that could change how a definition is printed; and no JIT, which would take half a
// second to save nothing.
constexpr std::string_view kSettings = R"(
SELECT pg_catalog.count(pg_catalog.set_config(s.name, s.value, true))
FROM (VALUES ('search_path', ''), ('quote_all_identifiers', 'off'), ('DateStyle', 'ISO, YMD'),
             ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('extra_float_digits', '1'),
             ('bytea_output', 'hex'), ('jit', 'off')) s (name, value))";

// By way of JSON, since the columns differ between the server's versions.
constexpr std::string_view kDatabase = R"(
SELECT d.j ->> 'datcollate',
       coalesce(d.j ->> 'datcollversion', ''),
       coalesce(d.j ->> 'datlocprovider', 'c'),
       coalesce(d.j ->> 'datlocale', d.j ->> 'daticulocale', ''),
       pg_catalog.pg_encoding_to_char((d.j ->> 'encoding')::pg_catalog.int4),
       pg_catalog.current_setting('server_version_num')
FROM (SELECT pg_catalog.to_jsonb(d) AS j FROM pg_catalog.pg_database d
      WHERE d.datname = pg_catalog.current_database()) d)";

#define SHERD_USER_SCHEMA \
  "pg_catalog.left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'"

constexpr std::string_view kRelations = R"(
SELECT c.oid, n.nspname, c.relname, c.relkind,
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
       EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid),
       EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND )" SHERD_USER_SCHEMA R"(
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C")";

constexpr std::string_view kColumns = R"(
SELECT a.attrelid, a.attname, a.atttypid, pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypmod,
       a.attnotnull, coalesce(l.collname, ''),
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(e.adbin, e.adrelid) END,
       a.attidentity, a.attgenerated <> ''
FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
     LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND )" SHERD_USER_SCHEMA
                                      R"(
ORDER BY a.attrelid, a.attnum)";

// One row per key column of a unique index. An exclusion constraint is one as well: a column that
// it compares by anything but = does not make equal keys meet, so it counts as an expression.
constexpr std::string_view kUnique = R"(
SELECT i.indrelid, x.relname, i.indisprimary,
       CASE WHEN NOT i.indisexclusion OR (SELECT o.oprname = '=' FROM pg_catalog.pg_operator o
                                          WHERE o.oid = k.conexclop[p.place])
            THEN coalesce(a.attname, '') ELSE '' END
FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
     LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype = 'x'
     CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts) p (place)
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.place - 1]
                                        AND a.attnum <> 0
WHERE (i.indisunique OR i.indisexclusion) AND )" SHERD_USER_SCHEMA R"(
ORDER BY i.indrelid, x.relname COLLATE "C", p.place)";

constexpr std::string_view kForeignKeys = R"(
SELECT k.conrelid, k.conname, n.nspname, f.relname, a.attname, b.attname
FROM pg_catalog.pg_constraint k
     JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = f.relnamespace
     CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey))
                                  WITH ORDINALITY p (own, other, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.own
     JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.other
WHERE k.contype = 'f' AND )" SHERD_USER_SCHEMA R"(
ORDER BY k.conrelid, k.conname COLLATE "C", p.place)";

// All overloads of a name together, the worst of each property. Object ids from 16384 on are of
// users, also in pg_catalog.
constexpr std::string_view kFunctions = R"(
SELECT pg_catalog.lower(p.proname COLLATE "C"),
       pg_catalog.bool_or(p.prokind = 'a'), pg_catalog.bool_or(p.prokind = 'w'), pg_catalog.bool_or(p.proretset),
       pg_catalog.bool_and(n.nspname = 'pg_catalog' AND p.oid < 16384),
       pg_catalog.max(p.provolatile::pg_catalog.text COLLATE "C"),
       pg_catalog.string_agg(pg_catalog.concat_ws(' ', p.prosrc, pg_catalog.pg_get_function_sqlbody(p.oid)), ' ')
         FILTER (WHERE p.oid >= 16384)
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE pg_catalog.left(n.nspname, 7) <> 'pg_temp'
GROUP BY 1 ORDER BY 1)";

// What else makes two schemas differ, as texts without object ids.
constexpr std::string_view kDefinitions = R"(
SELECT d.what, d.name, d.definition FROM (
  SELECT 'function', pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)),
         CASE WHEN p.prokind IN ('f', 'p') THEN pg_catalog.md5(pg_catalog.pg_get_functiondef(p.oid))
              ELSE pg_catalog.format('%s %s', p.prokind, p.prosrc) END
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE )" SHERD_USER_SCHEMA
                                          R"(
  UNION ALL
  SELECT 'index', pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_get_indexdef(c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('i', 'I') AND )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'constraint', pg_catalog.format('%s%s.%I', CASE WHEN k.conrelid <> 0 THEN k.conrelid::pg_catalog.regclass::pg_catalog.text END,
                                         CASE WHEN k.contypid <> 0 THEN pg_catalog.format_type(k.contypid, NULL) END, k.conname),
         pg_catalog.pg_get_constraintdef(k.oid)
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE )" SHERD_USER_SCHEMA
                                          R"(
  UNION ALL
  SELECT 'trigger', pg_catalog.format('%I.%I.%I', n.nspname, c.relname, t.tgname),
         pg_catalog.format('%s %s', t.tgenabled, pg_catalog.pg_get_triggerdef(t.oid))
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT t.tgisinternal AND )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'rule', pg_catalog.format('%I.%I.%I', n.nspname, c.relname, r.rulename), pg_catalog.pg_get_ruledef(r.oid)
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE r.rulename <> '_RETURN' AND )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'policy', pg_catalog.format('%I.%I.%I', n.nspname, c.relname, y.polname),
         pg_catalog.format('%s %s %s %s', y.polcmd, y.polpermissive, pg_catalog.pg_get_expr(y.polqual, y.polrelid),
                           pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid))
  FROM pg_catalog.pg_policy y JOIN pg_catalog.pg_class c ON c.oid = y.polrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'relation', pg_catalog.format('%I.%I', n.nspname, c.relname),
         pg_catalog.format('%s %s %s %s', c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
                           CASE WHEN c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f') AND )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'parent', i.inhrelid::pg_catalog.regclass::pg_catalog.text,
         pg_catalog.format('%s %s', i.inhseqno, i.inhparent::pg_catalog.regclass)
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'type', pg_catalog.format_type(t.oid, NULL),
         pg_catalog.format('%s %s %s %s %s', t.typtype, pg_catalog.format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
                           (SELECT pg_catalog.string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
                            FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype IN ('e', 'd', 'r') AND )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'generated', pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), pg_catalog.pg_get_expr(e.adbin, e.adrelid)
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
  WHERE a.attgenerated <> '' AND )" SHERD_USER_SCHEMA R"(
  UNION ALL
  SELECT 'extension', x.extname, x.extversion FROM pg_catalog.pg_extension x
) d (what, name, definition)
ORDER BY d.what, d.name COLLATE "C", d.definition COLLATE "C")";

constexpr std::string_view kCommit = "COMMIT";

// Any change of a catalog row gives it a new xmin; a dropped row takes its own out of the sum.
// Temporary tables, which come and go with sessions, are left out, and so are the TOAST tables and
// indexes that hang on a table in the list (an index has a pg_class row of its own, which is
// counted). ANALYZE and VACUUM update pg_class in place, keeping xmin.
constexpr std::string_view kVersion = R"(
WITH relations AS MATERIALIZED (
  SELECT c.oid, c.xmin AS x FROM pg_catalog.pg_class c
  WHERE c.oid OPERATOR(pg_catalog.>=) 16384 AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
    AND c.relkind OPERATOR(pg_catalog.<>) 't'),
changes (tag, id, x) AS (
  SELECT 1, r.oid, r.x FROM relations r
  UNION ALL SELECT 2, a.attrelid, a.xmin FROM relations r JOIN pg_catalog.pg_attribute a
                   ON a.attrelid OPERATOR(pg_catalog.=) r.oid AND a.attnum OPERATOR(pg_catalog.>) 0
  UNION ALL SELECT 3, d.oid, d.xmin FROM relations r JOIN pg_catalog.pg_attrdef d
                   ON d.adrelid OPERATOR(pg_catalog.=) r.oid
  UNION ALL SELECT 4, k.oid, k.xmin FROM pg_catalog.pg_constraint k WHERE k.oid OPERATOR(pg_catalog.>=) 16384
  UNION ALL SELECT 5, p.oid, p.xmin FROM pg_catalog.pg_proc p WHERE p.oid OPERATOR(pg_catalog.>=) 16384
  UNION ALL SELECT 6, t.oid, t.xmin FROM pg_catalog.pg_trigger t WHERE t.oid OPERATOR(pg_catalog.>=) 16384
                   AND NOT t.tgisinternal
  UNION ALL SELECT 7, w.oid, w.xmin FROM relations r JOIN pg_catalog.pg_rewrite w
                   ON w.ev_class OPERATOR(pg_catalog.=) r.oid
  UNION ALL SELECT 8, i.inhrelid, i.xmin FROM pg_catalog.pg_inherits i
  UNION ALL SELECT 9, n.oid, n.xmin FROM pg_catalog.pg_namespace n WHERE n.oid OPERATOR(pg_catalog.>=) 16384
                   AND pg_catalog."left"(n.nspname, 3) OPERATOR(pg_catalog.<>) 'pg_'
  UNION ALL SELECT 10, e.oid, e.xmin FROM pg_catalog.pg_enum e
  UNION ALL SELECT 11, y.oid, y.xmin FROM pg_catalog.pg_policy y
  UNION ALL SELECT 12, t.oid, t.xmin FROM pg_catalog.pg_type t
                   WHERE t.oid OPERATOR(pg_catalog.>=) 16384 AND t.typtype OPERATOR(pg_catalog.=) 'd')
SELECT pg_catalog.concat_ws(':', pg_catalog.count(*), pg_catalog.sum(
  pg_catalog.hashint8extended(c.id::pg_catalog.int8 OPERATOR(pg_catalog.*) 4294967296
                              OPERATOR(pg_catalog.+) (c.x::pg_catalog.text)::pg_catalog.int8, c.tag)))
FROM changes c)";

}  // namespace

std::vector<std::string> schema_queries() {
  constexpr std::array kAll = {kBegin,  kSettings,    kDatabase,  kRelations,   kColumns,
                               kUnique, kForeignKeys, kFunctions, kDefinitions, kCommit};
  return {kAll.begin(), kAll.end()};
}

std::string schema_version_query() {
  return std::string(kVersion);
}

}  // namespace sherd::catalog
