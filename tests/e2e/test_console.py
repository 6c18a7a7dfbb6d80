"""The console database "sherd"."""

import contextlib
import json
import time

import psycopg2
import pytest
import wire as w
from wire import SYNC, Wire, describe, error, execute, kinds, parse, query, rows, run, tags

SHOWS = ["HELP", "SHARDS", "POOLS", "CLIENTS", "SERVERS", "TABLES", "TOPOLOGY", "STATS", "MOVES", "TRANSACTIONS", "AUDIT", "CONFIG", "VERSION"]


@pytest.fixture
def console(cluster):
    with Wire(cluster.port, database="sherd") as c:
        yield c


@pytest.mark.parametrize("what", SHOWS)
def test_every_show_in_both_protocols(cluster, db, console, what):
    simple = console.ask(query(f"SHOW {what}"))
    assert kinds(simple)[0] == "T" and kinds(simple)[-2:] == "CZ" and tags(simple)[0].startswith("SHOW")
    lower = console.ask(query(f"  show {what.lower()} ; "))
    assert lower[0].columns == simple[0].columns
    extended = console.ask(run(f"SHOW {what}") + SYNC)
    assert kinds(extended).startswith("12T") and kinds(extended).endswith("CZ")
    assert extended[2].columns == simple[0].columns
    prepared = console.ask(parse("s", f"SHOW {what}") + describe("S", "s") + SYNC)
    assert kinds(prepared) == "1tTZ"
    for message in simple:
        assert message.type != "D" or len(message.values) == len(simple[0].columns)


def test_shards_are_listed(cluster, console):
    shards = cluster.console("SHOW SHARDS")
    assert [s["shard"] for s in shards] == ["shard1", "shard2", "shard3"]
    assert [s["active"] for s in shards] == ["yes"] * 3 and sum(s["home"] == "yes" for s in shards) == 1


def test_tables_topology_and_audit_tell_of_a_new_table(cluster, db, name):
    db.distributed(name)
    (table,) = [t for t in cluster.console("SHOW TABLES") if t["table"] == name]
    assert (table["kind"], table["key"], table["strategy"]) == ("distributed", "id", "slot")
    assert name in json.dumps(json.loads(cluster.console("SHOW TOPOLOGY")[0]["topology"]))
    assert any(name in str(entry) for entry in cluster.console("SHOW AUDIT"))


def test_stats_count(cluster, db, name):
    db.distributed(name)

    def total(column):
        return sum(int(row[column]) for row in cluster.console("SHOW STATS"))

    single, multi, errors = total("single_shard"), total("multi_shard"), total("errors")
    for i in range(10):
        db.run(f"SELECT * FROM {name} WHERE id = {i}")
    for _ in range(5):
        db.run(f"SELECT count(*) FROM {name}")
    assert total("single_shard") - single == 10 and total("multi_shard") - multi == 5


def test_clients_and_kill(cluster, connect):
    victim = connect()
    victim.run("SELECT 'find me'")
    (number,) = [c["number"] for c in cluster.console("SHOW CLIENTS") if "find me" in c["statement"]]
    assert cluster.console(f"KILL {number}") == []
    with pytest.raises(psycopg2.Error) as caught:
        victim.run("SELECT 1")
    assert caught.value.pgcode in ("57P01", None)


def test_kill_in_mid_statement(cluster, connect):
    import threading

    victim, states = connect(), []

    def sleep():
        try:
            victim.run("SELECT pg_sleep(30) -- kill me")
        except psycopg2.Error as caught:
            states.append(caught.pgcode)

    thread = threading.Thread(target=sleep)
    thread.start()
    time.sleep(0.5)
    (number,) = [c["number"] for c in cluster.console("SHOW CLIENTS") if "kill me" in c["statement"]]
    cluster.console(f"KILL {number}")
    thread.join(10)
    assert len(states) == 1
    with contextlib.closing(cluster.shard(1)) as home, home.cursor() as c:
        time.sleep(1)
        c.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%kill me%%' AND state = 'active' AND pid <> pg_backend_pid()", [])
        assert c.fetchone() == (0,)


@pytest.mark.parametrize("command", ["KILL", "KILL x", "KILL 999999", "SHOW", "SHOW NOTHING", "SELECT 1", "DROP TABLE x", "SHWO SHARDS"])
def test_wrong_commands(console, command):
    got = console.ask(query(command))
    assert kinds(got) == "EZ" and error(got) in ("42601", "42704")
    got = console.ask(parse("", command) + w.bind("", "") + execute() + SYNC)
    assert error(got) in ("42601", "42704") and kinds(got)[-2:] == "EZ"
    assert tags(console.ask(query("SHOW VERSION")))[0].startswith("SHOW")


def test_errors_of_the_extended_protocol(console):
    assert error(console.ask(w.bind("", "nope") + SYNC)) == "26000"
    assert error(console.ask(execute("nope") + SYNC)) == "34000"
    assert error(console.ask(describe("S", "nope") + SYNC)) == "26000"
    got = console.ask(run("SHOW NOTHING") + run("SHOW VERSION") + SYNC)
    assert kinds(got).count("E") == 1 and rows(got) == [] and kinds(got).endswith("EZ")
    assert kinds(console.ask(w.close("S", "nope") + SYNC)) == "3Z"
    assert kinds(console.ask(query(""))) == "IZ"


def test_answers_come_in_order(console):
    console.send(run("SHOW VERSION") + w.FLUSH)
    assert kinds(console.until("C")) == "12TDC"
    got = console.ask(run("SHOW SHARDS") + run("SHOW VERSION") + SYNC)
    assert kinds(got) == "12TDDDC12TDCZ"


def test_pause_and_resume(cluster, connect, db, name):
    import threading

    db.distributed(name)
    other = connect()
    cluster.console("PAUSE")
    try:
        done = []
        thread = threading.Thread(target=lambda: done.append(other.one(f"SELECT count(*) FROM {name}")))
        thread.start()
        thread.join(0.7)
        assert done == []
        assert len(cluster.console("SHOW SHARDS")) == 3
    finally:
        cluster.console("RESUME")
    thread.join(10)
    assert done == [0]


def test_reconnect_takes_new_server_connections(cluster, db, name):
    db.distributed(name)
    db.run(f"SELECT count(*) FROM {name}")
    before = db.one("SELECT pg_backend_pid()")
    cluster.console("RECONNECT")
    assert db.one("SELECT pg_backend_pid()") != before


def test_reload(cluster, db):
    assert cluster.console("RELOAD") == []
    assert db.one("SELECT 1") == 1
    text = cluster.config.read_text()
    try:
        cluster.config.write_text(text + "\nnonsense = 1\n[[[")
        with pytest.raises(psycopg2.Error):
            cluster.console("RELOAD")
    finally:
        cluster.config.write_text(text)
    assert db.one("SELECT 1") == 1
    cluster.console("RELOAD")


def test_secrets_are_not_shown(cluster):
    for row in cluster.console("SHOW CONFIG"):
        assert "secret" not in str(row).lower() or "***" in str(row)
