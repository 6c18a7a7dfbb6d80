"""The two sides: a cluster of `sherd dev`, and the same data in one plain database of its first server."""

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

from pgwire import Connection

READY = re.compile(r"sherd ready: postgresql://(\w+)@([\d.]+):(\d+)/(\w+)")

# name: (kind, shard key, columns, what makes a row unique, rest of CREATE TABLE)
#   kind: "group/options" of a distributed table, "reference" or "local"
TABLES = {
    "acct": (
        "distributed",
        "id",
        {
            "id": "int8", "n": "int4", "sm": "int2", "m": "numeric", "p": "numeric(10,2)", "f": "float8",
            "r": "float4", "s": "text", "c": "varchar(8)", "at": "timestamptz", "d": "date", "b": "bool",
            "u": "uuid", "iv": "interval", "mood": "mood", "j": "jsonb", "by": "bytea", "ts": "timestamp", "ch": "char(4)",
            "arr": "int4[]",
        },
        ["id"],
    ),
    "line": (
        "distributed:acct",
        "id",
        {"id": "int8", "no": "int4", "qty": "int4", "price": "numeric(10,2)", "note": "varchar(8)"},
        ["id", "no"],
    ),
    "none": ("distributed:acct", "id", {"id": "int8", "n": "int4", "s": "text"}, ["id"]),
    "word": ("distributed", "w", {"w": "text", "n": "int4", "m": "numeric", "s": "text"}, ["w"]),
    "tag": ("distributed:word", "w", {"w": "text", "no": "int4", "v": "int4", "ci": "text"}, ["w", "no"]),
    "item": ("consistent_hash", "u", {"u": "uuid", "n": "int4", "s": "text"}, ["u"]),
    "dup": ("directory", "k", {"k": "int4", "v": "int4", "m": "numeric", "s": "text"}, []),
    "vc": ("hash", "k", {"k": "varchar(6)", "n": "int4"}, ["k"]),
    "rng": ("range", "id", {"id": "int4", "s": "text", "d": "date"}, ["id"]),
    "days": ("days", "d", {"d": "date", "n": "int4"}, ["d"]),
    "loc": ("local", "", {"id": "int4", "s": "text"}, ["id"]),
    "ref": ("reference", "", {"code": "int4", "label": "text", "w": "numeric"}, ["code"]),
    "lang": ("reference", "", {"w": "text", "name": "text"}, ["w"]),
}
COLLATED = {("word", "s"): "en-x-icu", ("tag", "ci"): "nocase"}
TYPES = (
    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'angry')",
    "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
)
DROPS = ("DROP TYPE IF EXISTS mood", "DROP COLLATION IF EXISTS nocase")

WORDS = [
    "", "a", "b", "B", "ab", "abc", "Abc", "abd", "é", "e", "z", "Zürich", "o'k", "back\\slash", "ab ", " ab", "10", "9",
    "NULL", "ümlaut", "日本", "x" * 6, "xxxxx", "a_b", "a%b", '"q"', "ß", "ss", "-", "$1",
]
NUMERICS = ["0", "1", "1.0", "1.00", "-1", "2.5", "2.50", "10", "0.001", "-0.5", "12345678901234567890.12", "100", "NaN", "3.3333"]
FLOATS = ["0", "-0", "1", "1.5", "-2.25", "0.5", "1000000", "NaN", "0.25", "3"]
TIMES = [
    "2024-01-01 00:00:00+00", "2024-01-01 02:00:00+02", "2024-02-29 12:30:00.5+00", "1999-12-31 23:59:59.999999+00",
    "0044-03-15 00:00:00+00 BC", "2024-06-15 10:00:00+00", "2300-01-01 00:00:00+00", "infinity", "-infinity",
]
DATES = ["2024-01-01", "2024-02-29", "1999-12-31", "2024-06-15", "2020-05-05", "0044-03-15 BC", "1970-01-01"]
INTERVALS = ["1 day", "24:00:00", "1 mon", "30 days", "-01:00:00", "1 year 2 mons", "00:00:00.5"]


def uuid_of(i):
    return f"{i * 2654435761 % 2**32:08x}-0000-4000-8000-{i:012x}"


