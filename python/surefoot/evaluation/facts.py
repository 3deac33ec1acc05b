"""What was measured, on what, when: stated beside every table."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from surefoot.evaluation.figures import style

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

RERUN = "make evaluate"
"""The command that measures it all again."""


def facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    """Return what a reader must know of the records, as pairs of name and value."""
    runs = evaluation.runs
    memory = sorted({run.machine.memory_bytes for run in runs if run.machine.memory_bytes})
    machines = sorted({style.machine(run.machine.cpu_model) for run in runs})
    gib = f", {memory[-1] / 2**30:.0f} GiB" if memory else ""
    begin, end = (
        datetime.datetime.fromtimestamp(pick(run.at_unix_s for run in runs), datetime.timezone.utc)
        for pick in (min, max)
    )
    noisy = sum(run.is_noisy for run in runs)
    found = [
        ("machine", f"{', '.join(machines)}{gib}; {_cores(evaluation)}"),
        ("system", ", ".join(sorted({f"{run.machine.system}, Linux {run.machine.kernel}" for run in runs}))),
        ("interpreters", ", ".join(sorted({f"CPython {run.interpreter.name}" for run in runs}))),
        ("surefoot", ", ".join(sorted({f"{run.surefoot_version} at {run.commit[:12]}" for run in runs}))),
        (
            "measured",
            f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, {(end - begin).total_seconds() / 60:.0f} "
            "min",
        ),
        ("runs", f"{len(runs):,}, each in a process of its own; {noisy:,} noisy by their control runs"),
    ]
    failures = sum(each.is_failure for each in evaluation.absences)
    absent = len(evaluation.absences) - failures
    if evaluation.absences:
        found.append(("not measured", f"{absent} could not exist here, {failures} failed"))
    return found


def _cores(evaluation: Evaluation) -> str:
    there = max(run.machine.cores for run in evaluation.runs)
    asked = max(run.cores_asked for run in evaluation.runs)
    said = f"{there} core{'' if there == 1 else 's'}"
    if asked > there:
        said += f" (where {asked} are asked for, they are missing, and what is shown is {there})"
    return said


def markdown(evaluation: Evaluation) -> str:
    """Return them as a list."""
    return "\n".join(f"- {name}: {value}" for name, value in facts(evaluation))
