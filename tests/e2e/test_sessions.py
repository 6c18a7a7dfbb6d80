"""Sessions that share few server connections: nothing of one is seen by another."""

import threading
import time

import pytest

from cluster import Cluster, wait_for
from wire import SYNC, Wire, bind, copy_data, error, execute, kinds, parse, query, rows, run



@pytest.fixture(scope="module")
def cluster():
    """One thread, and two server connections for each shard."""
    cluster = Cluster()
    try:
        cluster.start()
        cluster.kill()
        yield cluster.serve(lambda text: text.replace("workers = 2", "workers = 1") + '\n[pool]\nsize = 2\nquery_wait_timeout = "5s"\n')
    finally:
        cluster.close()


@pytest.fixture
def table(db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, 'v{i}')" for i in range(1, 41)))
    return name


def test_settings_stay_with_their_session(connect, table):
    sessions = [connect() for _ in range(6)]
    for i, session in enumerate(sessions):
        session.run(f"SET work_mem = '{i + 1}MB'")
        session.run(f"SET application_name = 'app{i}'")
    for _ in range(3):
        for i, session in enumerate(sessions):
            for key in (1, 2, 3, 4):
                assert session.run(f"SELECT current_setting('work_mem'), current_setting('application_name') FROM {table} WHERE id = {key}") == [
                    (f"{i + 1}MB", f"app{i}")
                ]
    fresh = connect()
    for key in (1, 2, 3, 4):
        assert fresh.run(f"SELECT current_setting('work_mem') FROM {table} WHERE id = {key}") == [("4MB",)]


def test_startup_settings_and_reset(connect, table):
    one = connect(options="-c work_mem=3MB -c statement_timeout=60s", application_name="mine")
    other = connect()
    for key in (1, 2, 3, 4):
        assert one.run(f"SELECT current_setting('work_mem') FROM {table} WHERE id = {key}") == [("3MB",)]
        assert other.run(f"SELECT current_setting('work_mem') FROM {table} WHERE id = {key}") == [("4MB",)]
    one.run("SET work_mem = '9MB'")
    one.run("RESET work_mem")
    assert one.one("SHOW work_mem") == "3MB"
    one.run("RESET ALL")
    assert one.one("SHOW statement_timeout") == "1min"
    one.run("DISCARD ALL")
    assert one.one("SHOW work_mem") == "3MB"


def test_a_setting_that_fails_changes_nothing(db, table):
    db.run("SET work_mem = '5MB'")
    assert db.fails("SET work_mem = 'lots'") == "22023"
    assert db.one("SHOW work_mem") == "5MB"


def test_search_path(connect, db, name):
    db.run(f"CREATE SCHEMA {name}s")
    db.run(f"CREATE TABLE {name}s.{name} (id int)")
    db.run(f"INSERT INTO {name}s.{name} VALUES (1)")
    other = connect()
    db.run(f"SET search_path TO {name}s, public")
    assert db.one(f"SELECT count(*) FROM {name}") == 1
    assert other.fails(f"SELECT count(*) FROM {name}") == "42P01"


