"""Memory per queued task and per idle worker, against the standard pool's, each in fresh processes."""

from __future__ import annotations

import statistics

import pytest

import child
import kinds

NOISE = 1.05
RUNS = 3

MEASURE = """
import gc, os, threading

def resident_bytes():
    gc.collect()
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def task(*args, **kwargs):
    return None
"""

QUEUED = """
pool = Pool(1)
started, gate = threading.Event(), threading.Event()
pool.submit(lambda: (started.set(), gate.wait()))
started.wait()
count = 100_000
kept = [None] * count
before = resident_bytes()
for n in range(count):
    SUBMIT
print((resident_bytes() - before) / count)
for future in kept:
    if future is not None:
        future.cancel()
gate.set()
"""

IDLE = """
count = 128
# The first threads pay for what all share, the allocator's arenas for instance.
with Pool(4) as warm:
    barrier = threading.Barrier(4)
    for f in [warm.submit(barrier.wait) for _ in range(4)]:
        f.result()
before = resident_bytes()
pool = Pool(count)
barrier = threading.Barrier(count)
for f in [pool.submit(barrier.wait) for _ in range(count)]:
    f.result()
del f
while pool._idle_semaphore._value < count:
    threading.Event().wait(0.001)
print(len(pool._threads), (resident_bytes() - before) / count)
"""


def median_bytes(kind, code):
    figures = [float(child.run_clean(code, kind.source, MEASURE).out.split()[-1]) for _ in range(RUNS)]
    return statistics.median(figures)


@pytest.mark.slow
@pytest.mark.parametrize(
    "submit",
    ["kept[n] = pool.submit(task)", "kept[n] = pool.submit(task, 1, 2, key=3)", "pool.submit(task, 1)"],
    ids=["no arguments", "arguments", "future dropped"],
)
def test_a_queued_task_costs_no_more_than_the_standard_pools(fixed, submit, record_property):
    code = QUEUED.replace("SUBMIT", submit)
    standard, ours = median_bytes(kinds.STANDARD, code), median_bytes(fixed, code)
    record_property("bytes_per_queued_task", {"standard": standard, "ours": ours})
    assert ours <= standard * NOISE, f"{ours:.0f} bytes against the standard pool's {standard:.0f}"


@pytest.mark.slow
def test_an_idle_worker_costs_no_more_than_the_standard_pools(fixed, record_property):
    standard, ours = median_bytes(kinds.STANDARD, IDLE), median_bytes(fixed, IDLE)
    record_property("bytes_per_idle_worker", {"standard": standard, "ours": ours})
    assert ours <= standard * NOISE, f"{ours:.0f} bytes against the standard pool's {standard:.0f}"


@pytest.mark.slow
def test_a_million_queued_tasks(ours):
    code = """
    count = 1_000_000
    pool = Pool(4)
    started, gate = threading.Semaphore(0), threading.Event()
    held = [pool.submit(lambda: (started.release(), gate.wait())) for _ in range(4)]
    for _ in held:
        started.acquire()
    ran = []
    for n in range(count):
        pool.submit(ran.append, n)
    print(pool._work_queue.qsize(), pool.stats().queue_length)
    gate.set()
    pool.shutdown(wait=True)
    print(len(ran), len(set(ran)), pool.stats().tasks_done)
    """
    lines = child.run_clean(code, ours.source, MEASURE).lines
    assert lines == ["1000000 1000000", "1000000 1000000 1000004"]


def test_memory_of_ended_tasks_is_given_back(ours):
    """A pool that has run many tasks is no larger than one that has run some."""
    code = """
    pool = Pool(4)
    def batch():
        for f in [pool.submit(task, n) for n in range(20_000)]:
            f.result()
    for _ in range(5):
        batch()
    before = resident_bytes()
    for _ in range(40):
        batch()
    print((resident_bytes() - before) / 800_000)
    """
    # Bytes for each task that went through: far less than any one object.
    assert float(child.run_clean(code, ours.source, MEASURE).out) < 8
