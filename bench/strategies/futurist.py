"""The dynamic pool of futurist 3.5 (OpenStack), with its own constants.

It grows while few of its threads idle.
`--threads` is its `max_workers`; the default is futurist's own. It only decides when a task is submitted, so
the tasks are submitted in small batches.
"""

from __future__ import annotations

import multiprocessing
from importlib import metadata

VERSION = "3.5"
# As its `get_optimal_thread_count`.
THREADS = 5 * multiprocessing.cpu_count()
BACKLOG_S = 0.1


def requires():
    try:
        version = metadata.version("futurist")
    except metadata.PackageNotFoundError:
        return f"futurist is not installed: pip install 'futurist~={VERSION}.0' (Python 3.11 or newer)"
    if not f"{version}.".startswith(f"{VERSION}."):
        return f"this is about futurist {VERSION}, {version} is installed"
    return None


def make_pool(threads):
    import futurist

    # It wants fewer at least than at most.
    return futurist.DynamicThreadPoolExecutor(max_workers=max(2, threads))


def see(pool):
    return {"limit": pool.num_workers, "workers_live": pool.num_workers, "queued": pool.queue_size}
