"""A gunicorn worker whose thread pool finds its own size.

::

    gunicorn -k surefoot.adapters.gunicorn.AdaptiveThreadWorker app:app
"""

from __future__ import annotations

from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from surefoot import AdaptiveThreadPoolExecutor, default_cap
from surefoot.capacity import standard_default

__all__ = ["AdaptiveThreadWorker"]

# gunicorn's default for --threads.
_NOT_GIVEN = 1


class AdaptiveThreadWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker on an :class:`surefoot.AdaptiveThreadPoolExecutor`.

    ``--threads N`` is the cap, the most requests that one worker process ever handles at once. Without it
    (gunicorn's default is 1, which would leave nothing to adapt) the cap is what machine and process can
    bear (:func:`surefoot.default_cap`), and never more than ``--worker-connections``, as every request
    in hand is a connection.

    Connections go to the pool as soon as they are accepted or readable again, so its queue holds every
    request that waits. ``--worker-connections`` bounds that queue.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a worker; the arbiter does."""
        super().__init__(*args, **kwargs)
        if self.cfg.threads == _NOT_GIVEN:
            # gunicorn keeps idle connections open as long as enough others are left for its threads.
            reserved = min(standard_default(), self.worker_connections // 2)
            self.max_keepalived = self.worker_connections - reserved

    def get_thread_pool(self) -> AdaptiveThreadPoolExecutor:
        """Return the pool that handles requests; called by gunicorn in the worker process."""
        cap = self.cfg.threads
        if cap == _NOT_GIVEN:
            cap = max(1, min(default_cap().workers, self.worker_connections))
        return AdaptiveThreadPoolExecutor(cap, thread_name_prefix="gunicorn")
