"""The application that gunicorn serves in the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.adoption import work

if TYPE_CHECKING:
    from collections.abc import Callable


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Do what the path says; ``/pool`` tells how the pool is."""
    path = environ["PATH_INFO"]
    body = b"done"
    if path == "/pool":
        body = _pool()
    else:
        {"/mixed": work.mixed, "/cpu": work.cpu}[path]()
    start_response("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "text/plain")])
    return [body]


def _pool() -> bytes:
    import surefoot

    lines = []
    for pool in surefoot.pools():
        lines += [repr(pool.stats()), *map(repr, pool.decisions())]
    return "\n".join(lines).encode()
