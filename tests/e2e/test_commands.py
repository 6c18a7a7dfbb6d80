"""The program's commands: what they print, as text and as JSON, and their exit status."""

import json
import re
import subprocess

import pytest


def run(cluster, *arguments, status=0, config=None):
    done = cluster.run(*arguments, "--config", config or cluster.config)
    assert done.returncode == status, (arguments, done)
    return done


def as_json(cluster, *arguments, status=0, **kwargs):
    return json.loads(run(cluster, *arguments, "--json", status=status, **kwargs).stdout)


def test_usage(cluster):
    assert cluster.run("--help").returncode == 0
    assert cluster.run("--version").stdout.startswith("sherd ")
    for wrong in ([], ["nonsense"], ["route"], ["dev", "--shards", "0"], ["explain"], ["shards"], ["status", "--nope"]):
        assert cluster.run(*wrong).returncode == 2, wrong


def test_check(cluster):
    assert "no problem found" in run(cluster, "check").stdout
    assert as_json(cluster, "check") == []


def test_status_tables_and_shards(cluster, db, name):
    db.distributed(name)
    text = run(cluster, "status").stdout
    assert "shard1" in text and name in text
    assert name in run(cluster, "tables").stdout
    assert [s["shard"] for s in as_json(cluster, "shards", "list")] == ["shard1", "shard2", "shard3"]
    assert name in {t["table"] for t in as_json(cluster, "tables")}
    assert as_json(cluster, "transactions") == []


def test_status_is_one_json_document(cluster):
    json.loads(cluster.run("status", "--json", "--config", cluster.config).stdout)


def test_route(cluster, db, name):
    db.distributed(name)
    for key in (1, 2, 3, 77):
        db.run(f"INSERT INTO {name} VALUES ({key})")
    routes = as_json(cluster, "route", name, "1", "2", "3", "77")
    for route in routes:
        (shard,) = [f"shard{i}" for i, r in enumerate(cluster.on_shards(f"SELECT count(*) FROM {name} WHERE id = {route['key']}"), 1) if r == [1]]
        assert route["shard"] == shard and route["why"]
    assert re.match(r"1 -> shard\d  \(.+\)", run(cluster, "route", name, "1").stdout)
    assert "42P01" == as_json(cluster, "route", "no_such_table", "1", status=1)["sqlstate"]
    assert as_json(cluster, "route", name, "abc", status=1)["sqlstate"] == "22P02"
    assert "sherd:" in run(cluster, "route", "no_such_table", "1", status=1).stderr


def test_explain(cluster, db, name):
    db.distributed(name)
    one = run(cluster, "explain", f"SELECT * FROM {name} WHERE id = 7").stdout
    assert one.count("on shard") == 1, one
    assert run(cluster, "explain", f"SELECT count(*) FROM {name}").stdout.count("on shard") == 3
    assert as_json(cluster, "explain", f"SELECT count(*) FROM {name}")
    assert as_json(cluster, "explain", "SELEC 1", status=1)["sqlstate"] == "42601"
    assert as_json(cluster, "explain", "SELECT * FROM no_such_table", status=1)["sqlstate"] == "42P01"


def test_a_router_that_does_not_run(cluster, tmp_path):
    config = tmp_path / "other.toml"
    config.write_text(re.sub(r"port = \d+\nworkers", "port = 1\nworkers", cluster.config.read_text(), count=1))
    for command in (["status"], ["tables"], ["explain", "SELECT 1"], ["shards", "list"]):
        done = run(cluster, *command, status=1, config=config)
        assert "does not answer" in done.stderr, done


def test_no_configuration(cluster, tmp_path):
    for command in (["check"], ["serve"], ["status"], ["route", "t", "1"]):
        done = run(cluster, *command, status=1, config=tmp_path / "none.toml")
        assert "none.toml" in done.stderr


