"""A server with a fixed number of slots: ``python -m bench.knee.remote_server SLOTS SERVICE_S``.

One byte in, one byte out. Requests wait in one queue; as many servers as there are slots take them, and each
request holds its slot for the service time. The first line says the port. It leaves with its parent.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading


async def _serve(slots: int, service_s: float) -> None:
    waiting: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def slot() -> None:
        while True:
            writer = await waiting.get()
            await asyncio.sleep(service_s)
            writer.write(b"!")

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1):
                waiting.put_nowait(writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.gather(*(slot() for _ in range(slots)))


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_leave_with_parent, name="parent-watch", daemon=True).start()
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
