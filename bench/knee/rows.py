"""Runs to rows: each a figure, what it is compared with, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from bench.estimate import bootstrap
from bench.knee import trace
from bench.knee.bars import bar_for
from bench.knee.contenders import OURS, STANDARD, is_standard, name_of, size_of
from bench.knee.plan import AFFINITY, NAIVE, PHASES_NAIVE, PHASES_S, SWEPT, best_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.bars import Bar
    from bench.knee.records import Run

_EXTRA_WARM_S = 2.0


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        values: The figure of each round, in order.
        against: What it is a ratio to, or how it was taken.
        bar: What the median must reach, if anything.
        others_cores: What others kept busy meanwhile, the median of all runs that the row rests on.
    """

    workload: str
    case: str
    interpreter: str
    cores: int
    contender: str
    metric: str
    values: tuple[float, ...]
    against: str
    bar: Bar | None
    others_cores: float | None = None

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def verdict(self) -> str:
        """Tell whether the bar holds; `` ~``: some rounds say otherwise."""
        if self.bar is None or not self.bar.binding:
            return ""
        holds = self.bar.holds(self.value)
        doubtful = any(self.bar.holds(each) != holds for each in self.values)
        return ("holds" if holds else "MISSED") + (" ~" if doubtful else "")


def rows(runs: Sequence[Run]) -> list[Row]:
    """Compute every row that the runs allow."""
    found: list[Row] = []
    for group in _groups(runs, lambda run: (run.interpreter, run.workload, run.cores)):
        workload = group[0].workload
        others = [cores for run in group if (cores := run.measures.get("others_cores")) is not None]
        disturbance = median(others) if others else None
        found += [replace(row, others_cores=disturbance) for row in _reducer(workload)(group)]
    return found


def _reducer(workload: str) -> Callable[[Sequence[Run]], Iterator[Row]]:
    if workload in SWEPT:
        return _swept
    if workload in AFFINITY:
        return _affinity
    return {"phases": _phases, "no_cliff": _no_cliff, "liveness": _liveness, "overhead": _overhead}[workload]


def _swept(group: Sequence[Run]) -> Iterator[Row]:
    finals = [run for run in group if run.role == "final"]
    static = {size_of(run.contender) for run in finals if is_standard(run.contender)}
    if not static or len(static) == len({run.contender for run in finals}):
        return
    rates = {size: median(_each(finals, name_of(STANDARD, size), "tasks_per_s")) for size in static}
    best = max(static, key=lambda size: rates[size])
    _, least = best_sizes([run for run in group if run.role == "sweep"])
    workload = group[0].workload
    peer = {"micro": NAIVE, "micro_batch": NAIVE}.get(workload, (SWEPT[workload].named or (least,))[0])
    metric_p99 = "wall_ms_p99_io" if workload == "mixed" else "wall_ms_p99"
    rate_peer, named = (peer, "named") if SWEPT[workload].rate_against_named else (best, "best")
    for ours in _ours(finals):
        mine = [run for run in finals if run.contender == ours]
        for metric, measure, against in (
            ("throughput", "tasks_per_s", f"{named} static, N={rate_peer}"),
            ("throughput whole", "tasks_per_s_whole", f"N={rate_peer}; ours from its cold start"),
        ):
            yield _row(mine, metric, _ratios(finals, ours, rate_peer, measure), against)
        if rate_peer != best:
            yield _row(
                mine, "throughput best", _ratios(finals, ours, best, "tasks_per_s"), f"best static, N={best}"
            )
        yield _row(mine, "p99", _ratios(finals, ours, peer, metric_p99), f"N={peer}")
        if peer != best:
            yield _row(mine, "p99 to best", _ratios(finals, ours, best, metric_p99), f"N={best}")
        yield from _limit_rows(mine)


def _limit_rows(mine: Sequence[Run]) -> Iterator[Row]:
    spans = [(run.measures["limits"], run.measures["until_s"]) for run in mine]
    yield _row(
        mine, "limit", [trace.final_limit(limits, 0, until) for limits, until in spans], "median, 2nd half"
    )
    yield _row(
        mine,
        "limit most",
        [max(trace.limits_on_grid(limits, until / 2, until)) for limits, until in spans],
        "2nd half",
    )
    yield _row(
        mine,
        "settled",
        [trace.limit_settling_s(limits, 0, until) for limits, until in spans],
        "s, limit outside for the last time",
    )
    yield _row(
        mine,
        "settled first",
        [trace.limit_first_settled_s(limits, 0, until) for limits, until in spans],
        "s, limit inside for 1 s",
    )
    yield _row(mine, "settled rate", [_rate_settling_s(run) for run in mine], "s, last window below 0.95")
    yield _row(mine, "ramp lost", [_ramp_lost_s(run) for run in mine], "s of work in the first 2 s")
    yield _row(
        mine,
        "reversals",
        [trace.reversals(limits, until / 2, until) * 20 / until for limits, until in spans],
        "per 10 s, 2nd half",
    )


