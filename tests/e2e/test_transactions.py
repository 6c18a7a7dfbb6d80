"""Transactions over shards: they grow, they fail as one, and settings follow them."""

import contextlib

import pytest


@pytest.fixture(scope="module")
def keys(cluster):
    """A table, and one key of each shard."""
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        c.execute("CREATE TABLE acc (id bigint PRIMARY KEY, n int)")
        c.execute("SELECT create_distributed_table('acc', 'id')")
        c.execute("INSERT INTO acc VALUES " + ",".join(f"({i}, 100)" for i in range(1, 61)))
    return [ids[0] for ids in cluster.on_shards("SELECT id FROM acc ORDER BY id")]


def total(db):
    return db.one("SELECT sum(n) FROM acc WHERE id <= 60")


def values(cluster, keys):
    return [rows[0] for rows in [cluster.on_shards(f"SELECT n FROM acc WHERE id = {key}")[i] for i, key in enumerate(keys)]]


def test_commit_over_shards(cluster, db, keys):
    before = values(cluster, keys)
    db.run("BEGIN")
    for delta, key in zip((-7, 3, 4), keys):
        db.run("UPDATE acc SET n = n + %s WHERE id = %s", [delta, key])
    assert values(cluster, keys) == before
    assert total(db) == 6000
    db.run("COMMIT")
    assert db.tag == "COMMIT"
    assert values(cluster, keys) == [before[0] - 7, before[1] + 3, before[2] + 4]
    assert cluster.prepared_transactions() == 0


def test_rollback_over_shards(cluster, db, keys):
    before = values(cluster, keys)
    db.run("BEGIN")
    for key in keys:
        db.run("DELETE FROM acc WHERE id = %s", [key])
    assert db.one("SELECT count(*) FROM acc WHERE id <= 60") == 57
    db.run("ROLLBACK")
    assert values(cluster, keys) == before


def test_an_error_on_one_shard_fails_all(cluster, db, keys):
    before = values(cluster, keys)
    db.run("BEGIN")
    db.run("UPDATE acc SET n = 0 WHERE id = %s", [keys[0]])
    assert db.fails(f"INSERT INTO acc VALUES ({keys[1]}, 0)") == "23505"
    assert db.fails("SELECT 1") == "25P02"
    assert db.fails(f"SELECT n FROM acc WHERE id = {keys[0]}") == "25P02"
    db.run("COMMIT")
    assert db.tag == "ROLLBACK"
    assert values(cluster, keys) == before


def test_a_deferred_constraint_fails_at_commit(cluster, db, name, keys):
    db.run(f"CREATE TABLE {name} (id bigint, u int, UNIQUE (id, u) DEFERRABLE INITIALLY DEFERRED)")
    db.run(f"SELECT create_distributed_table('{name}', 'id')")
    db.run("BEGIN")
    for key in keys:
        db.run(f"INSERT INTO {name} VALUES (%s, 1)", [key])
    db.run(f"INSERT INTO {name} VALUES (%s, 1)", [keys[1]])
    assert db.fails("COMMIT") == "23505"
    assert db.one(f"SELECT count(*) FROM {name}") == 0 and cluster.prepared_transactions() == 0


def test_savepoints(cluster, db, keys):
    before = values(cluster, keys)
    db.run("BEGIN")
    db.run("UPDATE acc SET n = 1 WHERE id = %s", [keys[0]])
    db.run("SAVEPOINT a")
    db.run("UPDATE acc SET n = 2 WHERE id = %s", [keys[1]])  # joins after the savepoint
    db.run("SAVEPOINT b")
    db.run("UPDATE acc SET n = 3 WHERE id = %s", [keys[2]])
    assert db.fails("SELECT 1/0") == "22012"
    db.run("ROLLBACK TO b")
    assert db.run("SELECT n FROM acc WHERE id = %s", [keys[1]]) == [(2,)]
    assert db.run("SELECT n FROM acc WHERE id = %s", [keys[2]]) == [(before[2],)]
    db.run("ROLLBACK TO SAVEPOINT a")
    assert db.run("SELECT n FROM acc WHERE id = %s", [keys[1]]) == [(before[1],)]
    assert db.run("SELECT n FROM acc WHERE id = %s", [keys[0]]) == [(1,)]
    db.run("RELEASE a")
    assert db.fails("ROLLBACK TO a") == "3B001"
    db.run("ROLLBACK")
    assert values(cluster, keys) == before


