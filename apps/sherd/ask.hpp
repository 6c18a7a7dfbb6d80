#pragma once

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include <sherd/net/async.hpp>
#include <sherd/pgconn/connection.hpp>

#include "commands.hpp"

namespace sherd::program {

/// Runs one statement at the router that `common.config` describes, as its first user.
/// @param database  "" for the cluster's own; "sherd" for the console.
[[nodiscard]] Result<pgconn::ResultSet> ask_router(
    const Common& common, const std::string& database, const std::string& sql
);

/// A list of objects.
[[nodiscard]] nlohmann::json to_json(const pgconn::ResultSet& rows);
/// Prints rows as an aligned table, or as a JSON list of objects.
void print_rows(const pgconn::ResultSet& rows, bool json);
/// Prints an error as a line on stderr, or as a JSON object; returns the exit status.
int print_error(const Error& error, bool json);

}  // namespace sherd::program
