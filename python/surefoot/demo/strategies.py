"""The strategies: the same tasks one after another, in a standard pool, and in ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, cast

Task = Callable[[int], None]
Kind = Literal["sequential", "static", "adaptive"]

NAIVE_WORKERS: Final = 256


@dataclass(frozen=True)
class Strategy:
    """How a run orders its tasks: a kind, and the number of workers where the caller chooses it."""

    kind: Kind
    workers: int | None = None

    def name(self) -> str:
        """Return the name for a line of progress."""
        return self.kind if self.workers is None else f"{self.kind} {self.workers}"


class Runner(Protocol):
    """A strategy at work; the last three may be asked from another thread while it runs."""

    def run(self, task: Task, frames: Iterable[int]) -> list[str]:
        """Run a task for each frame and return the errors of those that failed."""

    def limit(self) -> int:
        """Return how many workers may run tasks now."""

    def decisions(self) -> list[dict[str, Any]]:
        """Return what the pool decided so far, oldest first; nothing where nobody decides."""

    def close(self) -> None:
        """Stop the workers."""


class Sequential:
    """The main thread, one task after another."""

    def run(self, task: Task, frames: Iterable[int]) -> list[str]:
        """Run the tasks in order."""
        errors = []
        for frame in frames:
            try:
                task(frame)
            except Exception as error:
                errors.append(_text(frame, error))
        return errors

    def limit(self) -> int:
        """Return 1."""
        return 1

    def decisions(self) -> list[dict[str, Any]]:
        """Return nothing."""
        return []

    def close(self) -> None:
        """Do nothing."""


class Static:
    """`concurrent.futures.ThreadPoolExecutor` with a fixed number of workers."""

    def __init__(self, workers: int) -> None:
        """Make the pool.

        Args:
            workers: Its `max_workers`.
        """
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers)

    def run(self, task: Task, frames: Iterable[int]) -> list[str]:
        """Submit all tasks, then wait for each."""
        return _submit_all(self._pool, task, frames)

    def limit(self) -> int:
        """Return the number of workers."""
        return self._workers

    def decisions(self) -> list[dict[str, Any]]:
        """Return nothing."""
        return []

    def close(self) -> None:
        """Shut the pool down."""
        self._pool.shutdown()


class Adaptive:
    """`surefoot.AdaptiveThreadPoolExecutor` with its default settings."""

    def __init__(self) -> None:
        """Make the pool."""
        from surefoot import AdaptiveThreadPoolExecutor

        self._pool: Any = AdaptiveThreadPoolExecutor()
        # SUREFOOT_DISABLE turns the class into the standard pool, which has neither statistics nor decisions.
        self._adapts = hasattr(self._pool, "stats")

    def run(self, task: Task, frames: Iterable[int]) -> list[str]:
        """Submit all tasks, then wait for each."""
        return _submit_all(self._pool, task, frames)

    def limit(self) -> int:
        """Return the limit the controller has chosen."""
        return int(self._pool.stats().limit if self._adapts else self._pool._max_workers)

    def decisions(self) -> list[dict[str, Any]]:
        """Return the pool's log of decisions."""
        if not self._adapts:
            return []
        return [
            {name: getattr(decision, name) for name in ("at_s", "limit_before", "limit", "reason", "veto")}
            for decision in self._pool.decisions()
        ]

    def close(self) -> None:
        """Shut the pool down."""
        self._pool.shutdown()


def start(strategy: Strategy) -> Runner:
    """Return a runner for a strategy, its pool made and no task submitted."""
    if strategy.kind == "sequential":
        return Sequential()
    if strategy.kind == "static":
        return Static(cast("int", strategy.workers))
    return Adaptive()


def _text(frame: int, error: BaseException) -> str:
    return f"frame {frame}: {type(error).__name__}: {error}"


def _submit_all(pool: ThreadPoolExecutor, task: Task, frames: Iterable[int]) -> list[str]:
    futures: list[tuple[int, Future[None]]] = [(frame, pool.submit(task, frame)) for frame in frames]
    return [_text(frame, error) for frame, future in futures if (error := future.exception()) is not None]
