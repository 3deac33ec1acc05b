"""Tables: records to Markdown."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.contenders import STANDARD
from bench.records import Environment
from bench.rows import Row, micro_detail, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.estimate import Estimate
    from bench.records import Sample

#: Metric: unit to show, and what to multiply by to get there.
_UNITS = {
    "submit_us": ("us", 1.0),
    "round_trip_us": ("us", 1.0),
    "tasks_per_s": ("tasks/s", 1.0),
    "wall_ns_p99": ("ms", 1e-6),
    "bytes_per_idle_worker": ("KiB", 1 / 1024),
    "bytes_per_queued_task": ("bytes", 1.0),
}


#: Others' work from which on a run is marked. Half a core of two already turns equal pools unequal.
BUSY_CORES = 0.3


def render(records: Sequence[Sample | Environment]) -> str:
    """Return the whole report: comparisons, the ``micro`` sweep, and where it was measured."""
    compared = rows(records)
    if not compared:
        return "Nothing was measured.\n"
    is_self_check = any(row.is_self_check for row in compared)
    rival = "standard again" if is_self_check else "surefoot"
    parts = [_comparisons(compared, rival)]
    sweep = _sweep(records, rival)
    if sweep:
        parts.append(sweep)
    parts.append(_environments([record for record in records if isinstance(record, Environment)]))
    if is_self_check:
        worst = max(compared, key=lambda row: max(row.ratio, 1 / row.ratio))
        parts.append(
            "Self-check: both columns are the standard pool, every ratio should be 1. "
            f"Farthest from it: {worst.ratio:.2f} ({worst.case}, {worst.interpreter})."
        )
    return "\n\n".join(parts) + "\n"


def _comparisons(compared: Sequence[Row], rival: str) -> str:
    lines = [
        f"| | case | Python | unit | standard | {rival} | ratio | 95 % | bar | verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in compared:
        unit, factor = _UNITS[row.metric]
        interval = f"{_short(row.interval.low)}..{_short(row.interval.high)}" if row.interval else ""
        cells = [
            row.experiment,
            row.case + (f" ({row.note})" if row.note else ""),
            row.interpreter,
            unit,
            _spread(row.standard, factor),
            _spread(row.rival, factor),
            f"**{_short(row.ratio)}x**",
            interval,
            str(row.bar) if row.bar and not row.is_self_check else "",
            row.verdict,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _sweep(records: Sequence[Sample | Environment], rival: str) -> str:
    lines = [
        f"| micro | Python | cores | N | standard tasks/s | {rival} tasks/s | ratio | standard p99 ms "
        f"| {rival} p99 ms | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for sample, throughput, p99 in micro_detail(records):
        conditions = sample.conditions
        size = f"{conditions['workers']}{'' if conditions['started'] else ' cold'}"
        cells = ["", sample.interpreter, str(conditions["cores"]), size]
        for series, factor in ((throughput, 1.0), (p99, 1e-6)):
            standard = median(series.values[STANDARD])
            other = median(series.values[series.rival])
            cells += [_short(standard * factor), _short(other * factor), f"{_short(other / standard)}x"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _environments(environments: Sequence[Environment]) -> str:
    lines = []
    for interpreter in dict.fromkeys(record.interpreter for record in environments):
        same = [record for record in environments if record.interpreter == interpreter]
        facts = same[0].facts
        busy = max(record.facts["cores_busy_before"] or 0.0 for record in same)
        lines.append(
            f"- Python {facts['python']}, GIL {'on' if facts['gil_enabled'] else 'off'}: "
            f"surefoot {facts['surefoot'] or '(not used)'}, commit {facts['commit'] or 'unknown'}; "
            f"{facts['architecture']}, {facts['cores_usable']} cores, {facts['kernel']}, {facts['libc']}; "
            f"others kept up to {busy:.2f} cores busy before an experiment"
            f"{': BUSY, do not trust the figures' if busy > BUSY_CORES else ''}"
            f"{'; quick' if facts['quick'] else ''}."
        )
    return "\n".join(lines)


def _spread(value: Estimate, factor: float) -> str:
    return f"{_short(value.median * factor)} ({_short(value.low * factor)}..{_short(value.high * factor)})"


def _short(value: float) -> str:
    """Show three digits, four at most: more would be noise."""
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            scaled = value / (1e6 if unit == "M" else 1e3)
            return f"{scaled:.{_decimals(scaled)}f}{unit}"
    return f"{value:.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    size = abs(value)
    return 2 if size < 10 else 1 if size < 100 else 0
