"""Records: what is written down, one JSON object per line, in the order measured.

Two kinds. An ``environment`` line opens the run of one experiment under one interpreter; the
``sample`` lines that follow belong to it. Samples are raw: every table is computed from them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA = 1


@dataclass(frozen=True)
class Sample:
    """One measurement of one contender.

    Attributes:
        experiment: ``overhead``, ``micro`` or ``memory``.
        case: What was measured within the experiment.
        pool: The contender.
        round: Samples of one case with equal rounds were taken next to each other.
        position: 0 for the first of its round.
        conditions: What was held fixed (workers, tasks, cores).
        measures: What was found, units in the names.
        interpreter: Short name of the interpreter, such as ``3.14t``.
    """

    experiment: str
    case: str
    pool: str
    round: int
    position: int
    conditions: dict[str, int]
    measures: dict[str, float]
    interpreter: str
    record: str = field(default="sample", init=False)


@dataclass(frozen=True)
class Environment:
    """Where and with what a run was made; see :mod:`bench.environment`."""

    experiment: str
    interpreter: str
    facts: dict[str, Any]
    schema: int = SCHEMA
    record: str = field(default="environment", init=False)


def write(record: Sample | Environment, stream: IO[str]) -> None:
    """Append one line and flush it: what was measured survives an interrupt."""
    stream.write(json.dumps(asdict(record), separators=(",", ":")) + "\n")
    stream.flush()


def parse(line: str) -> Sample | Environment:
    """Turn one line back into a record.

    Raises:
        ValueError: If the line is no record of this schema.
    """
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise ValueError(f"not a record: {line[:80]!r}")
    kind = fields.pop("record", None)
    if kind == "sample":
        return Sample(**fields)
    if kind == "environment" and fields.get("schema") == SCHEMA:
        return Environment(**fields)
    raise ValueError(f"not a record of schema {SCHEMA}: {line[:80]!r}")


def read(lines: Iterable[str]) -> Iterator[Sample | Environment]:
    """Parse many lines, blank ones skipped."""
    return (parse(line) for line in lines if line.strip())
