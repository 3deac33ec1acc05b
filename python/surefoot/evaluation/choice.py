"""Choosing the runs that a figure, a table or a claim is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation
    from surefoot.evaluation.runs import Runs


class NoRecordsError(LookupError):
    """The records that something is made of are not there; the text says which."""


def some(evaluation: Evaluation, experiment: str, **wanted: object) -> Runs:
    """Return the runs of an experiment, with the interpreter that most of them share.

    Raises:
        NoRecordsError: There are none.
    """
    return main_python(every(evaluation, experiment, **wanted))


def every(evaluation: Evaluation, experiment: str, **wanted: object) -> Runs:
    """Return the runs of an experiment, whatever the interpreter.

    Raises:
        NoRecordsError: There are none.
    """
    runs = evaluation.experiment(experiment, **wanted)
    if not runs:
        raise NoRecordsError(f"no such runs of experiment {experiment!r}")
    return runs


def main_python(runs: Runs) -> Runs:
    """Return the runs of the interpreter that has most of them."""
    return max(runs.by("python").values(), key=len)
