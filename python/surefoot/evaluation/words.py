"""Numbers of an evaluation as people read them, with their intervals."""

from __future__ import annotations

from surefoot.evaluation.estimate import Estimate

MINUS = "\N{MINUS SIGN}"


def digits(value: float) -> str:
    """Return a number to three digits, large ones whole: 0.0123, 1.23, 12,345."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def within(value: Estimate, unit: str = "") -> str:
    """Return an estimate with its interval: ``12,345/s (12,100 to 12,400)``."""
    said = f"{digits(value.value)}{unit}"
    if value.samples < 2:
        return f"{said} (one run)"
    return f"{said} ({digits(value.low)} to {digits(value.high)})"


def percent(value: Estimate) -> str:
    """Return a share in percent with its interval."""
    return within(value.times(100), " %") if value.low >= 0 else _signed(value)


def _signed(value: Estimate) -> str:
    hundred = Estimate(100 * value.value, 100 * value.low, 100 * value.high, value.samples)
    said = f"{hundred.value:.1f} %"
    if hundred.samples >= 2:
        said += f" ({hundred.low:.1f} to {hundred.high:.1f})"
    return said.replace("-", MINUS)


def times(value: Estimate) -> str:
    """Return a ratio as a factor with its interval: ``1.31x (1.28 to 1.33)``."""
    return within(value, "x")


def threads(counts: list[int]) -> str:
    """Return numbers of threads: ``8, 16 and 32``."""
    said = [f"{count:,}" for count in counts]
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said)
