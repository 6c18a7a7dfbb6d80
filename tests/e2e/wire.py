"""A client of protocol 3.0 in plain sockets, for scripts of messages that no driver would send."""

import socket
import struct
from typing import NamedTuple


class Message(NamedTuple):
    type: str
    body: bytes

    @property
    def fields(self):
        """Fields of an ErrorResponse or NoticeResponse, by their letter."""
        return {part[:1].decode(): part[1:].decode() for part in self.body.split(b"\0") if part}

    @property
    def sqlstate(self):
        return self.fields["C"]

    @property
    def tag(self):
        return self.body[:-1].decode()

    @property
    def values(self):
        """Values of a DataRow: bytes, or None."""
        (count,) = struct.unpack_from("!H", self.body)
        at, values = 2, []
        for _ in range(count):
            (length,) = struct.unpack_from("!i", self.body, at)
            at += 4
            values.append(None if length < 0 else self.body[at : at + length])
            at += max(length, 0)
        return values

    @property
    def columns(self):
        """(name, type) of each column of a RowDescription."""
        (count,) = struct.unpack_from("!H", self.body)
        at, columns = 2, []
        for _ in range(count):
            end = self.body.index(b"\0", at)
            oid = struct.unpack_from("!IhIhih", self.body, end + 1)[2]
            columns.append((self.body[at:end].decode(), oid))
            at = end + 1 + 18
        return columns


def message(kind, body=b""):
    return kind.encode() + struct.pack("!I", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def query(sql):
    return message("Q", text(sql))


def parse(name, sql, types=()):
    return message("P", text(name) + text(sql) + struct.pack("!H", len(types)) + b"".join(struct.pack("!I", t) for t in types))


def bind(portal, statement, values=(), formats=(), results=()):
    body = text(portal) + text(statement) + struct.pack("!H", len(formats)) + b"".join(struct.pack("!H", f) for f in formats)
    body += struct.pack("!H", len(values))
    for value in values:
        raw = value.encode() if isinstance(value, str) else value
        body += struct.pack("!i", -1) if raw is None else struct.pack("!i", len(raw)) + raw
    return message("B", body + struct.pack("!H", len(results)) + b"".join(struct.pack("!H", f) for f in results))


def describe(kind, name=""):
    return message("D", kind.encode() + text(name))


def close(kind, name=""):
    return message("C", kind.encode() + text(name))


def execute(portal="", max_rows=0):
    return message("E", text(portal) + struct.pack("!i", max_rows))


def copy_data(raw):
    return message("d", raw)


def copy_fail(reason):
    return message("f", text(reason))


SYNC = message("S")
FLUSH = message("H")
COPY_DONE = message("c")
TERMINATE = message("X")


def startup_packet(**parameters):
    body = struct.pack("!I", 196608) + b"".join(text(k) + text(v) for k, v in parameters.items()) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


def run(sql, values=(), statement="", **kwargs):
    """Parse, Bind, Describe, Execute of one statement; no Sync."""
    return parse(statement, sql) + bind("", statement, values, **kwargs) + describe("P") + execute()


class Closed(Exception):
    """The peer has closed the connection."""


class Wire:
    def __init__(self, port, login=True, timeout=15, **parameters):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.greeting = []
        if login:
            self.send(startup_packet(**({"user": "app", "database": "app"} | parameters)))
            self.greeting = self.until_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, raw):
        self.socket.sendall(raw)

    def _take(self, count):
        while len(self.buffer) < count:
            try:
                chunk = self.socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise Closed(self.buffer)
            self.buffer += chunk
        raw, self.buffer = self.buffer[:count], self.buffer[count:]
        return raw

    def read(self):
        kind = self._take(1).decode()
        (length,) = struct.unpack("!I", self._take(4))
        return Message(kind, self._take(length - 4))

    def until(self, *types):
        """Messages up to the first of one of the types. An error that ends the connection is the last."""
        messages = []
        while True:
            messages.append(self.read())
            last = messages[-1]
            if last.type in types or (last.type == "E" and last.fields.get("V") == "FATAL"):
                return messages

    def until_ready(self):
        return self.until("Z")

    def ask(self, raw):
        self.send(raw)
        return self.until_ready()

    def is_closed(self):
        """True when the peer closes within the time limit; what it still sends is skipped."""
        try:
            while True:
                self.read()
        except Closed:
            return True
        except TimeoutError:
            return False


def kinds(messages, skip="SN"):
    """The types as one word, without parameter statuses and notices: "12TDCZ"."""
    return "".join(m.type for m in messages if m.type not in skip)


def rows(messages):
    return [[None if v is None else v.decode() for v in m.values] for m in messages if m.type == "D"]


def tags(messages):
    return [m.tag for m in messages if m.type == "C"]


def error(messages):
    """The SQLSTATE of the only error; None without one."""
    states = [m.sqlstate for m in messages if m.type == "E"]
    assert len(states) < 2, states
    return states[0] if states else None
