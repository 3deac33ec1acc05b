"""Tasks of the Dask tests, in a module that worker processes can import."""

import threading
import time

from distributed import get_client, get_worker, rejoin, secede, worker_client


def nap(seconds):
    time.sleep(seconds)
    return threading.current_thread().name


def add(a, b):
    return a + b


def fail():
    raise LookupError("as asked")


def fibonacci_seceding(n):
    if n < 2:
        return n
    client = get_client()
    parts = [client.submit(fibonacci_seceding, n - i, pure=False) for i in (1, 2)]
    secede()
    total = sum(client.gather(parts))
    rejoin()
    return total


def fibonacci_with_worker_client(n):
    if n < 2:
        return n
    with worker_client() as client:
        return sum(
            client.gather([client.submit(fibonacci_with_worker_client, n - i, pure=False) for i in (1, 2)])
        )


def fibonacci_without_a_word(n):
    if n < 2:
        return n
    client = get_client()
    return sum(client.gather([client.submit(fibonacci_without_a_word, n - i, pure=False) for i in (1, 2)]))


def secede_and_forget(n):
    secede()
    return n


def chain(depth):
    """Each link waits, seceded, for the next; all on one worker."""
    if depth == 0:
        return 0
    worker = get_worker()
    with worker_client() as client:
        return 1 + client.submit(chain, depth - 1, pure=False, workers=[worker.address]).result()


def pool_of(dask_worker):
    executor = dask_worker.executors["default"]
    stats = executor.stats() if hasattr(executor, "stats") else None
    return {
        "class": type(executor).__name__,
        "nthreads": dask_worker.state.nthreads,
        "limit": stats and stats.limit,
        "cap": stats and stats.cap,
        "busy": stats and stats.workers_busy,
        "joining": stats and stats.workers_joining,
    }


class Counter:
    def __init__(self):
        self.n = 0

    def increment(self):
        self.n += 1
        return self.n, threading.current_thread().name
