"""Hostile and broken input: a clear error, and all others unaffected."""

import socket
import struct
import time

import psycopg2
import pytest
import wire as w
from cluster import wait_for
from wire import SYNC, Closed, Wire, error, kinds, message, query, rows


@pytest.fixture(autouse=True)
def others_are_unaffected(cluster):
    with Wire(cluster.port) as bystander:
        assert rows(bystander.ask(query("SELECT 1"))) == [["1"]]
        yield
        assert rows(bystander.ask(query("SELECT 2"))) == [["2"]]
    assert cluster.process.poll() is None, cluster.output()


def raw(cluster, data, timeout=10):
    """All that the router answers to bytes on a fresh connection, until it closes; None if it does not."""
    with socket.create_connection(("127.0.0.1", cluster.port), timeout) as s:
        s.sendall(data)
        answer = b""
        try:
            while chunk := s.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        except TimeoutError:
            return None
        return answer


STARTUPS = {
    "a gigabyte": struct.pack("!II", 2**30, 196608),
    "negative": struct.pack("!iI", -1, 196608),
    "too short": struct.pack("!I", 4) + b"xxxx",
    "zero": struct.pack("!II", 0, 0),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "protocol 2": struct.pack("!II", 8, 2 << 16),
    "protocol 4": struct.pack("!II", 9, 4 << 16) + b"\0",
    "no user": struct.pack("!II", 9, 196608) + b"\0",
    "no end": struct.pack("!II", 13, 196608) + b"user\0",
    "odd": struct.pack("!II", 14, 196608) + b"user\0\0",
}


@pytest.mark.parametrize("data", STARTUPS.values(), ids=STARTUPS.keys())
def test_start_up_packets(cluster, data):
    answer = raw(cluster, data)
    assert answer is not None, "the connection stays open"
    assert answer == b"" or answer[:1] == b"E", answer


def test_ssl_and_gss_requests_are_declined(cluster):
    for code in (80877103, 80877104):
        with socket.create_connection(("127.0.0.1", cluster.port), 10) as s:
            s.sendall(struct.pack("!II", 8, code))
            assert s.recv(1) == b"N"
            s.sendall(w.startup_packet(user="app", database="app"))
            assert s.recv(1) == b"R"


def test_wrong_user_and_database(cluster):
    for parameters, state in (({"user": "nobody"}, "28000"), ({"database": "nope"}, "3D000"), ({"replication": "true"}, "0A000")):
        with Wire(cluster.port, login=False) as c:
            c.send(w.startup_packet(**({"user": "app", "database": "app"} | parameters)))
            last = c.until("Z")[-1]
            assert last.type == "E" and last.sqlstate in (state, "28P01"), last
            assert c.is_closed()


def test_a_startup_setting_that_is_wrong(cluster):
    with Wire(cluster.port, login=False) as c:
        c.send(w.startup_packet(user="app", database="app", no_such_setting="1"))
        last = c.until("Z")[-1]
        assert last.type == "E" and last.sqlstate == "42704"
    with Wire(cluster.port, login=False) as c:
        c.send(w.startup_packet(user="app", database="app", client_encoding="LATIN1"))
        assert c.until("Z")[-1].type == "E"


def test_silent_connections_do_not_stay(cluster, db):
    assert int(db.one("SELECT 1")) == 1
    with socket.create_connection(("127.0.0.1", cluster.port), 10) as s:
        s.sendall(struct.pack("!I", 50))
        assert db.one("SELECT 1") == 1


FRAMES = {
    "a gigabyte": b"Q" + struct.pack("!I", 2**30),
    "all ones": b"Q" + struct.pack("!I", 2**32 - 1),
    "negative": b"Q" + struct.pack("!i", -5),
    "length 3": b"Q" + struct.pack("!I", 3),
    "unknown type": message("~", b"abc"),
    "a second start-up": w.startup_packet(user="app", database="app"),
    "password": message("p", b"secret\0"),
    "gigabyte of copy data": b"d" + struct.pack("!I", 2**30),
}


@pytest.mark.parametrize("data", FRAMES.values(), ids=FRAMES.keys())
def test_frames(cluster, data):
    memory = cluster.rss_bytes()
    with Wire(cluster.port) as c:
        c.send(data + b"\0" * 2000)
        try:
            got = c.until("E")
            assert got[-1].sqlstate in ("08P01", "54000", "53200"), got
            assert got[-1].fields["V"] == "FATAL"
        except Closed:
            pass
        assert c.is_closed()
    assert cluster.rss_bytes() - memory < 32 * 1024 * 1024


BODIES = {
    "query without end": message("Q", b"SELECT 1"),
    "query with two ends": message("Q", b"SELECT 1\0SELECT 2\0"),
    "empty query message": message("Q", b""),
    "parse cut": message("P", b"s\0SELECT 1\0"),
    "parse with many types": message("P", b"\0SELECT 1\0" + struct.pack("!H", 65535)),
    "bind cut": message("B", b"\0\0\0"),
    "bind with a huge value": message("B", b"\0\0" + struct.pack("!HHi", 0, 1, 2**31 - 1)),
    "bind with a negative value": message("B", b"\0\0" + struct.pack("!HHi", 0, 1, -2)),
    "describe of X": message("D", b"Xs\0"),
    "close cut": message("C", b""),
    "execute cut": message("E", b"p\0"),
}


