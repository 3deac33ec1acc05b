"""FastAPI under uvicorn with ``surefoot.install()`` against fixed numbers of anyio tokens.

    python -m bench.adoption.fastapi [--quick] [--out records.jsonl]

Two synchronous endpoints, 64 connections that always have a request under way: ``stated`` computes for 10 ms
in pure Python and waits 50 ms for a socket, ``cpu`` only computes. Each contender serves both, one after the
other, in a fresh process; the remote side and the client are processes of their own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bench import child
from bench.adoption.contest import Contest, Outcome, verdict
from bench.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.records import Sample

CONNECTIONS = 64
REMOTE_SLOTS = 512
REMOTE_S = 0.050
#: anyio's tokens where nobody changes them.
DEFAULT = "40"
CONTEST = Contest("adoption.fastapi", "surefoot", ("8", DEFAULT, "128"), (), finalists=3)
CASES = ("stated", "cpu")


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[int]:
    """Run a server that says its port in its first line and leaves when its input ends."""
    server = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["port"]
    finally:
        server.communicate("")


def _run(contender: str, fixed: dict[str, Any], warm_s: float, seconds: float) -> dict[str, Outcome]:
    asked = json.dumps({"contender": contender, **fixed})
    outcomes = {}
    with _process("bench.adoption.fastapi_server", asked) as port:
        for case in CASES:
            load = {"port": port, "path": f"/{case}", "connections": CONNECTIONS}
            found = child.measure("bench.adoption.http_load", {**load, "warm_s": warm_s, "seconds": seconds})
            outcomes[case] = Outcome(
                found["requests_per_s"], found["latency_ms_p50"], found["latency_ms_p99"]
            )
    return outcomes


def _bars(samples: Sequence[Sample]) -> list[str]:
    best = CONTEST.best_static(samples, "stated")
    throughput, _ = CONTEST.ratio(samples, "stated", best)
    stated, _ = CONTEST.ratio(samples, "stated", DEFAULT, "latency_ms_p99")
    cpu, _ = CONTEST.ratio(samples, "cpu", DEFAULT, "latency_ms_p99")
    return [
        verdict(
            f"stated: throughput {throughput:.3f} of the best static ({best}), to be >= 0.97",
            throughput >= 0.97,
        ),
        verdict(f"stated: p99 {stated:.2f} of the default's, to be < 1", stated < 1),
        verdict(f"cpu: p99 {1 / cpu:.2f} times lower than the default's, to be >= 2", cpu <= 0.5),
    ]


def _measure(quick: bool, rounds: int | None, out: IO[str] | None) -> list[Sample]:
    warm_s, seconds = (0.7, 2.0) if quick else (1.5, 3.5)
    spin_per_ms = child.measure("bench.knee.calibrate", {})["spin_per_ms"]
    with _process("bench.knee.remote_server", str(REMOTE_SLOTS), str(REMOTE_S)) as remote_port:
        fixed = {"spin_per_ms": spin_per_ms, "remote_port": remote_port}
        return CONTEST.hold(
            lambda contender: _run(contender, fixed, warm_s, seconds),
            rounds or (2 if quick else 5),
            quick=quick,
            out=out,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )


def main() -> int:
    """Run, print the tables and the bars, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.adoption.fastapi", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter runs")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of 2 (quick) or 5")
    parser.add_argument("--out", type=Path, metavar="FILE.jsonl", help="append the records to this file")
    parser.add_argument("--check", action="store_true", help="exit 1 unless every bar holds")
    asked = parser.parse_args()
    if asked.out:
        with asked.out.open("a", encoding="utf-8") as out:
            samples = _measure(asked.quick, asked.rounds, out)
    else:
        samples = _measure(asked.quick, asked.rounds, None)
    for case in CASES:
        print(CONTEST.table(samples, case) + "\n")
    bars = _bars(samples)
    print("\n".join(bars))
    return 1 if asked.check and any("MISSED" in bar for bar in bars) else 0


if __name__ == "__main__":
    sys.exit(main())