def test_role_stays_with_its_session(connect, db, table):
    db.run("DO $$ BEGIN CREATE ROLE someone; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    other = connect()
    try:
        db.run("SET ROLE someone")
    except Exception as refusal:
        assert refusal.pgcode in ("0A000", "22023"), refusal
        return
    assert db.one("SELECT current_user") == "someone"
    assert db.fails(f"SELECT * FROM {table} WHERE id = 3") == "42501"
    for _ in range(4):
        assert other.one("SELECT current_user") == "app"
        assert other.run(f"SELECT id FROM {table} WHERE id = 3") == [(3,)]
    db.run("RESET ROLE")
    assert db.one("SELECT current_user") == "app"


def test_temporary_tables(connect, name):
    one, other = connect(), connect()
    one.run(f"CREATE TEMP TABLE {name} (id int)")
    one.run(f"INSERT INTO {name} VALUES (1), (2)")
    assert one.one(f"SELECT count(*) FROM {name}") == 2
    for _ in range(4):
        assert other.fails(f"SELECT * FROM {name}") == "42P01"
    other.run(f"CREATE TEMP TABLE {name} (other text)")
    assert one.one(f"SELECT count(*) FROM {name}") == 2
    one.connection.close()
    other.connection.close()
    third = connect()
    assert third.fails(f"SELECT * FROM {name}") == "42P01"


def test_advisory_locks(connect):
    one, other = connect(), connect()
    one.run("SELECT pg_advisory_lock(77)")
    assert other.one("SELECT pg_try_advisory_lock(77)") is False
    assert one.one("SELECT pg_advisory_unlock(77)") is True
    assert other.one("SELECT pg_try_advisory_lock(77)") is True
    other.connection.close()
    wait_for(lambda: one.one("SELECT pg_try_advisory_lock(77)"), 5, "the lock of a closed session free")


def test_sequences_of_a_session(connect, db, name):
    db.run(f"CREATE SEQUENCE {name}")
    one = connect()
    assert [one.one(f"SELECT nextval('{name}')"), one.one(f"SELECT currval('{name}')")] == [1, 1]


def test_prepared_names_are_private(cluster, table):
    with Wire(cluster.port) as a, Wire(cluster.port) as b, Wire(cluster.port) as c:
        a.ask(parse("s", f"SELECT v FROM {table} WHERE id = $1") + SYNC)
        b.ask(parse("s", f"SELECT id FROM {table} WHERE id = $1") + SYNC)
        for key in range(1, 21):
            assert rows(a.ask(bind("", "s", [str(key)]) + execute() + SYNC)) == [[f"v{key}"]]
            assert rows(b.ask(bind("", "s", [str(key)]) + execute() + SYNC)) == [[str(key)]]
            assert error(c.ask(bind("", "s", [str(key)]) + execute() + SYNC)) == "26000"
        a.ask(query("DEALLOCATE ALL"))
        assert error(a.ask(bind("", "s", ["1"]) + SYNC)) == "26000"
        assert rows(b.ask(bind("", "s", ["1"]) + execute() + SYNC)) == [["1"]]


def test_prepared_statement_outlives_a_change_of_its_table(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (1, 'a')")
    with Wire(cluster.port) as c:
        c.ask(parse("s", f"SELECT * FROM {name} WHERE id = $1") + SYNC)
        assert rows(c.ask(bind("", "s", ["1"]) + execute() + SYNC)) == [["1", "a"]]
        db.run(f"ALTER TABLE {name} ADD COLUMN n int DEFAULT 5")
        got = c.ask(bind("", "s", ["1"]) + execute() + SYNC)
        assert rows(got) == [["1", "a", "5"]] or error(got) == "0A000"
        got = c.ask(run(f"SELECT * FROM {name} WHERE id = 1") + SYNC)
        assert rows(got) == [["1", "a", "5"]]


def test_many_clients_on_few_connections(connect, table):
    errors = []

    def work(i):
        try:
            mine = connect()
            for j in range(15):
                key = (i * 7 + j) % 40 + 1
                assert mine.run(f"SELECT v FROM {table} WHERE id = {key}") == [(f"v{key}",)]
                assert mine.one(f"SELECT count(*) FROM {table}") == 40
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_a_full_pool_ends_in_an_error_and_recovers(connect, table):
    holders = [connect(), connect()]
    for holder in holders:
        holder.run("BEGIN")
        holder.run(f"SELECT count(*) FROM {table}")
    late = connect()
    started = time.monotonic()
    assert late.fails(f"SELECT count(*) FROM {table}") in ("53300", "57014", "08006", "58000", "55P03", "53000")
    assert 3 < time.monotonic() - started < 15
    for holder in holders:
        holder.run("COMMIT")
    assert late.one(f"SELECT count(*) FROM {table}") == 40


def cancel_after(db, seconds):
    timer = threading.Timer(seconds, db.connection.cancel)
    timer.start()
    return timer


@pytest.mark.parametrize("sql", ["SELECT pg_sleep(30)", "SELECT count(*) FROM {t} WHERE v <> '' AND (SELECT true FROM pg_sleep(1))", "SELECT pg_sleep(20) FROM {t} WHERE id = 3"])
def test_cancel(connect, table, sql):
    one = connect()
    cancel_after(one, 0.4)
    started = time.monotonic()
    state = one.fails(sql.format(t=table)) if "count" not in sql else slow(one, table)
    assert state == "57014" and time.monotonic() - started < 5
    assert one.one(f"SELECT count(*) FROM {table}") == 40


def slow(db, table):
    """Three shards that each take long over a statement that the router can scatter."""
    return db.fails(f"SELECT count(*) FROM {table} a, generate_series(1, 30000000) g WHERE g % 7 = length(a.v)")


def test_cancel_while_waiting_for_the_pool(connect, table):
    holders = [connect(), connect()]
    for holder in holders:
        holder.run("BEGIN")
        holder.run(f"SELECT count(*) FROM {table}")
    late = connect()
    cancel_after(late, 0.4)
    assert late.fails(f"SELECT count(*) FROM {table}") in ("57014", "53300")
    for holder in holders:
        holder.run("ROLLBACK")


def test_cancel_in_a_transaction_then_rollback(connect, table):
    one = connect()
    one.run("BEGIN")
    one.run(f"UPDATE {table} SET v = v WHERE id = 1")
    cancel_after(one, 0.3)
    assert one.fails("SELECT pg_sleep(20)") == "57014"
    one.run("ROLLBACK")
    assert one.one(f"SELECT count(*) FROM {table}") == 40


def test_a_late_cancel_hits_nobody(connect, table):
    sessions = [connect() for _ in range(3)]
    for _ in range(15):
        for session in sessions:
            session.run(f"SELECT v FROM {table} WHERE id = 3")
            session.connection.cancel()
    for session in sessions:
        assert session.one(f"SELECT count(*) FROM {table}") == 40


def test_a_cancel_with_a_wrong_secret_does_nothing(cluster, connect, table):
    import socket
    import struct

    with Wire(cluster.port) as victim:
        pid, secret = struct.unpack("!II", [m for m in victim.greeting if m.type == "K"][0].body[:8])
        victim.send(query("SELECT pg_sleep(1)"))
        for guess in (secret ^ 1, 0):
            with socket.create_connection(("127.0.0.1", cluster.port)) as s:
                s.sendall(struct.pack("!IIII", 16, 80877102, pid, guess))
                s.settimeout(5)
                assert s.recv(10) == b""
        assert kinds(victim.until_ready()) == "TDCZ"


def locks_are_free(cluster, table):
    return sum(r[0] for r in cluster.on_shards("SELECT count(*) FROM pg_locks WHERE relation = %s::regclass", [table])) == 0


@pytest.mark.parametrize(
    "script",
    [
        "BEGIN; UPDATE {t} SET v = 'gone' WHERE id = 1",
        "BEGIN; UPDATE {t} SET v = 'gone'",
        "UPDATE {t} SET v = 'gone' WHERE id = 1 AND (SELECT true FROM pg_sleep(30))",
        "COPY {t} FROM STDIN",
        "BEGIN; LOCK TABLE {t}",
    ],
    ids=["in a transaction", "over shards", "mid-statement", "mid-COPY", "with locks"],
)
def test_a_client_that_vanishes_leaves_nothing(cluster, db, table, script):
    c = Wire(cluster.port)
    c.send(query(script.format(t=table)))
    if "COPY" in script:
        c.until("G")
        c.send(copy_data(b"1000\tx\n1001\tx\n1002\tx\n10"))
    elif "sleep" not in script:
        c.until_ready()
    time.sleep(0.3)
    c.socket.close()
    wait_for(lambda: locks_are_free(cluster, table), 8, "locks of the vanished client free")
    assert db.one(f"SELECT count(*) FROM {table} WHERE v <> 'gone'") == 40


def test_a_client_that_vanishes_mid_result(cluster, db, table):
    for _ in range(5):
        c = Wire(cluster.port)
        c.send(query(f"SELECT a.v, repeat('x', 10000) FROM {table} a, generate_series(1, 2000)"))
        c.read()
        c.socket.close()
    wait_for(lambda: len(cluster.console("SHOW CLIENTS")) <= 1, 8, "vanished clients forgotten")
    assert db.one(f"SELECT count(*) FROM {table}") == 40


def test_a_slow_reader_costs_bounded_memory(cluster, db, table):
    before = cluster.rss_bytes()
    for script in (
        query(f"SELECT a.v, repeat('x', 10000) FROM {table} a, generate_series(1, 2000)"),
        run(f"SELECT a.v, repeat('x', 10000) FROM {table} a, generate_series(1, 20000) WHERE a.id = 4") + SYNC,
        query(f"COPY (SELECT repeat('x', 10000) FROM {table} a, generate_series(1, 20000) WHERE a.id = 4) TO STDOUT"),
    ):
        with Wire(cluster.port) as lazy:
            lazy.send(script)
            time.sleep(1.5)
            assert cluster.rss_bytes() - before < 64 * 1024 * 1024
            assert db.run("SELECT 1") == [(1,)]


def test_memory_and_files_come_back(cluster, db, table):
    def churn():
        for _ in range(40):
            with Wire(cluster.port) as c:
                c.ask(query(f"SELECT v FROM {table} WHERE id = 3"))
                c.ask(query(f"SELECT count(*) FROM {table}"))

    churn()
    files, memory = cluster.open_files(), cluster.rss_bytes()
    for _ in range(4):
        churn()
    wait_for(lambda: cluster.open_files() <= files + 3, 8, "files closed")
    assert cluster.rss_bytes() - memory < 16 * 1024 * 1024
