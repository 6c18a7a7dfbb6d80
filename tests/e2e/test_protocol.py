"""Scripts of messages: what the router answers, in which order, and that both stay in step."""

import struct

import pytest
import wire as w
from wire import FLUSH, SYNC, bind, close, describe, error, execute, kinds, parse, query, rows, run, tags

PAIRS = [("one shard", "WHERE id = 7"), ("all shards", "WHERE id IN (7, 8, 9, 10, 11) AND v = 'v7'")]


@pytest.fixture(scope="module")
def items(cluster):
    with w.Wire(cluster.port) as c:
        c.ask(query("CREATE TABLE items (id bigint PRIMARY KEY, v text, n int)"))
        c.ask(query("SELECT create_distributed_table('items', 'id')"))
        got = c.ask(query("INSERT INTO items SELECT 0, '', 0 WHERE false"))
        values = ",".join(f"({i}, 'v{i}', {i % 10})" for i in range(1, 101))
        got = c.ask(query(f"INSERT INTO items VALUES {values}"))
        assert tags(got) == ["INSERT 0 100"], got
    return "items"


def in_step(c):
    got = c.ask(query("SELECT 41 + 1"))
    assert kinds(got) == "TDCZ" and rows(got) == [["42"]]
    return got[-1].body


def test_greeting_has_parameters_key_and_ready(wire):
    names = [m.body.split(b"\0")[0].decode() for m in wire.greeting if m.type == "S"]
    assert {"server_version", "client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings", "integer_datetimes"} <= set(names)
    assert kinds(wire.greeting) == "RKZ"


def test_simple_query(wire, items):
    got = wire.ask(query("SELECT id, v FROM items WHERE id = 5"))
    assert kinds(got) == "TDCZ" and rows(got) == [["5", "v5"]] and got[0].columns == [("id", 20), ("v", 25)]


def test_empty_query(wire):
    assert kinds(wire.ask(query(""))) == "IZ"
    assert kinds(wire.ask(query(" ; -- nothing\n"))) == "IZ"
    assert kinds(wire.ask(parse("", "") + bind("", "") + describe("P") + execute() + SYNC)) == "12nIZ"


@pytest.mark.parametrize("where", [p[1] for p in PAIRS], ids=[p[0] for p in PAIRS])
def test_extended_query(wire, items, where):
    got = wire.ask(run(f"SELECT v FROM items {where}") + SYNC)
    assert kinds(got) == "12TDCZ" and rows(got) == [["v7"]]


def test_without_describe_no_row_description(wire, items):
    for sql in ("SELECT v FROM items WHERE id = 7", "SELECT count(*) FROM items"):
        got = wire.ask(parse("", sql) + bind("", "") + execute() + SYNC)
        assert kinds(got) == "12DCZ", sql


def test_named_statement_lives_on(wire, items):
    assert kinds(wire.ask(parse("s1", "SELECT v FROM items WHERE id = $1") + SYNC)) == "1Z"
    for i in (1, 2, 3):
        got = wire.ask(bind("", "s1", [str(i)]) + execute() + SYNC)
        assert kinds(got) == "2DCZ" and rows(got) == [[f"v{i}"]]
    assert kinds(wire.ask(close("S", "s1") + SYNC)) == "3Z"
    assert error(wire.ask(bind("", "s1", ["1"]) + SYNC)) == "26000"
    in_step(wire)


def test_describe_statement(wire, items):
    for sql in ("SELECT v, n FROM items WHERE id = $1", "SELECT v, n FROM items WHERE n = $1"):
        got = wire.ask(parse("", sql) + describe("S") + SYNC)
        assert kinds(got) == "1tTZ", sql
        assert struct.unpack("!HI", got[1].body)[1] == (20 if "id" in sql else 23)
        assert got[2].columns == [("v", 25), ("n", 23)]
    assert kinds(wire.ask(parse("", "DELETE FROM items WHERE n = 99") + describe("S") + SYNC)) == "1tnZ"
    got = wire.ask(parse("", "SELECT count(*), sum(n), avg(n) FROM items") + describe("S") + SYNC)
    assert got[2].columns == [("count", 20), ("sum", 20), ("avg", 1700)]


