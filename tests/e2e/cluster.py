"""A cluster of its own for the tests: three PostgreSQL servers and the router, in a short folder under /tmp."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2

BIN = os.environ.get("SHERD_BIN", "sherd")
READY = re.compile(r"sherd ready: postgresql://\S*?:(\d+)/")
START_LIMIT = 120
STOP_LIMIT = 60


def wait_for(condition, limit=10, what="condition"):
    """The condition's value as soon as it is true; fails after the limit."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} not within {limit} s"
        time.sleep(0.03)


def pg_bin():
    """The folder of the newest PostgreSQL of this machine."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


class Cluster:
    def __init__(self, shards=3):
        self.dir = Path(tempfile.mkdtemp(prefix="se2e-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.count = shards
        self.process = None
        self.port = 0
        self.log = self.dir / "router.log"

    # ---- the router

    def again(self):
        """The last start once more."""
        self._launch(self.arguments)

    def _launch(self, arguments, env=None):
        self.arguments = arguments
        self.mark = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN, *map(str, arguments)],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"SHERD_DEV_NO_FSYNC": "1"} | (env or {}),
                start_new_session=True,
            )
        self.port = int(wait_for(self._ready, START_LIMIT, "the router ready").group(1))

    def output(self):
        """What the last start has printed."""
        return self.log.read_text(errors="replace")[self.mark :]

    def _ready(self):
        found = READY.search(self.output())
        assert found or self.process.poll() is None, "the router ended: " + self.output()
        return found

    def start(self, env=None):
        self._launch(["dev", "--dir", self.dir, "--shards", self.count, "--port", 0, "--workers", 2], env)
        return self

    def serve(self, edit=lambda text: text, env=None):
        """The router alone, on shards that run, with the configuration changed."""
        path = self.dir / "serve.toml"
        path.write_text(edit(re.sub(r"port = \d+\nworkers", "port = 0\nworkers", self.config.read_text(), count=1)))
        self._launch(["serve", "--config", path], env)
        return self

    @property
    def config(self):
        return self.dir / "sherd.toml"

    def kill(self):
        """As a crash: the shards run on."""
        self.process.kill()
        self.process.wait(STOP_LIMIT)

    def wait_dead(self, limit=STOP_LIMIT):
        return self.process.wait(limit)

    def stop(self):
        """SIGTERM; the status of the program."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def rss_bytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def open_files(self):
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    # ---- the shards

    def pg_ctl(self, shard, *arguments, check=True):
        data = self.dir / f"shard{shard}"
        owner = data.stat()
        as_owner = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.run(
            [pg_bin() / "pg_ctl", "-D", data, "-w", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=check,
            cwd="/",
            timeout=STOP_LIMIT,
            **as_owner,
        ).returncode

    def socket_dir(self, shard):
        return self.dir / "sockets" / f"shard{shard}"

    def start_shard(self, shard):
        self.pg_ctl(shard, "start", "-l", str(self.dir / f"shard{shard}" / "server.log"), "-o", f"-k {self.socket_dir(shard)}")

    def stop_shard(self, shard, mode="fast"):
        self.pg_ctl(shard, "stop", "-m", mode)

    def close(self):
        """Leaves nothing behind."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
        for data in sorted(self.dir.glob("shard[0-9]*")):
            if (data / "postmaster.pid").exists():
                self.pg_ctl(data.name.removeprefix("shard"), "stop", "-m", "immediate", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- connections

    def connect(self, database="app", autocommit=True, **parameters):
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=parameters.pop("user", "app"), dbname=database, connect_timeout=15, **parameters
        )
        connection.autocommit = autocommit
        return connection

    def shard(self, number):
        connection = psycopg2.connect(host=str(self.socket_dir(number)), user="app", dbname="app", connect_timeout=15)
        connection.autocommit = True
        return connection

    def on_shards(self, sql, parameters=None):
        """The first column of the statement's rows on each shard."""
        results = []
        for number in range(1, self.count + 1):
            with contextlib.closing(self.shard(number)) as connection, connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                results.append([row[0] for row in cursor.fetchall()] if cursor.description else [])
        return results

    def counts(self, table):
        """Rows of the table that lie on each shard."""
        return [rows[0] for rows in self.on_shards(f"SELECT count(*) FROM {table}")]

    def prepared_transactions(self):
        return sum(rows[0] for rows in self.on_shards("SELECT count(*) FROM pg_prepared_xacts"))

    def console(self, command):
        """Rows of a console command, as dicts."""
        with contextlib.closing(self.connect("sherd")) as connection, connection.cursor() as cursor:
            cursor.execute(command)
            if cursor.description is None:
                return []
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def handed_out(self):
        """How often a connection to each shard was lent to a statement so far."""
        counts = dict.fromkeys((f"shard{i}" for i in range(1, self.count + 1)), 0)
        for pool in self.console("SHOW POOLS"):
            counts[pool["shard"]] += int(pool["handed_out"])
        return counts

    def run(self, *arguments, **kwargs):
        """One of the program's commands: its exit status, output and errors."""
        return subprocess.run([BIN, *map(str, arguments)], capture_output=True, text=True, timeout=60, **kwargs)
