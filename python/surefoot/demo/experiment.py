"""The experiment: a sweep for the best static size, then rounds in which the strategies take turns."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Final

from surefoot.demo.actuator import stored
from surefoot.demo.children import Child, port_of
from surefoot.demo.ledger import Ledger
from surefoot.demo.result import Progress, Result, Summary
from surefoot.demo.strategies import NAIVE_WORKERS, Strategy
from surefoot.demo.trial import Spec

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from surefoot.demo.interruption import Interruption
    from surefoot.demo.live import Live

SEQUENTIAL: Final = "sequential"
NAIVE: Final = f"naive {NAIVE_WORKERS}"
BEST: Final = "best static"
OURS: Final = "surefoot"

TASK_GUESS_S: Final = 0.06
"""Only sizes the first runs, so that they take about as long as asked for; no result depends on it."""

HANG_LIMIT_S: Final = 300.0


@dataclass(frozen=True)
class Size:
    """How long the parts of the experiment are to take."""

    sweep_workers: tuple[int, ...]
    sweep_run_s: float
    run_s: float
    sequential_run_s: float
    rounds: int
    budget_s: float
    """No round starts that would not end within this time, but for the first."""


FULL: Final = Size((1, 2, 4, 8, 12, 16, 24, 32, 64), 1.5, 10.0, 6.0, 3, 150.0)
QUICK: Final = Size((4, 16, 32, 64), 0.5, 1.5, 1.0, 1, 0.0)


class TrialError(RuntimeError):
    """A trial ended without a result, or tasks in it failed."""


class Experiment:
    """Holds the servers and everything measured so far, so that an interrupted run can still report."""

    def __init__(
        self, size: Size, backend: str, folder: Path, live: Live, interruption: Interruption
    ) -> None:
        """Start the device and the service.

        Args:
            size: How long to measure.
            backend: The inference backend of every trial.
            folder: Where the trials keep their databases.
            live: Shows progress.
            interruption: Held back while a process starts.
        """
        self._size, self._backend, self._folder, self._live = size, backend, folder, live
        self._interruption = interruption
        self._begun_s = time.monotonic()
        self._trials = 0
        self.ledger = Ledger()
        self.sweep: list[Result] = []
        self.rounds: dict[str, list[Result]] = {}
        self._servers = ExitStack()
        with self._servers as building:
            with interruption.held():
                device = building.enter_context(Child("surefoot.demo.device"))
                api = building.enter_context(Child("surefoot.demo.api"))
            self._device_port, self._api_port = port_of(device), port_of(api)
            self._servers = building.pop_all()

    def __enter__(self) -> Experiment:
        """Return the experiment."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the device and the service."""
        self._live.abandon()
        self._servers.close()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the experiment began."""
        return time.monotonic() - self._begun_s

    @property
    def best_static(self) -> Result | None:
        """The sweep's run with the highest throughput."""
        return max(self.sweep, key=lambda result: result.throughput, default=None)

    def summaries(self) -> list[Summary]:
        """Return the strategies measured so far, in the order of the report."""
        names = (SEQUENTIAL, NAIVE, BEST, OURS)
        return [Summary(name, self.rounds[name]) for name in names if self.rounds.get(name)]

    def run(self) -> None:
        """Measure everything."""
        best = self._find_best_static()
        tasks = max(NAIVE_WORKERS, round(best.throughput * self._size.run_s))
        turns = [
            (SEQUENTIAL, Strategy("sequential"), max(8, round(self._size.sequential_run_s / TASK_GUESS_S))),
            (NAIVE, Strategy("static", NAIVE_WORKERS), tasks),
            (BEST, best.strategy, tasks),
            (OURS, Strategy("adaptive"), tasks),
        ]
        longest_s = 0.0
        for number in range(self._size.rounds):
            if number and self.elapsed_s + longest_s > self._size.budget_s:
                break
            begun_s = self.elapsed_s
            # Another one goes first in each round: whatever drifts on the machine favours nobody.
            for name, strategy, frames in turns[number % len(turns) :] + turns[: number % len(turns)]:
                self._trial(f"round {number + 1}: {name}", strategy, frames, self.rounds.setdefault(name, []))
            longest_s = max(longest_s, self.elapsed_s - begun_s)

    def _find_best_static(self) -> Result:
        expected = self._size.sweep_workers[0] / TASK_GUESS_S
        for workers in self._size.sweep_workers:
            if self.sweep:
                last = self.sweep[-1]
                more = workers / (last.strategy.workers or 1)
                expected = last.throughput * min(more, 2.0)
            frames = max(2 * workers, round(expected * self._size.sweep_run_s))
            strategy = Strategy("static", workers)
            self._trial(f"sweep: {strategy.name()}", strategy, frames, self.sweep)
        return max(self.sweep, key=lambda result: result.throughput)

    def _trial(self, title: str, strategy: Strategy, frames: int, results: list[Result]) -> None:
        self._live.begin(title)
        self._trials += 1
        database = self._folder / f"trial-{self._trials}.sqlite"
        spec = Spec(strategy, frames, self._device_port, self._api_port, str(database), self._backend)
        with ExitStack() as ending:
            with self._interruption.held():
                child = ending.enter_context(Child("surefoot.demo.trial", spec.to_json()))
            watch = Timer(HANG_LIMIT_S, child.kill)
            # A daemon, cancelled whatever happens: interrupted between its start and the next line, it would
            # otherwise keep the interpreter from ending until the limit is over.
            watch.daemon = True
            ending.callback(watch.cancel)
            watch.start()
            result = self._listen(child, spec)
        if result is None:
            raise TrialError(f"{title}: the process ended without a result")
        self.ledger.add(title, frames, stored(str(database)))
        for part in self._folder.glob(f"{database.name}*"):
            part.unlink()
        if result.errors:
            raise TrialError(
                f"{title}: {len(result.errors)} tasks failed, the first with: {result.errors[0]}"
            )
        # Kept before it is shown: whoever interrupts after the line finds it in the report.
        results.append(result)
        self._live.end(
            f"{result.throughput:>7.1f} tasks/s   p50 {result.latency_ms(50):.0f} ms"
            f"   p99 {result.latency_ms(99):.0f} ms   {result.wall_ns / 1e9:.1f} s"
        )

    def _listen(self, child: Child, spec: Spec) -> Result | None:
        looks: list[Progress] = []
        for line in child.lines:
            self._interruption.check()
            message = json.loads(line)
            if "result" in message:
                if child.wait() != 0:
                    return None
                return Result(spec.strategy, spec.frames, progress=looks, **message["result"])
            looks.append(Progress(**message["progress"]))
            self._live.show(looks[-1], spec.frames)
        return None
