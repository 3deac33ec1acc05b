"""The record: everything measured, as one JSON file beside the figure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from surefoot.demo.report import cores, machine

if TYPE_CHECKING:
    from pathlib import Path

    from surefoot.demo.experiment import Experiment
    from surefoot.demo.result import Result

VERSION = 1
"""1: first version."""


def _run(part: str, result: Result) -> dict[str, Any]:
    fields = asdict(result)
    return {"part": part, "throughput_per_s": result.throughput, **fields}


def write(experiment: Experiment, backend: str, complete: bool, folder: Path) -> Path:
    """Write ``demo.json``: raw samples in the order measured, units in the names.

    Args:
        experiment: Finished or interrupted.
        backend: The inference backend it used.
        complete: Whether it ran to its end.
        folder: Where the file goes; it exists.
    """
    runs = [_run("sweep", result) for result in experiment.sweep]
    runs += [_run(name, result) for name, results in experiment.rounds.items() for result in results]
    content = {
        "version": VERSION,
        "machine": machine(),
        "cores": cores(),
        "inference": backend,
        "complete": complete,
        "faults": experiment.ledger.faults,
        "runs": runs,
    }
    file = folder / "demo.json"
    file.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return file
