"""Records of a whole evaluation that nobody measured, from a simple law: figures, claims and page without a long run.

    python tests/evaluation_records.py records.jsonl
    python -m surefoot report records.jsonl -o report.html
"""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path

# Seconds of a task that hold the GIL, and seconds outside of it.
DEMANDS = {
    "micro": (50e-6, 180e-6),
    "stated": (0.010, 0.050),
    "io": (30e-6, 0.050),
    "cpu": (0.005, 0.0),
    "vision": (0.004, 0.010),
    "voice": (0.003, 0.012),
    "fusion": (0.002, 0.004),
    "rag": (0.006, 0.030),
    "slm": (0.009, 0.016),
    "analytics": (0.005, 0.005),
    "onnx": (0.001, 0.006),
}
PROFILES = ("vision", "voice", "fusion", "rag", "slm", "analytics", "onnx")
THREADS = tuple(1 << power for power in range(12))
SHORT = (1, 4, 8, 16, 32, 64, 256)
MACHINE = {
    "cpu_model": "Synthetic Processor 9000 CPU @ 2.00GHz",
    "architecture": "x86_64",
    "cores": 2,
    "quota_cores": None,
    "memory_bytes": 8 << 30,
    "kernel": "6.1.0-synthetic",
    "system": "No system at all",
}
VERSIONS = {"3.12": "3.12.11", "3.14": "3.14.0", "3.14t": "3.14.0"}


class Law:
    """Throughput, latency and shares of a pool of fixed size; all of it made up, none of it absurd."""

    def __init__(self, workload, cores, *, free=False, demand_s=None, quota=None):
        self.held_s, self.outside_s = demand_s or DEMANDS[workload]
        self.cores = cores
        self.free = free
        self.quota = quota
        # A second core makes hand-overs dear where tasks are short.
        self.hand_over_s = 0.0 if free else (28e-6 if cores > 1 else 1e-6) * (self.outside_s > 0)

    @property
    def ceiling(self):
        servers = self.cores if self.free else 1.0
        if self.quota is not None:
            servers = min(servers, self.quota)
        return servers / (self.held_s + self.hand_over_s)

    def rate(self, threads):
        free_running = threads / (self.held_s + self.outside_s)
        knee = self.ceiling * (self.held_s + self.outside_s)
        rate = (free_running**-6 + self.ceiling**-6) ** (-1 / 6)
        # Each doubling of threads beyond four times the knee costs some per cent.
        beyond = max(0.0, math.log2(threads / (4 * knee))) if threads > 4 * knee else 0.0
        return rate * (1 - 0.055) ** beyond

    def wall_ms(self, threads, tail=1.0):
        return 1000 * max(threads / self.rate(threads), self.held_s + self.outside_s) * tail

    def shares(self, threads):
        whole = self.wall_ms(threads) / 1000
        cpu = min(0.99, self.held_s / whole)
        io = min(1 - cpu, self.outside_s / whole)
        rest = 1 - cpu - io
        return {"cpu": cpu, "runqueue": 0.1 * rest, "gil": 0.9 * rest, "io": io, "error": 0.02}

    def knee(self):
        return max(1, round(self.ceiling * (self.held_s + self.outside_s)))


