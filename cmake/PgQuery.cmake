# libpg_query (PostgreSQL's own grammar) and the node headers of the server that it was taken from.
find_library(PG_QUERY_LIBRARY pg_query REQUIRED)
find_path(PG_QUERY_INCLUDE pg_query.h REQUIRED)
find_path(PG_SERVER_INCLUDE postgres.h PATHS /usr/include/postgresql/15/server REQUIRED NO_DEFAULT_PATH)
add_library(pg_query INTERFACE)
target_include_directories(pg_query SYSTEM INTERFACE ${PG_QUERY_INCLUDE} ${PG_SERVER_INCLUDE} ${PG_QUERY_INCLUDE}/pg_query)
target_link_libraries(pg_query INTERFACE ${PG_QUERY_LIBRARY} Threads::Threads)
