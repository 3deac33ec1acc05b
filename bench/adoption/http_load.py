"""A light HTTP client that keeps connections busy: ``python -m bench.adoption.http_load '{...}'``.

Closed loop: each connection sends its next request once it has read the answer to the one before. In a
process of its own, so that its work takes nothing from the server's interpreter.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench import child
from bench.estimate import percentile

_HEAD_END = b"\r\n\r\n"


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, finished: list[tuple[float, float]], failures: list[str]) -> None:
        self._request = request
        self._finished = finished
        self._failures = failures
        self._buffer = b""
        self.sent_s = 0.0
        self._transport: Any = None
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self.sent_s = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(_HEAD_END)
        if not found:
            return
        if len(body) < _content_length(head):
            return
        now_s = time.perf_counter()
        if not head.startswith(b"HTTP/1.1 200"):
            self._failures.append(head.partition(b"\r\n")[0].decode())
        self._finished.append((self.sent_s, now_s))
        self._buffer = b""
        if self.stopping:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.stopping:
            self._failures.append(f"the server closed the connection: {error}")


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError(f"no content-length in {head!r}")


def _served(finished: list[tuple[float, float]], began_s: float, ended_s: float) -> float:
    """Count requests, each by the part of its time that lies in the window.

    Connections that started together are answered in waves; whole requests would count the waves.
    """
    parts = (
        max(min(done_s, ended_s) - max(sent_s, began_s), 0.0) / (done_s - sent_s)
        for sent_s, done_s in finished
    )
    return sum(parts)


async def _load(asked: dict[str, Any]) -> dict[str, Any]:
    finished: list[tuple[float, float]] = []
    failures: list[str] = []
    request = f"GET {asked['path']} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(asked["connections"]):
        _, client = await loop.create_connection(
            lambda: _Client(request, finished, failures), "127.0.0.1", asked["port"]
        )
        clients.append(client)
    await asyncio.sleep(asked["warm_s"])
    began_s = time.perf_counter()
    await asyncio.sleep(asked["seconds"])
    ended_s = time.perf_counter()
    # The load goes on until those that were under way at the end are answered, too.
    while not failures and any(client.sent_s < ended_s for client in clients):
        await asyncio.sleep(0.01)
    for client in clients:
        client.stopping = True
    if failures:
        raise RuntimeError(f"{len(failures)} requests failed, the first: {failures[0]}")
    measured = [1e3 * (done_s - sent_s) for sent_s, done_s in finished if began_s <= done_s < ended_s]
    if not measured:
        raise RuntimeError(f"no answer within {asked['seconds']} s")
    return {
        "requests": len(measured),
        "requests_per_s": _served(finished, began_s, ended_s) / (ended_s - began_s),
        **{f"latency_ms_p{percent}": percentile(measured, percent) for percent in (50, 99)},
        "latency_ms_max": max(measured),
    }


if __name__ == "__main__":
    child.answer(asyncio.run(_load(child.arguments())))
