"""The mixed graph, in a module that workers can import: waiting, Python, NumPy, a tree."""

from __future__ import annotations

import socket
import threading
from typing import Any

import dask
import numpy

from surefoot.workloads.spin import spin

SOURCES = 240
FAN_IN = 4
_ROWS = 120_000
_of_thread = threading.local()


def fetch(number: int, port: int, spins: int) -> int:
    """Wait 50 ms at a socket, with 2 ms of Python for what came."""
    connection = getattr(_of_thread, "connection", None)
    if connection is None:
        connection = _of_thread.connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"?")
    connection.recv(1)
    spin(2 * spins)
    return number


def parse(number: int, spins: int) -> int:
    """5 ms of Python."""
    spin(5 * spins)
    return number * 2_654_435_761 % 2**32


def reduce(numbers: list[int]) -> float:
    """A reduction over arrays, for the most part outside the interpreter's lock."""
    total = 0.0
    for number in numbers:
        column = numpy.random.default_rng(number).standard_normal(_ROWS)
        total += float(numpy.sort(column)[:: _ROWS // 100].sum())
    return total


def combine(parts: list[float]) -> float:
    """In the order given, so that the sum is the same to the last bit."""
    return sum(parts)


def graph(port: int, spins: int) -> Any:
    """Build it: each source is fetched and parsed, four are reduced, four of these are combined, then all."""
    fetched = [dask.delayed(fetch, pure=False)(number, port, spins) for number in range(SOURCES)]
    parsed = [dask.delayed(parse, pure=False)(number, spins) for number in fetched]
    level = [dask.delayed(reduce, pure=False)(parsed[i : i + FAN_IN]) for i in range(0, SOURCES, FAN_IN)]
    while len(level) > 1:
        level = [
            dask.delayed(combine, pure=False)(level[i : i + FAN_IN]) for i in range(0, len(level), FAN_IN)
        ]
    return level[0]
