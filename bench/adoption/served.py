"""A comparison of servers: one server process for each run, loaded with each case by a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import child
from bench.adoption.contest import Contest, Outcome, add_arguments, sizes_of, verdict
from bench.adoption.work import CASES, CPU_S, WAIT_S
from bench.environment import ROOT
from surefoot.workloads.spin import iterations_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.records import Sample

OURS = "surefoot"
DEFAULT = "default"
SIZES = (1, 4, 8, 16, 40, 128)
SIZES_QUICK = (1, 8, 40)
CONNECTIONS = 64
#: Share of the best static throughput that ours must reach.
BAR = 0.97

#: Starts a server for a contender with these environment variables; yields what its load needs to know.
Serve = "Callable[[str, dict[str, str]], AbstractContextManager[dict[str, Any]]]"


@dataclass(frozen=True)
class Lengths:
    """Seconds of one load."""

    warm_s: float
    seconds: float


@contextlib.contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Start the server that requests wait at; yield what servers must know."""
    waiting = subprocess.Popen(
        [sys.executable, "-m", "bench.knee.remote_server", "4096", str(WAIT_S)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiting.stdout is not None
        port = json.loads(waiting.stdout.readline())["port"]
        yield {
            **os.environ,
            "BENCH_SPINS": str(iterations_for(CPU_S)),
            "BENCH_WAIT_PORT": str(port),
            "PYTHONPATH": str(ROOT),
        }
    finally:
        waiting.kill()
        waiting.communicate()


def run(
    contender: str, serve: Any, load: str, environ: dict[str, str], lengths: Lengths
) -> dict[str, Outcome]:
    """Load a fresh server with each case, each in a server of its own: no case learns from the other."""
    outcomes = {}
    for case in CASES:
        with serve(contender, environ) as server:
            asked = {**server, "path": f"/{case}", "connections": CONNECTIONS, **vars(lengths)}
            measured = child.measure(load, asked)
        names = ("requests_per_s", "latency_ms_p50", "latency_ms_p99")
        outcomes[case] = Outcome(*(measured[name] for name in names))
    return outcomes


def verdicts(contest: Contest, samples: Sequence[Sample]) -> str:
    """Return each bar with what was found."""
    lines = []
    for case in CASES:
        best = contest.best_static(samples, case)
        ratio, _ = contest.ratio(samples, case, best)
        text = f"{case}: {ratio:.3f} of the throughput of {best} threads (bar {BAR})"
        lines.append(verdict(text, ratio >= BAR))
        for default in contest.defaults:
            rate, _ = contest.ratio(samples, case, default)
            p99, _ = contest.ratio(samples, case, default, "latency_ms_p99")
            text = f"{case}: against the default {rate:.2f}x the throughput, {p99:.2f}x the p99 (one better)"
            lines.append(verdict(text, rate > 1 or p99 < 1))
    return "\n".join(lines)


def main(name: str, text: str, serve: Any, load: str, argv: Sequence[str] | None = None) -> int:
    """Run, print tables and bars; return 0 however the bars turned out."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.adoption.{name}",
        description=text,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add_arguments(parser)
    parser.add_argument("--only", help="one contender, once: for looking into it")
    asked = parser.parse_args(argv)
    lengths = Lengths(1.0, 2.0) if asked.quick else Lengths(1.5, 2.5)
    with contextlib.ExitStack() as stack:
        out: Any = stack.enter_context(asked.out.open("a")) if asked.out else None
        environ = stack.enter_context(environment())
        if asked.only:
            print(run(asked.only, serve, load, environ, lengths))
            return 0
        statics = tuple(map(str, sizes_of(asked, SIZES_QUICK, SIZES)))
        contest = Contest(f"adoption-{name}", OURS, statics, (DEFAULT,))
        samples = contest.hold(
            lambda contender: run(contender, serve, load, environ, lengths),
            rounds=asked.rounds or (2 if asked.quick else 5),
            quick=asked.quick,
            out=out,
        )
    for case in CASES:
        print(f"\n{contest.table(samples, case)}")
    print(f"\n{verdicts(contest, samples)}")
    return 0
