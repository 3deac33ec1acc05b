"""Draw the records of ``surefoot cliff``: throughput and tail latency against the number of threads.

``python -m surefoot.plot RECORDS.jsonl -o FIGURE.svg``

Reads records and nothing else, so a figure can be drawn anywhere and any time after the measurement. Needs
matplotlib, which the extra ``surefoot[plot]`` brings.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Curve", "curves", "draw", "main", "read"]

# Okabe and Ito's palette, which people with any kind of colour vision can tell apart; the number of cores is
# shown by marker and line as well, so that the figure also survives a black-and-white printer.
_COLOURS = {"standard": "#D55E00", "surefoot": "#0072B2", "adaptive": "#009E73"}
_COLOURS_FURTHER = ("#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINES = ("-", "--", ":", "-.")

_WIDTH_INCHES = 7.0
_ROW_INCHES = 2.5
_LEGEND_INCHES = 0.9


@dataclass(frozen=True)
class Curve:
    """One line of the figure; medians over repeats.

    Attributes:
        workload: Which panel it belongs to.
        pool: Which pool was measured.
        cores: On how many cores.
        interpreter: Version of Python, with ``t`` if it runs without a GIL.
        threads: Ascending.
        tasks_per_s: Throughput, one per entry of ``threads``.
        wall_ms_p99: 99th percentile of the wall time of a task; ``None`` where no task ended.
        is_truncated: Whether a run was cut short; such points are drawn hollow.
    """

    workload: str
    pool: str
    cores: int
    interpreter: str
    threads: tuple[int, ...]
    tasks_per_s: tuple[float, ...]
    wall_ms_p99: tuple[float | None, ...]
    is_truncated: tuple[bool, ...]


def read(path: Path, sweep: int | None = None) -> list[dict[str, Any]]:
    """Return the runs that were measured in one sweep.

    Args:
        path: A file of JSON lines written by ``surefoot cliff``.
        sweep: Which sweep; the newest in the file if not given.

    Raises:
        ValueError: If a line is not JSON, or there is no such run.
    """
    records: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        if isinstance(record, dict) and record.get("kind") == "cliff_run":
            records.append(record)
    wanted = max((record["sweep"] for record in records), default=None) if sweep is None else sweep
    records = [record for record in records if record["sweep"] == wanted]
    if not records:
        raise ValueError(
            f"{path} holds no measured run" + (f" of sweep {sweep}" if sweep is not None else "")
        )
    return records


def curves(records: Iterable[Mapping[str, Any]]) -> list[Curve]:
    """Group runs into curves, in the order in which they first appear."""
    groups: dict[tuple[str, str, int, str], dict[int, list[Mapping[str, Any]]]] = {}
    for record in records:
        interpreter = record["interpreter"]
        version = interpreter["version"] + ("" if interpreter["is_gil_enabled"] else "t")
        key = (record["workload"], record["pool"], record["cores"], version)
        groups.setdefault(key, {}).setdefault(record["threads"], []).append(record)
    return [_curve(key, by_threads) for key, by_threads in groups.items()]


def _curve(key: tuple[str, str, int, str], by_threads: Mapping[int, list[Mapping[str, Any]]]) -> Curve:
    workload, pool, cores, interpreter = key
    threads = tuple(sorted(by_threads))
    return Curve(
        workload=workload,
        pool=pool,
        cores=cores,
        interpreter=interpreter,
        threads=threads,
        tasks_per_s=tuple(statistics.median(run["tasks_per_s"] for run in by_threads[n]) for n in threads),
        wall_ms_p99=tuple(_median_of_known(run["wall_ms_p99"] for run in by_threads[n]) for n in threads),
        is_truncated=tuple(any(run["is_truncated"] for run in by_threads[n]) for n in threads),
    )


def _median_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def draw(records: Sequence[Mapping[str, Any]], figure_path: Path) -> None:
    """Draw runs to a file whose suffix says the format: ``.svg``, ``.png``, ``.pdf``.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If matplotlib does not know the format.
    """
    # Imported by name: an optional dependency must not be needed to type-check the package. `Figure` without
    # pyplot needs no display.
    matplotlib = importlib.import_module("matplotlib")
    figure_module = importlib.import_module("matplotlib.figure")
    drawn = curves(records)
    names = list(dict.fromkeys(curve.workload for curve in drawn))
    style = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "svg.fonttype": "none",
        # Without these two, two figures of the same records differ.
        "svg.hashsalt": "surefoot",
    }
    with matplotlib.rc_context(style):
        figure = figure_module.Figure(
            figsize=(_WIDTH_INCHES, _ROW_INCHES * len(names) + _LEGEND_INCHES), layout="constrained"
        )
        panels = figure.subplots(len(names), 2, squeeze=False, sharex=True)
        for (throughput, latency), name in zip(panels, names, strict=True):
            own = [curve for curve in drawn if curve.workload == name]
            _draw_workload(throughput, latency, name, own, drawn)
        for axes in panels[-1]:
            axes.set_xlabel("threads")
        handles, labels = _legend(panels)
        figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
        figure.text(0.0, 0.0, _caption(records), fontsize=6.5, color="#555555", va="bottom")
        figure.get_layout_engine().set(rect=(0.0, 0.03, 1.0, 0.97))
        is_svg = figure_path.suffix.lower() == ".svg"
        figure.savefig(figure_path, dpi=200, metadata={"Date": None} if is_svg else None)


def _draw_workload(
    throughput: Any, latency: Any, name: str, own: Sequence[Curve], drawn: Sequence[Curve]
) -> None:
    for curve in own:
        look = _look(curve, drawn)
        throughput.plot(curve.threads, curve.tasks_per_s, label=_label(curve, drawn), **look)
        known = [(n, ms) for n, ms in zip(curve.threads, curve.wall_ms_p99, strict=True) if ms is not None]
        latency.plot([n for n, _ in known], [ms for _, ms in known], **look)
        hollow = {**look, "linestyle": "none", "markerfacecolor": "white", "zorder": 3}
        points = list(zip(curve.threads, curve.tasks_per_s, curve.wall_ms_p99, strict=True))
        cut = [point for point, is_cut in zip(points, curve.is_truncated, strict=True) if is_cut]
        throughput.plot([n for n, _, _ in cut], [rate for _, rate, _ in cut], **hollow)
        latency.plot(
            [n for n, _, ms in cut if ms is not None], [ms for _, _, ms in cut if ms is not None], **hollow
        )
    ticks = sorted({n for curve in drawn for n in curve.threads})
    for axes in (throughput, latency):
        axes.set_xscale("log", base=2)
        # Every second or third power is enough once there are many; all labels would run together.
        axes.set_xticks(ticks[:: max(1, -(-len(ticks) // 6))], minor=False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.minorticks_off()
    throughput.set_ylim(bottom=0)
    throughput.set_ylabel("tasks/s")
    throughput.set_title(f"{name}: throughput", loc="left", fontsize=9)
    latency.set_yscale("log")
    low, high = latency.get_ylim()
    ticker = importlib.import_module("matplotlib.ticker")
    # Within a decade or so, powers of ten alone would leave the axis without a number.
    latency.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if high < 30 * low else (1,)))
    latency.yaxis.set_minor_locator(ticker.NullLocator())
    latency.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    latency.set_ylabel("p99 of a task, ms")
    latency.set_title(f"{name}: tail latency", loc="left", fontsize=9)


def _look(curve: Curve, drawn: Sequence[Curve]) -> dict[str, object]:
    pools = [pool for pool in dict.fromkeys(c.pool for c in drawn) if pool not in _COLOURS]
    variants = sorted({(c.cores, c.interpreter) for c in drawn})
    at = variants.index((curve.cores, curve.interpreter))
    colour = _COLOURS.get(curve.pool)
    if colour is None:
        colour = _COLOURS_FURTHER[pools.index(curve.pool) % len(_COLOURS_FURTHER)]
    return {
        "color": colour,
        "marker": _MARKERS[at % len(_MARKERS)],
        "linestyle": _LINES[at % len(_LINES)],
        "markersize": 4,
        "linewidth": 1.4,
    }


def _label(curve: Curve, drawn: Sequence[Curve]) -> str:
    label = f"{curve.pool}, {curve.cores} core" + ("" if curve.cores == 1 else "s")
    if len({c.interpreter for c in drawn}) > 1:
        label += f", Python {curve.interpreter}"
    return label


def _legend(panels: Any) -> tuple[list[Any], list[str]]:
    by_label: dict[str, Any] = {}
    for throughput, _ in panels:
        for handle, label in zip(*throughput.get_legend_handles_labels(), strict=True):
            by_label.setdefault(label, handle)
    return list(by_label.values()), list(by_label)


def _caption(records: Sequence[Mapping[str, Any]]) -> str:
    machines = {record["machine"]["cpu_model"] for record in records}
    kernels = {record["machine"]["kernel"] for record in records}
    versions = {f"{r['interpreter']['implementation']} {r['interpreter']['version']}" for r in records}
    parts = [", ".join(sorted(part)) for part in (machines, kernels, versions)]
    if any(record["is_truncated"] for record in records):
        parts.append("hollow: cut short, rough")
    return "; ".join(parts)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m surefoot.plot", description="Draw records of surefoot cliff."
    )
    parser.add_argument("records", type=Path, help="file of JSON lines written by `surefoot cliff`")
    parser.add_argument(
        "-o", "--out", type=Path, help="the figure: .svg, .png or .pdf [default: records, .svg]"
    )
    parser.add_argument("--sweep", type=int, help="which sweep of the file [default: the newest]")
    args = parser.parse_args(argv)
    out: Path = args.out if args.out is not None else args.records.with_suffix(".svg")
    try:
        draw(read(args.records, args.sweep), out)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        print(
            f"surefoot: figures need matplotlib: {sys.executable} -m pip install 'surefoot[plot]'",
            file=sys.stderr,
        )
        return 2
    except (OSError, ValueError) as error:
        print(f"surefoot: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
