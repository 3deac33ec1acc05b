"""The control service, a process: ``python -m surefoot.demo.api``.

HTTP/1.1 with keep-alive, one resource: ``POST /v1/setpoint`` with ``{"frame", "label", "score"}`` answers,
after the service's latency, ``{"frame", "setpoint"}``: the speed at which the machine may go on.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from surefoot.demo.latency import api_latency_s
from surefoot.demo.server import serve

SPEED: Final = {"healthy": 1.0, "imbalance": 0.8, "misalignment": 0.6, "bearing": 0.3}


def setpoint(label: str, score: float) -> float:
    """Return the speed for a condition: the surer the model, the closer to the condition's own speed."""
    return round(1.0 - (1.0 - SPEED[label]) * score, 4)


def answer(request: dict[str, Any]) -> bytes:
    """Return the complete HTTP answer to one request body."""
    reply = {"frame": request["frame"], "setpoint": setpoint(request["label"], request["score"])}
    body = json.dumps(reply).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def content_length(head: bytes) -> int:
    """Return the length of the body that follows a request head, 0 where it does not say."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection until the client closes it."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        request = json.loads(await reader.readexactly(content_length(head)))
        await asyncio.sleep(api_latency_s(request["frame"]))
        writer.write(answer(request))
        await writer.drain()


if __name__ == "__main__":
    serve(converse)
