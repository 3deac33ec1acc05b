"""A local server process: bind, say the port, serve until the parent goes away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BACKLOG: Final = 1024
"""A naive pool opens 256 connections at once; none may be turned away."""


async def _serve(converse: Handler) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The far side may leave at any point (Ctrl-C), and so may we: that ends the connection and nothing
        # else.
        try:
            await converse(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The parent holds the other end of stdin. It reads as ended however the parent ends, SIGKILL included.
    await asyncio.get_running_loop().run_in_executor(None, os.read, 0, 1)


def serve(converse: Handler) -> None:
    """Serve connections on a free port of 127.0.0.1, printed on stdout, until stdin is closed.

    Args:
        converse: Talks to one connection until it ends.
    """
    asyncio.run(_serve(converse))
