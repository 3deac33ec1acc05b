"""One memory reading, in a process of its own: ``python -m bench.memory_run``.

Resident memory is read from ``smaps_rollup``, which the kernel counts page by page; the figures of
``statm`` are kept in per-CPU batches and can be off by more than a worker costs.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from pathlib import Path

from bench import child, contenders
from bench.noop_cases import noop


def resident_bytes() -> int:
    """Return the resident memory of this process, exact to the page."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no Rss line in smaps_rollup")


def wait_until_asleep() -> None:
    """Return when all threads but this one sleep: results arrive before workers have parked."""
    own, calm, deadline = threading.get_native_id(), 0, time.monotonic() + contenders.HANG_TIMEOUT_S
    while calm < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
        calm = calm + 1 if all(_asleep(entry) for entry in _threads_but(own)) else 0


def _threads_but(own: int) -> list[Path]:
    return [Path("/proc/self/task", entry) for entry in os.listdir("/proc/self/task") if int(entry) != own]


def _asleep(thread: Path) -> bool:
    try:
        stat = (thread / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True  # It ended between listing and reading.
    return stat.rpartition(")")[2].split()[0] == "S"


def idle_workers(pool_name: str, workers: int) -> dict[str, float]:
    """Measure what a worker costs that has run a task and waits for the next."""
    with contenders.make_pool(pool_name, 1) as first:  # What the first pool ever costs is no worker's.
        contenders.start_all_workers(first, 1)
    with contenders.make_pool(pool_name, workers) as pool:
        before = resident_bytes()
        contenders.start_all_workers(pool, workers)
        wait_until_asleep()
        grown = resident_bytes() - before
    return {"bytes_per_idle_worker": grown / workers, "grown_bytes": grown}


def queued_tasks(pool_name: str, tasks: int) -> dict[str, float]:
    """Measure what a task costs that waits in the queue, its future held by the caller."""
    release = threading.Event()
    futures: list[object] = [None] * tasks  # The caller's own list is no part of the price.
    with contenders.make_pool(pool_name, 1) as pool:
        contenders.start_all_workers(pool, 1)
        blocker = pool.submit(release.wait, contenders.HANG_TIMEOUT_S)
        before = resident_bytes()
        for index in range(tasks):
            futures[index] = pool.submit(noop)
        grown = resident_bytes() - before
        release.set()
        blocker.result(contenders.HANG_TIMEOUT_S)
    return {"bytes_per_queued_task": grown / tasks, "grown_bytes": grown}


if __name__ == "__main__":
    asked = child.arguments()
    if "workers" in asked:
        child.answer(idle_workers(asked["pool"], asked["workers"]))
    else:
        child.answer(queued_tasks(asked["pool"], asked["tasks"]))
