"""What a standard pool is called in a profile, and where its size is set."""

from __future__ import annotations

import re
import sys
from typing import Any

# As the standard class names a pool that was given no name.
_NUMBERED = re.compile(r"ThreadPoolExecutor-\d+\Z")


def of_executor(executor: Any) -> tuple[str, str, str, int | None]:
    """Return name, kind, place (see ``surefoot.profile.advice``) and cap of a standard executor."""
    name = str(getattr(executor, "_thread_name_prefix", "") or type(executor).__name__)
    cap = getattr(executor, "_max_workers", None)
    return name, "standard", _place(executor, name), cap if isinstance(cap, int) else None


def _place(executor: Any, name: str) -> str:
    module = type(executor).__module__ or ""
    if module.startswith("langchain_core"):
        return "langchain"
    if name == "asyncio" or name.startswith("asyncio_"):
        return "asyncio"
    if _NUMBERED.match(name) and _is_in_gunicorn(executor):
        return "gunicorn"
    return "executor"


def _is_in_gunicorn(executor: Any) -> bool:
    """Say whether this is the pool of a gunicorn worker of threads."""
    gthread = sys.modules.get("gunicorn.workers.gthread")
    if gthread is None:
        return False
    # The worker that runs is a local variable of gunicorn's own frames only; it is found by asking the
    # frames below, since the first submission comes out of its loop.
    frame = sys._getframe()
    for _ in range(50):
        worker = frame.f_locals.get("self")
        if isinstance(worker, gthread.ThreadWorker):
            return worker.tpool is executor
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False
