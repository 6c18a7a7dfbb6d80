#!/usr/bin/env python3
"""Measures sherd beside PostgreSQL itself and beside PgBouncer, and the modules against the goals for speed.

pgbench runs are short and interleaved: in each round every target runs once for each kind of load, in an order that changes
from round to round, so that what else the machine does hits all of them alike. Figures are medians over the rounds.
Targets: PostgreSQL directly; PgBouncer (transaction pooling; its Debian 12 version has no prepared statements there); sherd
with that same server as its only shard; sherd with three shards. PgBouncer has one thread, and so has sherd here. Clients
connect over TCP; routers reach their servers over unix sockets. All processes share the machine's processors, so the share
of PostgreSQL's own rate is mostly a share of CPU.

Writes one table and build/bench.json.

Usage: run.py [--bin build/release/bin] [--out build/bench.json] [--quick] [--only pgbench|micro]
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import micro
from servers import POOL_SIZE, Failed, Servers, psql, run

TARGETS = ("direct", "pgbouncer", "sherd-1", "sherd-3")
LOADS = [
    {"script": script, "mode": mode, "clients": clients}
    for script in ("-S", "-N")
    for mode in ("simple", "extended", "prepared")
    for clients in (8, 32)
]
DISTRIBUTE = (
    "SELECT create_reference_table('pgbench_branches')",
    "SELECT create_reference_table('pgbench_tellers')",
    "SELECT create_distributed_table('pgbench_accounts', 'aid')",
    "SELECT create_distributed_table('pgbench_history', 'aid', colocate_with => 'pgbench_accounts')",
)


def can_run(load, target):
    return target != "pgbouncer" or load["mode"] != "prepared"


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pgbench(load, url, pid, seconds):
    """One run: transactions per second, and the CPU time of the process in the middle per transaction, in microseconds."""
    before = cpu_seconds(pid) if pid else 0.0
    words = ["pgbench", "-n", load["script"], "-M", load["mode"], "-c", load["clients"], "-j", 2, "-T", seconds, url]
    output = run(words, seconds=seconds + 60)
    spent = cpu_seconds(pid) - before if pid else None
    tps = float(re.search(r"tps = ([\d.]+) \(without", output).group(1))
    done = int(re.search(r"actually processed: (\d+)", output).group(1))
    failed = re.search(r"failed transactions: (\d+)", output)
    if failed and int(failed.group(1)):
        raise Failed(f"transactions failed\n{output}")
    return {"tps": tps, "cpu_us": spent / done * 1e6 if pid and done else None}


def start_targets(servers, scale):
    one, socket_folder, port = servers.postgres()
    bouncer, bouncer_pid = servers.pgbouncer(socket_folder, port)
    sherd_1, sherd_1_pid = servers.sherd_serve(socket_folder, port)
    sherd_3, sherd_3_pid = servers.sherd_dev(3)
    for url in (sherd_1, sherd_3):
        run(["pgbench", "-i", "-q", "-s", scale, url], seconds=300)
        psql(url, *DISTRIBUTE)
        psql(url, "VACUUM ANALYZE")
    return {
        "direct": (one, None), "pgbouncer": (bouncer, bouncer_pid),
        "sherd-1": (sherd_1, sherd_1_pid), "sherd-3": (sherd_3, sherd_3_pid),
    }


def measure_pgbench(options):
    samples = {}
    with Servers(options.bin / "sherd") as servers:
        print(f"== starting servers, pgbench scale {options.scale}", file=sys.stderr)
        targets = start_targets(servers, options.scale)
        for round_number in range(options.rounds):
            print(f"== pgbench round {round_number + 1} of {options.rounds}", file=sys.stderr)
            for number, load in enumerate(LOADS):
                shift = (round_number + number) % len(TARGETS)
                for target in TARGETS[shift:] + TARGETS[:shift]:
                    if can_run(load, target):
                        one = pgbench(load, *targets[target], options.seconds)
                        samples.setdefault((number, target), []).append(one)
    rows = []
    for number, load in enumerate(LOADS):
        row = {**load, "targets": {}}
        for target in TARGETS:
            runs = samples.get((number, target))
            if runs:
                row["targets"][target] = summary(runs, samples[number, "direct"])
        rows.append(row)
    return rows


def summary(runs, direct):
    """Medians; the ratio to PostgreSQL is the median of the rounds' own ratios, since rounds differ more than targets."""
    cpu = [one["cpu_us"] for one in runs if one["cpu_us"] is not None]
    rates = [one["tps"] for one in runs]
    middle = statistics.median(rates)
    return {
        "tps": middle,
        "spread": (max(rates) - min(rates)) / middle if len(rates) > 1 else None,
        "of_direct": statistics.median(one["tps"] / beside["tps"] for one, beside in zip(runs, direct)),
        "cpu_us": statistics.median(cpu) if cpu else None,
        "runs": runs,
    }


