"""Statements: which shards they touch, and that the answer is that of one server."""

import pytest


@pytest.fixture(scope="module")
def people(cluster):
    """The same rows twice: distributed, and in a local table that PostgreSQL itself answers for."""
    import contextlib

    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        columns = "id bigint PRIMARY KEY, name text, age int, score numeric(8,2), weight float8, born date, tags text[], ok bool"
        for table in ("people", "people_local"):
            c.execute(f"CREATE TABLE {table} ({columns})")
            c.execute(
                f"INSERT INTO {table} SELECT i, 'n' || (i * 7919 % 1000), i % 50, CASE WHEN i % 11 <> 0 THEN (i * 31 % 997) / 10.0 END,"
                " (i * 17 % 101) / 8.0, date '2000-01-01' + i % 400, ARRAY['a', i::text], CASE WHEN i % 3 = 0 THEN NULL ELSE i % 2 = 0 END"
                " FROM generate_series(1, 500) i"
            )
        c.execute("SELECT create_distributed_table('people', 'id')")
    return "people"


def used(cluster, action):
    """How many statements each shard was given by the action."""
    before = cluster.handed_out()
    action()
    after = cluster.handed_out()
    return {shard: after[shard] - before[shard] for shard in after}


def test_point_statements_touch_one_shard(cluster, db, people):
    for sql in ("SELECT * FROM people WHERE id = {}", "UPDATE people SET ok = ok WHERE id = {}", "DELETE FROM people WHERE id = {} AND false"):
        for key in (3, 4, 5, 6):
            (owner,) = [i for i, rows in enumerate(cluster.on_shards(f"SELECT count(*) FROM people WHERE id = {key}"), 1) if rows == [1]]
            counts = used(cluster, lambda: [db.run(sql.format(key)) for _ in range(30)])
            assert counts[f"shard{owner}"] >= 30, counts
            assert all(n < 10 for shard, n in counts.items() if shard != f"shard{owner}"), counts


def test_point_insert_touches_one_shard(cluster, db, name):
    db.distributed(name)
    counts = used(cluster, lambda: [db.run(f"INSERT INTO {name} VALUES ({i * 10000}, 'x')") for i in range(1, 31)])
    assert 30 <= sum(counts.values()) < 50, counts


