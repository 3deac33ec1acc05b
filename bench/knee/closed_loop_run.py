"""One run of a load on one pool, in a process of its own: ``python -m bench.knee.closed_loop_run '{...}'``.

Closed loop: some hundred tasks always wait, so the workers alone set the pace. A static pool's workers all
run before the clock does; ours starts cold, at its first ``submit``, since finding the size is what is
measured. The main thread looks every 10 ms: it tops the queue up and reads the limit.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from bench import child
from bench.contenders import start_all_workers
from bench.estimate import percentile
from bench.knee import contenders, loads, trace
from bench.knee.monitor_cpu import monitor_cpu_ns, use_cores
from bench.knee.neighbours import busy_s, others_cores

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

WINDOW_S = 0.1
_POLL_S = 0.01
_IDLE_S = 2.0
_DECISIONS_KEPT = 80
#: The pool's log holds so many; a full one may have lost its beginning.
_DECISIONS_LOGGED = 256

Entry = tuple[int, int, int]


class _Recorder:
    """Times the tasks; after the end it holds their workers, so that the rest has the interpreter alone."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.failures: list[str] = []
        self._ended: list[bool] = []
        self._shut = threading.Lock()

    def timed(self, task: Callable[[], int]) -> Callable[[], None]:
        clock, enter, ended, shut = time.perf_counter_ns, self.entries.append, self._ended, self._shut

        def run() -> None:
            begin = clock()
            try:
                kind = task()
            except BaseException as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                raise
            end = clock()
            enter((end, end - begin, kind))
            if ended:
                shut.acquire()

        return run

    def end(self) -> None:
        self._shut.acquire()
        self._ended.append(True)


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Keep the pool busy as asked and reduce what happened to plain numbers."""
    name = asked["pool"]
    pool = contenders.make_pool(name, asked.get("controller"))
    opened_ns = [time.perf_counter_ns()]
    task = loads.make(asked["load"], asked["amounts"], lambda: (time.perf_counter_ns() - opened_ns[0]) / 1e9)
    recorder = _Recorder()
    timed = recorder.timed(task)
    if contenders.is_standard(name):
        start_all_workers(pool, contenders.size_of(name))
    gc.collect()
    usage_before, monitor_before, busy_before_s = _spent()
    opened_ns[0] = time.perf_counter_ns()
    limits, gap_s_max = _drive(pool, timed, recorder, opened_ns[0], asked)
    usage, monitor, busy_after_s = _spent()
    spent_s = (time.perf_counter_ns() - opened_ns[0]) / 1e9
    recorder.end()
    own_s = usage.ru_utime + usage.ru_stime - usage_before.ru_utime - usage_before.ru_stime
    if recorder.failures:
        raise RuntimeError(f"a task failed: {recorder.failures[0]}")
    # A copy: tasks that were under way still end.
    answer = _reduce(recorder.entries.copy(), opened_ns[0], asked)
    answer |= {
        "gap_s_max": gap_s_max,
        "cores_used": own_s / spent_s,
        "others_cores": others_cores(busy_before_s, busy_after_s, own_s, spent_s),
        "switches_per_s": (usage.ru_nvcsw + usage.ru_nivcsw - usage_before.ru_nvcsw - usage_before.ru_nivcsw)
        / spent_s,
        "threads": threading.active_count(),
        "monitor_share": None if monitor is None else (monitor - (monitor_before or 0)) / 1e9 / spent_s,
    }
    answer |= _words(pool, limits)
    return answer


def _spent() -> tuple[resource.struct_rusage, int | None, float | None]:
    return resource.getrusage(resource.RUSAGE_SELF), monitor_cpu_ns(), busy_s()


def _drive(
    pool: Executor, timed: Callable[[], None], recorder: _Recorder, opened_ns: int, asked: dict[str, Any]
) -> tuple[list[tuple[float, int]], float]:
    """Feed the pool until the time is over; return how the limit moved, and the longest gap between looks."""
    stats: Any = getattr(pool, "stats", None)
    limits: list[tuple[float, int]] = [(0.0, stats().limit)] if stats else []
    entries, batch = recorder.entries, asked.get("tasks")
    changes = list(asked.get("cores_plan", ()))
    submitted, looked_s, gap_s_max = 0, 0.0, 0.0
    while True:
        now_s = (time.perf_counter_ns() - opened_ns) / 1e9
        gap_s_max, looked_s = max(gap_s_max, now_s - looked_s), now_s
        if stats and (limit := stats().limit) != limits[-1][1]:
            limits.append((now_s, limit))
        if changes and now_s >= changes[0][0]:
            use_cores(changes.pop(0)[1])
        wanted = (batch or len(entries) + asked["backlog"] + contenders.size_of(asked["pool"])) - submitted
        for _ in range(wanted):
            pool.submit(timed)
        submitted += max(wanted, 0)
        if recorder.failures or now_s >= asked["seconds"] or (batch and len(entries) >= batch):
            return limits, gap_s_max
        time.sleep(_POLL_S)


def _reduce(entries: list[Entry], opened_ns: int, asked: dict[str, Any]) -> dict[str, Any]:
    ends_s = [(end - opened_ns) / 1e9 for end, _, _ in entries]
    batch = asked.get("tasks")
    until_s = max(ends_s) if batch else asked["seconds"]
    warm_s = 0.0 if batch else asked["warm_s"]
    done = {
        kind: trace.counts(
            [at for at, entry in zip(ends_s, entries, strict=True) if entry[2] == number], WINDOW_S, until_s
        )
        for number, kind in enumerate(loads.KINDS)
    }
    warm = [entry for at, entry in zip(ends_s, entries, strict=True) if warm_s < at <= until_s]
    return {
        "tasks_per_s": trace.rate_per_s(ends_s, warm_s, until_s),
        "tasks_per_s_whole": trace.rate_per_s(ends_s, 0.0, until_s),
        "wall_ms_p50": _percentile_ms(warm, 50),
        "wall_ms_p99": _percentile_ms(warm, 99),
        "wall_ms_p99_whole": _percentile_ms(entries, 99),
        "wall_ms_p99_io": _percentile_ms([entry for entry in warm if entry[2] == loads.IO], 99),
        "wall_ms_p99_cpu": _percentile_ms([entry for entry in warm if entry[2] == loads.CPU], 99),
        "window_s": WINDOW_S,
        "until_s": until_s,
        "done": {kind: windows for kind, windows in done.items() if any(windows)},
    }


def _percentile_ms(entries: list[Entry], percent: float) -> float | None:
    return percentile([wall for _, wall, _ in entries], percent) / 1e6 if entries else None


def _words(pool: Executor, looked: trace.Limits) -> dict[str, Any]:
    """Return when exactly the limit moved and why, in the pool's own words."""
    decisions: Any = getattr(pool, "decisions", None)
    if decisions is None:
        return {}
    every = decisions()
    if len(every) < _DECISIONS_LOGGED:
        changes = [(each.at_s, each.limit) for each in every if each.limit != each.limit_before]
        looked = trace.aligned(looked, changes)
    kept = every[: _DECISIONS_KEPT // 2] + every[_DECISIONS_KEPT // 2 :][-_DECISIONS_KEPT // 2 :]
    return {
        "limits": looked,
        # The clock's zero is arbitrary: only differences mean anything.
        "decisions": [
            [round(each.at_s, 4), each.limit_before, each.limit, each.veto, each.reason] for each in kept
        ],
        "decisions_count": len(every),
        "vetoes": dict(pool.stats().vetoes),  # type: ignore[attr-defined]
    }


def run_then_idle(asked: dict[str, Any]) -> dict[str, Any]:
    """Let the pool finish some tasks, then say how much CPU time its monitor uses while nothing is to do."""
    pool = contenders.make_pool(asked["pool"], asked.get("controller"))
    task = loads.make(asked["load"], asked["amounts"], time.monotonic)
    for future in [pool.submit(task) for _ in range(asked["tasks"])]:
        future.result()
    time.sleep(1.0)  # The controller may shrink the limit first, and then rests.
    before_ns = monitor_cpu_ns()
    time.sleep(_IDLE_S)
    after_ns = monitor_cpu_ns()
    if before_ns is None or after_ns is None:
        return {"monitor_share_idle": None}
    return {"monitor_share_idle": (after_ns - before_ns) / 1e9 / _IDLE_S}


def main() -> None:
    """Do as asked, and leave without waiting for workers that hang in the load."""
    asked = child.arguments()
    # Before surefoot is imported: threads inherit the mask, and the pool reads both when it loads.
    os.sched_setaffinity(0, asked["core_numbers"])
    os.environ.update(asked.get("environment", {}))
    child.answer(run_then_idle(asked) if asked.get("idle") else run(asked))
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)
