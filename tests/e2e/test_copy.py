"""COPY in and out, in every format, whole and broken off."""

import io
import struct

import pytest
import wire as w
from wire import COPY_DONE, SYNC, copy_data, copy_fail, error, kinds, query, rows, tags


def copy_in(db, sql, data):
    with db.connection.cursor() as cursor:
        cursor.copy_expert(sql, io.BytesIO(data if isinstance(data, bytes) else data.encode()))
        return cursor.rowcount


def copy_out(db, sql):
    out = io.BytesIO()
    with db.connection.cursor() as cursor:
        cursor.copy_expert(sql, out)
    return out.getvalue()


def in_step(c):
    assert rows(c.ask(query("SELECT 42"))) == [["42"]]


BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 0)


def binary_row(key, value):
    raw = value.encode()
    return struct.pack("!Hiqi", 2, 8, key, len(raw)) + raw


def test_text(cluster, db, name):
    db.distributed(name)
    assert copy_in(db, f"COPY {name} FROM STDIN", "".join(f"{i}\tv{i}\n" for i in range(1000))) == 1000
    counts = cluster.counts(name)
    assert sum(counts) == 1000 and min(counts) > 200
    assert db.run(f"SELECT v FROM {name} WHERE id = 77") == [("v77",)]
    assert sorted(copy_out(db, f"COPY {name} TO STDOUT").splitlines()) == sorted(f"{i}\tv{i}".encode() for i in range(1000))


def test_text_escapes_and_nulls(db, name):
    db.distributed(name)
    data = "1\ta\\tb\n2\t\\N\n3\t\\\\.\n4\t\n5\tx\\ny\n6\t\\\\N\n007\t\\x41\n"
    assert copy_in(db, f"COPY {name} FROM STDIN", data) == 7
    wanted = [(1, "a\tb"), (2, None), (3, "\\."), (4, ""), (5, "x\ny"), (6, "\\N"), (7, "A")]
    assert db.run(f"SELECT id, v FROM {name} ORDER BY id") == wanted
    for key, value in wanted:
        assert db.run(f"SELECT v FROM {name} WHERE id = {key}") == [(value,)]
    again = copy_out(db, f"COPY {name} TO STDOUT")
    db.run(f"TRUNCATE {name}")
    assert copy_in(db, f"COPY {name} FROM STDIN", again) == 7
    assert db.run(f"SELECT id, v FROM {name} ORDER BY id") == wanted


def test_end_marker(db, name):
    db.distributed(name)
    assert copy_in(db, f"COPY {name} FROM STDIN", "1\ta\n\\.\n") == 1


def test_columns_in_another_order(db, name):
    db.distributed(name, "v text, n int DEFAULT 9, id bigint PRIMARY KEY")
    assert copy_in(db, f"COPY {name} (id, v) FROM STDIN", "1\ta\n2\tb\n") == 2
    assert db.run(f"SELECT v, n, id FROM {name} ORDER BY id") == [("a", 9, 1), ("b", 9, 2)]
    assert sorted(copy_out(db, f"COPY {name} (id, n) TO STDOUT").splitlines()) == [b"1\t9", b"2\t9"]


def test_csv(db, name):
    db.distributed(name)
    data = 'id,v\n1,"a,b"\n2,\n3,"x ""y"" z"\n4,"line1\nline2"\n"5",""\n'
    assert copy_in(db, f"COPY {name} FROM STDIN WITH (FORMAT csv, HEADER)", data) == 5
    assert db.run(f"SELECT id, v FROM {name} ORDER BY id") == [(1, "a,b"), (2, None), (3, 'x "y" z'), (4, "line1\nline2"), (5, "")]
    out = copy_out(db, f"COPY {name} TO STDOUT WITH (FORMAT csv, HEADER)")
    assert out.count(b"id,v\n") == 1 and out.startswith(b"id,v\n")
    db.run(f"TRUNCATE {name}")
    assert copy_in(db, f"COPY {name} FROM STDIN WITH (FORMAT csv, HEADER)", out) == 5


