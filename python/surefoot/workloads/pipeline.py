"""An edge pipeline with real I/O: read a sensor, preprocess, infer, ask a service, store the result.

Expected kind: mixed. A task waits about 20 ms for sockets of another process and needs the GIL for some
hundreds of microseconds; the store takes one writer at a time, as SQLite does. Nothing sleeps in the caller.

The sensor and the service run in :mod:`surefoot.workloads.devices`, on every core this process may use: they
are not part of the device whose cores are restricted.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from surefoot.workloads import Task, devices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIND: Final = "mixed, real I/O"
PARAMS: Final = {
    "readings": devices.READINGS,
    "features": 16,
    "hidden": 16,
    "sensor_delay_s": devices.SENSOR_DELAY_S,
    "service_delay_s_median": devices.SERVICE_DELAY_S_MEDIAN,
}
TASK_S_MIN: Final = 0.015
GIL_S: Final = 0.0006

_FEATURES = 16
_HIDDEN = 16
# Descriptors besides the connections: standard streams, the database and its log, the devices' pipes.
_DESCRIPTORS_SPARE = 64
# Long enough for a thread of a saturated pool; short enough for a dead server to be noticed.
_SOCKET_TIMEOUT_S = 60.0


class Model:
    """A two-layer perceptron with fixed weights, in pure Python."""

    def __init__(self, features: int, hidden: int) -> None:
        """Draw the weights from a fixed seed."""
        weights = random.Random(11)
        self._hidden = [[weights.gauss(0, 0.5) for _ in range(features)] for _ in range(hidden)]
        self._output = [weights.gauss(0, 0.5) for _ in range(hidden)]

    def score(self, features: list[float]) -> float:
        """Return a score between 0 and 1."""
        total = 0.0
        for row, weight in zip(self._hidden, self._output, strict=True):
            activation = 0.0
            for a, b in zip(row, features, strict=True):
                activation += a * b
            if activation > 0.0:
                total += weight * activation
        return 1.0 / (1.0 + math.exp(-total))


class Store:
    """The actuator's log: one SQLite connection, one writer at a time, one transaction per result."""

    def __init__(self, path: Path) -> None:
        """Open a new database at ``path``."""
        # Not part of every Python build: imported here, so that the other workloads do without it.
        import sqlite3

        self._connection: Any = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._lock = threading.Lock()
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE TABLE results (score REAL NOT NULL, is_open INTEGER NOT NULL)")

    def add(self, score: float, is_open: bool) -> None:
        """Write one result."""
        with self._lock:
            self._connection.execute("INSERT INTO results VALUES (?, ?)", (score, is_open))


class Links(threading.local):
    """Connections of one thread to the sensor and to the service."""

    def __init__(self, sensor_port: int, service_port: int) -> None:
        """Connect; runs once in each thread, at its first use."""
        self.sensor = socket.create_connection(("127.0.0.1", sensor_port), timeout=_SOCKET_TIMEOUT_S)
        self.sensor.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames = self.sensor.makefile("rb")
        self.service = http.client.HTTPConnection("127.0.0.1", service_port, timeout=_SOCKET_TIMEOUT_S)


def preprocess(frame: bytes) -> list[float]:
    """Parse a line of readings, average it in windows and normalise."""
    readings = [float(field) for field in frame.split(b",")]
    width = len(readings) // _FEATURES
    means = [sum(readings[at : at + width]) / width for at in range(0, width * _FEATURES, width)]
    centre = sum(means) / len(means)
    spread = math.sqrt(sum((mean - centre) ** 2 for mean in means) / len(means)) or 1.0
    return [(mean - centre) / spread for mean in means]


@contextmanager
def setup(threads: int) -> Iterator[Callable[[], Task]]:
    """Start the devices.

    Raises:
        RuntimeError: If the process may not open two connections per thread.
    """
    _allow_descriptors(2 * threads + _DESCRIPTORS_SPARE)
    with _devices() as (sensor_port, service_port):
        yield lambda: _make_task(sensor_port, service_port)


def _make_task(sensor_port: int, service_port: int) -> Task:
    model = Model(_FEATURES, _HIDDEN)
    directory = Path(tempfile.mkdtemp(prefix="surefoot-pipeline-"))
    try:
        store = Store(directory / "results.sqlite")
        store.add(0.0, False)
    finally:
        # The open descriptors keep the files alive, and a process that is killed leaves nothing behind.
        shutil.rmtree(directory)
    links = Links(sensor_port, service_port)

    def task() -> None:
        links.sensor.sendall(b"read\n")
        frame = links.frames.readline()
        score = model.score(preprocess(frame))
        links.service.request("POST", "/decide", json.dumps({"score": score}))
        answer = json.loads(links.service.getresponse().read())
        store.add(score, answer["open"])

    return task


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise RuntimeError(f"the pipeline needs {count} open files, the limit (ulimit -Hn) is {hard}")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


@contextmanager
def _devices() -> Iterator[tuple[int, int]]:
    # -I: the script's folder has modules named like those of the standard library.
    command = [sys.executable, "-I", str(Path(__file__).with_name("devices.py"))]
    # Standard error is not inherited: whoever reads ours must see it end when this process ends.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulated devices did not start (exit code {process.wait()})")
        ports = json.loads(line)
        yield ports["sensor_port"], ports["service_port"]
    finally:
        process.kill()
        process.wait()