def test_describe_portal(wire, items):
    for sql in ("SELECT v FROM items WHERE id = 7", "SELECT v FROM items WHERE v = 'v7'", "SELECT count(*) AS v FROM items"):
        got = wire.ask(parse("", sql) + bind("", "") + describe("P") + SYNC)
        assert kinds(got) == "12TZ" and got[2].columns[0][0] == "v"


def test_binary_parameters_and_results(wire, items):
    for key in (1, 50, 100):
        raw = struct.pack("!q", key)
        got = wire.ask(parse("", "SELECT id, v FROM items WHERE id = $1", [20]) + bind("", "", [raw], [1], [1]) + execute() + SYNC)
        assert got[2].values == [raw, f"v{key}".encode()]
    got = wire.ask(parse("", "SELECT id, n FROM items ORDER BY id DESC LIMIT 2") + bind("", "", results=[1, 0]) + describe("P") + execute() + SYNC)
    assert [m.values for m in got if m.type == "D"] == [[struct.pack("!q", 100), b"0"], [struct.pack("!q", 99), b"9"]]
    got = wire.ask(parse("", "SELECT count(*) FROM items") + bind("", "", results=[1]) + execute() + SYNC)
    assert got[2].values == [struct.pack("!q", 100)]


def test_null_parameter(wire, items):
    got = wire.ask(run("SELECT v FROM items WHERE id = $1", [None]) + SYNC)
    assert kinds(got) == "12TCZ" and tags(got) == ["SELECT 0"]


def test_flush_answers_before_sync(wire, items):
    wire.send(parse("", "SELECT v FROM items WHERE id = $1") + FLUSH)
    assert kinds(wire.until("1")) == "1"
    wire.send(describe("S") + FLUSH)
    assert kinds(wire.until("T")) == "tT"
    wire.send(bind("", "", ["3"]) + FLUSH)
    assert kinds(wire.until("2")) == "2"
    wire.send(execute() + FLUSH)
    assert kinds(wire.until("C")) == "DC"
    assert kinds(wire.ask(SYNC)) == "Z"


def test_pipeline_of_many_executes(wire, items):
    many = b"".join(run("SELECT v FROM items WHERE id = $1", [str(i)]) for i in range(1, 51))
    got = wire.ask(many + SYNC)
    assert rows(got) == [[f"v{i}"] for i in range(1, 51)] and kinds(got).count("Z") == 1


def test_pipeline_of_many_syncs(wire, items):
    wire.send(b"".join(run("SELECT v FROM items WHERE id = $1", [str(i)]) + SYNC for i in range(1, 51)))
    for i in range(1, 51):
        got = wire.until_ready()
        assert kinds(got) == "12TDCZ" and rows(got) == [[f"v{i}"]]


def test_pipelined_simple_queries(wire, items):
    wire.send(b"".join(query(f"SELECT v FROM items WHERE id = {i}") for i in range(1, 31)))
    assert [rows(wire.until_ready()) for _ in range(30)] == [[[f"v{i}"]] for i in range(1, 31)]


def test_error_skips_to_sync(wire, items):
    got = wire.ask(run("SELECT 1/0") + run("SELECT v FROM items WHERE id = 1") + SYNC)
    assert error(got) == "22012" and rows(got) == [] and kinds(got).endswith("EZ")
    got = wire.ask(parse("", "SELEC 1") + bind("", "") + execute() + SYNC)
    assert kinds(got) == "EZ" and error(got) == "42601"
    assert in_step(wire) == b"I"


def test_error_in_pipeline_undoes_what_was_before_it(wire, items):
    got = wire.ask(
        run("INSERT INTO items VALUES (1001, 'x', 0)")
        + run("INSERT INTO items VALUES (1002, 'x', 0)")
        + run("INSERT INTO items VALUES (1, 'x', 0)")
        + SYNC
    )
    assert error(got) == "23505" and got[-1].body == b"I"
    assert rows(wire.ask(query("SELECT count(*) FROM items WHERE id > 1000"))) == [["0"]]


def test_pipeline_over_shards_is_one_transaction(wire, items):
    got = wire.ask(b"".join(run(f"INSERT INTO items VALUES ({i}, 'x', 0)") for i in range(1001, 1011)) + SYNC)
    assert error(got) is None and tags(got) == ["INSERT 0 1"] * 10
    got = wire.ask(query("DELETE FROM items WHERE id > 1000"))
    assert tags(got) == ["DELETE 10"]


