"""Which one number to put where. Pure functions of what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.profile import analysis
from surefoot.profile.findings import best_workers, is_remote, is_saturated, limited_by
from surefoot.profile.record import Finding, Setting

if TYPE_CHECKING:
    from surefoot.profile.measured import Measured, Pool

# Where the size of a pool is set, by what made the pool.
PLACES = {
    "executor": "ThreadPoolExecutor(max_workers=...)",
    "asyncio": "loop.set_default_executor(ThreadPoolExecutor(max_workers=...))",
    "anyio": "anyio.to_thread.current_default_thread_limiter().total_tokens = ...",
    "gunicorn": "gunicorn --threads ...",
    "langchain": 'config={"max_concurrency": ...}',
}
# No number is told that is more than this many times what was tried: so far the data do not reach.
REACH = 4
# Most pools that get advice, those that took most time first.
MOST = 3
# A pool that took less of the workers' time than this is not what matters.
LEAST_PART = 0.1


def advice(measured: Measured) -> tuple[Setting, ...]:
    """Say which number to put where; nothing if the data cannot carry it."""
    limit = limited_by(measured)
    if limit.kind == "too-few-calls":
        return ()
    all_s = sum(pool.tasks.wall_s for pool in measured.pools)
    pools = sorted(measured.pools, key=lambda pool: pool.tasks.wall_s, reverse=True)
    pools = [pool for pool in pools if pool.place in PLACES and pool.tasks.wall_s >= LEAST_PART * all_s]
    settings = (_setting(measured, pool, limit) for pool in pools[:MOST])
    return tuple(setting for setting in settings if setting is not None)


def _setting(measured: Measured, pool: Pool, limit: Finding) -> Setting | None:
    if pool.kind == "surefoot":
        return None
    where = PLACES[pool.place]
    if sum(each.place == pool.place for each in measured.pools) > 1:
        where += f" of {pool.name}"
    now = "" if pool.cap is None else f" It is {pool.cap} now."
    points = [point for point in measured.timeline if point.pool == pool.name]
    if limit.kind == "remote" and is_remote(points):
        best = best_workers(points)
        if best is None:
            return None
        return Setting(where, best, f"More at once brought no more calls a second.{now}")
    need = analysis.demand(pool.tasks, measured.lock)
    knee = analysis.knee(
        need,
        pool.tasks.calls,
        measured.cores,
        has_lock=measured.lock.is_enabled,
        beside_s=_beside_s(measured),
    )
    if need.alone_s is None or knee.ceiling_per_s is None:
        return None
    tried = max(1, pool.workers_peak)
    value, why = knee.with_reserve, _why(need, knee, measured.cores)
    is_far = value > REACH * tried if value is not None else (knee.least or 0.0) > REACH * tried
    if is_far and not is_saturated(pool, points):
        # More were not needed, so nothing was learnt of more.
        return None
    if is_far:
        value = REACH * tried
        why += f" As only {tried} were tried, go there in steps."
    return None if value is None else Setting(where, value, why + now)


def _why(need: analysis.Demand, knee: analysis.Knee, cores: float) -> str:
    assert need.alone_s is not None
    assert knee.ceiling_per_s is not None
    bottleneck = "the interpreter's lock" if knee.bottleneck == "gil" else f"{cores:g} cores"
    if knee.threads is None:
        return f"A call takes {_ms(need.alone_s)}, so little of that on {bottleneck} that many more fit."
    on_it_s = knee.servers / knee.ceiling_per_s
    return (
        f"A call takes {_ms(need.alone_s)} when nobody is in its way, {_ms(on_it_s)} of that on "
        f"{bottleneck}: {knee.threads:.1f} ± {knee.threads * knee.error:.1f} at once use it fully, at "
        f"{knee.ceiling_per_s:.3g} calls a second."
    )


def _beside_s(measured: Measured) -> float:
    """For each observed call, the time that other threads held the lock: the main thread feeds the pool."""
    calls = sum(pool.tasks.calls for pool in measured.pools)
    lock = measured.lock
    return max(0.0, lock.held_s - lock.in_calls_s) / calls if calls else 0.0


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
