"""Loads a Celery worker through Redis with as many tasks in flight as asked for, and times each.

Its own process, on bare sockets: messages are copies of one that Celery made, with another id; the end of a
task is what the result backend publishes. Run as ``python -m bench.adoption.celery_load '{...}'``.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from bench import child
from bench.estimate import percentile

_PREFIX = b"celery-task-meta-"
_LIMIT_S = 60.0


def _command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class _Load:
    def __init__(self, port: int, template: str, task_id: str, delivery_tag: str) -> None:
        self._port = port
        self._template = template
        self._ids = (task_id, delivery_tag)
        self._sent_at: dict[str, float] = {}
        self.ended: list[tuple[float, float]] = []  # when, and how long after it was sent
        self._is_closing = False

    async def run(self, in_flight: int, warm_up_s: float, window_s: float) -> dict[str, float]:
        listen, subscribe = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        discard, self._send = await asyncio.open_connection("127.0.0.1", self._port)
        subscribe.write(_command(b"PSUBSCRIBE", _PREFIX + b"*"))
        await listen.readuntil(b":1\r\n")
        drain = asyncio.ensure_future(self._drop(discard))
        listener = asyncio.ensure_future(self._listen(listen))
        for _ in range(in_flight):
            self._submit()
        begin = time.perf_counter() + warm_up_s
        await asyncio.sleep(warm_up_s + window_s)
        end = time.perf_counter()
        self._is_closing = True
        # What is still in flight must not run into the next load.
        deadline = end + _LIMIT_S
        while self._sent_at and time.perf_counter() < deadline:
            await asyncio.sleep(0.02)
        if self._sent_at:
            raise RuntimeError(f"{len(self._sent_at)} tasks never ended")
        listener.cancel()
        drain.cancel()
        inside = [latency for at, latency in self.ended if begin <= at < end]
        return {
            "tasks": len(inside),
            "throughput_per_s": len(inside) / (end - begin),
            "latency_ms_p50": percentile(inside, 50) * 1e3,
            "latency_ms_p99": percentile(inside, 99) * 1e3,
        }

    def _submit(self) -> None:
        task_id = str(uuid.uuid4())
        message = self._template.replace(self._ids[0], task_id).replace(self._ids[1], str(uuid.uuid4()))
        self._sent_at[task_id] = time.perf_counter()
        self._send.write(_command(b"LPUSH", b"celery", message.encode()))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        # *4 pmessage, pattern, channel, payload: of these only the channel's line is looked at.
        while True:
            line = await reader.readuntil(b"\r\n")
            if not line.startswith(_PREFIX) or line.endswith(b"*\r\n"):
                continue
            sent_at = self._sent_at.pop(line[len(_PREFIX) : -2].decode(), None)
            if sent_at is None:
                continue
            now = time.perf_counter()
            self.ended.append((now, now - sent_at))
            if not self._is_closing:
                self._submit()

    @staticmethod
    async def _drop(reader: asyncio.StreamReader) -> None:
        while await reader.read(1 << 16):
            pass


def main() -> dict[str, float]:
    """Run one load."""
    asked: dict[str, Any] = child.arguments()
    load = _Load(asked["port"], asked["template"], asked["task_id"], asked["delivery_tag"])
    return asyncio.run(load.run(asked["in_flight"], asked["warm_up_s"], asked["window_s"]))


if __name__ == "__main__":
    child.answer(main())
