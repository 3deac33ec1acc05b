"""A grpc client that keeps calls in flight: ``python -m bench.adoption.grpc_load '{...}'``.

Closed loop: each of the callers makes its next call once it has the answer to the one before.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc.aio

from bench import child
from bench.estimate import percentile

#: Channels with a connection of their own; callers take turns.
_CHANNELS = 8


async def _load(asked: dict[str, Any]) -> dict[str, Any]:
    finished: list[tuple[float, float]] = []
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{asked['port']}", options) for _ in range(_CHANNELS)]
    stopping = False

    async def caller(number: int) -> None:
        call = channels[number % _CHANNELS].unary_unary(f"/bench{asked['path']}")
        while not stopping:
            sent_s = time.perf_counter()
            await call(b"", wait_for_ready=True)
            now_s = time.perf_counter()
            finished.append((now_s, now_s - sent_s))

    callers = [asyncio.ensure_future(caller(number)) for number in range(asked["connections"])]
    await asyncio.sleep(asked["warm_s"])
    began_s = time.perf_counter()
    await asyncio.sleep(asked["seconds"])
    ended_s = time.perf_counter()
    stopping = True
    for failed in (each for each in callers if each.done()):
        failed.result()
    await asyncio.gather(*callers)
    for channel in channels:
        await channel.close()
    measured = [1e3 * latency_s for at_s, latency_s in finished if began_s <= at_s < ended_s]
    if not measured:
        raise RuntimeError(f"no answer within {asked['seconds']} s")
    return {
        "requests": len(measured),
        "requests_per_s": len(measured) / (ended_s - began_s),
        **{f"latency_ms_p{percent}": percentile(measured, percent) for percent in (50, 99)},
    }


if __name__ == "__main__":
    child.answer(asyncio.run(_load(child.arguments())))