def test_errors_of_statements_and_portals(wire, items):
    cases = [
        (bind("", "nope"), "26000"),
        (execute("nope"), "34000"),
        (describe("S", "nope"), "26000"),
        (describe("P", "nope"), "34000"),
        (parse("", "SELECT * FROM no_such_table"), "42P01"),
        (parse("", "SELECT no_such_column FROM items"), "42703"),
        (parse("", "SELECT 1; SELECT 2"), "42601"),
        (parse("", "SELECT id FROM items WHERE id = $1") + bind("", "", []) + execute(), "08P01"),
        (parse("", "SELECT id FROM items WHERE id = $1") + bind("", "", ["abc"]) + execute(), "22P02"),
        (parse("", "SELECT id FROM items WHERE id = $1", [20]) + bind("", "", [b"123456789"], [1]) + execute(), "22P03"),
        (parse("", "SELECT id FROM items WHERE id = $1", [20]) + bind("", "", [b"abc"], [1]) + execute(), "08P01"),
        (parse("dup", "SELECT 1") + parse("dup", "SELECT 1"), "42P05"),
    ]
    for raw, state in cases:
        assert error(wire.ask(raw + SYNC)) == state, raw
        assert in_step(wire) == b"I"


def test_bind_with_many_parameters_in_wrong_number_of_formats(wire, items):
    got = wire.ask(parse("", "SELECT $1::int + $2::int + $3::int") + bind("", "", ["1", "2", "3"], [0, 0]) + execute() + SYNC)
    assert error(got) == "08P01"
    in_step(wire)


def test_portal_with_max_rows_on_one_shard(wire, items):
    wire.send(query("BEGIN"))
    wire.until_ready()
    got = wire.ask(parse("", "SELECT generate_series(1, 5) FROM items WHERE id = 7") + bind("p", "") + execute("p", 2) + SYNC)
    assert kinds(got) == "12DDsZ", kinds(got)
    got = wire.ask(execute("p", 2) + SYNC)
    assert rows(got) == [["3"], ["4"]] and kinds(got) == "DDsZ"
    got = wire.ask(execute("p", 0) + SYNC)
    assert rows(got) == [["5"]] and kinds(got) == "DCZ"
    assert kinds(wire.ask(close("P", "p") + SYNC)) == "3Z"
    wire.ask(query("COMMIT"))
    assert in_step(wire) == b"I"


def test_portal_with_max_rows_over_shards_never_loses_rows(wire, items):
    wire.ask(query("BEGIN"))
    got = wire.ask(parse("", "SELECT id FROM items ORDER BY id") + bind("p", "") + execute("p", 3) + SYNC)
    assert rows(got) == [["1"], ["2"], ["3"]] and "s" in kinds(got)
    got = wire.ask(execute("p", 3) + SYNC)
    assert rows(got) == [["4"], ["5"], ["6"]] or error(got) == "0A000"
    wire.ask(query("ROLLBACK"))
    assert in_step(wire) == b"I"


def test_portal_ends_with_transaction(wire, items):
    assert kinds(wire.ask(parse("", "SELECT 1") + bind("p", "") + SYNC)) == "12Z"
    assert error(wire.ask(execute("p") + SYNC)) == "34000"


def test_several_statements_in_one_query(wire, items):
    got = wire.ask(query("SELECT 1; SELECT v FROM items WHERE id = 2; SELECT count(*) FROM items"))
    assert rows(got) == [["1"], ["v2"], ["100"]] and tags(got) == ["SELECT 1"] * 3 and kinds(got).count("Z") == 1


def test_several_statements_are_one_transaction(wire, items):
    got = wire.ask(query("INSERT INTO items VALUES (2001, 'x', 0); INSERT INTO items VALUES (2002, 'x', 0); SELECT 1/0; SELECT 7"))
    assert error(got) == "22012" and tags(got) == ["INSERT 0 1"] * 2 and got[-1].body == b"I"
    assert rows(wire.ask(query("SELECT count(*) FROM items WHERE id > 2000"))) == [["0"]]


