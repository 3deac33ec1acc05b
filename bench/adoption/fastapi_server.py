"""FastAPI under uvicorn, in its own process: ``python -m bench.adoption.fastapi_server '{...}'``.

The first line that it prints says its port. It leaves when its standard input ends.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import uvicorn
from fastapi import FastAPI

from bench import child
from bench.knee.loads import spin

CPU_MS = 10.0


def _application(asked: dict[str, Any]) -> FastAPI:
    installation = None
    if asked["contender"] == "surefoot":
        import surefoot

        installation = surefoot.install(**asked.get("options", {}))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if asked["contender"].isdigit():
            anyio.to_thread.current_default_thread_limiter().total_tokens = int(asked["contender"])
        yield

    app = FastAPI(lifespan=lifespan)
    iterations = round(asked["spin_per_ms"] * CPU_MS)
    local = threading.local()

    # No model of the answer: FastAPI would check it in a thread, a second task for each request.
    @app.get("/stated", response_model=None)
    def stated() -> dict[str, int]:
        spin(iterations)
        connection = getattr(local, "connection", None)
        if connection is None:
            connection = local.connection = socket.create_connection(("127.0.0.1", asked["remote_port"]))
        connection.sendall(b"?")
        if connection.recv(1) != b"!":
            raise ConnectionError("the remote server has gone")
        return {"done": 1}

    @app.get("/cpu", response_model=None)
    def cpu() -> dict[str, int]:
        spin(iterations)
        return {"done": 1}

    @app.get("/pool")
    async def pool() -> dict[str, Any]:
        threads = threading.active_count()
        if installation is None:
            return {"threads": threads}
        read = installation.stats()
        return {
            "threads": threads,
            "anyio": installation.anyio,
            "limit": read.limit,
            "stats": repr(read),
            "decisions": [repr(one) for one in installation.decisions()],
        }

    return app


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until the parent leaves."""
    asked = child.arguments()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(_application(asked), log_level="warning", access_log=False)
    threading.Thread(target=_leave_with_parent, name="parent-watch", daemon=True).start()
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
