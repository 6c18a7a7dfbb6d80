"""Statements by a grammar: SELECT of many shapes, INSERT, UPDATE, DELETE, over the tables of world.py."""

import struct
from dataclasses import dataclass, field

import world

OID = {
    "bool": 16, "int8": 20, "int2": 21, "int4": 23, "text": 25, "float4": 700, "float8": 701, "varchar": 1043,
    "date": 1082, "timestamptz": 1184, "interval": 1186, "numeric": 1700, "uuid": 2950,
    "mood": 0, "jsonb": 3802, "bytea": 17, "timestamp": 1114, "bpchar": 1042, "int4[]": 1007,
}
INTEGERS = ("int2", "int4", "int8")
NUMBERS = (*INTEGERS, "numeric", "float4", "float8")
LOOSE = ("numeric", "float4", "float8", "interval", "jsonb")  # equal values may look different: 1.0 and 1.00, -0 and 0


@dataclass
class Statement:
    sql: str
    values: list = field(default_factory=list)  # of $1, …: bytes or None
    types: list = field(default_factory=list)
    formats: list = field(default_factory=list)
    ordered: bool = False  # the order of the rows is certain
    loose: bool = False  # which of several equal values comes out is not certain
    reads: bool = True
    table: str = ""  # written to


def base(kind):
    kind = kind.split("(")[0]
    return "bpchar" if kind == "char" else kind


