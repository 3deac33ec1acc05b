"""gunicorn's threaded worker with our pool, with each number of threads, and as it is by default (1 thread).

    python -m bench.adoption.gunicorn [--quick] [--out F.jsonl]

64 connections, kept alive. ``mixed``: 10 ms of Python and 50 ms of waiting at a socket; ``cpu``: 10 ms of
Python. Each run is a gunicorn of its own with one worker process.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from bench.adoption import served
from bench.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_LIMIT_S = 60.0


@contextlib.contextmanager
def serve(contender: str, environ: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Run a gunicorn."""
    if contender == served.OURS:
        options = ["-k", "surefoot.adapters.gunicorn.AdaptiveThreadWorker"]
    elif contender == served.DEFAULT:
        options = ["-k", "gthread"]
    else:
        options = ["-k", "gthread", "--threads", contender]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--log-level", "error"]
    command += ["--no-control-socket", "--graceful-timeout", "3", *options, "bench.adoption.gunicorn_app:app"]
    server = subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_LIMIT_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("gunicorn did not start")
            time.sleep(0.05)
        yield {"port": port}
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


if __name__ == "__main__":
    sys.exit(served.main("gunicorn", __doc__ or "", serve, "bench.adoption.http_load"))
