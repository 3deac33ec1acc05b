r"""The device simulator, a process: ``python -m surefoot.demo.device``.

Protocol: the client writes ``READ <frame>\n``; after the device's latency the answer comes as a four-byte
big-endian length and that many bytes of frame. A connection carries any number of readings, one at a time.
"""

from __future__ import annotations

import asyncio

from surefoot.demo import frame as frames
from surefoot.demo.latency import device_latency_s
from surefoot.demo.server import serve


def main() -> None:
    """Make the waveforms, then answer readings until stdin is closed."""
    bodies = [frames.waveform_csv(variant) for variant in range(frames.VARIANTS)]

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            frame = int(line.split()[1])
            await asyncio.sleep(device_latency_s(frame))
            payload = frames.encode(frame, bodies[frames.variant_of(frame)])
            writer.write(len(payload).to_bytes(4, "big") + payload)
            await writer.drain()

    serve(converse)


if __name__ == "__main__":
    main()
