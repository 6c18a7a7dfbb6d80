#!/usr/bin/env python3
"""Asks a sherd cluster and one PostgreSQL the same things and compares all they say.

A refusal by sherd (0A000) is no difference; the reasons are counted. Everything else must be equal: rows, order where it is
certain, column names, types and modifiers, command tags, SQLSTATEs.

Usage: differential.py --sherd PROGRAM [--shards N] [--seed N]... [--seconds N] [--only corpus|random]
       differential.py --cluster HOST:PORT --dir FOLDER … uses a `sherd dev` that runs already
"""

import argparse
import glob
import os
import random
import sys
import time
from collections import Counter

import compare
import world as worlds
from generate import Generator, Statement
from pgwire import Hang, Lost, Result

HERE = os.path.dirname(os.path.abspath(__file__))


SETTINGS = (
    ("datestyle", "ISO, MDY"), ("datestyle", "ISO, MDY"), ("datestyle", "SQL, DMY"), ("datestyle", "German"), ("datestyle", "Postgres, MDY"),
    ("timezone", "Europe/Berlin"), ("timezone", "UTC"), ("timezone", "America/St_Johns"),
    ("intervalstyle", "postgres"), ("intervalstyle", "iso_8601"), ("intervalstyle", "sql_standard"),
    ("extra_float_digits", "1"), ("extra_float_digits", "0"), ("extra_float_digits", "-2"), ("bytea_output", "hex"),
    ("bytea_output", "escape"), ("enable_hashagg", "off"), ("enable_hashagg", "on"),
)


class Pair:
    """A session with each side."""

    def __init__(self, world):
        self.world = world
        self.refusals, self.counts, self.failures = Counter(), Counter(), []
        self.connect()

    def connect(self):
        self.ours, self.theirs = self.world.cluster(), self.world.plain()
        self.settings = {}
        self.set("timezone", "Europe/Berlin")

    def set(self, name, value):
        self.settings[name] = value
        for session in (self.ours, self.theirs):
            session.query(f"SET {name} = '{value}'")

    def ask(self, statement, way, result_formats, new):
        """@return both answers; PostgreSQL's is None where sherd refused. Sherd comes first, so that a change that it
        refuses is made on neither side."""
        def of(session):
            if way == "simple":
                return session.query(statement.sql)
            if way == "prepared":
                again = session.prepare(statement.sql, statement.types) if new else Result()
                return again if again.sqlstate else session.run(statement.values, statement.formats, result_formats)
            return session.extended(statement.sql, statement.values, statement.types, statement.formats, result_formats)
        try:
            ours = of(self.ours)
        except (Hang, Lost) as error:
            ours = Result(sqlstate="HANG" if isinstance(error, Hang) else "LOST", message=str(error))
            self.ours = self.world.cluster()
            for name, value in self.settings.items():
                self.ours.query(f"SET {name} = '{value}'")
        if compare.is_refusal(ours):
            self.refusals[compare.reason_of(ours)] += 1
            return ours, None
        return ours, of(self.theirs)

    def check(self, statement, way="simple", result_formats=(), where="", new=True):
        """@param new  of prepared statements: false runs the last one again.
        @return whether both sides are where they should be."""
        ours, theirs = self.ask(statement, way, result_formats, new)
        self.counts["statements"] += 1
        if theirs is None:
            self.counts["refused"] += 1
            return True
        self.counts["errors"] += 1 if theirs.sqlstate else 0
        self.counts["rows"] += len(theirs.rows)
        wrong = compare.difference(statement, ours, theirs)
        if wrong:
            self.report(statement, way, result_formats, wrong, where)
        return not wrong

    def report(self, statement, way, result_formats, wrong, where):
        if self.settings != {"timezone": "Europe/Berlin"}:
            where += ", " + ", ".join(f"{k} = {v}" for k, v in self.settings.items())
        text = [f"==== {where} ({way}{', results ' + str(list(result_formats)) if result_formats else ''})", statement.sql]
        for i, value in enumerate(statement.values):
            text.append(f"  ${i + 1}: type {statement.types[i]}, format {statement.formats[i]}, {value!r}")
        text.append(wrong)
        self.failures.append("\n".join(text))
        print(self.failures[-1], flush=True)

    def tables_differ(self):
        """Names of tables whose rows are not the same on both sides."""
        found = []
        for name in worlds.TABLES:
            statement = Statement(f"SELECT * FROM {name}")
            ours, theirs = self.ours.query(statement.sql), self.theirs.query(statement.sql)
            wrong = compare.difference(statement, ours, theirs)
            if wrong:
                found.append(f"{name}: {wrong}")
        return found

    def copies_differ(self):
        """Names of reference tables that are not the same on every shard."""
        found = []
        for name, (kind, _, _, _) in worlds.TABLES.items():
            if kind != "reference":
                continue
            seen = set()
            for number in range(1, self.world.shards + 1):
                session = self.world.shard(number)
                seen.add(tuple(sorted(map(repr, session.query(f"SELECT * FROM {name}").rows))))
                session.close()
            if len(seen) > 1:
                found.append(name)
        return found


