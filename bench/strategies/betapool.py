"""BetaPool 1.0.2 from PyPI, the published library, with the constants that it comes with.

`--threads` is its `max_workers`. It only makes threads when a task is submitted or when it changes its mind,
so the tasks are submitted in small batches.
"""

from __future__ import annotations

import time
from importlib import metadata

VERSION = "1.0.2"
THREADS = 64
PARAMETERS = {"min_workers": 4}
BACKLOG_S = 0.1


def requires():
    try:
        version = metadata.version("betapool")
    except metadata.PackageNotFoundError:
        return f"BetaPool is not installed: pip install betapool=={VERSION}"
    return None if version == VERSION else f"this is about BetaPool {VERSION}, {version} is installed"


def make_pool(threads, min_workers):
    import betapool

    return betapool.AdaptiveThreadPoolExecutor(min(min_workers, threads), threads)


_told = 0


def see(pool):
    global _told
    history = pool.get_decision_history()
    new, _told = history[_told:], len(history)
    zero_ns = time.perf_counter_ns() - time.time_ns()
    return {
        "limit": pool.get_current_thread_count(),
        "workers_live": len(pool._executor._threads),
        "queued": pool._executor._work_queue.qsize(),
        "decisions": [
            {
                "at_ns": zero_ns + round(each["timestamp"] * 1e9),
                "limit": each["threads_after"],
                "rule": each["decision"],
                "reason": f"beta {each['blocking_ratio']:.2f}, CPU {each['cpu_percent']:.0f} %",
            }
            for each in new
        ],
    }
