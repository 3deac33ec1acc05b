"""The figures of an evaluation: each is a function of records, in a file of its own.

``python -m surefoot.evaluation.figures RECORDS... -o FOLDER`` writes them all as SVG and PNG. Needs
matplotlib (``surefoot[plot]``).
"""

from surefoot.evaluation.choice import NoRecordsError
from surefoot.evaluation.figures.catalogue import CATALOGUE, Entry
from surefoot.evaluation.figures.rendering import draw_all, svg

__all__ = ["CATALOGUE", "Entry", "NoRecordsError", "draw_all", "svg"]