WRONG = {
    "not toml": "[[[",
    "unknown key": '[listen]\nprot = 1\n',
    "wrong type": '[listen]\nport = "many"\n',
    "port out of range": "[listen]\nport = 70000\n",
    "no shards": "[listen]\nport = 6432\n",
    "twice": '[[shards]]\nid = "a"\nhost = "/tmp"\n[[shards]]\nid = "a"\nhost = "/tmp"\n',
    "secret missing": '[[users]]\nname = "x"\npassword = "env:NO_SUCH_VARIABLE"\n[[shards]]\nid = "a"\nhost = "/tmp"\n',
    "unknown strategy": '[[shards]]\nid = "a"\nhost = "/tmp"\n[[tables]]\nname = "t"\nkey = "id"\nstrategy = "slott"\n',
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_wrong_configurations(cluster, tmp_path, text):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    for command in ("check", "serve"):
        done = cluster.run(command, "--config", path)
        assert done.returncode == 1 and "sherd:" in done.stderr and "wrong.toml" in done.stderr, done
    if "prot" in text:
        assert 'port' in done.stderr


def test_a_port_that_is_taken(cluster, tmp_path):
    done = cluster.run("serve", "--config", cluster.config)
    assert done.returncode == 1 and "in use by another router" in done.stderr, done


def test_a_second_router_on_the_state_does_not_disturb_the_first(cluster, db, name):
    cluster.run("serve", "--config", cluster.config)
    db.distributed(name)
    assert db.one(f"SELECT count(*) FROM {name}") == 0


def test_serve_with_shards_that_do_not_answer(cluster, tmp_path):
    path = tmp_path / "dead.toml"
    path.write_text('[listen]\nhost = "127.0.0.1"\nport = 0\nauth = "trust"\n[[users]]\nname = "app"\n[[shards]]\nid = "a"\nhost = "/tmp/nowhere"\nuser = "app"\n')
    done = cluster.run("serve", "--config", path)
    assert done.returncode == 1 and "a" in done.stderr, done
    assert cluster.run("check", "--config", path).returncode == 1


def test_shards_add_and_remove(cluster, tmp_path, db, name):
    """On a copy of the configuration: the running cluster keeps its three."""
    db.distributed(name)
    config = tmp_path / "sherd.toml"
    config.write_text(cluster.config.read_text())
    assert as_json(cluster, "shards", "remove", "nope", status=1, config=config)["sqlstate"] == "42704"
    assert "not empty" in run(cluster, "shards", "remove", "shard2", status=1, config=config).stderr
    assert as_json(cluster, "shards", "add", "shard2", "--host", "/tmp", status=1, config=config)["sqlstate"] == "42710"
    assert run(cluster, "shards", "add", "shard4", "--host", "/tmp/nowhere", status=1, config=config).stderr.startswith("sherd:")
    assert config.read_text() == cluster.config.read_text()


def test_psql_meta_commands(cluster, db, name):
    db.distributed(name)
    for command in (r"\d", r"\dt", r"\l", rf"\d {name}", r"\dn", r"\du", r"\df", r"\di", r"\dt+", r"\conninfo", r"\x", r"\timing"):
        done = subprocess.run(
            ["psql", "-X", "-v", "ON_ERROR_STOP=1", f"host=127.0.0.1 port={cluster.port} user=app dbname=app", "-c", command],
            capture_output=True, text=True, timeout=30,
        )
        assert done.returncode == 0, (command, done.stderr)
    assert name in subprocess.run(
        ["psql", "-X", f"host=127.0.0.1 port={cluster.port} user=app dbname=app", "-c", r"\dt"], capture_output=True, text=True, timeout=30
    ).stdout
    for command in ("SHOW SHARDS", r"\x"):
        done = subprocess.run(["psql", "-X", f"host=127.0.0.1 port={cluster.port} user=app dbname=sherd", "-c", command], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr


def test_pgbench(cluster, db):
    base = ["-h", "127.0.0.1", "-p", str(cluster.port), "-U", "app", "app"]
    done = subprocess.run(["pgbench", "-i", "-s", "1", "-q", *base], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    db.run("SELECT create_distributed_table('pgbench_accounts', 'aid')")
    db.run("SELECT create_distributed_table('pgbench_history', 'aid', colocate_with => 'pgbench_accounts')")
    db.run("SELECT create_reference_table('pgbench_tellers')")
    db.run("SELECT create_reference_table('pgbench_branches')")
    assert db.one("SELECT count(*) FROM pgbench_accounts") == 100000
    for mode in ("simple", "extended", "prepared"):
        for script in ("-S", "-N"):
            done = subprocess.run(["pgbench", "-n", script, "-M", mode, "-c", "4", "-t", "40", *base], capture_output=True, text=True, timeout=120)
            assert done.returncode == 0 and "number of failed transactions: 0" in done.stdout, done
    assert db.one("SELECT count(*) FROM pgbench_history") == 3 * 4 * 40
    assert db.one("SELECT sum(abalance) FROM pgbench_accounts") == db.one("SELECT sum(delta) FROM pgbench_history")