def test_begin_and_commit_among_several_statements(wire, items):
    got = wire.ask(query("BEGIN; INSERT INTO items VALUES (3001, 'x', 0); INSERT INTO items VALUES (3002, 'x', 0); COMMIT; SELECT 1/0"))
    assert error(got) == "22012" and tags(got) == ["BEGIN", "INSERT 0 1", "INSERT 0 1", "COMMIT"]
    assert tags(wire.ask(query("DELETE FROM items WHERE id > 3000"))) == ["DELETE 2"]
    got = wire.ask(query("BEGIN; SELECT 1"))
    assert got[-1].body == b"T"
    assert wire.ask(query("SELECT 1/0; SELECT 2"))[-1].body == b"E"
    assert error(wire.ask(query("SELECT 2"))) == "25P02"
    assert wire.ask(query("ROLLBACK"))[-1].body == b"I"


def test_syntax_error_in_one_of_several_runs_none(wire, items):
    got = wire.ask(query("INSERT INTO items VALUES (4001, 'x', 0); SELEC"))
    assert error(got) == "42601" and kinds(got) == "EZ"
    assert rows(wire.ask(query("SELECT count(*) FROM items WHERE id > 4000"))) == [["0"]]


def test_transaction_status_follows(wire):
    assert wire.ask(query("BEGIN"))[-1].body == b"T"
    assert wire.ask(run("SELECT 1") + SYNC)[-1].body == b"T"
    assert wire.ask(query("SELECT nope"))[-1].body == b"E"
    assert error(wire.ask(run("SELECT 1") + SYNC)) == "25P02"
    got = wire.ask(run("ROLLBACK") + SYNC)
    assert got[-1].body == b"I" and tags(got) == ["ROLLBACK"]


def test_begin_and_commit_by_extended_protocol(wire, items):
    got = wire.ask(run("BEGIN") + run("SELECT v FROM items WHERE id = $1", ["4"]) + run("COMMIT") + SYNC)
    assert kinds(got) == "12nC12TDC12nCZ" and tags(got) == ["BEGIN", "SELECT 1", "COMMIT"]


def test_parameter_status_on_set(wire):
    got = wire.ask(query("SET application_name = 'here'"))
    assert b"application_name\0here\0" in [m.body for m in got if m.type == "S"]
    got = wire.ask(query("SET TimeZone = 'Europe/Paris'"))
    assert b"TimeZone\0Europe/Paris\0" in [m.body for m in got if m.type == "S"]
    assert rows(wire.ask(query("SHOW TimeZone"))) == [["Europe/Paris"]]


def test_notices_arrive(wire):
    got = wire.ask(query("DROP TABLE IF EXISTS never_was"))
    assert [m.fields["C"] for m in got if m.type == "N"] == ["00000"] and tags(got) == ["DROP TABLE"]


def test_function_call_is_refused_in_step(wire):
    body = struct.pack("!IHHHH", 1, 0, 0, 0, 0)
    assert error(wire.ask(w.message("F", body))) == "0A000"
    in_step(wire)


def test_close_of_unknown_is_no_error(wire):
    assert kinds(wire.ask(close("S", "nope") + close("P", "nope") + SYNC)) == "33Z"


def test_sync_alone(wire):
    assert kinds(wire.ask(SYNC)) == "Z"


def test_query_between_unsynced_messages(wire, items):
    wire.send(parse("", "SELECT v FROM items WHERE id = 1") + query("SELECT 5"))
    assert kinds(wire.until_ready()) == "1TDCZ"
    in_step(wire)


def test_split_at_every_byte(cluster, items):
    script = run("SELECT v FROM items WHERE id = $1", ["9"]) + SYNC
    with w.Wire(cluster.port) as c:
        for i in range(len(script)):
            c.send(script[i : i + 1])
        assert rows(c.until_ready()) == [["v9"]]


def test_large_row_and_large_statement(wire, items):
    big = "x" * 3_000_000
    got = wire.ask(query(f"INSERT INTO items VALUES (5001, '{big}', 0)"))
    assert tags(got) == ["INSERT 0 1"]
    for where in ("id = 5001", "v LIKE 'xxx%'"):
        assert rows(wire.ask(query(f"SELECT v FROM items WHERE {where}"))) == [[big]]
    wire.ask(query("DELETE FROM items WHERE id = 5001"))
    in_step(wire)