def test_csv_with_other_signs(db, name):
    db.distributed(name)
    assert copy_in(db, f"COPY {name} FROM STDIN WITH (FORMAT csv, DELIMITER '|', QUOTE '''', NULL 'nil', ESCAPE '\\')", "1|'a|b'\n2|nil\n3|'it\\'s'\n") == 3
    assert db.run(f"SELECT v FROM {name} ORDER BY id") == [("a|b",), (None,), ("it's",)]


def test_binary(cluster, db, name):
    db.distributed(name)
    data = BINARY_HEADER + b"".join(binary_row(i, f"v{i}") for i in range(300)) + b"\xff\xff"
    assert copy_in(db, f"COPY {name} FROM STDIN WITH (FORMAT binary)", data) == 300
    assert sum(cluster.counts(name)) == 300 and min(cluster.counts(name)) > 50
    assert db.run(f"SELECT v FROM {name} WHERE id = 123") == [("v123",)]
    try:
        out = copy_out(db, f"COPY {name} TO STDOUT WITH (FORMAT binary)")
    except Exception as refusal:
        assert refusal.pgcode == "0A000"
    else:
        db.run(f"TRUNCATE {name}")
        assert copy_in(db, f"COPY {name} FROM STDIN WITH (FORMAT binary)", out) == 300


def test_reference_and_local_tables(cluster, db, name):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
    data = "".join(f"{i}\tv\n" for i in range(100))
    assert copy_in(db, f"COPY {name} FROM STDIN", data) == 100
    db.run(f"SELECT create_reference_table('{name}')")
    db.run(f"TRUNCATE {name}")
    assert copy_in(db, f"COPY {name} FROM STDIN", data) == 100
    assert cluster.counts(name) == [100] * 3
    assert len(copy_out(db, f"COPY {name} TO STDOUT").splitlines()) == 100


def test_copy_of_a_query(db, name):
    db.distributed(name)
    copy_in(db, f"COPY {name} FROM STDIN", "".join(f"{i}\tv\n" for i in range(50)))
    assert copy_out(db, f"COPY (SELECT id FROM {name} WHERE id = 7) TO STDOUT") == b"7\n"
    for sql in (f"COPY (SELECT id FROM {name} ORDER BY id) TO STDOUT", f"COPY (SELECT count(*) FROM {name}) TO STDOUT"):
        try:
            out = copy_out(db, sql)
        except Exception as refusal:
            assert refusal.pgcode == "0A000"
        else:
            assert out in (b"50\n", b"".join(b"%d\n" % i for i in range(50)))


ERRORS = {
    "not a number": ("abc\tx\n", "22P02"),
    "null key": ("\\N\tx\n", "23502"),
    "too few columns": ("5000\n", "22P04"),
    "too many columns": ("5000\tx\ty\n", "22P04"),
    "empty key": ("\tx\n", "22P02"),
    "out of range": ("99999999999999999999\tx\n", "22003"),
    "duplicate": ("3\tx\n", "23505"),
}