class Writer:
    """Collects lines; the same seed gives the same lines."""

    def __init__(self, seed=7, repeats=3, spread=0.012):
        self.random = random.Random(seed)
        self.repeats = repeats
        self.spread = spread
        self.lines = []

    def noise(self):
        return math.exp(self.random.gauss(0.0, self.spread))

    def measurement(self, law, threads, *, gain=1.0, limit=None, tail=1.0, **more):
        at = max(1, limit if limit is not None else threads or 1)
        rate = law.rate(at) * gain * self.noise()
        wall = law.wall_ms(at) / gain
        window_s = 2.0
        shares = law.shares(at)
        switches = rate * window_s * (1 + 3 * (law.cores > 1))
        return {
            "tasks_done": round(rate * window_s),
            "window_s": window_s,
            "tasks_per_s": rate,
            "wall_ms_p50": wall * self.noise(),
            "wall_ms_p95": 1.6 * tail * wall * self.noise(),
            "wall_ms_p99": 2.2 * tail * wall * self.noise(),
            "is_truncated": at > 4 * rate * window_s,
            "open_s": window_s,
            "cpu_s": min(law.cores, rate * law.held_s * 1.1) * window_s,
            "switches_voluntary": round(0.9 * switches),
            "switches_involuntary": round(0.1 * switches),
            "gil_switches_per_s": None if law.free else switches / window_s,
            "limit": at,
            "workers_live": at,
            "processes": 1,
            "rss_bytes_max": round((24 + 0.03 * at) * 2**20),
            "pss_bytes_max": round((20 + 0.03 * at) * 2**20),
            "beta_mean": None,
            "shares": None,
            "vetoes": None,
            "timeline": None,
            "decisions": None,
            "_shares": shares,
            **more,
        }

    def add(self, experiment, workload, strategy, threads, measurement, *, repeat, python="3.12", cores=1, **more):
        measurement = dict(measurement)
        measurement.pop("_shares", None)
        self.lines.append(
            {
                "type": "comparison_run",
                "schema": 1,
                "suite": "evaluation",
                "suite_digest": "5eed",
                "experiment": experiment,
                "phase": "single",
                "workload": workload,
                "parameters": {},
                "strategy": strategy,
                "threads": threads,
                "cores": cores,
                "cores_asked": cores,
                "quota_cores": None,
                "interpreter": {
                    "tag": python,
                    "implementation": "CPython",
                    "version": VERSIONS[python],
                    "is_free_threaded": python.endswith("t"),
                    "is_gil_enabled": not python.endswith("t"),
                    "switch_interval_s": 0.005,
                },
                "machine": MACHINE,
                "kernel": MACHINE["kernel"],
                "commit": "0" * 40,
                "surefoot_version": "0.1.0",
                "repeat": repeat,
                "order": len(self.lines),
                "at_unix_s": 1_790_000_000.0 + len(self.lines),
                "is_noisy": False,
                "measurement": measurement,
                **more,
            }
        )

    def each(self):
        return range(self.repeats)

    def ours(self, law, **more):
        """Our pool with `knee`: near the best, whatever the cap."""
        limit = law.knee() + 2
        return self.measurement(law, None, limit=limit, gain=0.99, shares=law.shares(limit), beta_mean=0.9, **more)

    def paper(self, law, **more):
        """The published controller: it climbs to 30 and stays there."""
        limit = 30
        shares = law.shares(limit)
        return self.measurement(law, None, limit=limit, shares=shares, beta_mean=1 - shares["cpu"], **more)


def timeline(law, limits, seconds=20.0, step_s=0.5):
    points, done = [], 0.0
    for number in range(int(seconds / step_s)):
        limit = limits(number * step_s)
        shares = law.shares(limit)
        done += law.rate(limit) * step_s
        points.append(
            {
                "at_s": (number + 1) * step_s,
                "limit": limit,
                "tasks_done": round(done),
                "queued": 2 * limit,
                "beta": 1 - shares["cpu"],
                **{name: shares[name] for name in ("cpu", "runqueue", "gil", "io")},
            }
        )
    return points


def cliff(w):
    for asked, cores in ((1, 1), (4, 2)):
        for workload in ("micro", "stated", "io", "cpu"):
            law = Law(workload, cores)
            for repeat in w.each():
                for threads in THREADS:
                    if workload == "stated" and threads > 256:
                        continue
                    more = {"repeat": repeat, "cores": cores, "cores_asked": asked}
                    w.add("cliff", workload, "static", threads, w.measurement(law, threads), phase="sweep", **more)
                for cap in (64, 2048):
                    w.add("knee-cliff", workload, "knee", cap, w.ours(law), **more)


