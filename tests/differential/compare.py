"""What must be equal in two answers, and what may differ."""

import re
from collections import Counter
from decimal import Decimal, InvalidOperation

UNCERTAIN, USER_TYPES = (1186, 3802), 16384  # interval, jsonb: equal values of another look
DATA = ("22", "23")  # classes of errors that a row may cause
NUMBERS = {700: "float4", 701: "float8", 1700: "numeric", 25: "text", 1043: "varchar"}


def is_refusal(result):
    return result.sqlstate == "0A000" and not result.message.startswith("cached plan")


def reason_of(result):
    """A refusal without its names and numbers."""
    text = re.sub(r'"[^"]*"', '"…"', result.message)
    text = re.sub(r"^\w+\(\)", "…()", text)
    return re.sub(r"\d+", "N", text)


def same_number(value):
    """1.0 and 1.00, -0 and 0 are one value, and so are their texts here."""
    if value is None:
        return None
    try:
        number = Decimal(value.decode())
    except (InvalidOperation, UnicodeDecodeError):
        return value
    if not number.is_finite():
        return value
    return str(number.normalize() + 0).encode()


def normal(result, loose):
    if not loose or not result.fields:
        return result.rows
    def one(field, value):
        if field[1] in UNCERTAIN:
            return b"?" if value is not None else None
        return same_number(value) if field[1] in NUMBERS else value
    return [tuple(one(f, v) for f, v in zip(result.fields, row)) for row in result.rows]


def shape(result):
    if result.fields is None:
        return None
    return [(name, oid if oid < USER_TYPES else "user", typmod, form) for name, oid, typmod, form in result.fields]


def show(row):
    return "(" + ", ".join("NULL" if v is None else repr(v)[1:] for v in row) + ")"


def difference(statement, ours, theirs):
    """@return what is wrong with `ours`, or "". `theirs` is PostgreSQL's answer."""
    if ours.sqlstate or theirs.sqlstate:
        if ours.sqlstate == theirs.sqlstate:
            return ""
        if ours.sqlstate == "23502" and theirs.sqlstate and "of distributed table" in ours.message:
            return ""  # a row without a key is found before anything else is wrong with the statement
        if ours.sqlstate and theirs.sqlstate and ours.sqlstate[:2] in DATA and theirs.sqlstate[:2] in DATA:
            return ""  # several rows or expressions are wrong: which is met first is nobody's promise
        def said(result):
            return f"{result.sqlstate} {result.message}" if result.sqlstate else f"{result.tag}, {len(result.rows)} rows"
        return f"error: sherd: {said(ours)}\n       postgres: {said(theirs)}"
    if shape(ours) != shape(theirs):
        return f"columns: sherd: {shape(ours)}\n         postgres: {shape(theirs)}"
    a, b = normal(ours, statement.loose), normal(theirs, statement.loose)
    more, fewer = Counter(a) - Counter(b), Counter(b) - Counter(a)
    if more or fewer:
        lines = [f"rows: sherd {len(a)}, postgres {len(b)}"]
        lines += [f"  only sherd:    {show(row)}" for row in list(more.elements())[:6]]
        lines += [f"  only postgres: {show(row)}" for row in list(fewer.elements())[:6]]
        return "\n".join(lines)
    if statement.ordered and a != b:
        at = next(i for i in range(len(a)) if a[i] != b[i])
        return f"order: at row {at + 1} sherd has {show(a[at])}, postgres {show(b[at])}"
    if ours.tag != theirs.tag:
        return f"tag: sherd: {ours.tag}, postgres: {theirs.tag}"
    return ""