READS = [
    "SELECT * FROM {t} WHERE id = 42",
    "SELECT * FROM {t} WHERE id IN (1, 2, 3, 77) ORDER BY id",
    "SELECT id, name FROM {t} WHERE id BETWEEN 10 AND 20 ORDER BY id",
    "SELECT * FROM {t} WHERE id = 1 OR id = 2 ORDER BY 1",
    "SELECT * FROM {t} WHERE id = 1 AND id = 2",
    "SELECT * FROM {t} WHERE id = NULL",
    "SELECT * FROM {t} WHERE id = 5 AND NOT (id = 5)",
    "SELECT * FROM {t} WHERE NOT (id = 5) ORDER BY id LIMIT 7",
    "SELECT id FROM {t} WHERE id = '42'",
    "SELECT id FROM {t} WHERE id = 42.0",
    "SELECT id FROM {t} WHERE id = 40 + 2",
    "SELECT id FROM {t} WHERE id::text = '42'",
    "SELECT id FROM {t} WHERE -id = -42",
    "SELECT id FROM {t} WHERE (id, age) = (42, 42)",
    "SELECT id FROM {t} WHERE id = ANY('{{1,2,3}}') ORDER BY id DESC",
    "SELECT id FROM {t} ORDER BY id LIMIT 10 OFFSET 5",
    "SELECT id, score FROM {t} ORDER BY score DESC NULLS LAST, id LIMIT 20",
    "SELECT id, score FROM {t} ORDER BY score, id LIMIT 20",
    "SELECT id, weight FROM {t} ORDER BY weight DESC, id LIMIT 20",
    "SELECT id, born FROM {t} ORDER BY born DESC, id LIMIT 20",
    "SELECT id FROM {t} ORDER BY ok NULLS FIRST, id LIMIT 12",
    "SELECT name FROM {t} ORDER BY name COLLATE \"C\", id LIMIT 30",
    "SELECT name FROM {t} ORDER BY name, id LIMIT 30",
    "SELECT name FROM {t} ORDER BY age, id LIMIT 30",
    "SELECT id FROM {t} ORDER BY id LIMIT 0",
    "SELECT count(*) FROM {t}",
    "SELECT count(score), count(ok), count(DISTINCT age) FROM {t}",
    "SELECT count(*), sum(age), min(age), max(age), avg(age) FROM {t}",
    "SELECT sum(score), avg(score), min(score), max(score) FROM {t}",
    "SELECT min(weight), max(weight), sum(weight), avg(weight) FROM {t}",
    "SELECT min(born), max(born), min(name COLLATE \"C\"), max(name COLLATE \"C\") FROM {t}",
    "SELECT sum(id), avg(id) FROM {t} WHERE age > 100",
    "SELECT count(*) FILTER (WHERE ok), bool_and(ok), bool_or(ok) FROM {t}",
    "SELECT age, count(*) FROM {t} GROUP BY age ORDER BY age",
    "SELECT age % 5 AS a, sum(score), avg(score) FROM {t} GROUP BY 1 ORDER BY 1",
    "SELECT ok, count(*), max(id) FROM {t} GROUP BY ok ORDER BY ok NULLS FIRST",
    "SELECT age, count(*) AS c FROM {t} GROUP BY age HAVING count(*) > 9 ORDER BY c DESC, age LIMIT 5",
    "SELECT age FROM {t} GROUP BY age ORDER BY max(score) DESC, age LIMIT 3",
    "SELECT id, count(*) FROM {t} WHERE id < 20 GROUP BY id ORDER BY id",
    "SELECT DISTINCT age FROM {t} ORDER BY age",
    "SELECT DISTINCT ok FROM {t} ORDER BY 1",
    "SELECT DISTINCT age % 3, ok FROM {t} ORDER BY 1, 2",
    "SELECT age + 1 AS older, upper(name) FROM {t} WHERE id < 30 ORDER BY older, id",
    "SELECT array_agg(id) FROM {t} WHERE id = 7",
    "SELECT string_agg(name, ',' ORDER BY id) FROM {t}",
    "SELECT id, row_number() OVER (ORDER BY id) FROM {t} ORDER BY id LIMIT 3",
    "SELECT stddev(score) FROM {t}",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY score) FROM {t}",
    "SELECT (SELECT count(*) FROM {t}) AS n",
    "WITH a AS (SELECT id FROM {t} WHERE age = 3) SELECT count(*) FROM a",
    "SELECT count(*) FROM (SELECT DISTINCT age FROM {t}) x",
    "SELECT id FROM {t} WHERE age = 3 UNION SELECT id FROM {t} WHERE age = 4 ORDER BY 1",
    "SELECT a.id FROM {t} a JOIN {t} b ON a.id = b.id WHERE a.age = 7 ORDER BY 1",
    "SELECT count(*) FROM {t} a JOIN {t} b ON a.age = b.age",
    "SELECT count(*) FROM {t} a LEFT JOIN {t} b ON a.id = b.id AND b.age = 3",
    "SELECT id FROM {t} WHERE id IN (SELECT max(id) FROM {t})",
    "SELECT id FROM {t} t WHERE EXISTS (SELECT 1 FROM {t} u WHERE u.id = t.id AND u.age = 9) ORDER BY id",
    "SELECT * FROM {t} WHERE false",
    "SELECT 1 FROM {t} WHERE id = 3",
    "SELECT coalesce(sum(age), 0) FROM {t} WHERE id < 0",
    "SELECT sum(age) * 2 + count(*) FROM {t}",
    "SELECT max(id) - min(id) AS span FROM {t}",
    "SELECT count(*) FROM {t} WHERE id > 10 GROUP BY age > 25 ORDER BY 1",
    "SELECT id FROM {t} WHERE name LIKE 'n9%' ORDER BY id FETCH FIRST 3 ROWS ONLY",
    "SELECT id FROM {t} ORDER BY id DESC FOR UPDATE LIMIT 2",
    "SELECT id FROM {t} ORDER BY age FETCH FIRST 3 ROWS WITH TIES",
    "SELECT tags FROM {t} WHERE id < 4 ORDER BY id",
    "TABLE {t} ORDER BY id LIMIT 3",
]