def solutions(w):
    for workload in ("micro", "stated"):
        for python in ("3.12", "3.14", "3.14t"):
            law = Law(workload, 2, free=python == "3.14t")
            best = min(SHORT, key=lambda n: -law.rate(n) * (1 - 0.001 * math.log2(n)))
            for repeat in w.each():
                add = {"repeat": repeat, "python": python, "cores": 2}
                for threads in SHORT:
                    w.add(
                        "solutions", workload, "static", threads, w.measurement(law, threads), phase="sweep", **add
                    )
                add["phase"] = "contest"
                w.add("solutions", workload, "static-best", best, w.measurement(law, best), **add)
                w.add("solutions", workload, "knee", None, w.ours(law), **add)
                if python == "3.14":
                    w.add("solutions", workload, "interpreter", 8, w.measurement(law, 8, gain=1.7), **add)
                if python != "3.12":
                    continue
                w.add("solutions", workload, "sequential", None, w.measurement(law, 1), **add)
                w.add("solutions", workload, "static", 256, w.measurement(law, 256), **add)
                w.add("solutions", workload, "paper", None, w.paper(law), **add)
                w.add("solutions", workload, "queue-depth", None, w.measurement(law, None, limit=200), **add)
                w.add("solutions", workload, "bench/strategies/betapool.py", None, w.paper(law, gain=0.9), **add)
                w.add(
                    "solutions", workload, "bench/strategies/futurist.py", None,
                    w.measurement(law, None, limit=32, gain=0.7), **add,
                )  # fmt: skip
                for processes in (4, 8):
                    pss = round(11 * 2**20 * (processes + 1))
                    measured = w.measurement(
                        law, processes, gain=1.4, processes=processes + 1,
                        pss_bytes_max=pss, rss_bytes_max=2 * pss,
                    )  # fmt: skip
                    w.add("solutions", workload, "process", processes, measured, **add)
                for tasks in (128, 256):
                    w.add("solutions", workload, "asyncio", tasks, w.measurement(law, tasks, gain=1.2), **add)
    w.lines.append(
        {
            "type": "comparison_unavailable", "schema": 1, "experiment": "solutions", "workload": "micro",
            "strategy": "interpreter", "interpreter": {"tag": "3.12"}, "reason": "no interpreter pools before 3.14",
        }
    )  # fmt: skip


def paradox(w):
    for asked, cores in ((1, 1), (2, 2), (4, 2)):
        law = Law("micro", cores)
        for repeat in w.each():
            for threads in (1, 4, 16, 64, 256, 1024):
                w.add(
                    "paradox", "micro", "static", threads, w.measurement(law, threads),
                    repeat=repeat, cores=cores, cores_asked=asked, phase="sweep",
                )  # fmt: skip


def shares(w):
    for workload in ("micro", "stated", "cpu"):
        law = Law(workload, 2)
        for repeat in w.each():
            for threads in (1, 2, 4, 8, 16, 32, 64, 128, 256):
                own = law.shares(threads)
                w.add(
                    "shares", workload, "fixed", threads,
                    w.measurement(law, threads, shares=own, beta_mean=1 - own["cpu"]),
                    repeat=repeat, cores=2, phase="sweep",
                )  # fmt: skip


def timelines(w):
    for workload in ("stated", "io"):
        law = Law(workload, 2)
        knee = law.knee()
        limits = {
            "paper": lambda at_s: min(64, 4 + int(at_s / 0.5)),
            "bench/strategies/betapool.py": lambda at_s: min(64, 4 + 2 * int(at_s / 1.0)),
            "knee": lambda at_s, knee=knee: min(knee + 2, 6 + int(at_s / 0.05)),
        }
        for repeat in w.each():
            for strategy, limit in limits.items():
                measured = w.measurement(
                    law, None, limit=limit(20), timeline=timeline(law, limit), shares=law.shares(limit(20)),
                    vetoes={"gil": 12} if strategy == "knee" else {}, beta_mean=1 - law.shares(limit(20))["cpu"],
                    decisions=[
                        {"at_s": 2.0, "limit": limit(2.0), "rule": "veto", "reason": "gil"},
                        {"at_s": 6.0, "limit": limit(6.0), "rule": "veto", "reason": "gil"},
                    ] if strategy == "knee" else [],
                )  # fmt: skip
                w.add("timelines", workload, strategy, None, measured, repeat=repeat, cores=2)


def threshold(w):
    for workload in ("micro", "stated", "cpu"):
        law = Law(workload, 2)
        for repeat in w.each():
            for tenths in range(1, 10):
                beta = tenths / 10
                limit = 64 if beta < 0.7 else 8
                own = law.shares(limit)
                w.add(
                    "threshold", workload, "paper", None,
                    w.measurement(law, None, limit=limit, beta_mean=1 - own["cpu"], shares=own, vetoes={"gil": tenths}),
                    repeat=repeat, cores=2, parameters={"beta_threshold": beta},
                )  # fmt: skip


def contest(w, experiment, workload, law, sizes, strategies, repeat, **more):
    for threads in sizes:
        w.add(experiment, workload, "static", threads, w.measurement(law, threads), phase="sweep", repeat=repeat, **more)
    best = max(sizes, key=law.rate)
    more = {**more, "phase": "contest", "repeat": repeat}
    w.add(experiment, workload, "static-best", best, w.measurement(law, best), **more)
    if "knee" in strategies:
        w.add(experiment, workload, "knee", None, w.ours(law), **more)
    if "paper" in strategies:
        w.add(experiment, workload, "paper", None, w.paper(law), **more)
    if "static" in strategies:
        w.add(experiment, workload, "static", 256, w.measurement(law, 256), **more)