def _phases(group: Sequence[Run]) -> Iterator[Row]:
    possible = {
        case: _each([run for run in group if run.case == case], name_of(STANDARD, size), "tasks_per_s")
        for case, size in (("cpu", 1), ("io", 64))
    }
    if not all(possible.values()):
        return
    best = {case: median(rates) for case, rates in possible.items()}
    for case in PHASES_S:
        period_s = float(case.removeprefix("phases-"))
        runs = [run for run in group if run.case == case and run.role == "final"]
        for contender in dict.fromkeys(run.contender for run in runs):
            mine = [run for run in runs if run.contender == contender]
            values = [_phase_efficiencies(run, period_s, best) for run in mine]
            against = f"clairvoyant: {best['cpu']:.0f}/s at N=1, {best['io']:.0f}/s at N=64"
            yield _row(mine, "efficiency", [value["all"] for value in values], against)
            yield _row(mine, "efficiency cpu", [value["cpu"] for value in values], "CPU phases alone")
            yield _row(mine, "efficiency io", [value["io"] for value in values], "I/O phases alone")
            naive = _each(runs, name_of(STANDARD, PHASES_NAIVE), "wall_ms_p99_cpu")
            if naive and not is_standard(contender):
                p99s = _each(runs, contender, "wall_ms_p99_cpu")
                yield _row(mine, "p99 cpu", [p99 / naive[0] for p99 in p99s], f"CPU tasks, N={PHASES_NAIVE}")


def _phase_efficiencies(run: Run, period_s: float, best: dict[str, float]) -> dict[str, float]:
    until_s = run.measures["until_s"]
    seconds = trace.phase_seconds(("cpu", "io"), period_s, 0.0, until_s)
    done = {kind: float(sum(run.measures["done"].get(kind, ()))) for kind in seconds}
    found = {
        kind: trace.efficiency(done[kind], {kind: seconds[kind]}, {kind: best[kind]}) for kind in seconds
    }
    return {"all": trace.efficiency(sum(done.values()), seconds, best), **found}


def _affinity(group: Sequence[Run]) -> Iterator[Row]:
    finals = [run for run in group if run.role == "final"]
    best = {}
    for cores in (1, 2):
        static = [run for run in group if run.variant == f"cores={cores}"]
        if not static:
            return
        by_size = [
            _each(static, name, "tasks_per_s") for name in dict.fromkeys(run.contender for run in static)
        ]
        best[cores] = max(median(rates) for rates in by_size)
    for ours in _ours(finals):
        mine = [run for run in finals if run.contender == ours]
        for number, cores in enumerate((2, 1, 2)):
            case = f"{mine[0].case} {('start', 'to 1 core', 'back to 2')[number]}"
            shares, settled, limits = [], [], []
            for run in mine:
                phase_s = run.measures["until_s"] / 3
                begin, end = number * phase_s, (number + 1) * phase_s
                window_s = run.measures["window_s"]
                late = _windows(run)[round((begin + _EXTRA_WARM_S) / window_s) : round(end / window_s)]
                shares.append(sum(late) / (len(late) * window_s) / best[cores])
                settled.append(trace.limit_settling_s(run.measures["limits"], begin, end))
                limits.append(trace.final_limit(run.measures["limits"], begin, end))
            yield _row(mine, "throughput", shares, f"best static {best[cores]:.0f}/s, from 2 s on", case=case)
            yield _row(mine, "settled", settled, "s after the change", case=case)
            yield _row(mine, "limit", limits, "median, 2nd half", case=case)