# ---------------------------------------------------------------- corpus


def cases(text):
    """Blocks between blank lines: directives (--! …), remarks and statements that end with a semicolon and a line's end."""
    for block in text.split("\n\n"):
        directives = [line[3:].strip() for line in block.splitlines() if line.startswith("--!")]
        body = "\n".join(line for line in block.splitlines() if not line.startswith("--"))
        statements = [part.strip() for part in (body + "\n").split(";\n") if part.strip()]
        if statements:
            yield directives, statements


def read_case(directives, sql):
    statement = Statement(sql)
    way, formats = "simple", ()
    for directive in directives:
        word, _, rest = directive.partition(" ")
        if word == "ordered":
            statement.ordered = True
        elif word == "loose":
            statement.loose = True
        elif word == "extended":
            way = "extended"
        elif word == "binary":
            way, formats = "extended", (1,)
        elif word == "param":  # type, format, value: text as it is, binary in hexadecimal digits
            way = "extended"
            oid, form, value = (rest.split(" ", 2) + [""])[:3]
            statement.types.append(int(oid))
            statement.formats.append(int(form))
            statement.values.append(None if value == "NULL" else bytes.fromhex(value) if form == "1" else value.encode())
        else:
            raise ValueError(f"unknown directive {directive}")
    if "$1" not in sql:
        statement.values, statement.types, statement.formats = [], [], []
    return statement, way, formats


