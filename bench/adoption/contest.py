"""A contest between our side and fixed sizes: who runs when, and the table of what came out.

A sweep lets every contender run once; the rounds after it alternate between ours, the defaults and the
fixed sizes that did best, so that the time goes where the bars are decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, TYPE_CHECKING

from bench import alternate, records
from bench.environment import describe, interpreter_name
from bench.estimate import bootstrap
from bench.records import Sample

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from bench.estimate import Interval


@dataclass(frozen=True)
class Outcome:
    """What one run of one contender showed in one case."""

    throughput_per_s: float
    latency_ms_p50: float
    latency_ms_p99: float


@dataclass(frozen=True)
class Contest:
    """The contenders by role.

    Attributes:
        name: Of the experiment.
        ours: Our side.
        statics: Fixed sizes, among which the best is sought.
        defaults: What one gets without choosing anything.
        finalists: Fixed sizes that stay in after the sweep, for each case.
    """

    name: str
    ours: str
    statics: tuple[str, ...]
    defaults: tuple[str, ...]
    finalists: int = 2

    def hold(
        self,
        run: Callable[[str], dict[str, Outcome]],
        rounds: int,
        *,
        quick: bool,
        out: IO[str] | None = None,
        say: Callable[[str], None] = print,
    ) -> list[Sample]:
        """Run everything; ``run(contender)`` returns the outcome of each case, made in fresh processes."""
        samples: list[Sample] = []
        if out is not None:
            records.write(describe(self.name, self_check=False, quick=quick), out)

        def turn(turn: alternate.Turn) -> None:
            for case, outcome in run(turn.pool).items():
                sample = Sample(
                    experiment=self.name,
                    case=case,
                    pool=turn.pool,
                    round=turn.round,
                    position=turn.position,
                    conditions={},
                    measures=dict(vars(outcome)),
                    interpreter=interpreter_name(),
                )
                samples.append(sample)
                say(f"  {turn.round} {turn.pool}, {case}: {outcome.throughput_per_s:.1f}/s")
                if out is not None:
                    records.write(sample, out)

        for each in alternate.turns((self.ours, *self.defaults, *self.statics), 1):
            turn(each)
        finalists = {
            static for case in _cases(samples) for static in self._ranked(samples, case)[: self.finalists]
        }
        rivals = (self.ours, *self.defaults, *(static for static in self.statics if static in finalists))
        for each in alternate.turns(rivals, rounds - 1, first_round=1):
            turn(each)
        return samples

    def _ranked(self, samples: Sequence[Sample], case: str) -> list[str]:
        def best(static: str) -> float:
            return median(_values(samples, case, static, "throughput_per_s").values())

        # The longest in the contest first: a size that ran once may have been lucky.
        most = max(len(_values(samples, case, static, "throughput_per_s")) for static in self.statics)
        full = [s for s in self.statics if len(_values(samples, case, s, "throughput_per_s")) == most]
        return sorted(full, key=best, reverse=True)

    def best_static(self, samples: Sequence[Sample], case: str) -> str:
        """Return the fixed size with the highest median throughput among those that ran in every round."""
        return self._ranked(samples, case)[0]

    def ratio(
        self, samples: Sequence[Sample], case: str, rival: str, measure: str = "throughput_per_s"
    ) -> tuple[float, Interval | None]:
        """Return ours over ``rival`` by the medians of the rounds that both ran, and its interval."""
        ours, theirs = (_values(samples, case, pool, measure) for pool in (self.ours, rival))
        rounds = sorted(ours.keys() & theirs.keys())

        def ratio(drawn: Sequence[int]) -> float:
            return median(ours[rounds[i]] for i in drawn) / median(theirs[rounds[i]] for i in drawn)

        return ratio(range(len(rounds))), bootstrap(len(rounds), ratio)

    def table(self, samples: Sequence[Sample], case: str) -> str:
        """Return one case as Markdown, contenders by throughput."""
        best = self.best_static(samples, case)
        lines = [
            f"| {case} | runs | throughput /s | p50 ms | p99 ms | of best static ({best}) | 95 % |",
            "|---|---|---|---|---|---|---|",
        ]
        contenders = dict.fromkeys(sample.pool for sample in samples if sample.case == case)
        for pool in sorted(contenders, key=lambda pool: -_median(samples, case, pool, "throughput_per_s")):
            runs = _values(samples, case, pool, "throughput_per_s")
            share = _median(samples, case, pool, "throughput_per_s") / _median(
                samples, case, best, "throughput_per_s"
            )
            interval = ""
            if pool == self.ours:
                share, found = self.ratio(samples, case, best)
                interval = f"{found.low:.3f}..{found.high:.3f}" if found else "(too few rounds)"
            latencies = (_median(samples, case, pool, f"latency_ms_p{p}") for p in (50, 99))
            spread = f"{median(runs.values()):.1f} ({min(runs.values()):.1f}..{max(runs.values()):.1f})"
            cells = [f"**{pool}**" if pool == self.ours else pool, str(len(runs)), spread]
            cells += [f"{value:.1f}" for value in latencies]
            lines.append("| " + " | ".join([*cells, f"{share:.3f}", interval]) + " |")
        return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a comparison be shortened, and its records be kept."""
    parser.add_argument("--quick", action="store_true", help="fewer sizes, shorter, two rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of 2 (quick) or the full number")
    parser.add_argument("--sizes", metavar="N,...", help="the fixed sizes to compare with")
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="append raw samples as JSON lines")


def sizes_of(asked: argparse.Namespace, quick: Sequence[int], full: Sequence[int]) -> list[int]:
    """Return the fixed sizes that were asked for."""
    if asked.sizes:
        return [int(size) for size in asked.sizes.split(",")]
    return list(quick if asked.quick else full)


def verdict(text: str, held: bool) -> str:
    """Return one bar as a line."""
    return f"- {'held' if held else 'MISSED'}: {text}"


def _cases(samples: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(sample.case for sample in samples))


def _values(samples: Sequence[Sample], case: str, pool: str, measure: str) -> dict[int, float]:
    return {s.round: s.measures[measure] for s in samples if s.case == case and s.pool == pool}


def _median(samples: Sequence[Sample], case: str, pool: str, measure: str) -> float:
    return median(_values(samples, case, pool, measure).values())