@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES.keys())
def test_bodies(cluster, data):
    with Wire(cluster.port) as c:
        c.send(data + SYNC)
        try:
            got = c.until("Z")
        except Closed:
            return
        assert [m.sqlstate for m in got if m.type == "E"] == ["08P01"] or data[:1] == b"S", got
        if got[-1].type == "Z":
            while kinds(got) == "EZ" and data[:1] == b"Q":
                got = c.until("Z")
            assert rows(c.ask(query("SELECT 5"))) == [["5"]]


def test_text_that_is_not_utf8(cluster):
    with Wire(cluster.port) as c:
        c.send(message("Q", b"SELECT '\xff\xfe'\0"))
        assert error(c.until_ready()) == "22021"
        got = c.ask(message("P", b"\0SELECT $1::text\0\0\0") + w.bind("", "", [b"\xc3"]) + w.execute() + SYNC)
        assert error(got) == "22021"
        assert rows(c.ask(query("SELECT 5"))) == [["5"]]


def test_zero_byte_in_a_text_parameter(cluster, db, name):
    db.distributed(name, "k text PRIMARY KEY", "k")
    with Wire(cluster.port) as c:
        got = c.ask(w.run(f"INSERT INTO {name} VALUES ($1)", [b"a\0b"]) + SYNC)
        assert error(got) == "22021"
        assert rows(c.ask(query("SELECT 5"))) == [["5"]]


def test_half_a_message_then_gone(cluster):
    for data in (b"Q", b"Q\0\0", query("SELECT 1")[:-3], b"P" + struct.pack("!I", 900) + b"abc"):
        c = Wire(cluster.port)
        c.send(data)
        c.socket.close()
    wait_for(lambda: len(cluster.console("SHOW CLIENTS")) <= 1, 8, "clients forgotten")


def test_many_connections_that_only_open(cluster):
    files = cluster.open_files()
    sockets = [socket.create_connection(("127.0.0.1", cluster.port), 10) for _ in range(100)]
    with Wire(cluster.port) as c:
        assert rows(c.ask(query("SELECT 5"))) == [["5"]]
    for s in sockets:
        s.close()
    wait_for(lambda: cluster.open_files() <= files + 3, 8, "files closed")


def test_many_prepared_statements_are_bounded(cluster):
    memory = cluster.rss_bytes()
    with Wire(cluster.port) as c:
        refused = 0
        for i in range(0, 20000, 500):
            batch = b"".join(w.parse(f"s{j}", f"SELECT {j} AS " + "x" * 60 + f", '{'y' * 400}'") for j in range(i, i + 500))
            got = c.ask(batch + SYNC)
            refused += "E" in kinds(got)
    assert cluster.rss_bytes() - memory < 128 * 1024 * 1024


def test_terminate_closes_at_once(cluster):
    with Wire(cluster.port) as c:
        c.send(w.TERMINATE)
        assert c.is_closed()


def test_an_unreachable_shard(cluster, db, connect, name):
    """Statements for it fail clearly and soon; others go on; when it is back, so are its rows."""
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, 'v')" for i in range(60)))
    keys = [r[0] for r in cluster.on_shards(f"SELECT id FROM {name} ORDER BY id LIMIT 1")]
    other = connect()
    other.run("BEGIN")
    other.run(f"UPDATE {name} SET v = 'w' WHERE id = {keys[2]}")
    cluster.stop_shard(3)
    try:
        started = time.monotonic()
        states = {db.fails(f"SELECT * FROM {name} WHERE id = {keys[2]}") for _ in range(3)}
        assert states <= {"08006", "08001", "57P01", "08000", "57P03"}, states
        assert db.fails(f"SELECT count(*) FROM {name}")[:2] in ("08", "57")
        assert db.fails(f"UPDATE {name} SET v = 'x'")[:2] in ("08", "57")
        assert db.fails(f"INSERT INTO {name} VALUES " + ",".join(f"({i}, 'v')" for i in range(100, 160)))[:2] in ("08", "57")
        assert db.fails(f"CREATE TABLE {name}_b (id int)")[:2] in ("08", "57")
        assert time.monotonic() - started < 60
        for key in keys[:2]:
            assert db.run(f"SELECT v FROM {name} WHERE id = {key}") == [("v",)]
            db.run(f"UPDATE {name} SET v = 'v' WHERE id = {key}")
        assert other.fails(f"SELECT * FROM {name} WHERE id = {keys[2]}")[:2] in ("08", "57", "25")
        other.run("ROLLBACK")
        assert len(cluster.console("SHOW SHARDS")) == 3
        check = cluster.run("check", "--config", cluster.config)
        assert check.returncode == 1 and "shard3" in check.stdout
    finally:
        cluster.start_shard(3)

    def back():
        try:
            return db.one(f"SELECT count(*) FROM {name}") == 60
        except psycopg2.Error:
            return False

    wait_for(back, 20, "the shard back")
    assert db.one(f"SELECT count(*) FROM {name} WHERE v = 'v'") == 60
    assert cluster.prepared_transactions() == 0


def test_server_connections_that_are_killed(cluster, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (1), (2), (3), (4), (5)")
    for _ in range(3):
        cluster.on_shards("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
        time.sleep(0.2)
        assert db.one(f"SELECT count(*) FROM {name}") == 5