def ratio_grid(w):
    for cpu_ms in (0.1, 1, 10):
        for io_ms in (0.1, 1, 10, 50):
            law = Law("ratio", 2, demand_s=(cpu_ms / 1000, io_ms / 1000))
            for repeat in w.each():
                contest(
                    w, "ratio-grid", "ratio", law, SHORT, ("knee", "paper"), repeat,
                    cores=2, parameters={"cpu_ms": cpu_ms, "io_ms": io_ms},
                )  # fmt: skip


def profiles(w):
    for workload in PROFILES:
        law = Law(workload, 2)
        for repeat in w.each():
            contest(
                w, "profiles", f"bench/workloads/{workload}.py", law, SHORT,
                ("knee", "paper", "static"), repeat, cores=2,
            )  # fmt: skip


def memory(w):
    law = Law("vision", 2)
    for repeat in w.each():
        for count in (1, 2, 4, 8, 16):
            threads = w.measurement(law, count)
            w.add("memory", "vision", "static", count, threads, repeat=repeat, cores=2)
            w.add("memory", "vision", "knee", count, w.ours(law), repeat=repeat, cores=2)
            pss = round((14 + 13 * count) * 2**20 * w.noise())
            processes = w.measurement(
                law, count, processes=count + 1, pss_bytes_max=pss, rss_bytes_max=round(2.1 * pss)
            )
            w.add("memory", "vision", "process", count, processes, repeat=repeat, cores=2)


def overhead(w):
    for workload in ("micro", "stated"):
        law = Law(workload, 2)
        for repeat in w.each():
            for threads in (4, 16, 64):
                for strategy, gain in (("static", 1.0), ("fixed", 1.03)):
                    w.add(
                        "overhead", workload, strategy, threads, w.measurement(law, threads, gain=gain),
                        repeat=repeat, cores=2,
                    )  # fmt: skip


def granularity(w):
    for workload, iterations in (("micro", 1), ("micro", 100)):
        held_s, outside_s = DEMANDS[workload]
        law = Law(workload, 2, demand_s=(held_s * iterations, outside_s * iterations))
        for repeat in w.each():
            contest(
                w, "granularity", workload, law, SHORT, ("knee", "static"), repeat,
                cores=2, parameters={"iterations": iterations},
            )  # fmt: skip


def free_threading(w):
    for python in ("3.14", "3.14t"):
        for workload in ("micro", "cpu"):
            law = Law(workload, 2, free=python == "3.14t")
            for repeat in w.each():
                for threads in (1, 2, 4, 8, 16, 32, 128, 512, 2048):
                    more = {"repeat": repeat, "python": python, "cores": 2}
                    w.add(
                        "free-threading", workload, "static", threads, w.measurement(law, threads),
                        phase="sweep", **more,
                    )  # fmt: skip
                w.add("free-threading", workload, "knee", None, w.ours(law), **more)


def quota(w):
    for workload in ("stated", "micro"):
        for cores in (0.5, 1.0, 2.0):
            law = Law(workload, 2, quota=cores)
            for repeat in w.each():
                contest(
                    w, "quota", workload, law, SHORT, ("knee", "paper"), repeat, cores=2, quota_cores=cores,
                )  # fmt: skip


EXPERIMENTS = {
    "cliff": cliff,
    "solutions": solutions,
    "paradox": paradox,
    "shares": shares,
    "timelines": timelines,
    "threshold": threshold,
    "ratio-grid": ratio_grid,
    "profiles": profiles,
    "memory": memory,
    "overhead": overhead,
    "granularity": granularity,
    "free-threading": free_threading,
    "quota": quota,
}


def lines(seed=7, only=tuple(EXPERIMENTS), **how):
    """The lines of an evaluation; `knee-cliff` comes with `cliff`."""
    writer = Writer(seed, **how)
    for name in only:
        EXPERIMENTS[name](writer)
    return writer.lines


def write(path, **how):
    """Write them to a file and return it."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines(**how)), "utf-8")
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]), **({"seed": int(sys.argv[2])} if len(sys.argv) > 2 else {}))