@pytest.mark.parametrize("sql", READS)
def test_read_answers_as_one_server_or_refuses(db, people, sql):
    wanted = db.run(sql.format(t="people_local"))
    try:
        with db.connection.cursor() as cursor:
            cursor.execute(sql.format(t="people"))
            got, tag, columns = cursor.fetchall(), cursor.statusmessage, [(d.name, d.type_code) for d in cursor.description]
    except Exception as error:
        assert error.pgcode == "0A000", error
        return
    assert got == wanted
    assert tag == db.tag
    with db.connection.cursor() as cursor:
        cursor.execute(sql.format(t="people_local"))
        assert columns == [(d.name, d.type_code) for d in cursor.description]


MUST_ANSWER = [0, 1, 2, 3, 15, 16, 25, 27, 28, 33, 35, 39]  # what the core of the streaming merge must be able to do


@pytest.mark.parametrize("sql", [READS[i] for i in MUST_ANSWER])
def test_core_reads_are_not_refused(db, people, sql):
    db.run(sql.format(t="people"))


def test_multi_row_insert_is_split(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, 'v{i}')" for i in range(300)))
    assert db.tag == "INSERT 0 300"
    counts = cluster.counts(name)
    assert sum(counts) == 300 and min(counts) > 50


def test_multi_row_insert_returns_rows_in_their_order_or_refuses(db, name):
    db.distributed(name)
    rows = [(1000 + i, f"v{i}") for i in range(20)]
    try:
        got = db.run(f"INSERT INTO {name} VALUES " + ",".join(map(str, rows)) + " RETURNING id, v")
    except Exception as error:
        assert error.pgcode == "0A000"
    else:
        assert got == rows and db.tag == "INSERT 0 20"