def _no_cliff(group: Sequence[Run]) -> Iterator[Row]:
    for same in _groups(group, lambda run: (run.case,)):
        small, large = (name_of(OURS, cap) for cap in sorted({size_of(run.contender) for run in same})[:2])
        mine = [run for run in same if run.contender == large]
        for metric, measure in (("throughput", "tasks_per_s"), ("p99", "wall_ms_p99")):
            pairs = zip(_each(same, large, measure), _each(same, small, measure), strict=False)
            yield _row(mine, metric, [high / low for high, low in pairs], small)
        for run_name in (small, large):
            these = [run for run in same if run.contender == run_name]
            spans = [(run.measures["limits"], run.measures["until_s"]) for run in these]
            limits = [trace.final_limit(trail, 0, until) for trail, until in spans]
            yield _row(these, "limit", limits, "median, 2nd half")


def _liveness(group: Sequence[Run]) -> Iterator[Row]:
    for same in _groups(group, lambda run: (size_of(run.contender), run.case)):
        ours = next((name for name in _ours(same)), None)
        standard = [run for run in same if is_standard(run.contender)]
        if ours is None or not standard:
            continue
        mine = [run for run in same if run.contender == ours]
        usual_s = median(run.measures["elapsed_s"] for run in standard)
        stuck = sum(run.measures["is_stuck"] for run in mine)
        limits = f"limit {mine[-1].measures['limit_before']} to {mine[-1].measures['limit_after']}"
        against = f"s over standard's {usual_s * 1e3:.1f} ms; {limits}" + (
            f"; STUCK {stuck}x" if stuck else ""
        )
        yield _row(mine, "extra", [run.measures["elapsed_s"] - usual_s for run in mine], against)


def _overhead(group: Sequence[Run]) -> Iterator[Row]:
    for same in _groups([run for run in group if run.variant != "idle"], lambda run: (run.case,)):
        on = [run for run in same if not run.variant]
        off = [run for run in same if run.variant]
        pairs = zip(on, off, strict=False)
        ratios = [one.measures["tasks_per_s"] / two.measures["tasks_per_s"] for one, two in pairs]
        if ratios:
            interval = bootstrap(len(ratios), lambda drawn, each=ratios: median(each[at] for at in drawn))
            surely = f"; 95 % {interval.low:.3f}..{interval.high:.3f}" if interval else ""
            yield _row(on, "throughput", ratios, "sensors off" + surely)
        shares = [run.measures["monitor_share"] or 0.0 for run in on]
        yield _row(on, "monitor busy", shares, "share of a core")
    idle = [run for run in group if run.variant == "idle" and run.measures["monitor_share_idle"] is not None]
    if idle:
        yield _row(
            idle, "monitor idle", [run.measures["monitor_share_idle"] for run in idle], "share of a core"
        )


def _row(
    mine: Sequence[Run], metric: str, values: Sequence[float], against: str, *, case: str | None = None
) -> Row:
    first = mine[0]
    # The standard pool stands beside ours for comparison and has no bar.
    bar = (
        None
        if is_standard(first.contender)
        else bar_for(first.workload, metric, first.cores, first.interpreter)
    )
    return Row(
        workload=first.workload,
        case=case or first.case,
        interpreter=first.interpreter,
        cores=first.cores,
        contender=first.contender,
        metric=metric,
        values=tuple(values),
        against=against,
        bar=bar,
    )


def _ratios(runs: Sequence[Run], ours: str, size: int, measure: str) -> list[float]:
    """Return ours over a static size, round by round: what disturbs a round disturbs both."""
    pairs = zip(_each(runs, ours, measure), _each(runs, name_of(STANDARD, size), measure), strict=False)
    return [mine / theirs for mine, theirs in pairs]


def _rate_settling_s(run: Run) -> float:
    measures = run.measures
    return trace.rate_settling_s(_windows(run), measures["window_s"], measures["tasks_per_s"])


def _ramp_lost_s(run: Run) -> float:
    measures = run.measures
    until_s = min(2.0, measures["until_s"])
    return trace.lost_s(_windows(run), measures["window_s"], measures["tasks_per_s"], until_s)


def _windows(run: Run) -> list[int]:
    return [sum(kinds) for kinds in zip(*run.measures["done"].values(), strict=True)]


def _ours(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.contender for run in runs if run.contender.startswith(OURS + ":")))


def _each(runs: Sequence[Run], contender: str, measure: str) -> list[float]:
    ordered = sorted((run for run in runs if run.contender == contender), key=lambda run: run.round)
    return [run.measures[measure] for run in ordered]


def _groups(runs: Sequence[Run], key: Callable[[Run], tuple[object, ...]]) -> list[list[Run]]:
    found: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return list(found.values())
