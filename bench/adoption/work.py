"""What a request does in the comparisons of servers: 10 ms of Python, and 50 ms of waiting at a socket.

The amount of Python comes from the parent (``BENCH_SPINS``), so that every server does the same; what
requests wait at is a process of its own (``BENCH_WAIT_PORT``).
"""

from __future__ import annotations

import os
import socket
import threading

from bench.knee.loads import spin

CASES = ("mixed", "cpu")
CPU_S = 0.010
WAIT_S = 0.050

_local = threading.local()


def mixed() -> None:
    """Compute, then wait."""
    cpu()
    connection = getattr(_local, "connection", None)
    if connection is None:
        port = int(os.environ["BENCH_WAIT_PORT"])
        connection = _local.connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"?")
    if connection.recv(1) != b"!":
        raise ConnectionError("the server to wait at has gone")


def cpu() -> None:
    """Compute."""
    spin(int(os.environ["BENCH_SPINS"]))
