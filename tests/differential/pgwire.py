"""A small PostgreSQL client: simple and extended protocol, text and binary, everything the server says."""

import socket
import struct
from dataclasses import dataclass, field


class Hang(Exception):
    """No answer within the time limit."""


class Lost(Exception):
    """The connection was closed."""


@dataclass
class Result:
    fields: list | None = None  # (name, type oid, typmod, format) per column; None: no rows are returned
    rows: list = field(default_factory=list)  # tuples of bytes or None
    tag: str = ""
    sqlstate: str = ""
    message: str = ""


class Connection:
    """One session. `path` is a socket folder, or a host name where it does not begin with a slash."""

    def __init__(self, path, port, user="app", database="app", seconds=20, options=None):
        if path.startswith("/"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(seconds)
            self._socket.connect(f"{path}/.s.PGSQL.{port}")
        else:
            self._socket = socket.create_connection((path, port), timeout=seconds)
        self._in = b""
        self.status = "I"
        pairs = {"user": user, "database": database, **(options or {})}
        body = struct.pack("!i", 196608)
        for name, value in pairs.items():
            body += name.encode() + b"\0" + value.encode() + b"\0"
        body += b"\0"
        self._socket.sendall(struct.pack("!i", len(body) + 4) + body)
        results = self._collect()
        if results and results[-1].sqlstate:
            raise Lost(f"{results[-1].sqlstate} {results[-1].message}")

    def close(self):
        try:
            self._socket.sendall(b"X\0\0\0\4")
        except OSError:
            pass
        self._socket.close()

    def simple(self, sql):
        """Results of each statement of `sql`, in order; the last may be an error."""
        self._send(b"Q", sql.encode() + b"\0")
        return self._collect()

    def query(self, sql):
        results = self.simple(sql)
        return results[-1] if results else Result()

    def extended(self, sql, values=(), types=(), formats=(), result_formats=()):
        """Parse, Bind, Describe, Execute, Sync. Values are bytes or None."""
        parse = b"\0" + sql.encode() + b"\0" + struct.pack("!H", len(types))
        parse += b"".join(struct.pack("!I", t) for t in types)
        self._socket.sendall(
            self._message(b"P", parse)
            + self._message(b"B", b"\0\0" + _bind(values, formats, result_formats))
            + self._message(b"D", b"P\0")
            + self._message(b"E", b"\0\0\0\0\0")
            + self._message(b"S", b"")
        )
        results = self._collect()
        return results[-1] if results else Result()

    def prepare(self, sql, types=()):
        """Parse of the named statement "s", in place of the one before it."""
        parse = b"s\0" + sql.encode() + b"\0" + struct.pack("!H", len(types))
        parse += b"".join(struct.pack("!I", t) for t in types)
        self._socket.sendall(self._message(b"C", b"Ss\0") + self._message(b"P", parse) + self._message(b"S", b""))
        results = self._collect()
        return results[-1] if results else Result()

    def run(self, values=(), formats=(), result_formats=()):
        """Bind, Describe and Execute of "s"."""
        self._socket.sendall(
            self._message(b"B", b"\0s\0" + _bind(values, formats, result_formats))
            + self._message(b"D", b"P\0")
            + self._message(b"E", b"\0\0\0\0\0")
            + self._message(b"S", b"")
        )
        results = self._collect()
        return results[-1] if results else Result()

    @staticmethod
    def _message(kind, body):
        return kind + struct.pack("!i", len(body) + 4) + body

    def _send(self, kind, body):
        self._socket.sendall(self._message(kind, body))

    def _take(self, count):
        while len(self._in) < count:
            try:
                more = self._socket.recv(1 << 16)
            except socket.timeout:
                raise Hang("no answer within the time limit") from None
            except OSError as error:
                raise Lost(str(error)) from None
            if not more:
                raise Lost("the connection was closed")
            self._in += more
        taken, self._in = self._in[:count], self._in[count:]
        return taken

    def _collect(self):
        """Everything up to ReadyForQuery."""
        results, now = [], Result()
        while True:
            head = self._take(5)
            kind, body = head[:1], self._take(struct.unpack("!i", head[1:])[0] - 4)
            if kind == b"T":
                now.fields = _fields(body)
            elif kind == b"D":
                now.rows.append(_row(body))
            elif kind == b"C":
                now.tag = body[:-1].decode()
                results.append(now)
                now = Result()
            elif kind == b"I":
                results.append(now)
                now = Result()
            elif kind == b"E":
                error = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
                now.sqlstate, now.message = error.get(b"C", "?????"), error.get(b"M", "")
                results.append(now)
                now = Result()
            elif kind == b"Z":
                self.status = body.decode()
                return results


def _fields(body):
    fields, at = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        end = body.index(b"\0", at)
        _, _, type_oid, _, typmod, form = struct.unpack("!IhIhih", body[end + 1 : end + 19])
        fields.append((body[at:end].decode(), type_oid, typmod, form))
        at = end + 19
    return fields


def _row(body):
    values, at = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        size = struct.unpack("!i", body[at : at + 4])[0]
        at += 4
        if size < 0:
            values.append(None)
            continue
        values.append(body[at : at + size])
        at += size
    return tuple(values)


def _bind(values, formats, result_formats):
    bind = struct.pack("!H", len(formats)) + b"".join(struct.pack("!h", f) for f in formats)
    bind += struct.pack("!H", len(values))
    for value in values:
        bind += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return bind + struct.pack("!H", len(result_formats)) + b"".join(struct.pack("!h", f) for f in result_formats)
