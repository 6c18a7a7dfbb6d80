"""Servers for benchmarks: a plain PostgreSQL, PgBouncer and sherd, in one temporary folder that goes away with them."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

PG_BIN = Path("/usr/lib/postgresql/15/bin")
READY_SECONDS = 60
POOL_SIZE = 20


class Failed(RuntimeError):
    """A server or a tool did not do what it should; the text says which, with its output."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command, *, seconds=120, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds, **more)
    if done.returncode != 0:
        raise Failed(f"{command[0]} ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def psql(url, *statements):
    words = ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", url]
    for statement in statements:
        words += ["-c", statement]
    return run(words)


class Servers:
    """Starts servers; leaving the `with` block stops them in reverse order and removes their folder."""

    def __init__(self, sherd):
        self.sherd = Path(sherd).resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="sherd-bench.", dir="/tmp"))
        self.folder.chmod(0o755)
        self.running = []
        self.account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process, stop in reversed(self.running):
            process.send_signal(stop)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def own_folder(self, name):
        folder = self.folder / name
        folder.mkdir()
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        return folder

    def start(self, name, command, stop=signal.SIGTERM, unprivileged=False, **more):
        if unprivileged and self.account:
            more.update(user=self.account.pw_uid, group=self.account.pw_gid, extra_groups=[])
        with open(self.folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True, **more,
            )
        self.running.append((process, stop))
        return process

    def wait_ready(self, name, process, is_ready):
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            answer = is_ready()
            if answer:
                return answer
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(f"{name} did not start\n{(self.folder / f'{name}.log').read_text()}")

    def answers(self, url):
        return lambda: subprocess.run(["psql", "-X", "-q", "-c", "", url], capture_output=True).returncode == 0

    def postgres(self):
        """One server without fsync: the disk is not what is measured. Returns its URL and the folder of its socket."""
        data, port = self.own_folder("one"), free_port()
        as_user = dict(user=self.account.pw_uid, group=self.account.pw_gid, extra_groups=[]) if self.account else {}
        run([PG_BIN / "initdb", "-D", data, "-U", "app", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            cwd="/", **as_user)
        settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={data}", "fsync=off",
                    "full_page_writes=off", "max_connections=200", "max_prepared_transactions=100", "wal_level=logical",
                    "max_wal_size=4GB"]
        words = [PG_BIN / "postgres", "-D", data]
        for setting in settings:
            words += ["-c", setting]
        process = self.start("postgres", words, stop=signal.SIGINT, unprivileged=True)
        base = f"postgresql://app@127.0.0.1:{port}"
        self.wait_ready("postgres", process, self.answers(f"{base}/postgres"))
        psql(f"{base}/postgres", "CREATE DATABASE app")
        return f"{base}/app", data, port

    def pgbouncer(self, socket_folder, shard_port):
        """Transaction pooling before that server. Returns its URL and its process id."""
        port, folder = free_port(), self.own_folder("bouncer")
        (folder / "users").write_text('"app" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\napp = host={socket_folder} port={shard_port} dbname=app\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {folder}/users\npool_mode = transaction\n"
            f"default_pool_size = {POOL_SIZE}\nmax_client_conn = 500\nlog_connections = 0\nlog_disconnections = 0\n"
        )
        process = self.start("pgbouncer", ["/usr/sbin/pgbouncer", folder / "pgbouncer.ini"], stop=signal.SIGINT, unprivileged=True)
        url = f"postgresql://app@127.0.0.1:{port}/app"
        self.wait_ready("pgbouncer", process, self.answers(url))
        return url, process.pid

    def sherd_url(self, name):
        for line in (self.folder / f"{name}.log").read_text().splitlines():
            if line.startswith("sherd ready: "):
                return line.removeprefix("sherd ready: ")
        return None

    def sherd_serve(self, socket_folder, shard_port):
        """The router before that one server. Returns its URL and its process id."""
        config = self.folder / "sherd.toml"
        config.write_text(
            f'[listen]\nport = {free_port()}\nworkers = 1\nauth = "trust"\n\n[cluster]\ndatabase = "app"\n\n'
            f"[pool]\nsize = {POOL_SIZE}\n\n[[users]]\nname = \"app\"\nadmin = true\n\n"
            f'[[shards]]\nid = "one"\nhost = "{socket_folder}"\nport = {shard_port}\nuser = "app"\n'
        )
        process = self.start("sherd-1", [self.sherd, "serve", "--config", config])
        self.wait_ready("sherd-1", process, lambda: self.sherd_url("sherd-1"))
        return f"postgresql://app@127.0.0.1:{self.sherd_url('sherd-1').rsplit(':', 1)[1]}", process.pid

    def sherd_dev(self, shards):
        """A router with shards of its own. Returns its URL and its process id."""
        name = f"sherd-{shards}"
        command = [self.sherd, "dev", "--dir", self.folder / "cluster", "--shards", shards, "--port", 0, "--workers", 1]
        process = self.start(name, command, env={**os.environ, "SHERD_DEV_NO_FSYNC": "1"})
        return self.wait_ready(name, process, lambda: self.sherd_url(name)), process.pid
