"""Rows to Markdown."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.knee.contenders import is_standard, size_of
from bench.knee.neighbours import DISTURBED_CORES
from bench.knee.rows import Row, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.knee.records import Run


def render(runs: Sequence[Run]) -> str:
    """Return the table of comparisons, and under it the sweeps of the standard pool."""
    found = rows(runs)
    if not found:
        return "Nothing was measured that can be compared.\n"
    parts = [_comparisons(found), _sweeps(runs), _summary(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _comparisons(found: Sequence[Row]) -> str:
    lines = [
        "| workload | case | Python | cores | pool | metric | median (rounds) | against | bar | verdict "
        "| others |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        spread = f" ({_short(min(row.values))}..{_short(max(row.values))})" if len(row.values) > 1 else ""
        cells = [
            row.workload,
            row.case if row.case != row.workload else "",
            row.interpreter,
            str(row.cores),
            row.contender,
            row.metric,
            f"{_short(row.value)}{spread}",
            row.against,
            str(row.bar) if row.bar else "",
            row.verdict,
            _disturbance(row),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _disturbance(row: Row) -> str:
    if row.others_cores is None:
        return ""
    return f"{row.others_cores:.2f}{' BUSY' if row.others_cores > DISTURBED_CORES else ''}"


def _sweeps(runs: Sequence[Run]) -> str:
    """Show the static sizes: those of the sweep, and the better measured ones of the final rounds."""
    lines = [
        "| standard pool | Python | cores | N | role | tasks/s | p99 ms |",
        "|---|---|---|---|---|---|---|",
    ]
    found: dict[tuple[str, str, int, int, str], list[Run]] = {}
    for run in runs:
        if is_standard(run.contender) and "tasks_per_s" in run.measures:
            role = f"{run.role}{' ' + run.variant if run.variant else ''}"
            case = run.workload if run.case in run.workload else f"{run.workload} {run.case}"
            key = (case, run.interpreter, run.cores, size_of(run.contender), role)
            found.setdefault(key, []).append(run)
    for key, same in sorted(found.items(), key=lambda item: (*item[0][:3], item[0][4], item[0][3])):
        case, interpreter, cores, size, role = key
        rate = median(run.measures["tasks_per_s"] for run in same)
        p99s = [value for run in same if (value := run.measures["wall_ms_p99"]) is not None]
        p99 = _short(median(p99s)) if p99s else ""
        lines.append(f"| {case} | {interpreter} | {cores} | {size} | {role} | {_short(rate)} | {p99} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def _summary(found: Sequence[Row]) -> str:
    judged = [row for row in found if row.verdict]
    missed = [row for row in judged if row.verdict.startswith("MISSED")]
    busy = sorted({row.workload for row in judged if (row.others_cores or 0.0) > DISTURBED_CORES})
    lines = [f"BUSY: others used the machine; do not trust the figures of {', '.join(busy)}."] if busy else []
    lines += [f"{len(judged) - len(missed)} of {len(judged)} bars hold."]
    lines += [
        f"- MISSED: {row.workload} {row.case}, {row.interpreter}, {row.cores} cores, {row.contender}: "
        f"{row.metric} {_short(row.value)}, bar {row.bar}"
        for row in missed
    ]
    return "\n".join(lines)


def _short(value: float) -> str:
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size and size < 0.095:
        return f"{value:.2g}"
    return f"{value:.2f}" if size < 10 else f"{value:.1f}"