def test_multi_row_insert_is_atomic(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (50)")
    assert db.fails(f"INSERT INTO {name} VALUES " + ",".join(f"({i})" for i in range(100))) == "23505"
    assert sum(cluster.counts(name)) == 1 and cluster.prepared_transactions() == 0


def test_on_conflict(cluster, db, name):
    db.distributed(name)
    rows = ",".join(f"({i}, 'a')" for i in range(20))
    db.run(f"INSERT INTO {name} VALUES {rows}")
    db.run(f"INSERT INTO {name} VALUES {rows} ON CONFLICT DO NOTHING")
    assert db.tag == "INSERT 0 0"
    db.run(f"INSERT INTO {name} VALUES {rows}, (20, 'a') ON CONFLICT (id) DO UPDATE SET v = 'b'")
    assert db.tag == "INSERT 0 21"
    assert db.run(f"SELECT v, count(*) FROM {name} GROUP BY v ORDER BY v") == [("a", 1), ("b", 20)]


def test_insert_needs_the_key(db, name):
    db.distributed(name, "id bigint, v text")
    assert db.fails(f"INSERT INTO {name} (v) VALUES ('x')") == "23502"
    assert db.fails(f"INSERT INTO {name} VALUES (NULL, 'x')") == "23502"
    assert db.fails(f"INSERT INTO {name} VALUES (1, 'x'), (NULL, 'y')") == "23502"
    assert db.fails(f"INSERT INTO {name} (id, v) VALUES (%s, %s)", [None, "x"]) == "23502"
    assert db.fails(f"INSERT INTO {name} VALUES ('abc', 'x')") == "22P02"
    assert db.fails(f"INSERT INTO {name} VALUES (99999999999999999999, 'x')") == "22003"
    assert db.one(f"SELECT count(*) FROM {name}") == 0


def test_insert_select_is_right_or_refused(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, 'v')" for i in range(30)))
    other = db.distributed(f"{name}_b")
    for sql, count in ((f"INSERT INTO {other} SELECT * FROM {name}", 30), (f"INSERT INTO {other} SELECT id + 1000, v FROM {name}", 30)):
        try:
            db.run(sql)
        except Exception as error:
            assert error.pgcode == "0A000"
            continue
        assert db.tag == f"INSERT 0 {count}"
    for table in (name, other):
        ids = {row[0] for row in db.run(f"SELECT id FROM {table}")}
        for key in ids:
            assert db.run(f"SELECT id FROM {table} WHERE id = {key}") == [(key,)]


def test_update_and_delete_on_many_shards(cluster, db, name):
    db.distributed(name, "id bigint PRIMARY KEY, v int")
    db.run(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, {i})" for i in range(100)))
    db.run(f"UPDATE {name} SET v = v + 1")
    assert db.tag == "UPDATE 100"
    got = db.run(f"UPDATE {name} SET v = 0 WHERE v > 90 RETURNING id")
    assert sorted(got) == [(i,) for i in range(90, 100)] and db.tag == "UPDATE 10"
    got = db.run(f"DELETE FROM {name} WHERE v = 0 RETURNING id, v")
    assert sorted(got) == [(i, 0) for i in range(90, 100)] and db.tag == "DELETE 10"
    db.run(f"DELETE FROM {name} WHERE v < 0")
    assert db.tag == "DELETE 0"
    assert db.fails(f"UPDATE {name} SET v = 1 / (id - 50)") == "22012"
    assert db.one(f"SELECT sum(v) FROM {name}") == sum(range(1, 91))


def test_update_of_the_key_moves_or_refuses(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b')")
    for sql in (f"UPDATE {name} SET id = 1001 WHERE id = 1", f"UPDATE {name} SET id = id + 5000", f"INSERT INTO {name} VALUES (2, 'x') ON CONFLICT (id) DO UPDATE SET id = 77"):
        try:
            db.run(sql)
        except Exception as error:
            assert error.pgcode == "0A000", sql
    for (key,) in db.run(f"SELECT id FROM {name}"):
        assert db.run(f"SELECT id FROM {name} WHERE id = {key}") == [(key,)]
    db.run(f"UPDATE {name} SET v = 'same' WHERE id = 2")


def test_local_tables_work(cluster, db, name):
    db.run(f"CREATE TABLE {name} (id serial PRIMARY KEY, v text)")
    assert db.run(f"INSERT INTO {name} (v) VALUES ('a'), ('b') RETURNING id") == [(1,), (2,)]
    assert db.run(f"SELECT v, row_number() OVER () FROM {name} ORDER BY id") == [("a", 1), ("b", 2)]
    assert sorted(cluster.counts(name)) == [0, 0, 2]


def test_local_and_distributed_joins_are_right_or_refused(db, people, name):
    db.run(f"CREATE TABLE {name} (id bigint)")
    db.run(f"INSERT INTO {name} SELECT generate_series(1, 500)")
    for sql, wanted in ((f"SELECT count(*) FROM people JOIN {name} USING (id)", 500), (f"SELECT count(*) FROM people, {name} WHERE people.id = 3 AND {name}.id = 3", 1)):
        try:
            assert db.one(sql) == wanted
        except Exception as error:
            assert error.pgcode == "0A000", error


def test_reference_joins(db, people, name):
    db.run(f"CREATE TABLE {name} (age int PRIMARY KEY, label text)")
    db.run(f"INSERT INTO {name} SELECT i, 'L' || i % 4 FROM generate_series(0, 49) i")
    db.run(f"SELECT create_reference_table('{name}')")
    wanted = db.run("SELECT 'L' || age % 4, count(*) FROM people_local GROUP BY 1 ORDER BY 1")
    assert db.run(f"SELECT r.label, count(*) FROM people p JOIN {name} r USING (age) GROUP BY 1 ORDER BY 1") == wanted
    assert db.one(f"SELECT count(*) FROM {name} r LEFT JOIN people p ON p.age = r.age AND p.id = 3") in (50,)


def test_errors_have_the_sqlstate_of_the_server(db, people):
    cases = {
        "SELECT * FROM no_such_table": "42P01",
        "SELECT nope FROM people": "42703",
        "SELECT nope FROM people WHERE id = 1": "42703",
        "SELECT id FROM people WHERE id = 'abc'": "22P02",
        "SELECT 1/0 FROM people": "22012",
        "SELECT count(*) FROM people WHERE age / 0 = 1": "22012",
        "SELECT no_such_function(1)": "42883",
        "SELECT age FROM people WHERE id = 1 GROUP BY ok": "42803",
        "SELEC": "42601",
        "SELECT * FROM people WHERE": "42601",
        "INSERT INTO people (id) VALUES (1)": "23505",
        "INSERT INTO people VALUES (1,2,3,4,5,6,7,8,9,10)": "42601",
        "INSERT INTO no_such_table VALUES (1)": "42P01",
        "SELECT id FROM people WHERE id = 99999999999999999999": None,
        "SELECT pg_sleep('x')": "22P02",
        "SELECT 'a'::int": "22P02",
        "SET no_such_setting = 1": "42704",
        "SET statement_timeout = 'abc'": "22023",
        "SHOW no_such_setting": "42704",
        "PREPARE TRANSACTION 'x'": "0A000",
        "LISTEN x": "0A000",
        "COMMIT PREPARED 'x'": "0A000",
        "DEALLOCATE nope": "26000",
        "FETCH nope": "34000",
        "EXECUTE nope": "26000",
    }
    got = {}
    for sql in cases:
        try:
            db.run(sql)
            got[sql] = None
        except Exception as error:
            got[sql] = error.pgcode
    if got["EXECUTE nope"] == "0A000":
        got["EXECUTE nope"] = "26000"  # SQL PREPARE is refused as well
    assert got == cases


def test_statement_timeout_over_shards(db, people):
    db.run("SET statement_timeout = '200ms'")
    assert db.fails("SELECT count(*) FROM people WHERE pg_sleep(0.05) IS NOT NULL") in ("57014", "0A000")
    assert db.fails("SELECT pg_sleep(5)") == "57014"
    db.run("RESET statement_timeout")
    assert db.one("SELECT count(*) FROM people") == 500


def test_explain_names_the_shards(db, people):
    one = "\n".join(row[0] for row in db.run("EXPLAIN SELECT * FROM people WHERE id = 7"))
    assert one.count("  on shard") == 1, one
    three = "\n".join(row[0] for row in db.run("EXPLAIN SELECT count(*) FROM people"))
    assert all(f"on shard{i}:" in three for i in (1, 2, 3)), three
    assert "QUERY PLAN" and db.run("EXPLAIN (COSTS off) SELECT * FROM people WHERE id = 7 OR id = 8")
    before = db.one("SELECT count(*) FROM people")
    for sql in ("EXPLAIN DELETE FROM people WHERE id = 1", "EXPLAIN DELETE FROM people", "EXPLAIN INSERT INTO people (id) VALUES (9001), (9002), (9003)"):
        db.run(sql)
    assert db.one("SELECT count(*) FROM people") == before


def test_deep_nesting_and_long_lists(db, people):
    depth = "SELECT " + "(" * 20000 + "1" + ")" * 20000
    assert db.fails(depth) in ("54001", "42601", "53200")
    ids = ",".join(str(i) for i in range(1, 20001))
    assert db.one(f"SELECT count(*) FROM people WHERE id IN ({ids})") == 500
    assert db.one("SELECT count(*) FROM people WHERE " + " OR ".join(f"id = {i}" for i in range(1, 801))) == 500
