"""The Celery application that the benchmark's workers run; its numbers come from the environment."""

from __future__ import annotations

import os
import socket
import threading

from celery import Celery

from surefoot.workloads.spin import spin

URL = os.environ["BENCH_REDIS_URL"]
SPINS = int(os.environ["BENCH_SPINS"])
PORT = int(os.environ["BENCH_WAIT_PORT"])

app = Celery("bench.adoption.celery_app", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    result_expires=60,
)

_of_thread = threading.local()


def _wait_at_socket() -> None:
    connection = getattr(_of_thread, "connection", None)
    if connection is None:
        connection = _of_thread.connection = socket.create_connection(("127.0.0.1", PORT))
    connection.sendall(b"?")
    connection.recv(1)


@app.task(name="mixed")
def mixed() -> None:
    """10 ms of Python in two halves, around 50 ms of waiting at a socket."""
    spin(SPINS // 2)
    _wait_at_socket()
    spin(SPINS // 2)


@app.task(name="cpu")
def cpu() -> None:
    """10 ms of Python."""
    spin(SPINS)
