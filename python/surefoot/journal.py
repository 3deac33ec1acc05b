"""What pools tell the logger ``surefoot``: decisions at DEBUG, starvation at WARNING.

Called by threads of surefoot's own and by workers between two tasks, never by the monitor.
"""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger("surefoot")


def is_read() -> bool:
    """Return whether decisions are worth telling."""
    return logger.isEnabledFor(logging.DEBUG)


def tell_decisions(pool: str, decisions: list[dict[str, Any]]) -> None:
    """Log decisions of the pool whose threads are named ``pool``."""
    for made in decisions:
        waiting = f"{made['queue_length']} waiting, {made['completions']} completed"
        if made["veto"] is None:
            logger.debug(
                "%s: limit %d -> %d: %s (%s)",
                pool,
                made["limit_before"],
                made["limit"],
                made["reason"],
                waiting,
            )
        else:
            logger.debug(
                "%s: limit stays %d, veto %s: %s (%s)",
                pool,
                made["limit"],
                made["veto"],
                made["reason"],
                waiting,
            )


def tell_hunger(pool: str, hunger: dict[str, Any]) -> None:
    """Warn that the pool whose threads are named ``pool`` starves."""
    suppressed = hunger["suppressed"]
    since = f" ({suppressed} more since the last warning)" if suppressed else ""
    if hunger["cause"] == "nested-waits":
        logger.warning(
            "%s: all %d workers wait in result() for tasks of their own pool, %d tasks wait for a worker, "
            "and max_workers=%d admits no more: nothing can move%s",
            pool,
            hunger["workers_joining"],
            hunger["queue_length"],
            hunger["cap"],
            since,
        )
    else:
        logger.warning(
            "%s: %d tasks wait, the oldest for %.1f s, and none has completed for %.1f s: "
            "%d workers are busy, %d of them waiting for tasks of their own pool (max_workers=%d)%s",
            pool,
            hunger["queue_length"],
            hunger["queue_head_age_s"],
            hunger["still_s"],
            hunger["workers_busy"],
            hunger["workers_joining"],
            hunger["cap"],
            since,
        )
