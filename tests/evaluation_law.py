"""The law that made-up records follow, and what turns it into lines."""

from __future__ import annotations

import math
import random

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
SHARES = ("cpu", "runqueue", "gil", "io")
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

    def add(
        self, experiment, workload, strategy, threads, measurement, *, repeat, python="3.12", cores=1, **more
    ):
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
                # The suite asks for four; the made-up machine has two.
                "cores_asked": 4 if cores == 2 else cores,
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
        return self.measurement(
            law, None, limit=limit, gain=0.99, shares=law.shares(limit), beta_mean=0.9, **more
        )

    def paper(self, law, **more):
        """The published controller: it climbs to 30 and stays there."""
        limit = 30
        shares = law.shares(limit)
        return self.measurement(law, None, limit=limit, shares=shares, beta_mean=1 - shares["cpu"], **more)


def timeline(law, limits, seen=SHARES, seconds=20.0, step_s=0.5):
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
                **{name: shares[name] if name in seen else None for name in SHARES},
            }
        )
    return points
