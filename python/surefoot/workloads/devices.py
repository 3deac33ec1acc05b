"""The sensor and the service that the ``pipeline`` workload talks to, in a process of their own.

Run as a script. It listens on two free local ports, writes one line, ``{"sensor_port": ..., "service_port":
...}``, and serves until its standard input ends, which happens at the latest when its parent dies.

The delays stand for a conversion in the sensor and for a service a network hop away. They pass in this
process: the caller really waits for a socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading

READINGS = 128
SENSOR_DELAY_S = 0.003
SERVICE_DELAY_S_MEDIAN = 0.015
SERVICE_DELAY_SIGMA = 0.3

# Every thread of a sweep keeps one connection to each server; the kernel clips this to its own limit.
_BACKLOG = 4096

# The same delays and readings in every run, so that runs can be compared.
_random = random.Random(7)
_FRAMES = [
    (",".join(f"{20 + 5 * _random.gauss(0, 1):.3f}" for _ in range(READINGS)) + "\n").encode()
    for _ in range(64)
]


async def serve_sensor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request line with one line of readings."""
    try:
        while await reader.readline():
            await asyncio.sleep(SENSOR_DELAY_S)
            writer.write(_random.choice(_FRAMES))
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def serve_service(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each HTTP POST with what the actuator should do; the connection stays open."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = json.loads(await reader.readexactly(_content_length(head)))
            await asyncio.sleep(SERVICE_DELAY_S_MEDIAN * _random.lognormvariate(0.0, SERVICE_DELAY_SIGMA))
            reply = json.dumps({"open": body["score"] > 0.5}).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
                + str(len(reply)).encode()
                + b"\r\n\r\n"
                + reply
            )
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def _serve() -> None:
    sensor = await asyncio.start_server(serve_sensor, "127.0.0.1", 0, backlog=_BACKLOG)
    service = await asyncio.start_server(serve_service, "127.0.0.1", 0, backlog=_BACKLOG)
    ports = {
        "sensor_port": sensor.sockets[0].getsockname()[1],
        "service_port": service.sockets[0].getsockname()[1],
    }
    print(json.dumps(ports), flush=True)
    async with sensor, service:
        await asyncio.gather(sensor.serve_forever(), service.serve_forever())


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_leave_with_parent, name="parent-watch", daemon=True).start()
    asyncio.run(_serve())