# ---- the table


def print_pgbench(rows):
    print("\npgbench: transactions per second (share of PostgreSQL's own), CPU µs per transaction of the process between\n")
    print(f"{'load':22}" + "".join(f"{target:>{10 if target == 'direct' else 26}}" for target in TARGETS))
    for row in rows:
        line = f"{row['script']} {row['mode']:9} {row['clients']:3} clients"
        line = f"{line:22}"
        for target in TARGETS:
            one = row["targets"].get(target)
            if target == "direct":
                line += f"{one['tps']:10.0f}"
            elif one is None:
                line += f"{'-':>26}"
            else:
                line += f"{one['tps']:10.0f} ({one['of_direct']:4.0%}) {one['cpu_us']:5.1f} µs"
        print(line)
    spreads = [one["spread"] for row in rows for one in row["targets"].values() if one["spread"] is not None]
    if spreads:
        print(f"\nrounds differ by {statistics.median(spreads):.0%} (median), {max(spreads):.0%} (worst): smaller differences say nothing")
    else:
        print("\none round only: no spread is known, and none of these figures is to be quoted")


def print_micro(found, lines, missing):
    print("\ngoals for the modules, one core, medians\n")
    for line in lines:
        value = f"{line['value']:.2f}" if line["value"] < 10 else f"{line['value']:.0f}"
        verdict = "met" if line["met"] else "MISSED"
        print(f"{line['what']:58}{value:>9} {line['unit']:4} {line['sense']} {line['wanted']:<6} {verdict}")
    print("\nbenchmarks of the modules\n")
    for name, figures in sorted(found.items()):
        extra = f"{figures['items_per_second'] / 1e6:10.1f} M items/s" if "items_per_second" in figures else ""
        if "bytes_per_second" in figures:
            extra += f"{figures['bytes_per_second'] / 1e6:10.0f} MB/s"
        print(f"{name:58}{figures['ns']:14.1f} ns ±{figures['spread'] / 2:4.0%}{extra}{'   ' + figures['error'] if 'error' in figures else ''}")
    for program in missing:
        print(f"{program}: not built")


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "processors": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description="Benchmarks of sherd.")
    parser.add_argument("--bin", type=Path, default=Path("build/release/bin"))
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--quick", action="store_true", help="under two minutes instead of ten")
    parser.add_argument("--only", choices=("pgbench", "micro"))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="length of one pgbench run")
    parser.add_argument("--scale", type=int, help="pgbench's scale")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.seconds = options.seconds or (1 if options.quick else 3)
    options.scale = options.scale or (1 if options.quick else 10)
    began = time.monotonic()
    result = {"machine": machine(), "pool_size": POOL_SIZE, "rounds": options.rounds, "seconds": options.seconds, "scale": options.scale}
    print(f"{result['machine']['cpu']}, {result['machine']['processors']} processors, load {result['machine']['load_before']:.1f} at the start")
    if options.only != "pgbench":
        print("== benchmarks of the modules", file=sys.stderr)
        found, missing = micro.measure(options.bin, 0.02 if options.quick else 0.1)
        result["modules"] = found
        result["goals"] = micro.goals(found)
    if options.only != "micro":
        result["pgbench"] = measure_pgbench(options)
        print_pgbench(result["pgbench"])
    if options.only != "pgbench":
        print_micro(found, result["goals"], missing)
    result["took_seconds"] = round(time.monotonic() - began)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\ntook {result['took_seconds']} s; written to {options.out}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, subprocess.SubprocessError) as error:
        sys.exit(f"bench: {error}")
