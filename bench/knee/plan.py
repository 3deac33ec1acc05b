"""What is run, and in which order.

For most workloads: a sweep finds the best static size of the standard pool; then ours, that size and the
sizes that a bar names take turns, each round in another random order. Ratios come from the turns alone: the
best of a sweep is the luckiest of a sweep.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import child
from bench.environment import cores_busy, interpreter_name, usable_cores
from bench.knee.contenders import OURS, PINNED, STANDARD, name_of, size_of
from bench.knee.neighbours import DISTURBED_CORES
from bench.knee.records import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZES = (1, 2, 4, 8, 16, 32, 64, 256)
SIZES_QUICK = (1, 4, 8, 16, 64)
#: What users set who set a number; the paper's "naive".
NAIVE = 256
#: Static sizes this close to the best count as equal to it; the least of them has the best p99.
EQUAL_SHARE = 0.98


@dataclass(frozen=True)
class Load:
    """A workload with a sweep.

    Attributes:
        case: The load's name.
        named: Static sizes that a bar names.
        rate_against_named: The throughput, too, is held against the named size, not the best.
        caps: Caps of ours, instead of those asked for.
        backlog: Tasks kept waiting.
        tasks: Run exactly these instead of a closed loop.
    """

    case: str
    named: tuple[int, ...] = ()
    rate_against_named: bool = False
    caps: tuple[int, ...] = ()
    backlog: int = 300
    tasks: int | None = None


#: A backlog of 300 micro tasks would be gone before the main thread looks again.
MICRO_BACKLOG = 3000
SWEPT = {
    "stated": Load("stated", (8,)),
    "cpu": Load("cpu", (1,), rate_against_named=True),
    "io": Load("io", (64,), rate_against_named=True, caps=(64,)),
    "micro": Load("micro", (NAIVE,), backlog=MICRO_BACKLOG),
    "micro_batch": Load("micro", (NAIVE,), tasks=20_000),
    "half_numpy": Load("half_numpy", (8,)),
    "mixed": Load("mixed"),
    "remote": Load("remote"),
}
PHASES_S = {"phases-1": (8.0, 6.0), "phases-2": (12.0, 8.0), "phases-5": (20.0, 10.0)}
#: A static size that is right in one of the phases, beside ours once.
PHASES_NAIVE = 64
AFFINITY = {"affinity": "hashing", "affinity_half_numpy": "half_numpy"}
NO_CLIFF = ("micro", "stated", "cpu")
NO_CLIFF_CAPS = (64, 2048)
#: Shape, size (0: the cap), after a spell of pure Python.
LIVENESS = (
    ("rendezvous", 5, False),
    ("rendezvous", 33, False),
    ("rendezvous", 0, False),
    ("nested", 18, False),
    ("nested", -1, False),
    ("pairs", 16, False),
    ("event", 40, False),
    ("rendezvous", 5, True),
    ("rendezvous", 33, True),
    ("nested", 18, True),
    ("event", 40, True),
)
LIVENESS_ROUNDS = 5
#: Load, workers: few enough that the run is calm.
OVERHEAD = (("micro", 8), ("cpu", 2))
#: A run that is disturbed so often is kept, and marked.
ATTEMPTS = 3
SENSORS_OFF = {"SUREFOOT_GIL_SENSOR": "none"}

WORKLOADS = (*SWEPT, "phases", *AFFINITY, "no_cliff", "liveness", "overhead")


@dataclass
class Session:
    """One call of the benchmark.

    Attributes:
        amounts: The answer of :mod:`bench.knee.calibrate`.
        began: Unix time, marks the records.
        calm_s: Wait up to so long for a quiet machine before a run, and repeat a run that was disturbed.
    """

    amounts: dict[str, Any]
    began: float
    quick: bool
    rounds: int | None
    caps: tuple[int, ...]
    controller: str | None
    seconds: float | None = None
    calm_s: float = 0.0
    shuffle: random.Random = field(default_factory=lambda: random.Random(5))

    @property
    def run_s(self) -> float:
        return self.seconds or (3.0 if self.quick else 6.0)

    def rounds_or(self, full: int, quick: int) -> int:
        return self.rounds or (quick if self.quick else full)


def run(session: Session, workload: str, cores: int) -> Iterator[Run]:
    """Make the runs of one workload on some cores."""
    if workload in SWEPT:
        yield from _swept(session, workload, cores)
    elif workload == "phases":
        yield from _phases(session, cores)
    elif workload in AFFINITY:
        yield from _affinity(session, workload, cores)
    elif workload == "no_cliff":
        yield from _no_cliff(session, cores)
    elif workload == "liveness":
        yield from _liveness(session, cores)
    elif workload == "overhead":
        yield from _overhead(session, cores)
    else:
        raise ValueError(f"unknown workload: {workload!r}")


def best_sizes(sweep: Sequence[Run]) -> tuple[int, int]:
    """Return the static size with the most tasks per second, and the least that comes close to it."""
    rates: dict[int, list[float]] = {}
    for each in sweep:
        rates.setdefault(size_of(each.contender), []).append(each.measures["tasks_per_s"])
    by_size = {size: median(values) for size, values in rates.items()}
    most = max(by_size.values())
    best = max(by_size, key=lambda size: by_size[size])
    return best, min(size for size, rate in by_size.items() if rate >= EQUAL_SHARE * most)


def _swept(session: Session, workload: str, cores: int) -> Iterator[Run]:
    load = SWEPT[workload]
    make = _maker(session, workload, load.case, cores, backlog=load.backlog, tasks=load.tasks)
    sizes = sorted({*(SIZES_QUICK if session.quick else SIZES), *load.named})
    sweep_s = 2.0 if session.quick else 3.0
    sweep = []
    for size in _shuffled(session, sizes):
        found = make(name_of(STANDARD, size), "sweep", 0, seconds=sweep_s, warm_s=0.5)
        sweep.append(found)
        yield found
    rivals = [name_of(STANDARD, size) for size in sorted({*best_sizes(sweep), *load.named})]
    rivals += [name_of(OURS, cap) for cap in load.caps or session.caps]
    for number in range(session.rounds_or(3, 2)):
        for contender in _shuffled(session, rivals):
            yield make(contender, "final", number)


def _phases(session: Session, cores: int) -> Iterator[Run]:
    pure = {case: _maker(session, "phases", case, cores) for case in ("cpu", "io")}
    possible = [("cpu", 1), ("io", PHASES_NAIVE)]
    for number in range(session.rounds_or(3, 2)):
        for case, size in _shuffled(session, possible):
            yield pure[case](name_of(STANDARD, size), "possible", number)
        for case, (full_s, quick_s) in _shuffled(session, list(PHASES_S.items())):
            make = _maker(session, "phases", case, cores)
            rivals = [name_of(OURS, cap) for cap in session.caps] + [name_of(STANDARD, PHASES_NAIVE)] * (
                number == 0
            )
            for contender in _shuffled(session, rivals):
                yield make(contender, "final", number, seconds=quick_s if session.quick else full_s)


def _affinity(session: Session, workload: str, cores: int) -> Iterator[Run]:
    if cores < 2:
        return
    case, numbers = AFFINITY[workload], usable_cores()
    phase_s = 4.0 if session.quick else 5.0
    for number in range(session.rounds_or(3, 2)):
        for size in _shuffled(session, [1, 2, 4, 8]):
            for some in (1, 2):
                make = _maker(session, workload, case, cores, core_numbers=numbers[:some])
                found = make(
                    name_of(STANDARD, size),
                    "possible",
                    number,
                    variant=f"cores={some}",
                    seconds=2.0,
                    warm_s=0.5,
                )
                yield found
        make = _maker(
            session, workload, case, cores, cores_plan=[[phase_s, numbers[:1]], [2 * phase_s, numbers[:2]]]
        )
        for cap in session.caps:
            yield make(name_of(OURS, cap), "final", number, seconds=3 * phase_s)


def _no_cliff(session: Session, cores: int) -> Iterator[Run]:
    for case in NO_CLIFF:
        make = _maker(session, "no_cliff", case, cores, backlog=_backlog(case))
        for number in range(session.rounds_or(5, 3)):
            for cap in _shuffled(session, list(NO_CLIFF_CAPS)):
                yield make(name_of(OURS, cap), "final", number)


def _overhead(session: Session, cores: int) -> Iterator[Run]:
    for case, size in OVERHEAD:
        make = _maker(session, "overhead", case, cores, backlog=_backlog(case))
        for number in range(session.rounds_or(9, 5)):
            for variant in _shuffled(session, ["", "sensors off"]):
                environment = SENSORS_OFF if variant else {}
                yield make(name_of(PINNED, size), "final", number, variant=variant, environment=environment)
    make = _maker(session, "overhead", "micro", cores, idle=1, tasks=5000)
    for cap in session.caps[:1]:
        yield make(name_of(OURS, cap), "final", 0, variant="idle")


def _liveness(session: Session, cores: int) -> Iterator[Run]:
    for cap in session.caps:
        for shape, size, after_cpu in LIVENESS:
            workers = size if size > 0 else cap + size
            if workers > cap:
                continue
            case = f"{shape} {workers}{' after cpu' if after_cpu else ''}"
            for number in range(session.rounds_or(LIVENESS_ROUNDS, LIVENESS_ROUNDS)):
                for contender in _shuffled(session, [name_of(STANDARD, cap), name_of(OURS, cap)]):
                    asked = {
                        "pool": contender,
                        "controller": session.controller,
                        "amounts": session.amounts,
                        "core_numbers": usable_cores()[:cores],
                        "shape": shape,
                        "size": workers,
                        "after_cpu": after_cpu,
                    }
                    measures = child.measure("bench.knee.liveness_run", asked)
                    yield _record(session, "liveness", case, cores, contender, "final", number, measures)


def _maker(session: Session, workload: str, case: str, cores: int, **always: Any) -> Callable[..., Run]:
    def make(contender: str, role: str, number: int, variant: str = "", **these: Any) -> Run:
        asked = {
            "pool": contender,
            "controller": session.controller,
            "load": case,
            "amounts": session.amounts,
            "core_numbers": usable_cores()[:cores],
            "seconds": session.run_s,
            "warm_s": 1.0,
            "backlog": 300,
            **always,
            **these,
        }
        if asked.get("tasks"):
            asked["seconds"] = 60.0  # Bounds a hang; the batch ends the run.
        measures = _measured_in_calm(session, asked)
        return _record(session, workload, case, cores, contender, role, number, measures, variant)

    return make


def _measured_in_calm(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """Run; where calm is wished for, run again while others disturb, and keep the least disturbed."""
    least: dict[str, Any] = {}
    for _ in range(ATTEMPTS if session.calm_s else 1):
        deadline = time.monotonic() + session.calm_s
        while session.calm_s and time.monotonic() < deadline:
            if (cores_busy(0.5) or 0.0) <= DISTURBED_CORES:
                break
        found = child.measure("bench.knee.closed_loop_run", asked)
        if not least or (found.get("others_cores") or 0.0) < (least.get("others_cores") or 0.0):
            least = found
        if (least.get("others_cores") or 0.0) <= DISTURBED_CORES:
            break
    return least


def _record(
    session: Session,
    workload: str,
    case: str,
    cores: int,
    contender: str,
    role: str,
    number: int,
    measures: dict[str, Any],
    variant: str = "",
) -> Run:
    return Run(
        workload=workload,
        case=case,
        cores=cores,
        contender=contender,
        role=role,
        round=number,
        measures=measures,
        interpreter=interpreter_name(),
        session=session.began,
        variant=variant,
    )


def _backlog(case: str) -> int:
    return MICRO_BACKLOG if case == "micro" else 300


def _shuffled(session: Session, items: list[Any]) -> list[Any]:
    return session.shuffle.sample(items, len(items))
