"""What the records of an evaluation say: runs, estimates, figures, tables, claims, one page.

Everything here reads records and nothing else, so it can be done anywhere and any time after the
measurement, without a network. Reading, tables and claims need nothing but surefoot; figures need matplotlib,
which the extra ``surefoot[plot]`` brings.
"""

from surefoot.evaluation.estimate import Estimate
from surefoot.evaluation.reading import Evaluation, read
from surefoot.evaluation.records import Decision, Interpreter, Machine, Measurement, Run, TimelinePoint
from surefoot.evaluation.runs import Runs

__all__ = [
    "Decision",
    "Estimate",
    "Evaluation",
    "Interpreter",
    "Machine",
    "Measurement",
    "Run",
    "Runs",
    "TimelinePoint",
    "read",
]
