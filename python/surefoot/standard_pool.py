"""The standard pool under our name, for where the native one cannot be had."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from surefoot import backpressure, join, registry
from surefoot.options import Options
from surefoot.records import Decision, PoolStats

logger = logging.getLogger("surefoot")


def stats_of(executor: ThreadPoolExecutor) -> PoolStats:
    """Read what a standard pool shows; what it does not measure is 0 or ``None``."""
    live = len(executor._threads)
    idle = min(live, executor._idle_semaphore._value)
    queued = executor._work_queue.qsize()
    nothing: dict[str, Any] = {
        f"{name}_ns_p{percent}": None
        for name in ("queued", "attach_wait", "wall", "cpu")
        for percent in (50, 95, 99)
    }
    return PoolStats(
        limit=executor._max_workers,
        cap=executor._max_workers,
        workers_live=live,
        workers_busy=live - idle,
        workers_joining=0,
        workers_idle=idle,
        queue_length=queued,
        queue_head_age_s=0.0,
        tasks_submitted=0,
        tasks_running=live - idle,
        tasks_done=0,
        tasks_failed=0,
        tasks_cancelled=0,
        beta_mean=None,
        **nothing,
    )


class StandardThreadPoolExecutor(ThreadPoolExecutor):
    """The standard pool with the options of the adaptive one.

    It heeds ``max_queue``, ``queue_full``, ``context`` (but for subclasses with a ``submit`` of their
    own) and ``shutdown(timeout=)``, on which programs may rely; the others it checks and does not use.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Any = None,
        initargs: Any = (),
        **options: Any,
    ) -> None:
        """Make a standard pool.

        Args:
            max_workers: As in the standard class.
            thread_name_prefix: As in the standard class.
            initializer: As in the standard class.
            initargs: As in the standard class.
            **options: The adaptive executor's own options; others go to the standard class.
        """
        own, rest = Options.split(max_workers, options)
        submit = backpressure.standard_submit(self, own)
        if submit is not None and type(self).submit is ThreadPoolExecutor.submit:
            # Only where it has something to do: else `submit` stays the standard one.
            self.submit = submit  # type: ignore[method-assign]
        super().__init__(max_workers, thread_name_prefix, initializer, initargs, **rest)
        registry.register(self)

    def shutdown(  # type: ignore[override]
        self, wait: bool = True, *, cancel_futures: bool = False, timeout: float | None = None
    ) -> bool | None:
        """End the pool as the standard one, with a limit to the wait.

        Returns:
            ``None`` without a ``timeout``; with one (in seconds), whether every worker has left.
        """
        deadline_s = join.deadline(wait, timeout)
        super().shutdown(wait and timeout is None, cancel_futures=cancel_futures)
        return None if deadline_s is None else join.threads(lambda: list(self._threads), deadline_s)

    def stats(self) -> PoolStats:
        """Return what the standard pool shows; what it does not measure is 0 or ``None``."""
        return stats_of(self)

    def decisions(self) -> tuple[Decision, ...]:
        """Return nothing: no controller runs."""
        return ()

    def _repr_html_(self) -> str:
        return self.stats()._repr_html_()