def run_corpus(pair):
    for path in sorted(glob.glob(f"{HERE}/corpus/*.sql")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for directives, statements in cases(text):
            for sql in statements:
                statement, way, formats = read_case(directives, sql)
                pair.check(statement, way, formats, f"corpus {os.path.basename(path)}")
                if pair.ours.status == "E" or pair.theirs.status == "E":
                    break
            for session in (pair.ours, pair.theirs):
                if session.status != "I":
                    session.query("ROLLBACK")
    wrong = pair.tables_differ()
    if wrong:
        pair.failures.append("the corpus leaves different tables:\n" + "\n".join(wrong))
        print(pair.failures[-1], flush=True)


# ---------------------------------------------------------------- random


class Walk:
    """Random statements out of one seed."""

    def __init__(self, pair, seed):
        self.pair, self.seed = pair, seed
        self.rnd = random.Random(seed)
        self.generator = Generator(self.rnd)
        self.changes = 0

    def way(self):
        form = self.rnd.random()
        if form < 0.5:
            return "simple", ()
        return self.rnd.choice(("extended", "extended", "prepared")), self.rnd.choice(((), (), (1,)))

    def one(self, index):
        way, formats = self.way()
        reads = self.rnd.random() < 0.75
        state, first = self.rnd.getstate(), ""
        for turn in range(2):
            self.rnd.setstate(state)
            self.generator.value_rnd = random.Random(f"{self.seed} {index} {turn}")
            self.generator.start(way != "simple")
            statement = self.generator.select() if reads else self.generator.change()
            if statement.loose:
                formats = ()
            # The second time the text is one that the router knows, but for its literals.
            again = turn == 1 and way == "prepared" and statement.sql == first
            good = self.pair.check(statement, way, formats, f"seed {self.seed}, statement {index}", not again)
            first = statement.sql
            if not statement.reads:
                self.changes += 1
                if not good:
                    self.settle(statement)
            if self.pair.ours.status == "E" or self.rnd.random() < 0.5:
                return

    def block(self, index):
        """Several statements in a transaction, kept or undone."""
        both = (self.pair.ours, self.pair.theirs)
        for session in both:
            session.query("BEGIN")
        for _ in range(self.rnd.randrange(1, 5)):
            self.one(index)
            if self.pair.ours.status != "T" or self.pair.theirs.status != "T":
                break
        undone = self.rnd.random() < 0.6 or "E" in (self.pair.ours.status, self.pair.theirs.status) or self.pair.ours.status == "I"
        for session in (self.pair.ours, self.pair.theirs):
            session.query("ROLLBACK" if undone else "COMMIT")

    def settle(self, statement):
        if self.pair.ours.status != "I":
            return
        if self.pair.tables_differ():
            print(f"  … and now the tables differ ({statement.table}): filling again", flush=True)
            self.pair.world.refill()

    def run(self, end, most=None):
        index = 0
        while time.monotonic() < end and (most is None or index < most) and len(self.pair.failures) < 200:
            if self.rnd.random() < 0.02:
                self.pair.set(*self.rnd.choice(SETTINGS))
            if self.rnd.random() < 0.08:
                self.block(index)
            else:
                self.one(index)
            index += 1
            if self.changes >= 40:
                self.changes = 0
                wrong = self.pair.tables_differ() + self.pair.copies_differ()
                if wrong:
                    self.pair.failures.append(f"seed {self.seed}, before statement {index}: tables differ:\n" + "\n".join(wrong))
                    print(self.pair.failures[-1], flush=True)
                self.pair.world.refill()
        return index


def summary(pair, started):
    counts = pair.counts
    print(
        f"{counts['statements']} statements in {time.monotonic() - started:.0f} s: {counts['refused']} refused,"
        f" {counts['errors']} errors on both sides, {counts['rows']} rows; {len(pair.failures)} differences"
    )
    for reason, count in pair.refusals.most_common(40):
        print(f"  {count:6} {reason}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sherd", default="sherd")
    parser.add_argument("--cluster", help="HOST:PORT of a running `sherd dev`")
    parser.add_argument("--dir", help="its folder")
    parser.add_argument("--shards", type=int, default=3)
    parser.add_argument("--seed", type=int, action="append", help="may be given several times; one more is drawn")
    parser.add_argument("--no-drawn-seed", action="store_true", help="the given seeds only: the same run each time")
    parser.add_argument("--only-seed", type=int, help="this seed and no other")
    parser.add_argument("--seconds", type=float, default=45, help="of random statements")
    parser.add_argument("--statements", type=int, help="at most so many per seed")
    parser.add_argument("--only", choices=("corpus", "random"))
    options = parser.parse_args()
    address = None
    if options.cluster:
        host, _, port = options.cluster.rpartition(":")
        address = (host, int(port))
    started = time.monotonic()
    world = worlds.World(options.sherd, options.shards, 1, address, options.dir)
    try:
        pair = Pair(world)
        if options.only != "random":
            run_corpus(pair)
        if options.only != "corpus":
            drawn = [] if options.no_drawn_seed else [random.SystemRandom().randrange(1 << 32)]
            seeds = [options.only_seed] if options.only_seed is not None else [*(options.seed or [1, 2, 3]), *drawn]
            begun = time.monotonic()
            for i, seed in enumerate(seeds):
                world.refill()
                done = Walk(pair, seed).run(begun + options.seconds * (i + 1) / len(seeds), options.statements)
                print(f"seed {seed}: {done} steps", flush=True)
        summary(pair, started)
        return 1 if pair.failures or not world.alive() else 0
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