class Generator:
    """One statement at a time out of one source of chance."""

    def __init__(self, rnd):
        self.rnd = rnd  # decides the shape
        self.value_rnd = rnd  # decides the values: with another, the same shape again

    # ---- chance

    def chance(self, p):
        return self.rnd.random() < p

    def pick(self, *items):
        return self.rnd.choice(items)

    # ---- values

    def start(self, extended):
        self.extended = extended
        self.values, self.types, self.formats = [], [], []
        self.names = 0
        self.loose = False
        self.depth = 0
        # Many statements keep to what several shards can do, or to few keys, so that they are answered.
        self.careful = self.chance(0.45)
        self.confined = self.chance(0.4)
        self.few = {}

    def finish(self, sql, **more):
        return Statement(sql, self.values, self.types, self.formats, loose=self.loose, **more)

    def text_of(self, kind, key=False):
        """A value of a type as its text; of keys most often one that is there."""
        rnd, kind = self.value_rnd, base(kind)
        if kind in INTEGERS:
            if rnd.random() < 0.03:
                return rnd.choice(("2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "32768"))
            if key:
                return str(rnd.randrange(-8, 45))
            return str(rnd.choice((0, 1, 1, 2, 3, 5, -1, 10, 42)))
        if kind in ("text", "varchar"):
            return rnd.choice(world.WORDS)
        if kind == "uuid":
            return world.uuid_of(rnd.randrange(30))
        if kind == "date":
            return rnd.choice(world.DATES)
        while True:
            value = world.value_for(rnd, "char" if kind == "bpchar" else kind)
            if value is not None:
                return value

    def literal(self, kind, key=False):
        kind = base(kind)
        if self.chance(0.04):
            return self.pick("NULL", f"NULL::{kind}")
        text = self.text_of(kind, key)
        if self.extended and self.chance(0.5):
            return self.parameter(kind, text)
        return self.plain_literal(kind, text)

    def plain_literal(self, kind, text):
        form = self.rnd.random()
        if kind in INTEGERS:
            if form < 0.75:
                return text
            if form < 0.85:
                return f"'{text}'"
            return f"({text})::{kind}" if form < 0.93 else f"'{text}'::{kind}"
        if kind in ("float4", "float8", "numeric") and text != "NaN" and form < 0.5:
            return text
        if kind == "bool" and form < 0.7:
            return "true" if text == "t" else "false"
        quoted = world.quote(text)
        if kind in ("text", "varchar"):
            if form < 0.1:
                escaped = text.replace("\\", "\\\\").replace("'", "\\'")
                return f"E'{escaped}'"
            if form < 0.15 and text.isascii() and "\\" not in text and "'" not in text and text:
                return "U&'" + "".join(f"\\{ord(c):04x}" if i % 2 else c for i, c in enumerate(text)) + "'"
            if form < 0.2 and "$" not in text:
                return f"$x${text}$x$"
            if form < 0.8:
                return quoted
            return f"{quoted}::{self.pick('text', 'varchar', 'text', 'varchar(3)', 'char(4)')}" if form < 0.9 else f"CAST({quoted} AS text)"
        if kind == "uuid" and form < 0.3:
            return world.quote(self.pick(text.upper(), "{" + text + "}", text.replace("-", "")))
        if kind == "timestamptz" and form < 0.3:
            return f"timestamptz {quoted}"
        if kind == "date" and form < 0.3:
            return f"date {quoted}"
        return quoted if form < 0.6 and kind in ("uuid", "date") else f"{quoted}::{kind}"

    def parameter(self, kind, text):
        """A new parameter, or one that is there."""
        self.values.append(None if self.chance(0.05) else text.encode())
        number = len(self.values)
        form = self.rnd.random()
        wide = self.pick(kind, kind, kind, "int8" if kind in INTEGERS else "text" if kind in ("text", "varchar") else kind)
        if form < 0.45:  # the server infers the type
            self.types.append(0)
            self.formats.append(0)
            return f"${number}::{wide}" if self.chance(0.3) else f"${number}"
        self.types.append(OID[wide])
        packed = self.binary(wide, text) if self.chance(0.5) else None
        self.formats.append(1 if packed is not None else 0)
        if packed is not None and self.values[-1] is not None:
            self.values[-1] = packed
        return f"${number}::{wide}" if self.chance(0.2) else f"${number}"

    @staticmethod
    def binary(kind, text):
        try:
            if kind in INTEGERS:
                return struct.pack({"int2": "!h", "int4": "!i", "int8": "!q"}[kind], int(text))
            if kind in ("text", "varchar"):
                return text.encode()
            if kind == "uuid":
                return bytes.fromhex(text.replace("-", ""))
            if kind in ("float4", "float8"):
                return struct.pack("!f" if kind == "float4" else "!d", float(text))
            if kind == "bool":
                return b"\1" if text == "t" else b"\0"
        except struct.error:
            pass
        return None

    def few_keys(self, kind):
        """One of two keys of the statement."""
        kind = base(kind)
        if kind not in self.few:
            self.few[kind] = [self.plain_key(kind), self.plain_key(kind)]
        return self.few[kind][0 if self.chance(0.75) else 1]

    def plain_key(self, kind):
        text = self.text_of(kind, True)
        return text if kind in INTEGERS else world.quote(text)

    def confine(self, scope, p=0.85):
        """Conditions on the keys of a scope, to follow another."""
        text = ""
        for name, kind, key in scope if self.confined else ():
            if key and self.chance(p):
                form = self.rnd.random()
                value = self.few_keys(kind)
                if form < 0.75:
                    text += f" AND {name} = {value}"
                elif form < 0.85:
                    text += f" AND {name} IN ({value}, {self.few_keys(kind)})"
                elif form < 0.92:
                    text += f" AND ({name} = {value} OR {name} = {self.few_keys(kind)})"
                else:
                    text += f" AND {name} = {value}::{base(kind)}"
        return text

    # ---- expressions; a scope is a list of (reference, type, is a shard key)

    def columns(self, scope, kinds):
        return [c for c in scope if base(c[1]) in kinds]

    def expression(self, scope, kind, depth=2):
        kind = base(kind)
        same = self.columns(scope, (kind,))
        if same and (depth <= 0 or self.chance(0.6)):
            return self.rnd.choice(same)[0]
        if depth <= 0 or self.chance(0.15):
            return self.typed(kind)
        return self.composed(scope, kind, depth - 1)

    def typed(self, kind):
        """A literal that has its type wherever it stands."""
        text = self.text_of(kind)
        if kind in INTEGERS and kind != "int4":
            return f"'{text}'::{kind}"
        return text if kind == "int4" else f"{world.quote(text)}::{kind}"

    def composed(self, scope, kind, depth):
        e = lambda k: self.expression(scope, k, depth)
        general = self.rnd.random()
        if general < 0.12:
            return f"coalesce({e(kind)}, {e(kind)})"
        if general < 0.22:
            return f"CASE WHEN {self.predicate(scope, depth)} THEN {e(kind)} ELSE {e(kind)} END"
        if general < 0.27:
            return f"nullif({e(kind)}, {e(kind)})"
        if general < 0.32:
            return f"{self.pick('greatest', 'least')}({e(kind)}, {e(kind)})"
        if kind in INTEGERS:
            other = self.pick(*INTEGERS)
            return self.pick(
                f"({e(kind)} {self.pick('+', '-', '*')} {e(kind)})", f"(-{e(kind)})", f"abs({e(kind)})",
                f"({e(kind)} % 7::{kind})", f"({e(other)})::{kind}", f"length({e('text')})::{kind}",
                f"({e(kind)} / 2::{kind})",
            )
        if kind == "numeric":
            return self.pick(
                f"({e('numeric')} {self.pick('+', '-', '*')} {e('numeric')})", f"round({e('numeric')}, 1)",
                f"({e('int4')})::numeric", f"abs({e('numeric')})", f"({e('numeric')} / 3)", f"trunc({e('numeric')})",
            )
        if kind in ("float4", "float8"):
            return self.pick(f"({e(kind)} + {e(kind)})", f"({e('int4')})::{kind}", f"(-{e(kind)})", f"({e(kind)} * 2)::{kind}")
        if kind in ("text", "varchar"):
            return self.pick(
                f"upper({e('text')})", f"({e('text')} || {e('text')})", f"substr({e('text')}, 1, 2)", f"lower({e('text')})",
                f"({e(self.pick('int4', 'int8', 'numeric', 'date', 'bool', 'uuid', 'float8'))})::text", f"md5({e('text')})",
                f"({e('text')})::varchar(3)",
            )
        if kind == "bool":
            return f"({self.predicate(scope, depth)})"
        if kind == "date":
            return self.pick(f"({e('date')} + 1)", f"({e('timestamptz')})::date")
        if kind == "timestamptz":
            return self.pick(f"({e('timestamptz')} + '1 hour'::interval)", f"date_trunc('day', {e('timestamptz')})")
        return e(kind)

    # ---- predicates

    def predicate(self, scope, depth=2):
        form = self.rnd.random()
        if depth > 0 and form < 0.14:
            return f"({self.predicate(scope, depth - 1)} OR {self.predicate(scope, depth - 1)})"
        if depth > 0 and form < 0.28:
            return f"({self.predicate(scope, depth - 1)} AND {self.predicate(scope, depth - 1)})"
        if depth > 0 and form < 0.33:
            return f"NOT ({self.predicate(scope, depth - 1)})"
        if form < 0.36:
            return self.pick("true", "false", "NULL::bool", "1 = 1", "1 = 2")
        if form < 0.43 and self.depth < 2 and depth > 0:
            return self.subquery_predicate(scope)
        keys = [c for c in scope if c[2]]
        column = self.rnd.choice(keys) if keys and self.chance(0.5) else self.rnd.choice(scope)
        return self.atom(scope, column, depth)

    def atom(self, scope, column, depth):
        name, kind, key = column
        value = lambda: self.literal(kind, key)
        op = self.pick("=", "=", "=", "<", "<=", ">", ">=", "<>")
        form = self.rnd.random()
        if base(kind) == "bool" and form < 0.5:
            return self.pick(name, f"NOT {name}", f"{name} IS TRUE", f"{name} IS NOT FALSE", f"{name} IS UNKNOWN", f"{name} = false")
        if form < 0.40:
            return f"{name} {op} {value()}" if self.chance(0.85) else f"{value()} {op} {name}"
        if form < 0.50:
            items = ", ".join(value() for _ in range(self.rnd.randrange(1, 5)))
            return f"{name} {self.pick('IN', 'IN', 'NOT IN')} ({items})"
        if form < 0.56:
            return f"{name} {self.pick('', '', 'NOT ')}BETWEEN {self.pick('', '', 'SYMMETRIC ')}{value()} AND {value()}"
        if form < 0.62:
            return f"{name} IS {self.pick('', 'NOT ')}NULL"
        if form < 0.67:
            return f"{name} IS {self.pick('NOT ', 'NOT ', '')}DISTINCT FROM {value()}"
        if form < 0.73:
            return self.any_array(name, kind, key)
        if form < 0.78:
            same = self.columns(scope, (base(kind),))
            return f"{name} {op} {self.rnd.choice(same)[0]}"
        if form < 0.82 and base(kind) in ("text", "varchar"):
            return f"{name} {self.pick('LIKE', 'NOT LIKE', 'ILIKE')} '{self.pick('a%', '%b', '_', 'A_', '%', 'x%')}'"
        if form < 0.86 and base(kind) in NUMBERS:
            other = self.pick("numeric", "int8", "float8", "int4")
            return f"{name} {op} {self.plain_literal(other, self.text_of(other))}"
        if form < 0.90:
            first, second = column, self.rnd.choice(scope)
            sides = ", ".join(self.literal(c[1], c[2]) for c in (first, second))
            return f"({first[0]}, {second[0]}) {self.pick('=', '<', '>=')} ({sides})"
        if form < 0.94 and base(kind) in NUMBERS:
            return f"{self.expression(scope, kind, 1)} {op} {self.expression(scope, kind, 1)}"
        if form < 0.97 and base(kind) in (*INTEGERS, "text", "uuid"):
            return f"{name}::text {op} {world.quote(self.text_of(kind, key))}"
        return f"{name} {op} {self.expression(scope, kind, max(0, depth - 1))}"

    def any_array(self, name, kind, key):
        kind = base(kind)
        if kind.endswith("[]"):
            return f"{name} @> '{{1}}'"
        texts = [self.text_of(kind, key) for _ in range(self.rnd.randrange(0, 4))]
        if self.chance(0.2):
            texts.append(None)
        if self.chance(0.5):
            items = ", ".join("NULL" if t is None else world.quote(t) for t in texts)
            array = f"ARRAY[{items}]::{kind}[]"
        else:
            def element(t):
                escaped = t.replace("\\", "\\\\").replace('"', '\\"')
                return f'"{escaped}"'
            literal = "{" + ",".join("NULL" if t is None else element(t) for t in texts) + "}"
            if self.extended and self.chance(0.5):
                self.values.append(literal.encode())
                self.types.append(0)
                self.formats.append(0)
                array = f"${len(self.values)}" + (f"::{kind}[]" if self.chance(0.4) else "")
            else:
                array = f"{world.quote(literal)}::{kind}[]" if self.chance(0.6) else world.quote(literal)
        return f"{name} {self.pick('= ANY', '= ANY', '<> ALL', '= ALL', '< ANY')} ({array})"

    def subquery_predicate(self, scope):
        """EXISTS, IN and comparisons with a subquery; correlated on the key in many cases."""
        self.depth += 1
        outer = self.rnd.choice([c for c in scope if c[2]] or scope)
        table = self.pick(*(t for t in world.TABLES))
        if self.careful and self.chance(0.8):
            table = self.pick("ref", "lang")
        alias = self.new_name("q")
        inner = self.scope_of(table, alias)
        same = self.columns(inner, (base(outer[1]),))
        if not same:
            self.depth -= 1
            return self.atom(scope, outer, 0)
        keys = [c for c in same if c[2]]
        column = self.rnd.choice(keys) if keys and self.chance(0.8) else self.rnd.choice(same)
        where = self.predicate(inner, 1) if self.chance(0.6) else "true"
        where = f"({where}){self.confine(inner)}" if self.confined else where
        form = self.rnd.random()
        if form < 0.35:
            sql = f"{self.pick('', '', 'NOT ')}EXISTS (SELECT 1 FROM {table} {alias} WHERE {alias and column[0]} = {outer[0]} AND {where})"
        elif form < 0.65:
            sql = f"{outer[0]} {self.pick('', '', 'NOT ')}IN (SELECT {column[0]} FROM {table} {alias} WHERE {where})"
        elif form < 0.85:
            sql = f"{outer[0]} {self.pick('=', '<', '>=')} (SELECT {self.pick('min', 'max')}({column[0] if base(column[1]) not in ('uuid', 'bool') else column[0] + '::text'}) FROM {table} {alias} WHERE {where})"
        else:
            sql = f"(SELECT count(*) FROM {table} {alias} WHERE {column[0]} = {outer[0]}) {self.pick('>', '=')} {self.pick('0', '1')}"
        self.depth -= 1
        return sql

    # ---- FROM

    def new_name(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def scope_of(self, table, alias):
        _, key, columns, _ = world.TABLES[table]
        return [(f"{alias}.{c}", kind, c == key) for c, kind in columns.items()]

    def source(self, tables=None):
        """FROM of one to three tables. @return text, scope, unique columns or None"""
        table = self.pick(*(tables or [*([t for t in world.TABLES if t != "loc" or not self.careful]), "acct", "acct", "line", "word", "dup", "item"]))
        alias = self.new_name("t")
        text, scope = f"{table} {alias}", self.scope_of(table, alias)
        unique = [f"{alias}.{c}" for c in world.TABLES[table][3]] or None
        for _ in range(self.pick(0, 0, 0, 1, 1, 2)):
            other, condition, other_alias, other_scope = self.joined(table, alias, scope)
            kind = self.pick("JOIN", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")
            if self.careful and not self.confined and kind in ("RIGHT JOIN", "FULL JOIN"):
                kind = "LEFT JOIN"
            if kind == "CROSS JOIN" and other not in ("ref", "lang", "loc", "none"):
                kind = "JOIN"
            text += f" {kind} {other} {other_alias}" + ("" if kind == "CROSS JOIN" else f" {condition}")
            scope = scope + other_scope
            more = world.TABLES[other][3]
            unique = unique + [f"{other_alias}.{c}" for c in more] if unique and more else None
        if "USING" in text:  # a merged column has no qualifier, its sources have
            pass
        return text, scope, unique

    def joined(self, table, alias, scope):
        groups = {"acct": ["line", "none", "acct"], "line": ["acct", "none"], "none": ["acct", "line"], "word": ["tag", "word"], "tag": ["word"]}
        form = self.rnd.random()
        other_alias = self.new_name("t")
        if form < 0.6 and table in groups:
            other = self.pick(*groups[table])
            key = world.TABLES[table][1]
            other_scope = self.scope_of(other, other_alias)
            if self.chance(0.15) and "USING" not in scope:
                return other, f"USING ({key})", other_alias, other_scope
            condition = f"ON {other_alias}.{key} = {alias}.{key}"
            if self.confined and self.chance(0.3):
                condition = f"ON true{self.confine(other_scope)}"
            if self.chance(0.3):
                condition += f" AND {self.predicate(scope + other_scope, 1)}"
            return other, condition, other_alias, other_scope
        other = self.pick("ref", "ref", "lang", *(() if self.careful else ("loc", "word", "item", "dup")))
        other_scope = self.scope_of(other, other_alias)
        pairs = [(a, b) for a in scope for b in other_scope if base(a[1]) == base(b[1])]
        if not pairs:
            return other, "ON true" if other in ("ref", "lang") else "ON false", other_alias, other_scope
        a, b = self.rnd.choice(pairs)
        condition = f"ON {a[0]} = {b[0]}"
        if self.chance(0.2):
            condition += f" AND {self.predicate(other_scope, 1)}"
        return other, condition, other_alias, other_scope

    def where(self, scope, p=0.75):
        text = self.predicate(scope, 2) if self.chance(p) else ""
        keys = self.confine(scope)
        if keys and text and self.chance(0.9):
            return f" WHERE ({text}){keys}"
        return f" WHERE {text or keys[5:]}" if text or keys else ""

    # ---- SELECT

    def select(self):
        form = self.rnd.random()
        if form < 0.45:
            return self.select_rows()
        if form < 0.75:
            return self.select_groups()
        if form < 0.85:
            return self.select_nested()
        if form < 0.93:
            return self.select_set()
        return self.select_odd()

    def direction(self):
        return self.pick("", "", " ASC", " DESC", " DESC") + self.pick("", "", "", " NULLS FIRST", " NULLS LAST")

    def bounds(self):
        limit = self.pick("0", "1", "3", "7", "20", "1000", "ALL", "NULL")
        offset = self.pick("0", "1", "5", "2000")
        if self.extended and self.chance(0.4):
            self.values.append(limit.encode() if limit.isdigit() else None)
            self.types.append(self.pick(0, 20))
            self.formats.append(0)
            limit = f"${len(self.values)}"
        return self.pick(f" LIMIT {limit}", f" LIMIT {limit} OFFSET {offset}", f" OFFSET {offset}", f" FETCH FIRST 4 ROWS ONLY")

    def target_list(self, scope, most=5):
        """Targets: text, alias or "", type."""
        targets = []
        for _ in range(self.rnd.randrange(1, most + 1)):
            name, kind, _ = self.rnd.choice(scope)
            if self.chance(0.3):
                text, kind = self.expression(scope, kind, 2), base(kind)
            else:
                text = name
            targets.append((text, self.new_name("o") if self.chance(0.4) else "", kind))
        return targets

    @staticmethod
    def render(targets):
        return ", ".join(text + (f" AS {alias}" if alias else "") for text, alias, _ in targets)

    def order_items(self, scope, targets):
        items = []
        for _ in range(self.rnd.randrange(0, 3)):
            i = self.rnd.randrange(len(targets)) if targets else 0
            form = self.rnd.random()
            if targets and form < 0.25:
                item = str(i + 1)
            elif targets and form < 0.5 and targets[i][1]:
                item = targets[i][1]
            elif form < 0.8:
                item = self.rnd.choice(scope)[0]
            else:
                item = self.expression(scope, self.rnd.choice(scope)[1], 1)
            if item.startswith(("'", "NULL")) or item.lstrip("-").isdigit() and not form < 0.25:
                continue
            items.append(item + self.direction())
        return items

    def select_rows(self):
        text, scope, unique = self.source()
        star = self.chance(0.2)
        targets = [] if star else self.target_list(scope)
        distinct = not star and self.chance(0.2)
        order, limited = [], ""
        ordered = False
        if distinct:
            if self.chance(0.6):
                numbers = list(range(1, len(targets) + 1))
                self.rnd.shuffle(numbers)
                order = [f"{n}{self.direction()}" for n in numbers]
                ordered = True
            self.loose = self.loose or any(base(t[2]) in LOOSE for t in targets)
        elif unique and self.chance(0.6):
            order = self.order_items(scope, targets) + [u + self.direction() for u in unique]
            ordered = True
        elif self.chance(0.3):
            order = self.order_items(scope, targets)
        if ordered and self.chance(0.5):
            limited = self.bounds()
        elif self.chance(0.1):
            limited = self.pick(" LIMIT 0", " OFFSET 0", " LIMIT 100000", " OFFSET 100000")
        sql = f"SELECT {'DISTINCT ' if distinct else ''}{'*' if star else self.render(targets)} FROM {text}{self.where(scope)}"
        if order:
            sql += f" ORDER BY {', '.join(order)}"
        sql += limited
        return self.finish(sql, ordered=ordered and not (self.loose and limited))

    AGGREGATES = [
        ("count(*)", None), ("count({})", "any"), ("count(DISTINCT {})", "any"), ("sum({})", "number"), ("sum({})", "number"),
        ("avg({})", "number"), ("avg({})", "number"), ("min({})", "order"), ("max({})", "order"), ("bool_and({})", "bool"),
        ("bool_or({})", "bool"), ("every({})", "bool"), ("bit_and({})", "integer"), ("bit_or({})", "integer"),
        ("count(*) FILTER (WHERE {p})", None), ("sum({}) FILTER (WHERE {p})", "number"), ("avg({}) FILTER (WHERE {p})", "number"),
        ("sum(DISTINCT {})", "integer"), ("max(DISTINCT {})", "order"), ("string_agg({}::text, ',' ORDER BY {}::text)", "any"),
        ("stddev({})", "integer"), ("array_agg({} ORDER BY {})", "order"), ("min({}) FILTER (WHERE {p})", "order"),
    ]
    KINDS = {
        "any": (*NUMBERS, "text", "varchar", "bool", "date", "timestamptz", "uuid", "interval", "mood", "jsonb", "bytea", "timestamp",
                "bpchar", "int4[]"),
        "number": NUMBERS, "integer": INTEGERS, "bool": ("bool",),
        "order": (*NUMBERS, "text", "varchar", "date", "timestamptz", "interval", "mood", "timestamp", "bpchar", "int4[]"),
    }

    def aggregate(self, scope):
        while True:
            form, need = self.rnd.choice(self.AGGREGATES)
            if need is None:
                return form.replace("{p}", self.predicate(scope, 1))
            fit = self.columns(scope, self.KINDS[need])
            if need == "number" and self.chance(0.1):
                fit = self.columns(scope, ("interval",)) or fit
            if not fit:
                continue
            name, kind, _ = self.rnd.choice(fit)
            argument = name
            if self.chance(0.2) and base(kind) not in ("interval", "float4", "float8"):
                argument = self.expression(scope, kind, 1)
            if base(kind) in LOOSE and ("min" in form or "max" in form or "array" in form):
                self.loose = True
            return form.replace("{}", argument).replace("{p}", self.predicate(scope, 1))

    def select_groups(self):
        text, scope, _ = self.source()
        groups = []
        for _ in range(self.pick(0, 0, 1, 1, 1, 2)):
            name, kind, _ = self.rnd.choice(scope)
            group = name if self.chance(0.75) else self.expression(scope, kind, 1)
            if group.startswith(("'", "NULL")) or group.lstrip("-").isdigit():
                group = name
            groups.append((group, kind))
            self.loose = self.loose or base(kind) in LOOSE
        targets, group_by, keys = [], [], []
        for group, kind in groups:
            shown = self.chance(0.85)
            if shown:
                targets.append((group, self.new_name("g") if self.chance(0.4) else "", kind))
                group_by.append(self.pick(group, group, str(len(targets))))
                keys.append(str(len(targets)))
            else:
                group_by.append(group)
                keys.append(group)
        for _ in range(self.rnd.randrange(0 if targets else 1, 4)):
            call = self.aggregate(scope)
            if self.chance(0.12):
                call = self.pick(f"coalesce({call}::text, 'none')", f"({call}) IS NULL", f"({call})::text")
            targets.append((call, self.new_name("a") if self.chance(0.5) else "", "?"))
        sql = f"SELECT {self.render(targets)} FROM {text}{self.where(scope, 0.6)}"
        if group_by:
            sql += f" GROUP BY {', '.join(group_by)}"
        if self.chance(0.15):
            sql += f" HAVING {self.pick('count(*) > 1', 'count(*) > 0', 'count(*) < 3', 'max(' + scope[0][0] + '::text) IS NOT NULL')}"
        ordered = False
        if group_by and self.chance(0.6):
            order = []
            if self.chance(0.3):
                order.append(self.pick("count(*)", *[str(i + 1) for i, t in enumerate(targets)]) + self.direction())
            order += [k + self.direction() for k in keys]
            sql += f" ORDER BY {', '.join(order)}"
            ordered = True
        if (ordered or not group_by) and self.chance(0.4):
            sql += self.bounds()
        return self.finish(sql, ordered=ordered)

    def select_nested(self):
        """Subqueries in FROM, CTEs, scalar subqueries in the target list."""
        text, scope, unique = self.source()
        targets = [(t, self.new_name("o"), k) for t, _, k in self.target_list(scope, 4)]
        if self.chance(0.5):
            targets += [(c, self.new_name("o"), k) for c, k, key in scope if key]
        where = self.where(scope)
        inner = f"SELECT {self.render(targets)} FROM {text}{where}"
        if unique and self.chance(0.2):
            inner += f" ORDER BY {', '.join(unique)} LIMIT {self.pick('1', '5', '100')}"
        name = self.new_name("n")
        keys = {column for column, _, key in scope if key}
        outer = [(f"{name}.{alias}", kind, text in keys) for text, alias, kind in targets]
        if self.chance(0.5):
            head, source = f"WITH {name} AS {self.pick('', '', 'MATERIALIZED ')}({inner}) ", name
        else:
            head, source = "", f"({inner}) {name}"
        if self.chance(0.4):
            shown = self.aggregate(outer)
            sql = f"{head}SELECT {shown} FROM {source}{self.where(outer, 0.4)}"
        else:
            shown = [(c, "", k) for c, k, _ in outer]
            extra = ""
            if self.chance(0.3):
                extra = f", (SELECT {self.pick('count(*)', 'max(label)', 'min(code)', 'sum(w)')} FROM {self.pick('ref', 'ref', 'ref')}{self.pick('', ' WHERE code > 2')})"
            sql = f"{head}SELECT {self.render(shown)}{extra} FROM {source}{self.where(outer, 0.5)}"
        return self.finish(sql)

    def select_set(self):
        parts, kinds = [], None
        for _ in range(self.pick(2, 2, 3)):
            text, scope, _ = self.source()
            if kinds is None:
                targets = self.target_list(scope, 2)
                kinds = [base(k) for _, _, k in targets]
            else:
                targets = [(self.expression(scope, k, 1), "", k) for k in kinds]
            parts.append(f"SELECT {self.render(targets)} FROM {text}{self.where(scope)}")
        sql = parts[0]
        plain = True
        for part in parts[1:]:
            operator = self.pick("UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT")
            plain = plain and operator == "UNION ALL"
            sql += f" {operator} {part}"
        self.loose = self.loose or (not plain and any(k in LOOSE for k in kinds))
        ordered = False
        if self.chance(0.3):
            sql += " ORDER BY " + ", ".join(str(i + 1) for i in range(len(kinds)))
            ordered = not any(k in LOOSE for k in kinds)
        return self.finish(sql, ordered=ordered)

    def select_odd(self):
        text, scope, unique = self.source()
        name, kind, _ = self.rnd.choice(scope)
        form = self.rnd.randrange(6)
        where = self.where(scope)
        if form == 0 and unique:
            sql = f"SELECT {name}, row_number() OVER (ORDER BY {', '.join(unique)}) FROM {text}{where}"
        elif form == 1 and unique:
            sql = f"SELECT DISTINCT ON ({name}) {name}, {unique[0]} FROM {text}{where} ORDER BY {name}, {', '.join(unique)}"
            self.loose = base(kind) in LOOSE
        elif form == 2:
            sql = f"SELECT {name}, count(*) FROM {text}{where} GROUP BY ROLLUP ({name})"
            self.loose = base(kind) in LOOSE
        elif form == 3:
            sql = f"SELECT {self.typed('int4')} AS x, {self.typed('text')} AS y, pg_typeof({name}) FROM {text}{where}"
        elif form == 4:
            sql = f"SELECT count(*) FROM {text}, (VALUES (1), (2), (NULL)) v(x) WHERE {self.predicate(scope, 1)}"
        else:
            value = self.literal(kind)
            sql = f"SELECT {value}, {name} FROM {text}{where}"
        return self.finish(sql)

    # ---- changes

    def change(self):
        form = self.rnd.random()
        table = self.pick(*(t for t in world.TABLES), "acct", "line", "dup", "word")
        if form < 0.4:
            return self.insert(table)
        if form < 0.75:
            return self.update(table)
        return self.delete(table)

    def returning(self, scope):
        if not self.chance(0.35):
            return ""
        if self.chance(0.3):
            return " RETURNING *"
        return f" RETURNING {self.render(self.target_list(scope, 3))}"

    def insert(self, table):
        _, key, columns, unique = world.TABLES[table]
        names = list(columns)
        listed = self.chance(0.6)
        if listed:
            needed = [c for c in names if c in unique or c == key]
            names = needed + [c for c in names if c not in needed and self.chance(0.5)]
            self.rnd.shuffle(names)
        rows = []
        for _ in range(self.pick(1, 1, 1, 2, 3, 6)):
            row = []
            for name in names:
                if name == key or name in unique:
                    row.append(self.fresh(columns[name]))
                elif self.chance(0.1):
                    row.append("DEFAULT")
                else:
                    row.append(self.literal(columns[name]))
            rows.append(f"({', '.join(row)})")
        shown = f" ({', '.join(names)})" if listed else ""
        sql = f"INSERT INTO {table}{shown} VALUES {', '.join(rows)}"
        if unique and self.chance(0.3):
            rest = [c for c in columns if c not in unique]
            if rest and self.chance(0.5):
                sql += f" ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {rest[0]} = excluded.{rest[0]}"
            else:
                sql += " ON CONFLICT DO NOTHING"
        scope = [(c, k, c == key) for c, k in columns.items()]
        return self.finish(sql + self.returning(scope), reads=False, table=table)

    def fresh(self, kind):
        """A key, most often one that is not there."""
        if base(kind) in INTEGERS and self.chance(0.7):
            text = str(self.value_rnd.randrange(100, 400))
            return self.parameter(base(kind), text) if self.extended and self.chance(0.5) else text
        if base(kind) in ("text", "varchar") and self.chance(0.7):
            text = self.pick("k", "ä", "'", "\\") + str(self.value_rnd.randrange(900))
            return self.parameter(base(kind), text) if self.extended and self.chance(0.5) else self.plain_literal("text", text)
        return self.literal(kind, True)

    def update(self, table):
        _, key, columns, unique = world.TABLES[table]
        scope = [(f"{table}.{c}", k, c == key) for c, k in columns.items()]
        free = [c for c in columns if c != key and c not in unique]
        if not free:
            return self.delete(table)
        sets = []
        for name in self.rnd.sample(free, min(len(free), self.pick(1, 1, 2))):
            kind = base(columns[name])
            value = self.expression(scope, kind, 1) if self.chance(0.6) else self.literal(kind)
            sets.append(f"{name} = {value}")
        if self.chance(0.05):
            sets.append(f"{key or unique[0]} = {self.literal(columns[key or unique[0]], True)}")
        sql = f"UPDATE {table} SET {', '.join(sets)}"
        where = self.where(scope, 0.92)
        if self.chance(0.1) and table in ("acct", "line"):
            other = "line" if table == "acct" else "acct"
            sql += f" FROM {other} o"
            where += (" AND" if where else " WHERE") + f" o.id = {table}.id" + (" AND o.no = 1" if other == "line" else "")
        return self.finish(sql + where + self.returning(scope), reads=False, table=table)

    def delete(self, table):
        _, key, columns, _ = world.TABLES[table]
        scope = [(f"{table}.{c}", k, c == key) for c, k in columns.items()]
        where = self.where(scope, 0.98)
        return self.finish(f"DELETE FROM {table}{where}{self.returning(scope)}", reads=False, table=table)