def test_savepoint_made_before_any_shard(db, keys):
    db.run("BEGIN")
    db.run("SAVEPOINT a")
    for key in keys:
        db.run("UPDATE acc SET n = n + 50 WHERE id = %s", [key])
    db.run("ROLLBACK TO a")
    assert total(db) == 6000
    db.run("UPDATE acc SET n = n WHERE id = %s", [keys[2]])
    db.run("COMMIT")
    assert db.tag == "COMMIT" and total(db) == 6000


def test_savepoint_errors(db):
    assert db.fails("SAVEPOINT a") == "25P01"
    db.run("BEGIN")
    assert db.fails("ROLLBACK TO nope") == "3B001"
    db.run("ROLLBACK")


def test_begin_twice_and_commit_without_begin(db):
    db.run("COMMIT")
    assert any("no transaction" in notice for notice in db.connection.notices)
    db.run("BEGIN")
    db.run("BEGIN")
    assert any("already a transaction" in notice for notice in db.connection.notices)
    db.run("ROLLBACK")


def test_chain(db, keys):
    db.run("BEGIN")
    db.run("UPDATE acc SET n = n WHERE id = %s", [keys[0]])
    db.run("COMMIT AND CHAIN")
    assert db.connection.info.transaction_status == 2
    db.run("UPDATE acc SET n = 0 WHERE id = %s", [keys[1]])
    db.run("ROLLBACK AND CHAIN")
    assert db.connection.info.transaction_status == 2
    db.run("ROLLBACK")
    assert total(db) == 6000


def test_read_only_reaches_late_joiners(db, keys):
    db.run("BEGIN READ ONLY")
    db.run("SELECT n FROM acc WHERE id = %s", [keys[0]])
    assert db.fails(f"UPDATE acc SET n = 0 WHERE id = {keys[1]}") == "25006"
    db.run("ROLLBACK")
    db.run("BEGIN")
    db.run("SET TRANSACTION READ ONLY")
    assert db.fails(f"UPDATE acc SET n = 0 WHERE id = {keys[2]}") == "25006"
    db.run("ROLLBACK")
    assert total(db) == 6000


def test_set_local_reaches_late_joiners(db, keys):
    db.run("BEGIN")
    db.run("SELECT n FROM acc WHERE id = %s", [keys[0]])
    db.run("SET LOCAL statement_timeout = '1234ms'")
    for key in keys:
        assert db.run("SELECT current_setting('statement_timeout') FROM acc WHERE id = %s", [key]) == [("1234ms",)]
    db.run("COMMIT")
    for key in keys:
        assert db.run("SELECT current_setting('statement_timeout') FROM acc WHERE id = %s", [key]) == [("0",)]


def test_set_is_undone_by_rollback(db, keys):
    db.run("SET work_mem = '5MB'")
    db.run("BEGIN")
    db.run("SET work_mem = '6MB'")
    assert db.run("SELECT current_setting('work_mem') FROM acc WHERE id = %s", [keys[1]]) == [("6MB",)]
    db.run("ROLLBACK")
    for key in keys:
        assert db.run("SELECT current_setting('work_mem') FROM acc WHERE id = %s", [key]) == [("5MB",)]
    assert db.one("SHOW work_mem") == "5MB"
    db.run("BEGIN")
    db.run("SET work_mem = '7MB'")
    db.run("COMMIT")
    for key in keys:
        assert db.run("SELECT current_setting('work_mem') FROM acc WHERE id = %s", [key]) == [("7MB",)]
    db.run("RESET work_mem")
    assert db.run("SELECT current_setting('work_mem') FROM acc WHERE id = %s", [keys[2]]) == [("4MB",)]


