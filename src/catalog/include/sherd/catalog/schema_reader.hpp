#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sherd/base/error.hpp>
#include <sherd/topology/schema.hpp>

// Reading the schema from a shard, without I/O: the texts to send, and what the answers mean.

namespace sherd::catalog {

/// One result: rows of columns in text format, NULL as nullopt.
using RowSet = std::vector<std::vector<std::optional<std::string>>>;

/// The statements that read a shard's schema: send each by itself, in this order, on a connection
/// outside a transaction; all results together go to schema_from_rows. The first opens and the last
/// ends a read-only transaction with an empty search_path of its own: one consistent cut, safe from
/// operators and functions that someone put before pg_catalog, and nothing of it stays on the
/// connection. If one fails, close the connection. Cost: about 100 ms on a shard with 300
/// tables of ten columns. PostgreSQL 13 or later.
[[nodiscard]] std::vector<std::string> schema_queries();

/// The schema that the answers to schema_queries() describe (statements without rows have an empty
/// RowSet). Type oids are that shard's own; the fingerprint is made of names and definitions only.
/// kProtocolViolation if the shape of an answer is not what was asked for.
[[nodiscard]] Result<topology::Schema> schema_from_rows(const std::vector<RowSet>& results);

/// One statement with one row of one column: a text that changes whenever a user's table, column,
/// constraint, index, trigger, rule, view, function, type or schema is made, changed or dropped, as
/// the statement's snapshot sees it. It may also change without cause (TRUNCATE, GRANT). Compare
/// only with answers of the same shard. Cost: one pass over the catalogs' user rows, about 3 ms per
/// thousand columns.
[[nodiscard]] std::string schema_version_query();

}  // namespace sherd::catalog
