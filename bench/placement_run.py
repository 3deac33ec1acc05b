"""One run of one load through one pool, in a process of its own: ``python -m bench.placement_run``.

A load is a function of the pool that runs for about a given time and returns the tasks done in the part
of it that counts: not the first moments, in which a pool that moves its workers finds out whether to.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections import deque
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from bench import child, contenders
from bench.micro_run import micro

if TYPE_CHECKING:
    from collections.abc import Callable

#: Tasks that wait, so that demand is never the limit: half a second's worth would make phases blur.
WAITING = 300

#: Roughly what a pool does of the paper's tasks; only sets how long a run takes.
PAPER_PER_S = 20_000

_BLOCK = bytes(1 << 20)


def digest() -> bytes:
    """Hash 1 MiB, outside the lock."""
    return hashlib.sha256(_BLOCK).digest()


def python_work() -> int:
    """Compute for some milliseconds under the lock: too coarse for hand-overs to matter."""
    x = 0
    for _ in range(100_000):
        x += 1
    return x


def multiply() -> Any:
    """Multiply matrices, outside the lock."""
    return _matrix() @ _matrix()


def _matrix() -> Any:
    import numpy as np

    if not _matrices:
        _matrices.append(np.ones((192, 192)))
    return _matrices[0]


_matrices: list[Any] = []


class Echo:
    """A process that sends back what it gets, and the task of asking it."""

    def __init__(self) -> None:
        """Fork it: before there is any thread."""
        self._own, other = socket.socketpair()
        if os.fork() == 0:
            self._own.close()
            while block := other.recv(4096):
                other.sendall(block)
            os._exit(0)
        other.close()

    def __call__(self) -> Any:
        """Ask once."""
        self._own.sendall(json.dumps({"text": "x" * 40, "number": 7}).encode())
        return json.loads(self._own.recv(4096))


def keep_busy(pool: Executor, task: Callable[[], Any], duration_s: float) -> int:
    """Keep tasks waiting for some time; return how many ended."""
    ended = 0
    until = time.monotonic() + duration_s
    waiting: deque[Future[Any]] = deque(pool.submit(task) for _ in range(WAITING))
    while time.monotonic() < until:
        waiting.popleft().result()
        ended += 1
        waiting.append(pool.submit(task))
    while waiting:
        waiting.popleft().result()
        ended += 1
    return ended


def put_through(pool: Executor, task: Callable[[], Any], duration_s: float) -> int:
    """Submit at once what takes about some time, as the paper does; return how many tasks that was."""
    tasks = round(duration_s * PAPER_PER_S)
    for future in [pool.submit(task) for _ in range(tasks)]:
        future.result()
    return tasks


LOADS: dict[str, Callable[[], Any]] = {
    "micro": micro,
    "sha256": digest,
    "matmul": multiply,
    "python": python_work,
}


def run(pool_name: str, load: str, workers: int, warm_s: float, duration_s: float) -> dict[str, float]:
    """Run one load; for ``turns`` it is fine-grained and GIL-free work by turns."""
    echo = Echo() if load == "echo" else None
    with contenders.make_pool(pool_name, workers) as pool:
        contenders.start_all_workers(pool, workers)
        if load == "turns":
            return _turns(pool, warm_s, duration_s)
        task = echo or LOADS[load]
        work = put_through if load == "micro" else keep_busy
        work(pool, task, warm_s)
        start = time.perf_counter()
        ended = work(pool, task, duration_s)
        return {"tasks_per_s": ended / (time.perf_counter() - start)}


def _turns(pool: Executor, warm_s: float, duration_s: float) -> dict[str, float]:
    """Return the rate of each kind; the change from one to the other counts with the latter."""
    keep_busy(pool, micro, warm_s)
    rates: dict[str, float] = {}
    for name, task in (("sha256", digest), ("micro", micro)):
        start = time.perf_counter()
        ended = keep_busy(pool, task, duration_s)
        rates[f"{name}_per_s"] = ended / (time.perf_counter() - start)
    return rates


if __name__ == "__main__":
    asked = child.arguments()
    # One thread per product: the question is where the pool's threads run.
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    # Before surefoot is imported: threads inherit the mask, and the pool may read it when it loads.
    os.sched_setaffinity(0, asked.pop("core_numbers"))
    child.answer(run(**asked))