@pytest.mark.parametrize("bad", ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_an_error_leaves_nothing(cluster, db, name, bad, where):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (3, 'here')")
    good = [f"{i}\tv\n" for i in range(1000, 1600)]
    good.insert({"first": 0, "middle": 300, "last": 600}[where], bad[0])
    with pytest.raises(Exception) as caught:
        copy_in(db, f"COPY {name} FROM STDIN", "".join(good))
    assert caught.value.pgcode == bad[1]
    assert sum(cluster.counts(name)) == 1 and cluster.prepared_transactions() == 0
    assert db.one("SELECT 1") == 1


def test_an_error_before_data_does_not_disturb_the_client(db):
    with pytest.raises(Exception) as caught:
        copy_in(db, "COPY no_such_table FROM STDIN", "1\n")
    assert caught.value.pgcode == "42P01"
    assert db.one("SELECT 1") == 1


def test_the_key_is_needed(db, name):
    db.distributed(name)
    with pytest.raises(Exception) as caught:
        copy_in(db, f"COPY {name} (v) FROM STDIN", "x\n")
    assert caught.value.pgcode in ("23502", "0A000")


def test_copy_in_a_transaction(cluster, db, name):
    db.distributed(name)
    db.run("BEGIN")
    assert copy_in(db, f"COPY {name} FROM STDIN", "".join(f"{i}\tv\n" for i in range(100))) == 100
    assert db.one(f"SELECT count(*) FROM {name}") == 100
    db.run("ROLLBACK")
    assert sum(cluster.counts(name)) == 0
    db.run("BEGIN")
    copy_in(db, f"COPY {name} FROM STDIN", "".join(f"{i}\tv\n" for i in range(100)))
    db.run("COMMIT")
    assert sum(cluster.counts(name)) == 100


def test_messages_of_copy_in(wire, db, name):
    db.distributed(name)
    wire.send(query(f"COPY {name} FROM STDIN"))
    got = wire.until("G")
    assert got[-1].body == b"\0\0\x02\0\0\0\0"
    got = wire.ask(copy_data(b"1\ta\n2\tb") + copy_data(b"\n") + copy_data(b"") + copy_data(b"3\tc\n") + COPY_DONE)
    assert kinds(got) == "CZ" and tags(got) == ["COPY 3"]
    in_step(wire)


def test_rows_over_message_borders(wire, db, name):
    db.distributed(name)
    data = "".join(f"{i}\tvälue {i}\\\\ \\t\n" for i in range(60)).encode()
    wire.send(query(f"COPY {name} FROM STDIN"))
    wire.until("G")
    got = wire.ask(b"".join(copy_data(data[i : i + 1]) for i in range(len(data))) + COPY_DONE)
    assert tags(got) == ["COPY 60"]
    assert db.run(f"SELECT v FROM {name} WHERE id = 59") == [("välue 59\\ \t",)]


def test_the_last_row_without_newline(wire, db, name):
    db.distributed(name)
    wire.send(query(f"COPY {name} FROM STDIN"))
    wire.until("G")
    assert tags(wire.ask(copy_data(b"1\ta\n2\tb") + COPY_DONE)) == ["COPY 2"]


@pytest.mark.parametrize("kind", ["distributed", "local"])
def test_copy_fail(wire, cluster, db, name, kind):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
    if kind == "distributed":
        db.run(f"SELECT create_distributed_table('{name}', 'id')")
    wire.send(query(f"COPY {name} FROM STDIN"))
    wire.until("G")
    got = wire.ask(copy_data(b"1\ta\n") + copy_fail("no more"))
    assert error(got) == "57014" and "no more" in got[0].fields["M"]
    in_step(wire)
    assert sum(cluster.counts(name)) == 0


@pytest.mark.parametrize("kind", ["distributed", "local"])
def test_error_then_rest_of_the_data(wire, cluster, db, name, kind):
    """The client goes on sending after the error, as libpq does: it is skipped, and both are in step."""
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
    if kind == "distributed":
        db.run(f"SELECT create_distributed_table('{name}', 'id')")
    wire.send(query(f"COPY {name} FROM STDIN"))
    wire.until("G")
    wire.send(copy_data(b"x\ta\n") + b"".join(copy_data(b"%d\tb\n" % i) for i in range(200)))
    wire.send(COPY_DONE)
    got = wire.until_ready()
    assert error(got) == "22P02" and kinds(got) == "EZ"
    in_step(wire)
    assert sum(cluster.counts(name)) == 0


@pytest.mark.parametrize("kind", ["distributed", "local"])
def test_another_message_during_copy(wire, cluster, db, name, kind):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
    if kind == "distributed":
        db.run(f"SELECT create_distributed_table('{name}', 'id')")
    wire.send(query(f"COPY {name} FROM STDIN"))
    wire.until("G")
    wire.send(copy_data(b"1\ta\n") + query("SELECT 1"))
    got = wire.until("Z")
    assert [m.sqlstate for m in got if m.type == "E"][0] in ("08P01", "57014")
    assert sum(cluster.counts(name)) == 0


@pytest.mark.parametrize("kind", ["distributed", "local"])
def test_copy_by_the_extended_protocol(wire, cluster, db, name, kind):
    db.run(f"CREATE TABLE {name} (id bigint PRIMARY KEY, v text)")
    if kind == "distributed":
        db.run(f"SELECT create_distributed_table('{name}', 'id')")
    wire.send(w.parse("", f"COPY {name} FROM STDIN") + w.bind("", "") + w.execute() + SYNC)
    got = wire.until("G", "Z")
    if got[-1].type == "G":
        got = wire.ask(copy_data(b"1\ta\n") + COPY_DONE + SYNC)
        assert tags(got) == ["COPY 1"]
        assert sum(cluster.counts(name)) == 1
    else:
        assert error(got) == "0A000"
    in_step(wire)


def test_an_error_in_copy_by_the_extended_protocol(wire, cluster, db, name):
    db.distributed(name)
    wire.send(w.parse("", f"COPY {name} FROM STDIN") + w.bind("", "") + w.execute() + SYNC)
    wire.until("G")
    got = wire.ask(copy_data(b"x\ta\n") + COPY_DONE + SYNC)
    assert error(got) == "22P02" and kinds(got) == "EZ"
    in_step(wire)
    got = wire.ask(w.parse("", "COPY no_such_table FROM STDIN") + w.bind("", "") + w.execute() + SYNC)
    assert error(got) == "42P01" and kinds(got).endswith("EZ")
    in_step(wire)


def test_copy_out_by_the_extended_protocol(wire, db, name):
    db.distributed(name)
    db.run(f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    got = wire.ask(w.parse("", f"COPY {name} TO STDOUT") + w.bind("", "") + w.execute() + SYNC)
    assert kinds(got) == "12HdddcCZ" and tags(got) == ["COPY 3"]
    in_step(wire)


def test_copy_among_several_statements(wire, db, name):
    db.distributed(name)
    wire.send(query(f"INSERT INTO {name} VALUES (1, 'a'); COPY {name} FROM STDIN; INSERT INTO {name} VALUES (2, 'b')"))
    wire.until("G")
    got = wire.ask(copy_data(b"3\tc\n4\td\n") + COPY_DONE)
    assert tags(got) == ["COPY 2", "INSERT 0 1"]
    assert db.one(f"SELECT count(*) FROM {name}") == 4


def test_large_copy_with_back_pressure(cluster, db, name):
    db.distributed(name)
    line = "x" * 1000
    before = cluster.rss_bytes()
    assert copy_in(db, f"COPY {name} FROM STDIN", "".join(f"{i}\t{line}\n" for i in range(40000))) == 40000
    assert len(copy_out(db, f"COPY {name} TO STDOUT").splitlines()) == 40000
    assert cluster.rss_bytes() - before < 64 * 1024 * 1024


def test_malformed_binary(cluster, db, name):
    db.distributed(name)
    good = BINARY_HEADER + binary_row(1, "a")
    for data in (
        b"nonsense",
        BINARY_HEADER[:10],
        good + struct.pack("!H", 3),
        good + struct.pack("!Hi", 2, 5) + b"abcde" + struct.pack("!i", 0) + b"\xff\xff",
        good + struct.pack("!Hi", 2, 2**31 - 1) + b"abc",
        good + struct.pack("!Hi", 2, -7) + b"\xff\xff",
        good + binary_row(2, "b")[:-1],
    ):
        with pytest.raises(Exception) as caught:
            copy_in(db, f"COPY {name} FROM STDIN WITH (FORMAT binary)", data)
        assert caught.value.pgcode in ("22P04", "22P03", "08P01", "54000"), (data, caught.value)
        assert sum(cluster.counts(name)) == 0 and db.one("SELECT 1") == 1
