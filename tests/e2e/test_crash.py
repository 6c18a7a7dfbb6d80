"""The router dies at named points, as by kill -9: afterwards all or nothing has happened, and nothing is left prepared."""

import contextlib

import psycopg2
import pytest

from cluster import Cluster, wait_for

RESTARTS = True
CRASH = 137


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    try:
        cluster.start()
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
            c.execute("CREATE TABLE acc (id bigint PRIMARY KEY, n int)")
            c.execute("SELECT create_distributed_table('acc', 'id')")
            c.execute("INSERT INTO acc VALUES " + ",".join(f"({i}, 0)" for i in range(1, 61)))
        yield cluster
    finally:
        cluster.close()


def restart(cluster, fault=None):
    cluster.stop() if cluster.process.poll() is None else None
    cluster.start({"SHERD_FAULT": fault} if fault else None)


def restart_to_crash(cluster, fault):
    """The router starts, and dies when it comes to the point the next time."""
    for nth in range(1, 20):
        try:
            return restart(cluster, f"{fault}=crash@{nth}")
        except AssertionError:  # the start itself went through the point
            assert cluster.wait_dead() == CRASH
    pytest.fail(f"the router always passes {fault} when it starts")


def test_all_or_nothing_at_each_step_of_commit(cluster):
    wanted = {"txn.prepare": {0}, "txn.prepared": {0}, "txn.decide": {0}, "txn.decided": {60}, "txn.finished": {60}}
    outcomes = {}
    for at, fault in enumerate(wanted, 1):
        restart(cluster, f"{fault}=crash")
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
            with pytest.raises(psycopg2.OperationalError):
                c.execute("UPDATE acc SET n = %s", [at])
        assert cluster.wait_dead() == CRASH
        if fault in ("txn.prepared", "txn.decide", "txn.decided"):
            assert cluster.prepared_transactions() > 0
        restart(cluster)
        wait_for(lambda: cluster.prepared_transactions() == 0, 30, f"prepared transactions of {fault} resolved")
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
            c.execute("SELECT count(*) FROM acc WHERE n = %s", [at])
            outcomes[fault] = {c.fetchone()[0]}
    assert outcomes == wanted


@pytest.mark.parametrize("fault", ["txn.prepare", "txn.prepared", "txn.decide"])
def test_a_failure_before_the_decision_is_a_clean_error(cluster, fault):
    restart(cluster, f"{fault}=fail")
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        with pytest.raises(psycopg2.Error):
            c.execute("UPDATE acc SET n = 1000")
        c.execute("SELECT count(*) FROM acc WHERE n = 1000")
        assert c.fetchone() == (0,)
        c.execute("UPDATE acc SET n = 1001")
        c.execute("SELECT count(*) FROM acc WHERE n = 1001")
        assert c.fetchone() == (60,)
    wait_for(lambda: cluster.prepared_transactions() == 0, 30, "nothing prepared")


def test_a_failure_after_the_decision_is_finished_by_recovery(cluster):
    restart(cluster, "txn.decided=fail")
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        c.execute("UPDATE acc SET n = 2000")
    restart(cluster)
    wait_for(lambda: cluster.prepared_transactions() == 0, 30, "recovered")
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        c.execute("SELECT count(*) FROM acc WHERE n = 2000")
        assert c.fetchone() == (60,)


@pytest.mark.parametrize(
    "fault, done",
    [("distribute.moved", False), ("txn.prepared", False), ("txn.decided", True), ("distribute.committed", True), ("catalog.commit.written", None), ("catalog.commit.done", None)],
)
def test_a_crash_while_distributing(cluster, name, fault, done):
    restart(cluster)
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        c.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
        c.execute(f"INSERT INTO {name} SELECT i, 'v' FROM generate_series(1, 300) i")
    restart_to_crash(cluster, fault)
    with contextlib.suppress(psycopg2.Error):
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
            c.execute(f"SELECT create_distributed_table('{name}', 'id')")
    assert cluster.wait_dead() == CRASH
    restart(cluster)
    wait_for(lambda: cluster.prepared_transactions() == 0, 30, "nothing prepared")
    counts = cluster.counts(name)
    is_distributed = name in {t["table"] for t in cluster.console("SHOW TABLES")}
    assert done in (None, is_distributed)
    assert sum(counts) == 300
    assert (min(counts) > 0) == is_distributed
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        c.execute(f"SELECT count(*), count(DISTINCT id) FROM {name} WHERE id > 0")
        assert c.fetchone() == (300, 300)
        c.execute(f"SELECT id FROM {name} WHERE id = 7")
        assert c.fetchall() == [(7,)]
        if not is_distributed:
            c.execute(f"SELECT create_distributed_table('{name}', 'id')")
            c.execute(f"SELECT count(*) FROM {name}")
            assert c.fetchone() == (300,)
    leftover = cluster.on_shards("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'sherd' AND relname LIKE 'staging%%'", [])
    assert leftover == [[0]] * 3, "staging tables are left behind"


def test_kill_9_under_writers_keeps_what_was_acknowledged(cluster, name):
    import threading

    restart(cluster)
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
        c.execute(f"CREATE TABLE {name} (id bigint PRIMARY KEY, pair bigint)")
        c.execute(f"SELECT create_distributed_table('{name}', 'id')")
    acknowledged = []

    def write(worker):
        with contextlib.suppress(psycopg2.Error), contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
            for i in range(100000):
                pair = i * 4 + worker
                c.execute(f"INSERT INTO {name} VALUES (%s, %s), (%s, %s), (%s, %s)", [pair * 3, pair, pair * 3 + 1, pair, pair * 3 + 2, pair])
                acknowledged.append(pair)

    for _ in range(3):
        threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        count = len(acknowledged)
        with contextlib.suppress(AssertionError):
            wait_for(lambda: len(acknowledged) > count + 60, 10)
        cluster.kill()
        for thread in threads:
            thread.join(30)
        restart(cluster)
        wait_for(lambda: cluster.prepared_transactions() == 0, 30, "nothing prepared")
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
            c.execute(f"SELECT pair, count(*) FROM {name} GROUP BY pair ORDER BY pair")
            pairs = dict(c.fetchall())
        assert set(pairs.values()) <= {3} and set(acknowledged) <= set(pairs)
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as c:
            c.execute(f"TRUNCATE {name}")
        acknowledged.clear()


def test_a_restart_knows_tables_and_rows(cluster):
    restart(cluster)
    assert "acc" in {t["table"] for t in cluster.console("SHOW TABLES")}
    assert sum(cluster.counts("acc")) == 60
