"""What the published controller does on three loads: ``python -m bench.paper``.

One pool each, ``controller="paper"``, cap 64, a steady backlog, readings once a second. On pure I/O it
climbs, as it should; on ``stated`` (10 ms CPU, 50 ms I/O) and on pure CPU it climbs as well, although
more workers bring no more throughput: a thread that waits for the GIL counts as blocked. Figures are
of this run only.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from typing import TYPE_CHECKING

import surefoot

if TYPE_CHECKING:
    from collections.abc import Callable

BACKLOG = 100


def spin(cpu_s: float) -> None:
    """Compute in pure Python for ``cpu_s`` of CPU time."""
    until = time.thread_time() + cpu_s
    while time.thread_time() < until:
        for _ in range(200):
            pass


def cpu() -> None:
    """5 ms of pure Python."""
    spin(0.005)


def stated() -> None:
    """The workload as the paper's text states it."""
    spin(0.010)
    time.sleep(0.050)


def io() -> None:
    """50 ms of waiting."""
    time.sleep(0.050)


def run(name: str, task: Callable[[], None], seconds: int) -> None:
    """Keep a backlog and print a reading each second."""
    stop = threading.Event()
    room = threading.Semaphore(BACKLOG)

    def feed() -> None:
        while not stop.is_set():
            room.acquire()
            pool.submit(task).add_done_callback(lambda _: room.release())

    with surefoot.AdaptiveThreadPoolExecutor(64, controller="paper") as pool:
        feeder = threading.Thread(target=feed)
        feeder.start()
        before = 0
        for second in range(1, seconds + 1):
            time.sleep(1)
            stats = pool.stats()
            done = stats.tasks_done
            last = next((d.beta for d in reversed(pool.decisions()) if d.beta is not None), None)
            beta = "-" if last is None else f"{last:.2f}"
            p99_ms = "-" if stats.wall_ns_p99 is None else f"{stats.wall_ns_p99 / 1e6:.0f}"
            vetoes = stats.vetoes.get("gil", 0)
            print(f"| {name} | {second} | {stats.limit} | {done - before} | {p99_ms} | {beta} | {vetoes} |")
            before = done
        stop.set()
        feeder.join()
        pool.shutdown(wait=False, cancel_futures=True)


def main() -> int:
    """Run all three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=10, help="per load (default 10)")
    seconds = parser.parse_args().seconds
    print("| load | second | limit | tasks in it | p99 so far, ms | beta | vetoes `gil` |")
    print("|---|---|---|---|---|---|---|")
    for name, task in (("cpu", cpu), ("stated", stated), ("io", io)):
        run(name, task, seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
