"""Tables that change hands: create_distributed_table, create_reference_table, undistribute_table, DDL."""

import threading

import pytest


def strategies(low, high):
    return [
        ("slot", ", strategy => 'slot', slots => 64"),
        ("hash", ", strategy => 'hash'"),
        ("hash_sha", ", strategy => 'hash', hash_function => 'sha256'"),
        ("consistent_hash", ", strategy => 'consistent_hash', virtual_nodes => 50"),
        ("range", f", strategy => 'range', ranges => 'shard1=..{low}, shard2={low + 1}..{high}, shard3={high + 1}..'"),
        ("directory", ", strategy => 'directory', pins => '7=shard3, 8=shard1', fallback => 'slot'"),
    ]


def test_ddl_reaches_every_shard(cluster, db, name):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
    db.run(f"CREATE INDEX {name}_v ON {name} (v)")
    db.run(f"ALTER TABLE {name} ADD COLUMN n int NOT NULL DEFAULT 3")
    db.run(f"COMMENT ON TABLE {name} IS 'hello'")
    db.run(f"CREATE VIEW {name}_view AS SELECT id FROM {name}")
    db.run(f"CREATE TYPE {name}_mood AS ENUM ('good', 'bad')")
    db.run(f"CREATE FUNCTION {name}_f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    db.run(f"CREATE SCHEMA {name}_s")
    columns = cluster.on_shards("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [name])
    assert columns == [["id,v,n"]] * 3
    assert cluster.on_shards("SELECT count(*) FROM pg_class WHERE relname LIKE %s", [name + "\\_v%"]) == [[2]] * 3
    assert cluster.on_shards("SELECT obj_description(%s::regclass)", [name]) == [["hello"]] * 3
    db.run(f"DROP VIEW {name}_view; DROP FUNCTION {name}_f(); DROP TYPE {name}_mood; DROP SCHEMA {name}_s; DROP TABLE {name}")
    assert cluster.on_shards("SELECT to_regclass(%s) IS NULL", [name]) == [[True]] * 3


def test_ddl_that_fails_leaves_every_shard_alone(cluster, db, name):
    db.run(f"CREATE TABLE {name} (id int)")
    assert db.fails(f"CREATE TABLE {name} (id int)") == "42P07"
    assert db.fails(f"ALTER TABLE {name} ADD COLUMN id int") == "42701"
    assert db.fails("DROP TABLE no_such_table") == "42P01"
    assert db.fails(f"CREATE INDEX ON {name} (nope)") == "42703"


def test_ddl_in_a_transaction_is_undone_everywhere(cluster, db, name):
    db.run("BEGIN")
    db.run(f"CREATE TABLE {name} (id int)")
    db.run(f"INSERT INTO {name} VALUES (1)")
    assert db.one(f"SELECT count(*) FROM {name}") == 1
    db.run("ROLLBACK")
    assert cluster.on_shards("SELECT to_regclass(%s) IS NULL", [name]) == [[True]] * 3


def test_concurrent_index_and_vacuum(cluster, db, name):
    db.distributed(name)
    db.run(f"CREATE INDEX CONCURRENTLY {name}_v ON {name} (v)")
    assert cluster.on_shards("SELECT count(*) FROM pg_class WHERE relname = %s", [name + "_v"]) == [[1]] * 3
    db.run(f"VACUUM ANALYZE {name}")
    db.run("BEGIN")
    assert db.fails(f"CREATE INDEX CONCURRENTLY ON {name} (v)") == "25001"
    db.run("ROLLBACK")


@pytest.mark.parametrize("strategy", strategies(300, 600), ids=lambda s: s[0])
@pytest.mark.parametrize("full", [False, True], ids=["empty", "with_rows"])
def test_every_strategy(cluster, db, name, strategy, full):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v text DEFAULT 'x')")
    fill = f"INSERT INTO {name} (id) VALUES " + ",".join(f"({i})" for i in range(1, 901))
    if full:
        db.run(fill)
        assert sorted(cluster.counts(name)) == [0, 0, 900]
    db.run(f"SELECT create_distributed_table('{name}', 'id'{strategy[1]})")
    if not full:
        db.run(fill)
        assert db.tag == "INSERT 0 900"
    counts = cluster.counts(name)
    assert sum(counts) == 900 and min(counts) > 150, counts
    assert db.one(f"SELECT count(*) FROM {name}") == 900
    assert db.one(f"SELECT sum(id) FROM {name}") == 900 * 901 // 2
    for key in (1, 7, 8, 299, 300, 301, 600, 601, 900):
        assert db.run(f"SELECT id, v FROM {name} WHERE id = {key}") == [(key, "x")]
        assert db.run(f"SELECT id FROM {name} WHERE id = %s", [key]) == [(key,)]
    assert db.run(f"SELECT id FROM {name} WHERE id BETWEEN 298 AND 303 ORDER BY id") == [(i,) for i in range(298, 304)]
    if strategy[0] == "range":
        assert counts == [300, 300, 300]
    if strategy[0] == "directory":
        assert cluster.on_shards(f"SELECT count(*) FROM {name} WHERE id IN (7, 8)") == [[1], [0], [1]]
    db.run(f"SELECT undistribute_table('{name}')")
    assert sorted(cluster.counts(name)) == [0, 0, 900]
    assert db.one(f"SELECT count(*) FROM {name}") == 900


@pytest.mark.parametrize("key", ["smallint", "int", "bigint", "text", "varchar(20)", "uuid"])
def test_every_key_type(cluster, db, name, key):
    value = "md5(i::text)::uuid" if key == "uuid" else f"i::{key}"
    db.run(f"CREATE TABLE {name} (k {key} PRIMARY KEY, i int)")
    db.run(f"INSERT INTO {name} SELECT {value}, i FROM generate_series(1, 300) i")
    db.run(f"SELECT create_distributed_table('{name}', 'k')")
    counts = cluster.counts(name)
    assert sum(counts) == 300 and min(counts) > 40
    for i in (1, 150, 300):
        k = db.one(f"SELECT k FROM {name} WHERE i = {i}")
        assert db.run(f"SELECT i FROM {name} WHERE k = %s", [k]) == [(i,)]
    assert db.fails(f"INSERT INTO {name} SELECT k, 1 FROM {name} WHERE i = 1") in ("23505", "0A000")


def test_text_keys_with_unusual_letters(cluster, db, name):
    db.distributed(name, "k text PRIMARY KEY, v int", "k")
    keys = ["", " ", "a", "A", "ä", "日本", "it's", 'q"q', "\\x", "a\tb", "%", "x" * 900]
    for i, key in enumerate(keys):
        db.run(f"INSERT INTO {name} VALUES (%s, %s)", [key, i])
    for i, key in enumerate(keys):
        assert db.run(f"SELECT v FROM {name} WHERE k = %s", [key]) == [(i,)], key
        assert db.run(f"UPDATE {name} SET v = v WHERE k = %s RETURNING v", [key]) == [(i,)], key
    assert db.one(f"SELECT count(*) FROM {name}") == len(keys)


def test_range_refuses_a_key_outside(db, name):
    db.distributed(name, more=", strategy => 'range', ranges => 'shard1=0..99, shard2=100..199, shard3=200..299'")
    db.run(f"INSERT INTO {name} VALUES (0), (99), (100), (299)")
    state = db.fails(f"INSERT INTO {name} VALUES (300)")
    assert state.startswith("2") or state == "0A000", state
    assert db.fails(f"INSERT INTO {name} VALUES (5), (-1)") == state
    assert db.run(f"SELECT id FROM {name} WHERE id = 300") == []
    assert db.one(f"SELECT count(*) FROM {name}") == 4


def test_range_with_rows_outside_leaves_the_table_local(cluster, db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    db.run(f"INSERT INTO {name} SELECT generate_series(1, 500)")
    db.fails(f"SELECT create_distributed_table('{name}', 'id', strategy => 'range', ranges => 'shard1=0..99, shard2=100..199')")
    assert sorted(cluster.counts(name)) == [0, 0, 500]
    assert db.one(f"SELECT count(*) FROM {name}") == 500
    db.run(f"INSERT INTO {name} VALUES (501)")


def test_gaps_and_overlaps_are_refused(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY)")
    make = f"SELECT create_distributed_table('{name}', 'id', strategy => 'range', ranges => '%s')"
    for ranges in ("shard1=0..99, shard2=99..199", "shard1=0..99, shard2=101..199", "shard1=9..1", "shard9=0..9", "shard1=a..b", "shard1", "shard1=5"):
        assert db.fails(make % ranges)[:2] in ("22", "42", "F0"), ranges
    db.run(make.replace("'%s'", "'shard1=0..99, shard2=101..199', allow_gaps => true"))


def test_geographic(cluster, db, name):
    db.run(f"CREATE TABLE {name} (region text, id int, PRIMARY KEY (region, id))")
    state = db.fails(f"SELECT create_distributed_table('{name}', 'region', strategy => 'geographic', regions => 'eu=nowhere')")
    assert state[:2] in ("22", "42", "F0"), state


def test_wrong_arguments(db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, v text, p point)")
    cases = {
        "SELECT create_distributed_table('no_such_table', 'id')": "42P01",
        f"SELECT create_distributed_table('{name}', 'nope')": "42703",
        f"SELECT create_distributed_table('{name}', 'p')": "42P16",
        f"SELECT create_distributed_table('{name}', 'v')": "42P16",  # the primary key does not hold it
        f"SELECT create_distributed_table('{name}')": "42883",
        "SELECT create_distributed_table()": "42883",
        f"SELECT create_distributed_table('{name}', 'id', strategy => 'nope')": "22023",
        f"SELECT create_distributed_table('{name}', 'id', strateggy => 'slot')": "42883",
        f"SELECT create_distributed_table('{name}', 'id', colocate_with => 'nope')": "22023",
        f"SELECT create_distributed_table('{name}', 'id', strategy => 'slot', slots => 'many')": "22023",
        f"SELECT create_distributed_table('{name}', 'id', strategy => 'hash', hash_function => 'crc')": "22023",
        f"SELECT undistribute_table('{name}')": "22023",
        "SELECT create_reference_table('no_such_table')": "42P01",
    }
    assert {sql: db.fails(sql) for sql in cases} == cases
    db.run(f"SELECT create_distributed_table('{name}', 'id')")
    assert db.fails(f"SELECT create_distributed_table('{name}', 'id')") == "42710"
    assert db.fails(f"SELECT create_reference_table('{name}')") == "42710"
    db.run("BEGIN")
    assert db.fails(f"SELECT undistribute_table('{name}')") == "25001"
    db.run("ROLLBACK")


def test_tables_that_cannot_be_distributed(db, name):
    db.run(f"CREATE TABLE {name} (id int) PARTITION BY RANGE (id)")
    db.run(f"CREATE VIEW {name}_v AS SELECT 1 AS id")
    db.run(f"CREATE TABLE {name}_t (id int)")
    db.run(f"CREATE FUNCTION {name}_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
    db.run(f"CREATE TRIGGER x BEFORE INSERT ON {name}_t FOR EACH ROW EXECUTE FUNCTION {name}_f()")
    for table in (name, f"{name}_v", f"{name}_t"):
        assert db.fails(f"SELECT create_distributed_table('{table}', 'id')") == "0A000"


def test_colocated_tables_join_on_the_key(cluster, db, name):
    db.distributed(name)
    other = db.distributed(f"{name}_orders", "id bigint, no int, n int, PRIMARY KEY (id, no)", more=f", colocate_with => '{name}'")
    db.run(f"INSERT INTO {name} SELECT 0, '' WHERE false")
    db.run(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, 'v{i}')" for i in range(1, 61)))
    db.run(f"INSERT INTO {other} VALUES " + ",".join(f"({i}, {j}, {j})" for i in range(1, 61) for j in (1, 2)))
    assert db.run(f"SELECT a.v, b.no FROM {name} a JOIN {other} b USING (id) WHERE a.id = 9 ORDER BY 2") == [("v9", 1), ("v9", 2)]
    assert db.one(f"SELECT count(*) FROM {name} a JOIN {other} b USING (id)") == 120
    assert db.one(f"SELECT sum(b.n) FROM {name} a JOIN {other} b ON a.id = b.id WHERE a.v = 'v9'") == 3
    assert db.fails(f"SELECT count(*) FROM {name} a JOIN {other} b ON a.id = b.no") == "0A000"
    groups = {t["table"]: t["group"] for t in cluster.console("SHOW TABLES")}
    assert groups[name] == groups[other]


def test_colocation_needs_the_same_type(db, name):
    db.distributed(name)
    db.run(f"CREATE TABLE {name}_b (id text PRIMARY KEY)")
    assert db.fails(f"SELECT create_distributed_table('{name}_b', 'id', colocate_with => '{name}')") == "22023"


def test_foreign_keys(cluster, db, name):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
    db.run(f"CREATE TABLE {name}_c (code text PRIMARY KEY)")
    db.run(f"CREATE TABLE {name}_o (id bigint REFERENCES {name}, no int, code text REFERENCES {name}_c, PRIMARY KEY (id, no))")
    assert db.fails(f"SELECT create_distributed_table('{name}_o', 'id')") == "42P16"
    db.run(f"SELECT create_reference_table('{name}_c')")
    db.run(f"SELECT create_distributed_table('{name}', 'id')")
    db.run(f"SELECT create_distributed_table('{name}_o', 'id', colocate_with => '{name}')")
    db.run(f"INSERT INTO {name}_c VALUES ('de'), ('fr')")
    db.run(f"INSERT INTO {name} VALUES (1), (2), (3), (4)")
    db.run(f"INSERT INTO {name}_o VALUES (1, 1, 'de'), (2, 1, 'fr'), (3, 1, 'de')")
    assert db.fails(f"INSERT INTO {name}_o VALUES (99, 1, 'de')") == "23503"
    assert db.fails(f"INSERT INTO {name}_o VALUES (1, 2, 'xx')") == "23503"
    assert db.fails(f"DELETE FROM {name}") == "23503"
    assert db.fails(f"DELETE FROM {name}_c") == "23503"
    assert (db.one(f"SELECT count(*) FROM {name}"), db.one(f"SELECT count(*) FROM {name}_o")) == (4, 3)


def test_a_foreign_key_that_cannot_hold_is_refused(db, name):
    db.distributed(name)
    assert db.fails(f"CREATE TABLE {name}_o (no int PRIMARY KEY, id bigint REFERENCES {name})") == "0A000"


def test_reference_table(cluster, db, name):
    db.run(f"CREATE TABLE {name} (code text PRIMARY KEY, n int)")
    db.run(f"INSERT INTO {name} SELECT i::text, i FROM generate_series(1, 20) i")
    db.run(f"SELECT create_reference_table('{name}')")
    assert cluster.counts(name) == [20, 20, 20]
    db.run(f"INSERT INTO {name} VALUES ('a', 1), ('b', 2)")
    assert db.tag == "INSERT 0 2"
    assert db.run(f"UPDATE {name} SET n = n + 1 WHERE code = 'a' RETURNING n") == [(2,)]
    db.run(f"DELETE FROM {name} WHERE code = 'b'")
    assert db.tag == "DELETE 1"
    assert cluster.on_shards(f"SELECT md5(string_agg(code || n, ',' ORDER BY code)) FROM {name}")[0] * 3 == sum(
        cluster.on_shards(f"SELECT md5(string_agg(code || n, ',' ORDER BY code)) FROM {name}"), []
    )
    assert db.fails(f"INSERT INTO {name} VALUES ('c', 1), ('a', 1)") == "23505"
    assert cluster.counts(name) == [21, 21, 21]
    db.run(f"SELECT undistribute_table('{name}')")
    assert sorted(cluster.counts(name)) == [0, 0, 21]


def test_unsteady_values_are_never_different_copies(cluster, db, name):
    db.run(f"CREATE TABLE {name} (id int PRIMARY KEY, r float8 DEFAULT random(), t timestamptz DEFAULT now())")
    db.run(f"SELECT create_reference_table('{name}')")
    for sql in (f"INSERT INTO {name} (id) VALUES (1)", f"INSERT INTO {name} VALUES (2, random(), now())", f"INSERT INTO {name} (id, r) VALUES (3, 1)"):
        try:
            db.run(sql)
        except Exception as error:  # a clear refusal is an answer as well
            assert error.pgcode == "0A000", sql
    same = cluster.on_shards(f"SELECT coalesce(md5(string_agg(id || ',' || r || ',' || extract(epoch FROM t), ';' ORDER BY id)), '') FROM {name}")
    assert same[0] == same[1] == same[2]


def test_undistribute_and_distribute_again_by_another_column(cluster, db, name):
    db.distributed(name, "id bigint, other bigint, PRIMARY KEY (id, other)")
    db.run(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, {1000 - i})" for i in range(200)))
    db.run(f"SELECT undistribute_table('{name}')")
    db.run(f"SELECT create_distributed_table('{name}', 'other')")
    assert sum(cluster.counts(name)) == 200 and min(cluster.counts(name)) > 20
    assert db.run(f"SELECT id FROM {name} WHERE other = 990") == [(10,)]


def test_sequences_go_on(db, name):
    db.run(f"CREATE TABLE {name} (id bigserial PRIMARY KEY, v text)")
    db.run(f"INSERT INTO {name} (v) SELECT 'x' FROM generate_series(1, 20)")
    db.run(f"SELECT create_distributed_table('{name}', 'id')")
    try:
        ids = [db.one(f"INSERT INTO {name} (v) VALUES ('y') RETURNING id") for _ in range(10)]
    except Exception as error:
        assert error.pgcode == "0A000"
    else:
        assert len(set(ids)) == 10 and min(ids) > 20


def test_distribute_under_writers_loses_nothing(cluster, connect, db, name):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, w int)")
    done, errors, written = threading.Event(), [], [0, 0]

    def write(worker):
        mine = connect()
        i = 0
        while not done.is_set():
            i += 1
            try:
                mine.run(f"INSERT INTO {name} VALUES (%s, %s)", [i * 2 + worker, worker])
                written[worker] += 1
            except Exception as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=write, args=(worker,)) for worker in (0, 1)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        db.run(f"SELECT create_distributed_table('{name}', 'id')")
        db.run(f"SELECT undistribute_table('{name}')")
    db.run(f"SELECT create_distributed_table('{name}', 'id')")
    done.set()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert db.one(f"SELECT count(*) FROM {name}") == sum(written) and min(written) > 0
    assert db.one(f"SELECT count(DISTINCT id) FROM {name}") == sum(written)


def test_distribute_waits_for_an_open_transaction_or_gives_up(cluster, connect, db, name):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY)")
    other = connect()
    other.run("BEGIN")
    other.run(f"INSERT INTO {name} VALUES (1)")
    results = []
    thread = threading.Thread(target=lambda: results.append(distribute(db, name)))
    thread.start()
    thread.join(0.5)
    other.run("COMMIT")
    thread.join(30)
    assert results in ([None], ["55P03"], ["55006"]), results
    if results != [None]:
        db.run(f"SELECT create_distributed_table('{name}', 'id')")
    assert db.one(f"SELECT count(*) FROM {name}") == 1 and sum(cluster.counts(name)) == 1