def quote(text):
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def value_for(rnd, kind):
    """A value of a column as text, or None."""
    if rnd.random() < 0.15:
        return None
    if kind == "numeric(10,2)":
        return rnd.choice([n for n in NUMERICS if len(n) < 10])
    kind = kind.split("(")[0]
    pools = {
        "numeric": NUMERICS, "float8": FLOATS, "float4": FLOATS, "timestamptz": TIMES, "date": DATES,
        "interval": INTERVALS, "bool": ["t", "f"], "mood": ["sad", "ok", "happy", "angry"],
        "jsonb": ["1", "1.0", "null", '{"a": 1}', '{"a": [1, 2]}', '"x"', "[]"], "bytea": ["\\x", "\\x00ff", "\\x61", "\\x6161"],
        "timestamp": [t.partition("+")[0] for t in TIMES[:4]], "char": ["a", "ab", "a ", "B", "é"],
        "int4[]": ["{}", "{1,2}", "{1}", "{NULL,1}", "{{1,2},{3,4}}"],
    }
    if kind == "int2":
        return str(rnd.choice([0, 1, 2, -3, 32767]))
    if kind in ("int4", "int8"):
        return str(rnd.choice([0, 1, 1, 2, 2, 3, 5, 7, -1, -5, 10, 100, 2147483647 if rnd.random() < 0.1 else 42]))
    if kind == "text":
        return rnd.choice(WORDS)
    if kind == "varchar":
        return rnd.choice(WORDS)[:6]
    if kind == "uuid":
        return uuid_of(rnd.randrange(12))
    return rnd.choice(pools[kind])


def keys_of(rnd, table):
    """The unique columns of each row of a table, as text."""
    if table == "acct":
        return [(str(i),) for i in [*range(1, 41), 0, -1, -7, 9223372036854775807, -9223372036854775808, 4294967296]]
    if table == "line":
        return [(str(i), str(no)) for i in range(1, 60) for no in range(1, 1 + i % 4)]
    if table == "word":
        return [(w,) for w in WORDS]
    if table == "tag":
        return [(w, str(no)) for w in [*WORDS, "nope"] for no in range(rnd.randrange(3))]
    if table == "item":
        return [(uuid_of(i),) for i in range(25)]
    if table == "dup":
        return [()] * 60
    if table == "vc":
        return [(w,) for w in sorted({w[:6] for w in WORDS if len(w) <= 6})]
    if table == "rng":
        return [(str(i),) for i in [*range(-5, 35), 2147483647, -2147483648]]
    if table == "days":
        return [(d,) for d in DATES]
    if table == "loc":
        return [(str(i),) for i in range(6)]
    if table == "ref":
        return [(str(i),) for i in range(-1, 8)]
    if table == "lang":
        return [(w,) for w in WORDS[:9]]
    return []


def create_statements():
    for name, (_, key, columns, unique) in TABLES.items():
        parts = [
            f'"{c}" {kind}' + (" NOT NULL" if c == key else "") + (f' COLLATE "{COLLATED[name, c]}"' if (name, c) in COLLATED else "")
            for c, kind in columns.items()
        ]
        if unique:
            parts.append(f"PRIMARY KEY ({', '.join(unique)})")
        yield f"CREATE TABLE {name} ({', '.join(parts)})"


def distribute_statements(shards):
    for name, (kind, key, _, _) in TABLES.items():
        if kind == "reference":
            yield f"SELECT create_reference_table('{name}')"
        elif kind in ("hash", "consistent_hash"):
            yield f"SELECT create_distributed_table('{name}', '{key}', strategy => '{kind}')"
        elif kind == "directory":
            last = f"shard{shards}"
            yield f"SELECT create_distributed_table('{name}', '{key}', strategy => 'directory', pins => '1={last}, 2={last}, 42=shard1')"
        elif kind.startswith("distributed"):
            beside = kind.partition(":")[2]
            more = f", colocate_with => '{beside}'" if beside else ", colocate_with => 'none'"
            yield f"SELECT create_distributed_table('{name}', '{key}'{more})"
        elif kind in ("range", "days"):
            points = [10, 20, 25, 30] if kind == "range" else ["1980-01-01", "2020-05-05", "2024-02-01", "2024-03-01"]
            yield f"SELECT create_distributed_table('{name}', '{key}', strategy => 'range', ranges => '{ranges(points, shards)}')"