def test_set_is_undone_by_rollback_to_savepoint(db, keys):
    db.run("BEGIN")
    db.run("SET LOCAL work_mem = '6MB'")
    db.run("SAVEPOINT a")
    db.run("SET LOCAL work_mem = '8MB'")
    db.run("SELECT n FROM acc WHERE id = %s", [keys[0]])
    db.run("ROLLBACK TO a")
    for key in keys:
        assert db.run("SELECT current_setting('work_mem') FROM acc WHERE id = %s", [key]) == [("6MB",)]
    db.run("ROLLBACK")


def test_repeatable_read_is_kept_or_refused(db, keys):
    db.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
    db.run("SELECT n FROM acc WHERE id = %s", [keys[0]])
    assert db.one("SHOW transaction_isolation") == "repeatable read"
    db.run("COMMIT")
    db.run("BEGIN ISOLATION LEVEL SERIALIZABLE")
    db.run("SELECT n FROM acc WHERE id = %s", [keys[0]])
    assert db.fails(f"SELECT n FROM acc WHERE id = {keys[1]}") == "0A000"
    db.run("ROLLBACK")
    db.run("SET default_transaction_isolation = 'serializable'")
    assert db.fails("SELECT count(*) FROM acc") == "0A000"
    db.run("RESET default_transaction_isolation")


def test_isolation_between_sessions(connect, db, keys):
    other = connect()
    db.run("BEGIN")
    db.run("UPDATE acc SET n = n + 1000 WHERE id = %s", [keys[0]])
    db.run("UPDATE acc SET n = n - 1000 WHERE id = %s", [keys[1]])
    assert other.run("SELECT n FROM acc WHERE id = %s", [keys[0]]) != db.run("SELECT n FROM acc WHERE id = %s", [keys[0]])
    db.run("ROLLBACK")


def test_cursor_in_a_transaction(db, keys):
    db.run("BEGIN")
    db.run("DECLARE c CURSOR FOR SELECT generate_series(1, 5) FROM acc WHERE id = %s", [keys[1]])
    assert db.run("FETCH 2 FROM c") == [(1,), (2,)]
    assert db.run("FETCH ALL FROM c") == [(3,), (4,), (5,)]
    db.run("CLOSE c")
    db.run("COMMIT")


def test_ddl_and_rows_in_one_transaction(cluster, db, name):
    db.distributed(name)
    db.run("BEGIN")
    db.run(f"ALTER TABLE {name} ADD COLUMN extra int")
    db.run(f"INSERT INTO {name} (id, extra) VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
    db.run("COMMIT")
    assert db.one(f"SELECT sum(extra) FROM {name}") == 10


def test_two_transactions_that_wait_for_each_other_end(connect, db, keys):
    """A deadlock over two shards, which no single server can see: it must end, and rows stay right."""
    import threading

    other = connect()
    for one in (db, other):
        one.run("SET lock_timeout = '2s'")
        one.run("BEGIN")
    db.run("UPDATE acc SET n = n WHERE id = %s", [keys[0]])
    other.run("UPDATE acc SET n = n WHERE id = %s", [keys[1]])
    states = []

    def cross(one, key):
        try:
            one.run("UPDATE acc SET n = n WHERE id = %s", [key])
        except Exception as error:
            states.append(error.pgcode)
        one.run("ROLLBACK")

    threads = [threading.Thread(target=cross, args=pair) for pair in ((db, keys[1]), (other, keys[0]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert states and set(states) <= {"55P03", "40P01"}
    assert total(db) == 6000


def test_concurrent_transfers_keep_the_sum(connect, db, keys):
    import random
    import threading

    errors = []

    def transfer(seed):
        mine, rng = connect(), random.Random(seed)
        for _ in range(40):
            a, b = sorted(rng.sample(range(1, 61), 2))
            try:
                mine.run("BEGIN")
                mine.run("UPDATE acc SET n = n - 1 WHERE id = %s", [a])
                mine.run("UPDATE acc SET n = n + 1 WHERE id = %s", [b])
                mine.run("COMMIT" if rng.random() < 0.8 else "ROLLBACK")
            except Exception as error:
                if error.pgcode not in ("40P01", "55P03"):
                    errors.append(error)
                mine.run("ROLLBACK")

    threads = [threading.Thread(target=transfer, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == [] and total(db) == 6000
