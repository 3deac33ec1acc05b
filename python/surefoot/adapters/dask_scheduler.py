"""The scheduler's half of :mod:`surefoot.adapters.dask`: a worker may say that it has more or fewer slots."""

from __future__ import annotations

from time import time
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

__all__ = ["MESSAGE", "NAME", "SlotsPlugin"]

NAME = "surefoot"
MESSAGE = "surefoot-slots"


class SlotsPlugin(SchedulerPlugin):  # type: ignore[misc]
    """Changes a worker's ``nthreads`` while it runs, which Dask itself never does.

    The workers' half installs it by itself. It runs on the scheduler's event loop.
    """

    name = NAME

    def start(self, scheduler: Any) -> None:
        """Listen to the workers' message."""
        self._scheduler = scheduler
        scheduler.stream_handlers[MESSAGE] = self._set_slots

    def _set_slots(self, worker: str, nthreads: int, stimulus_id: str) -> None:
        scheduler = self._scheduler
        state = scheduler.workers.get(worker)
        if state is None or nthreads < 1 or nthreads == state.nthreads:
            return
        more = nthreads - state.nthreads
        state.nthreads = nthreads
        # Everything that the scheduler sums up over workers, as when a worker comes or goes.
        scheduler.host_info[state.host]["nthreads"] += more
        scheduler.total_nthreads += more
        scheduler.total_nthreads_history.append((time(), scheduler.total_nthreads))
        scheduler.check_idle_saturated(state)
        if more > 0:
            scheduler.stimulus_queue_slots_maybe_opened(stimulus_id=stimulus_id)
