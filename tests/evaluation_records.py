"""Records of a whole evaluation that nobody measured: figures, claims and page without a long run.

They follow a simple law, with noise.


python tests/evaluation_records.py records.jsonl
python -m surefoot report records.jsonl -o report.html
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from evaluation_law import DEMANDS, PROFILES, SHORT, THREADS, Law, Writer, timeline


def cliff(w):
    for asked, cores in ((1, 1), (4, 2)):
        for workload in ("micro", "stated", "io", "cpu"):
            law = Law(workload, cores)
            for repeat in w.each():
                for threads in THREADS:
                    if workload == "stated" and threads > 256:
                        continue
                    more = {"repeat": repeat, "cores": cores, "cores_asked": asked}
                    w.add(
                        "cliff",
                        workload,
                        "static",
                        threads,
                        w.measurement(law, threads),
                        phase="sweep",
                        **more,
                    )
                for cap in (64, 2048):
                    w.add("knee-cliff", workload, "knee", cap, w.ours(law), **more)


def solutions(w):
    for workload in ("micro", "stated"):
        for python in ("3.12", "3.14", "3.14t"):
            law = Law(workload, 2, free=python == "3.14t")
            best = max(SHORT, key=law.rate)
            for repeat in w.each():
                add = {"repeat": repeat, "python": python, "cores": 2}
                for threads in SHORT:
                    w.add(
                        "solutions",
                        workload,
                        "static",
                        threads,
                        w.measurement(law, threads),
                        phase="sweep",
                        **add,
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
                w.add("solutions", workload, "../strategies/betapool.py", None, w.paper(law, gain=0.9), **add)
                w.add(
                    "solutions",
                    workload,
                    "../strategies/futurist.py",
                    None,
                    w.measurement(law, None, limit=32, gain=0.7),
                    **add,
                )
                for processes in (4, 8):
                    pss = round(11 * 2**20 * (processes + 1))
                    measured = w.measurement(
                        law,
                        processes,
                        gain=1.4,
                        processes=processes + 1,
                        pss_bytes_max=pss,
                        rss_bytes_max=2 * pss,
                    )
                    w.add("solutions", workload, "process", processes, measured, **add)
                for tasks in (128, 256):
                    w.add("solutions", workload, "asyncio", tasks, w.measurement(law, tasks, gain=1.2), **add)
    w.lines.append(
        {
            "type": "comparison_unavailable",
            "schema": 1,
            "experiment": "solutions",
            "workload": "micro",
            "strategy": "interpreter",
            "interpreter": {"tag": "3.12"},
            "reason": "no interpreter pools before 3.14",
        }
    )


def paradox(w):
    for asked, cores in ((1, 1), (2, 2), (4, 2)):
        law = Law("micro", cores)
        for repeat in w.each():
            for threads in (1, 4, 16, 64, 256, 1024):
                w.add(
                    "paradox",
                    "micro",
                    "static",
                    threads,
                    w.measurement(law, threads),
                    repeat=repeat,
                    cores=cores,
                    cores_asked=asked,
                    phase="sweep",
                )


def shares(w):
    for workload in ("micro", "stated", "cpu"):
        law = Law(workload, 2)
        for repeat in w.each():
            for threads in (1, 2, 4, 8, 16, 32, 64, 128, 256):
                own = law.shares(threads)
                w.add(
                    "shares",
                    workload,
                    "fixed-watched",
                    threads,
                    w.measurement(law, threads, shares=own, beta_mean=1 - own["cpu"]),
                    repeat=repeat,
                    cores=2,
                    phase="sweep",
                )


def timelines(w):
    for workload in ("stated", "io"):
        law = Law(workload, 2)
        knee = law.knee()
        limits = {
            "paper": lambda at_s: min(64, 4 + int(at_s / 0.5)),
            "../strategies/betapool.py": lambda at_s: min(64, 4 + 2 * int(at_s / 1.0)),
            "knee": lambda at_s, knee=knee: min(knee + 2, 6 + int(at_s / 0.05)),
        }
        for repeat in w.each():
            for strategy, limit in limits.items():
                measured = w.measurement(
                    law,
                    None,
                    limit=limit(20),
                    timeline=timeline(law, limit),
                    shares=law.shares(limit(20)),
                    vetoes={"gil": 12} if strategy == "knee" else {},
                    beta_mean=1 - law.shares(limit(20))["cpu"],
                    decisions=[
                        {"at_s": 2.0, "limit": limit(2.0), "rule": "veto", "reason": "gil"},
                        {"at_s": 6.0, "limit": limit(6.0), "rule": "veto", "reason": "gil"},
                    ]
                    if strategy == "knee"
                    else [],
                )
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
                    "threshold",
                    workload,
                    "paper",
                    None,
                    w.measurement(
                        law, None, limit=limit, beta_mean=1 - own["cpu"], shares=own, vetoes={"gil": tenths}
                    ),
                    repeat=repeat,
                    cores=2,
                    parameters={"beta_threshold": beta},
                )


def contest(w, experiment, workload, law, sizes, strategies, repeat, **more):
    for threads in sizes:
        w.add(
            experiment,
            workload,
            "static",
            threads,
            w.measurement(law, threads),
            phase="sweep",
            repeat=repeat,
            **more,
        )
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
                    w,
                    "ratio-grid",
                    "../workloads/ratio.py",
                    law,
                    SHORT,
                    ("knee", "paper"),
                    repeat,
                    cores=2,
                    parameters={"cpu_ms": cpu_ms, "io_ms": io_ms},
                )


def profiles(w):
    for workload in PROFILES:
        law = Law(workload, 2)
        for repeat in w.each():
            contest(
                w,
                "profiles",
                f"../workloads/{workload}.py",
                law,
                SHORT,
                ("knee", "paper", "static"),
                repeat,
                cores=2,
            )


def memory(w):
    law = Law("vision", 2)
    for repeat in w.each():
        for count in (1, 2, 4, 8, 16):
            threads = w.measurement(law, count)
            w.add("memory", "../workloads/vision.py", "static", count, threads, repeat=repeat, cores=2)
            w.add("memory", "../workloads/vision.py", "knee", count, w.ours(law), repeat=repeat, cores=2)
            pss = round((14 + 13 * count) * 2**20 * w.noise())
            processes = w.measurement(
                law, count, processes=count + 1, pss_bytes_max=pss, rss_bytes_max=round(2.1 * pss)
            )
            w.add("memory", "../workloads/vision.py", "process", count, processes, repeat=repeat, cores=2)


def overhead(w):
    for workload in ("micro", "stated"):
        law = Law(workload, 2)
        for repeat in w.each():
            for threads in (4, 16, 64):
                for strategy, gain in (("static", 1.0), ("fixed", 1.03)):
                    w.add(
                        "overhead",
                        workload,
                        strategy,
                        threads,
                        w.measurement(law, threads, gain=gain),
                        repeat=repeat,
                        cores=2,
                    )


def granularity(w):
    held_s, outside_s = DEMANDS["micro"]
    for iterations in (1, 100):
        law = Law("coarse", 2, demand_s=(held_s * iterations, outside_s * iterations))
        for repeat in w.each():
            contest(
                w,
                "granularity",
                "../workloads/coarse.py",
                law,
                SHORT,
                ("knee", "static"),
                repeat,
                cores=2,
                parameters={"iterations": iterations},
            )


def free_threading(w):
    for python in ("3.14", "3.14t"):
        for workload in ("micro", "cpu"):
            law = Law(workload, 2, free=python == "3.14t")
            for repeat in w.each():
                for threads in (1, 2, 4, 8, 16, 32, 128, 512, 2048):
                    more = {"repeat": repeat, "python": python, "cores": 2}
                    w.add(
                        "free-threading",
                        workload,
                        "static",
                        threads,
                        w.measurement(law, threads),
                        phase="sweep",
                        **more,
                    )
                w.add("free-threading", workload, "knee", None, w.ours(law), **more)


def quota(w):
    for workload in ("stated", "micro"):
        for cores in (0.5, 1.0, 2.0):
            law = Law(workload, 2, quota=cores)
            for repeat in w.each():
                contest(
                    w,
                    "quota",
                    workload,
                    law,
                    SHORT,
                    ("knee", "paper"),
                    repeat,
                    cores=2,
                    quota_cores=cores,
                )


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
