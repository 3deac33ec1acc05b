"""Records of this benchmark: one JSON object per line, one line per run, in the order measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.records import Environment


@dataclass(frozen=True)
class Run:
    """One run of one pool.

    Attributes:
        workload: The row of the table that it belongs to.
        case: What was run within the workload: a load, or a shape.
        cores: Cores the process may use at the start.
        contender: See :mod:`bench.knee.contenders`.
        role: ``sweep`` finds the best static size; ``final`` alternates the rivals and is what ratios are
            taken from; ``possible`` says what a clairvoyant could do.
        round: Runs of one round were made next to each other, in random order.
        measures: What was found, units in the names.
        interpreter: Short name, such as ``3.14t``.
        session: When its session began: the newest of a row replaces older ones.
        variant: What differed from the default, such as ``sensors off``.
    """

    workload: str
    case: str
    cores: int
    contender: str
    role: str
    round: int
    measures: dict[str, Any]
    interpreter: str
    session: float
    variant: str = ""
    record: str = field(default="knee-run", init=False)


def write(record: Run | Environment, stream: IO[str]) -> None:
    """Append one line and flush it: what was measured survives an interrupt."""
    stream.write(json.dumps(asdict(record), separators=(",", ":")) + "\n")
    stream.flush()


def read(lines: Iterable[str]) -> list[Run]:
    """Read the runs; of each row (workload, cores, interpreter) only those of the newest session."""
    runs = []
    for line in lines:
        fields = json.loads(line) if line.strip() else {}
        if fields.pop("record", None) == "knee-run":
            runs.append(Run(**fields))
    newest: dict[tuple[str, int, str], float] = {}
    for run in runs:
        key = (run.workload, run.cores, run.interpreter)
        newest[key] = max(newest.get(key, 0.0), run.session)
    return [run for run in runs if run.session == newest[run.workload, run.cores, run.interpreter]]