def distribute(db, name):
    try:
        db.run(f"SELECT create_distributed_table('{name}', 'id')")
    except Exception as error:
        return error.pgcode


def test_drop_and_create_again(cluster, db, name):
    db.distributed(name)
    db.run(f"DROP TABLE {name}")
    assert name not in {t["table"] for t in cluster.console("SHOW TABLES")}
    db.run(f"CREATE TABLE {name} (id int)")
    db.run(f"INSERT INTO {name} VALUES (1), (2)")
    assert sorted(cluster.counts(name)) == [0, 0, 2]
    db.run(f"DROP TABLE {name}")
    db.distributed(name)
    assert db.one(f"SELECT count(*) FROM {name}") == 0


def test_alter_and_rename_of_a_distributed_table(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    db.run(f"ALTER TABLE {name} ADD COLUMN n int DEFAULT 5")
    assert db.one(f"SELECT sum(n) FROM {name}") == 15
    try:
        db.run(f"ALTER TABLE {name} RENAME TO {name}_new")
    except Exception as error:
        assert error.pgcode == "0A000"
    else:
        assert db.one(f"SELECT count(*) FROM {name}_new") == 3
        assert db.run(f"SELECT v FROM {name}_new WHERE id = 2") == [("b",)]
        db.run(f"ALTER TABLE {name}_new RENAME TO {name}")
    try:
        db.run(f"ALTER TABLE {name} DROP COLUMN id")
    except Exception as error:
        assert error.pgcode in ("0A000", "42P16")
    else:
        pytest.fail("the key of a distributed table was dropped")
    assert db.one(f"SELECT count(*) FROM {name}") == 3


def test_truncate(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (1), (2), (3), (4), (5)")
    db.run("BEGIN")
    db.run(f"TRUNCATE {name}")
    db.run("ROLLBACK")
    assert db.one(f"SELECT count(*) FROM {name}") == 5
    db.run(f"TRUNCATE {name}")
    assert db.tag == "TRUNCATE TABLE" and cluster.counts(name) == [0, 0, 0]