def ranges(points, shards):
    """Of the key's range a part per shard: what is before one point and after the one before. Ends are inclusive."""
    points = points[: shards - 1]
    if points and isinstance(points[0], str):
        before = {"1980-01-01": "1979-12-31", "2020-05-05": "2020-05-04", "2024-02-01": "2024-01-31", "2024-03-01": "2024-02-29"}
        highs = [before[p] for p in points]
    else:
        highs = [p - 1 for p in points]
    lows, highs = ["", *points], [*highs, ""]
    return ", ".join(f"shard{i + 1}={low}..{high}" for i, (low, high) in enumerate(zip(lows, highs)))


def insert_statements(seed):
    rnd = random.Random(seed)
    for name, (kind, key, columns, unique) in TABLES.items():
        rows = []
        for keys in keys_of(rnd, name):
            values = dict(zip(unique, keys))
            row = []
            for column, column_kind in columns.items():
                value = values[column] if column in values else value_for(rnd, column_kind)
                if column == key and value is None:
                    value = "3"
                row.append(quote(value))
            rows.append(f"({', '.join(row)})")
        for i in range(0, len(rows), 25):
            yield f"INSERT INTO {name} VALUES {', '.join(rows[i : i + 25])}"


class World:
    """Starts what is needed; `cluster()` and `plain()` are sessions."""

    def __init__(self, program, shards, seed, address=None, folder=None):
        self.shards, self.seed = shards, seed
        self._process, self._owned = None, None
        if address:
            self.host, self.port, self.folder = address[0], address[1], folder
        else:
            self._start(program)
        self._fill()

    def _start(self, program):
        self._owned = self.folder = tempfile.mkdtemp(prefix="sherd-differential-")
        os.chmod(self.folder, 0o755)
        self._log = os.path.join(self.folder, "out")
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [program, "dev", "--dir", f"{self.folder}/sd", "--shards", str(self.shards), "--port", "0"],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, "SHERD_DEV_NO_FSYNC": "1"},
            )
        self.folder += "/sd"
        end = time.monotonic() + 180
        while time.monotonic() < end and self._process.poll() is None:
            with open(self._log, encoding="utf-8", errors="replace") as log:
                found = READY.search(log.read())
            if found:
                self.host, self.port = found[2], int(found[3])
                return
            time.sleep(0.1)
        with open(self._log, encoding="utf-8", errors="replace") as log:
            raise RuntimeError(f"the cluster did not start:\n{log.read()}")

    def alive(self):
        return self._process is None or self._process.poll() is None

    def cluster(self, seconds=20):
        return Connection(self.host, self.port, seconds=seconds)

    def plain(self, seconds=20):
        return self.shard(1, "plain", seconds)

    def shard(self, number, database="app", seconds=20):
        folder = f"{self.folder}/sockets/shard{number}"
        port = next(int(n.rpartition(".")[2]) for n in os.listdir(folder) if re.fullmatch(r"\.s\.PGSQL\.\d+", n))
        return Connection(folder, port, database=database, seconds=seconds)

    def _fill(self):
        direct = self.shard(1)
        direct.query("DROP DATABASE IF EXISTS plain WITH (FORCE)")
        _must(direct, "CREATE DATABASE plain")
        direct.close()
        cluster, plain = self.cluster(60), self.plain(60)
        for name in TABLES:
            if not _must(cluster, f"DROP TABLE IF EXISTS {name}"):
                break
        for sql in DROPS:
            _must(cluster, sql)
        for sql in (*TYPES, *create_statements()):
            _must(cluster, sql)
            _must(plain, sql)
        for sql in distribute_statements(self.shards):
            _must(cluster, sql)
        for sql in insert_statements(self.seed):
            _must(cluster, sql)
            _must(plain, sql)
        cluster.close()
        plain.close()

    def refill(self):
        """Brings both sides back to the same rows."""
        cluster, plain = self.cluster(60), self.plain(60)
        for connection in (cluster, plain):
            for name in TABLES:
                _must(connection, f"TRUNCATE {name}")
            for sql in insert_statements(self.seed):
                _must(connection, sql)
            connection.close()

    def close(self):
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._owned:
            shutil.rmtree(self._owned, ignore_errors=True)


def _must(connection, sql):
    result = connection.query(sql)
    if result.sqlstate:
        raise RuntimeError(f"{result.sqlstate} {result.message}\n{sql[:2000]}")
    return result
