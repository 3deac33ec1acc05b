"""The loads: what one task does. A task returns the index of its kind in :data:`KINDS`."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Task = Callable[[], int]

#: What a task can say that it was; loads of one kind say ``task``.
KINDS = ("task", "cpu", "io")
TASK, CPU, IO = range(3)

STATED_CPU_MS, CPU_MS, MIXED_CPU_MS, HALF_MS = 10.0, 5.0, 20.0, 2.5
SLEEP_S = 0.050
MIXED_IO_SHARE = 0.8
REMOTE_SLOTS, REMOTE_SERVICE_S = 10, 0.020
#: Large enough that hashlib lets the GIL go, small enough for a second core's cache.
_HASH_BUFFER_BYTES = 8 << 20
_MATRIX_COLUMNS = 256
_MATRIX_ROWS_MAX = 16_384


def spin(iterations: int) -> int:
    """Add one, ``iterations`` times: pure Python, counted and not timed."""
    x = 0
    for _ in range(iterations):
        x += 1
    return x


_hash_buffer = memoryview(bytes(_HASH_BUFFER_BYTES))


def digest(count: int) -> None:
    """Hash ``count`` bytes without the GIL."""
    state = hashlib.sha256()
    while count > 0:
        state.update(_hash_buffer[: max(min(count, _HASH_BUFFER_BYTES), 4096)])
        count -= _HASH_BUFFER_BYTES


def native_work() -> tuple[str, Callable[[int], object]]:
    """Return work that NumPy does without the GIL, in one stretch, on one core; hashing where it is missing.

    One stretch per task: each return to Python may have to wait for the GIL.
    """
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        return "sha256", digest
    left = numpy.ones((_MATRIX_ROWS_MAX, _MATRIX_COLUMNS))
    right = numpy.ones((_MATRIX_COLUMNS, _MATRIX_COLUMNS))
    local = threading.local()

    def multiply(rows: int) -> None:
        out = getattr(local, "out", None)
        if out is None:
            out = local.out = numpy.empty((_MATRIX_ROWS_MAX, _MATRIX_COLUMNS))
        while rows > 0:
            step = min(rows, _MATRIX_ROWS_MAX)
            numpy.dot(left[:step], right, out=out[:step])
            rows -= step

    return "numpy", multiply


def make(name: str, amounts: Mapping[str, Any], clock_s: Callable[[], float]) -> Task:
    """Make the task of a load.

    Args:
        name: A load; ``phases-2`` changes its kind every 2 seconds.
        amounts: The answer of :mod:`bench.knee.calibrate`.
        clock_s: Seconds since the run began.

    Raises:
        ValueError: For a name that is none of the loads.
    """
    if name.startswith("phases-"):
        return _phases(float(name.removeprefix("phases-")), amounts, clock_s)
    if name not in _MAKERS:
        raise ValueError(f"unknown load: {name!r}")
    return _MAKERS[name](amounts)


def _iterations(amounts: Mapping[str, Any], milliseconds: float) -> int:
    return max(1, round(amounts["spin_per_ms"] * milliseconds))


def _micro(_amounts: Mapping[str, Any]) -> Task:
    def task() -> int:
        x = 0
        for _ in range(1000):
            x += 1  # noqa: SIM113 - the paper's loop, to the letter
        time.sleep(0.0001)
        return TASK

    return task


def _stated(amounts: Mapping[str, Any]) -> Task:
    iterations = _iterations(amounts, STATED_CPU_MS)

    def task() -> int:
        spin(iterations)
        time.sleep(SLEEP_S)
        return TASK

    return task


def _cpu(amounts: Mapping[str, Any]) -> Task:
    iterations = _iterations(amounts, CPU_MS)

    def task() -> int:
        spin(iterations)
        return CPU

    return task


def _io(_amounts: Mapping[str, Any]) -> Task:
    def task() -> int:
        time.sleep(SLEEP_S)
        return IO

    return task


def _half_numpy(amounts: Mapping[str, Any]) -> Task:
    iterations = _iterations(amounts, HALF_MS)
    _, native = native_work()
    amount = round(amounts["native_per_ms"] * HALF_MS)

    def task() -> int:
        spin(iterations)
        native(amount)
        return TASK

    return task


def _hashing(amounts: Mapping[str, Any]) -> Task:
    count = round(amounts["hash_bytes_per_ms"] * CPU_MS)

    def task() -> int:
        digest(count)
        return TASK

    return task


def _mixed(amounts: Mapping[str, Any]) -> Task:
    iterations = _iterations(amounts, MIXED_CPU_MS)
    # A shuffled deck: every run meets the same kinds in the same order.
    deck = [IO] * round(100 * MIXED_IO_SHARE) + [CPU] * round(100 * (1 - MIXED_IO_SHARE))
    random.Random(3).shuffle(deck)
    numbers = iter(range(sys.maxsize))

    def task() -> int:
        kind = deck[next(numbers) % 100]
        if kind == IO:
            time.sleep(SLEEP_S)
        else:
            spin(iterations)
        return kind

    return task


def _phases(period_s: float, amounts: Mapping[str, Any], clock_s: Callable[[], float]) -> Task:
    """Make a task that finds out what to be when it *starts*: no old kind is left in the queue."""
    iterations = _iterations(amounts, CPU_MS)

    def task() -> int:
        if int(clock_s() / period_s) % 2 == 0:
            spin(iterations)
            return CPU
        time.sleep(SLEEP_S)
        return IO

    return task


def _remote(_amounts: Mapping[str, Any]) -> Task:
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.knee.remote_server", str(REMOTE_SLOTS), str(REMOTE_SERVICE_S)],
        stdin=subprocess.PIPE,  # Kept open: the server leaves when it ends, with this process.
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    port = json.loads(server.stdout.readline())["port"]
    local = threading.local()

    def task() -> int:
        connection = getattr(local, "connection", None)
        if connection is None:
            connection = local.connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            local.server = server
        connection.sendall(b"?")
        if connection.recv(1) != b"!":
            raise ConnectionError("the server has gone")
        return TASK

    return task


_MAKERS: dict[str, Callable[[Mapping[str, Any]], Task]] = {
    "micro": _micro,
    "stated": _stated,
    "cpu": _cpu,
    "io": _io,
    "half_numpy": _half_numpy,
    "hashing": _hashing,
    "mixed": _mixed,
    "remote": _remote,
}
