"""Record files, read whole."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.evaluation import records
from surefoot.evaluation.runs import Runs


@dataclass(frozen=True)
class Evaluation:
    """What a suite left behind.

    Attributes:
        runs: Everything that was measured.
        absences: Runs that failed or could not exist here, and why.
    """

    runs: Runs
    absences: tuple[records.Absence, ...] = ()

    def experiment(self, name: str, **wanted: Any) -> Runs:
        """Return the runs of an experiment; further conditions as in `Runs.where`."""
        return self.runs.where(experiment=name, **wanted)


def read(paths: Iterable[Path]) -> Evaluation:
    """Read record files, in this order; those that end in ``.gz`` are packed.

    A last line without an end is what a kill leaves behind; it is left out.

    Raises:
        OSError: A file cannot be read.
        ValueError: A line is no record, or there is no run in them.
    """
    # Bytes that are no UTF-8 and JSON that is none are both a ValueError.
    lines: list[Mapping[str, Any]] = []
    for path in paths:
        lines += _lines(path)
    evaluation = of_lines(lines)
    if not evaluation.runs:
        raise ValueError("no measured run in these records")
    return evaluation


def of_lines(lines: Iterable[Mapping[str, Any]]) -> Evaluation:
    """Return what these lines say; kinds of lines that are not known are left out."""
    runs: list[records.Run] = []
    absences: dict[records.Absence, None] = {}
    for line in lines:
        kind = line.get("type")
        if kind == "comparison_run":
            schema = line.get("schema", records.SCHEMA)
            if schema > records.SCHEMA:
                raise ValueError(f"records of schema {schema} need a newer surefoot")
            runs.append(records.run(line))
        elif kind in ("comparison_failure", "comparison_unavailable"):
            absences[records.absence(line)] = None
    # A suite runs in an order of chance; figures and tables have one of their own.
    runs.sort(key=_place)
    return Evaluation(Runs(runs), tuple(absences))


_WORKLOADS = (
    *("micro", "stated", "io", "cpu", "pipeline"),
    *("vision", "voice", "fusion", "rag", "slm", "analytics", "onnx"),
)


def _place(run: records.Run) -> tuple[Any, ...]:
    known = _WORKLOADS.index(run.workload) if run.workload in _WORKLOADS else len(_WORKLOADS)
    parameters = [
        (key, float(value) if isinstance(value, (int, float)) else 0.0, str(value))
        for key, value in sorted(run.parameters.items())
    ]
    return known, run.workload, parameters, run.cores, run.quota_cores or 0.0, run.threads or 0, run.strategy


def _lines(path: Path) -> list[Mapping[str, Any]]:
    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode("utf-8")
    whole, _, _torn = text.rpartition("\n")
    found: list[Mapping[str, Any]] = []
    for number, said in enumerate(whole.split("\n"), start=1):
        if not said.strip():
            continue
        try:
            line = json.loads(said)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if not isinstance(line, dict):
            raise ValueError(f"{path}, line {number}: no object")
        found.append(line)
    return found
