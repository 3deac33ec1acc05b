"""Bars: what surefoot's pool must reach against the standard pool, as ratios taken in one run.

A bar binds on the interpreters it was set for. On others the same comparison is shown with the bar
in brackets, or without one where the bar depends on the interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass

#: The interpreters that most bars were set for.
PRINCIPAL = ("3.11", "3.13")
EVERYWHERE: tuple[str, ...] | None = None
NOWHERE: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bar:
    """A bound on a ratio.

    Attributes:
        value: The bound.
        is_gain: True: the ratio says how many times *better* surefoot is, and must reach the bound.
            False: the ratio is surefoot's figure over the standard one, and must not exceed it.
        binding: Whether the bar was set for the interpreter at hand.
    """

    value: float
    is_gain: bool = True
    binding: bool = True

    def holds(self, ratio: float) -> bool:
        """Tell whether the ratio is on the right side."""
        return ratio >= self.value if self.is_gain else ratio <= self.value

    def __str__(self) -> str:
        """Show the bound, in brackets where it does not bind."""
        text = f"{'>=' if self.is_gain else '<='} {self.value:g}"
        return text if self.binding else f"({text})"


#: Experiment and case: bound, gain or cost, interpreters it was set for.
_SAME_EVERYWHERE: dict[tuple[str, str], tuple[float, bool, tuple[str, ...] | None]] = {
    ("overhead", "submit, workers blocked"): (10.0, True, PRINCIPAL),
    ("overhead", "submit, workers running"): (10.0, True, PRINCIPAL),
    ("overhead", "result() loop"): (10.0, True, PRINCIPAL),
    ("overhead", "map"): (10.0, True, PRINCIPAL),
    ("overhead", "as_completed"): (1.7, True, PRINCIPAL),
    ("overhead", "gather(run_in_executor)"): (2.0, True, PRINCIPAL),
    ("overhead", "submit + result() ping-pong"): (1.1, False, PRINCIPAL),
    ("micro", "best N, cores=1"): (1.15, True, PRINCIPAL),
    ("micro", "N=2048, cores=2"): (2.0, True, PRINCIPAL),
    # For orientation: the bar is about 2,048 workers, and a cold pool makes a few hundred.
    ("micro", "N=2048 cold, cores=2"): (2.0, True, NOWHERE),
    ("micro", "p99 at N=8, cores=1"): (1.0, False, PRINCIPAL),
    ("micro", "p99 at N=8, cores=2"): (1.0, False, PRINCIPAL),
    ("memory", "idle worker of 64"): (1.0, False, EVERYWHERE),
    ("memory", "idle worker of 256"): (1.0, False, EVERYWHERE),
    ("memory", "queued task"): (1.0, False, EVERYWHERE),
}
#: The one bar whose height depends on the interpreter.
_BEST_ON_TWO_CORES = {"3.11": 1.35, "3.13": 1.1, "3.14t": 1.3}


def bar_for(experiment: str, case: str, interpreter: str) -> Bar | None:
    """Return the bar of a case under an interpreter, None where none was set."""
    if (experiment, case) == ("micro", "best N, cores=2"):
        value = _BEST_ON_TWO_CORES.get(interpreter)
        return None if value is None else Bar(value)
    found = _SAME_EVERYWHERE.get((experiment, case))
    if found is None:
        return None
    value, is_gain, interpreters = found
    return Bar(value, is_gain, binding=interpreters is None or interpreter in interpreters)
