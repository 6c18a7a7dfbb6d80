"""The modules' own benchmarks, held against the goals for speed.

Each is repeated, in an order that is mixed with the others of its program, and the median counts: goals are ratios of two
benchmarks, and on a busy machine one run of each says nothing.
"""

import json
import statistics
import subprocess

REPETITIONS = 7

# program, filter: what the goals speak of
SUITES = (
    ("strategy_bench", "bigint/|uuid/|text/|bare_evp"),
    ("sql_bench", "BM_LiftAndFind|BM_RawParse|BM_Analyze/"),
    ("plan_bench", "route_|plan_statement"),
    ("merge_bench", "."),
    ("wire_bench", "."),
)


def measure(folder, seconds):
    """Name to {ns, items_per_second, bytes_per_second} for every benchmark that is built."""
    found, missing = {}, []
    for program, pattern in SUITES:
        path = folder / program
        if not path.exists():
            missing.append(program)
            continue
        done = subprocess.run(
            [str(path), f"--benchmark_filter={pattern}", "--benchmark_format=json", f"--benchmark_min_time={seconds}",
             f"--benchmark_repetitions={REPETITIONS}", "--benchmark_enable_random_interleaving=true"],
            capture_output=True, text=True, timeout=300, check=True,
        )
        runs = {}
        for one in json.loads(done.stdout)["benchmarks"]:
            if one["run_type"] == "iteration":
                runs.setdefault(one["run_name"], []).append(one)
        found.update({f"{program}:{name}": summary(repeated) for name, repeated in runs.items()})
    return found, missing


def summary(runs):
    """Medians of the CPU time and of the rates; `spread` is (largest - smallest) / median of the time."""
    failed = [one.get("error_message", "failed") for one in runs if one.get("error_occurred")]
    if failed:
        return {"ns": float("nan"), "spread": 0.0, "error": failed[0]}
    scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
    times = [one["cpu_time"] * scale[one["time_unit"]] for one in runs]
    middle = statistics.median(times)
    figures = {"ns": middle, "spread": (max(times) - min(times)) / middle}
    for rate in ("items_per_second", "bytes_per_second"):
        if rate in runs[0]:
            figures[rate] = statistics.median(one[rate] for one in runs)
    return figures


def goals(found):
    """The goals as (what, measured, wanted, unit, at least or at most); those not measured are left out."""
    lines = []

    def rate(name):
        return found[f"strategy_bench:{name}"]["items_per_second"] / 1e6

    def add(what, value_of, wanted, unit, sense):
        try:
            value = value_of()
        except KeyError:
            return
        good = value >= wanted if sense == "at least" else value <= wanted
        lines.append({"what": what, "value": value, "wanted": wanted, "unit": unit, "sense": sense, "met": good})

    for name, wanted in (("slot_bigint", 30), ("range_bigint", 30), ("geographic_text", 15), ("directory_bigint", 15)):
        for shards in (10, 1000):
            add(f"key to shard, {name}, {shards} shards", lambda n=name, s=shards: rate(f"{n}/{s}"), wanted, "M/s", "at least")
    for name in ("hash_md5_bigint", "ring_md5_bigint"):
        add(f"key to shard, {name}, of bare EVP md5", lambda n=name: rate(f"{n}/10") / rate("bare_evp_md5"), 0.7, "x", "at least")
    for name in ("slot_bigint", "range_bigint", "geographic_text", "directory_bigint", "hash_md5_bigint", "ring_md5_bigint"):
        add(f"1000 shards slower than 10, {name}", lambda n=name: rate(f"{n}/10") / rate(f"{n}/1000"), 2, "x", "at most")

    def ns(name):
        return found[name]["ns"]

    add("cached analysis, text with literals to shard",
        lambda: ns("sql_bench:BM_LiftAndFind/0") + ns("plan_bench:route_literal"), 1000, "ns", "at most")
    for index, what in ((0, "point query"), (1, "report")):
        add(f"uncached analysis over libpg_query's parse, {what}",
            lambda i=index: ns(f"sql_bench:BM_Analyze/{i}") / ns(f"sql_bench:BM_RawParse/{i}"), 1.3, "x", "at most")
    return lines
