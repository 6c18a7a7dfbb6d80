import contextlib
import itertools
import threading

import psycopg2
import pytest

from cluster import Cluster
from wire import Wire

TEST_LIMIT = 90  # seconds, for one test
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster()
    try:
        yield cluster.start()
    finally:
        cluster.close()


@pytest.fixture(autouse=True)
def watchdog(request):
    """A test that hangs loses its router, and so ends as a failure."""
    if "cluster" not in request.fixturenames:
        yield
        return
    cluster = request.getfixturevalue("cluster")
    timer = threading.Timer(TEST_LIMIT, lambda: cluster.process.kill())
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()
    if cluster.process.poll() is not None and not getattr(request.module, "RESTARTS", False):
        output = cluster.output()
        cluster.again()
        pytest.fail("the router is gone (a hang is ended by the watchdog): " + output[-2000:])


class Db:
    """A connection with short words for asking."""

    def __init__(self, connection):
        self.connection = connection

    def run(self, sql, parameters=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            self.tag = cursor.statusmessage
            return cursor.fetchall() if cursor.description else []

    def one(self, sql, parameters=None):
        rows = self.run(sql, parameters)
        assert len(rows) == 1 and len(rows[0]) == 1, rows
        return rows[0][0]

    def fails(self, sql, parameters=None):
        """The SQLSTATE that the statement ends in."""
        with pytest.raises(psycopg2.Error) as caught:
            self.run(sql, parameters)
        return caught.value.pgcode

    def distributed(self, name, columns="id bigint PRIMARY KEY, v text", key="id", more=""):
        self.run(f"CREATE TABLE {name} ({columns})")
        self.run(f"SELECT create_distributed_table('{name}', '{key}'{more})")
        return name


@pytest.fixture
def db(cluster):
    with contextlib.closing(cluster.connect()) as connection:
        yield Db(connection)


@pytest.fixture
def connect(cluster):
    """Makes further connections, closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def make(**parameters):
            return Db(stack.enter_context(contextlib.closing(cluster.connect(**parameters))))

        yield make


@pytest.fixture
def wire(cluster):
    with Wire(cluster.port) as connection:
        yield connection


@pytest.fixture
def name():
    """A table name that no other test of the file uses."""
    return f"t{next(NUMBERS)}"
