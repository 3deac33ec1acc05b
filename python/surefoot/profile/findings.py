"""What limits a program, and what is wrong with it, in words. Pure functions of what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.profile.analysis import LEAST_CALLS, used_cores, used_lock
from surefoot.profile.record import Finding, TimelinePoint

if TYPE_CHECKING:
    from surefoot.profile.measured import Measured, Pool

# A resource that is used more is what limits; by how much waiting shows, no more than by this.
BUSY = 0.85
# A profile shorter than this says nothing.
LEAST_S = 0.2


def limited_by(measured: Measured) -> Finding:
    """Say what limits the program."""
    calls = sum(pool.tasks.calls for pool in measured.pools)
    if calls < LEAST_CALLS or measured.active_s < LEAST_S:
        return Finding(
            "too-few-calls",
            f"Too few calls to say: {calls} in {measured.active_s:.2f} s; less than {LEAST_CALLS}, or than "
            f"{LEAST_S} s.",
        )
    lock, cores = used_lock(measured), used_cores(measured)
    if lock is not None and lock >= BUSY:
        held = measured.lock
        asleep_s = sum(each.asleep_holding_s for each in measured.functions)
        if asleep_s > 0.3 * held.held_s:
            return Finding(
                "gil-sleeper",
                f"Native code that sleeps with the interpreter's lock: it is held or wanted {lock:.0%} of "
                f"the time, and while it is held its holder sleeps {asleep_s / held.held_s:.0%} of the time. "
                f"Nobody else runs meanwhile.",
            )
        if measured.cores > 1.05:
            return Finding("gil", _of_lock(measured, lock))
    if cores is not None and cores >= BUSY:
        return _of_cores(measured, cores)
    if lock is not None and lock >= BUSY:
        return Finding("gil", _of_lock(measured, lock))
    if measured.memory_bytes and (measured.memory_used_bytes or 0) > 0.9 * measured.memory_bytes:
        used = (measured.memory_used_bytes or 0) / measured.memory_bytes
        return Finding("memory", f"Memory: {used:.0%} of what the process may use is used.")
    return _of_pool(measured, lock, cores)


def _of_lock(measured: Measured, used: float) -> str:
    inside = measured.lock.in_calls_s / max(measured.lock.held_s, 1e-9)
    beside = ""
    # Of pools of ours it is not known which threads hold the lock.
    if inside < 0.8 and all(pool.kind != "surefoot" for pool in measured.pools):
        beside = f" Of that, {1 - inside:.0%} falls to other threads, the main thread among them."
    return (
        f"The interpreter's lock (GIL): it is held or wanted {used:.0%} of the time, and only one thread "
        f"can hold it. "
        f"More threads make calls slower, not more.{beside}"
    )


def _of_cores(measured: Measured, used: float) -> Finding:
    if measured.cores < measured.machine_cores - 0.01:
        return Finding(
            "quota",
            f"The CPU quota: {used:.0%} of the {measured.cores:g} cores that the process may use are used "
            f"(the machine has {measured.machine_cores:g}).",
        )
    return Finding("cores", f"The cores: {used:.0%} of the {measured.cores:g} that there are are used.")


def _of_pool(measured: Measured, lock: float | None, cores: float | None) -> Finding:
    pool = main_pool(measured)
    if pool is None:
        return Finding("load", "No pool of threads was busy.")
    idle = _idle(lock, cores)
    points = [point for point in measured.timeline if point.pool == pool.name]
    if is_remote(points):
        return Finding(
            "remote",
            f"Something outside this process, most likely a server that calls wait for: more workers of "
            f"{pool.name} at once did not bring more calls a second, though {idle}.",
        )
    shares = pool.tasks.shares
    if is_saturated(pool, points):
        if lock is not None and lock > 0.6 and shares is not None and (shares.gil or 0) > (shares.io or 0):
            return Finding("gil", _of_lock(measured, lock))
        what = "I/O"
        if pool.at_lock > 0.5:
            what = "locks or other tasks"
        part = f" {shares.io:.0%} of their time" if shares is not None and shares.io is not None else ""
        return Finding(
            "workers",
            f"Too few workers: all {pool.cap} of {pool.name} are busy, waiting for {what}{part}, while tasks "
            f"queue and {idle}.",
        )
    return Finding(
        "load",
        f"Too little load to limit anything: {pool.name} has workers to spare, and {idle}.",
    )


def _idle(lock: float | None, cores: float | None) -> str:
    parts = []
    if lock is not None:
        parts.append(f"the interpreter's lock is held {lock:.0%} of the time")
    if cores is not None:
        parts.append(f"{cores:.0%} of the cores are used")
    return " and ".join(parts) or "nothing of this process is known to be used up"


def main_pool(measured: Measured) -> Pool | None:
    """Return the pool whose workers spent most time in tasks."""
    pools = [pool for pool in measured.pools if pool.tasks.wall_s > 0]
    return max(pools, key=lambda pool: pool.tasks.wall_s, default=None)


def is_saturated(pool: Pool, points: list[TimelinePoint]) -> bool:
    """Say whether every worker was busy, with tasks waiting, most of the time."""
    busy = [point for point in points if point.workers_busy]
    if pool.cap is None or not busy:
        return False
    full = [
        point
        for point in busy
        if (point.queue_length or 0) > 0 and (point.workers_busy or 0) >= 0.9 * (point.limit or pool.cap)
    ]
    return len(full) >= 0.5 * len(busy)


def is_remote(points: list[TimelinePoint]) -> bool:
    """Say whether more workers at once brought hardly more calls a second."""
    usable = sorted(
        (point for point in points if point.workers_busy and point.throughput_per_s > 0),
        key=lambda point: point.workers_busy or 0,
    )
    third = len(usable) // 3
    if third < 3:
        return False
    few, many = usable[:third], usable[-third:]
    workers = [sum(point.workers_busy or 0 for point in part) / third for part in (few, many)]
    rates = [sum(point.throughput_per_s for point in part) / third for part in (few, many)]
    more = workers[1] / workers[0] - 1
    return more > 0.5 and rates[1] / rates[0] - 1 < 0.25 * more


def best_workers(points: list[TimelinePoint]) -> int | None:
    """Return the fewest workers at once that gave 95 % of the best rate seen."""
    usable = [point for point in points if point.workers_busy and point.throughput_per_s > 0]
    if not usable:
        return None
    by_workers: dict[int, list[float]] = {}
    for point in usable:
        by_workers.setdefault(point.workers_busy or 0, []).append(point.throughput_per_s)
    means = {workers: sum(rates) / len(rates) for workers, rates in by_workers.items() if len(rates) >= 3}
    best = max(means.values(), default=0.0)
    return min((workers for workers, rate in means.items() if rate >= 0.95 * best), default=None)


def warnings(measured: Measured) -> tuple[Finding, ...]:
    """Say what is wrong beside the limit."""
    found: list[Finding] = []
    least_s = max(5 * measured.lock.gap_s, 0.03 * measured.lock.seen_s)
    for function in measured.functions:
        if function.asleep_holding_s > least_s:
            part = function.asleep_holding_s / measured.lock.seen_s
            found.append(
                Finding(
                    "sleeps-with-gil",
                    f"{function.name} holds the interpreter's lock while it is asleep, {part:.0%} of the "
                    f"time: native code in it does not release the lock. Every other thread stands still.",
                )
            )
    crowd = _crowd(measured)
    if crowd is not None:
        found.append(crowd)
    workers = max((pool.workers_peak for pool in measured.pools), default=0)
    for library, threads in measured.library_threads.items():
        if threads > 1 and workers > 1 and threads * workers > 2 * max(1.0, measured.cores):
            found.append(
                Finding(
                    "oversubscription",
                    f"{library} starts {threads} threads for each of up to {workers} workers, on "
                    f"{measured.cores:g} cores: limit one of the two (OMP_NUM_THREADS=1, or threadpoolctl).",
                )
            )
    for pool in measured.pools:
        if pool.cap is not None and pool.joining_peak >= max(1.0, 0.75 * pool.cap):
            found.append(
                Finding(
                    "nested-waits",
                    f"{pool.joining_peak} of the {pool.cap} workers of {pool.name} waited at once for other "
                    f"tasks of the same pool: once all of them do, nobody is left to run those, and it "
                    f"stands still for ever.",
                )
            )
        if pool.running:
            found.append(
                Finding(
                    "still-running",
                    f"{pool.running} calls of {pool.name} had not ended: they are not counted.",
                )
            )
    if measured.lock.is_enabled and measured.lock.seen_s <= 0 and measured.active_s > LEAST_S:
        found.append(
            Finding(
                "gil-unseen",
                "The interpreter's lock could not be seen, so that waiting for it cannot be told from I/O: "
                "see `surefoot doctor`.",
            )
        )
    return tuple(found)


def _crowd(measured: Measured) -> Finding | None:
    """Say whether others on the machine took the cores."""
    used, pool = used_cores(measured), main_pool(measured)
    shares = None if pool is None else pool.tasks.shares
    if pool is None or shares is None or used is None or used > 0.8 or shares.runqueue < 0.1:
        return None
    return Finding(
        "crowded",
        f"Other programs take the cores: threads of {pool.name} waited for one {shares.runqueue:.0%} of "
        f"their time, though this program uses {used:.0%} of what it may. Profile again on a quiet machine.",
    )
