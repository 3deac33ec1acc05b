"""A grpc server on our pool, on a standard pool of each size, and on one of the default size.

    python -m bench.adoption.grpc [--quick] [--out F.jsonl]

64 calls in flight. ``mixed``: 10 ms of Python and 50 ms of waiting at a socket; ``cpu``: 10 ms of Python.
Each run is a server process of its own.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bench.adoption import served
from bench.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def serve(contender: str, environ: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Run a server."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.adoption.grpc_server", json.dumps({"contender": contender})],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
    finally:
        server.kill()
        server.communicate()


if __name__ == "__main__":
    sys.exit(served.main("grpc", __doc__ or "", serve, "bench.adoption.grpc_load"))
