"""Dask clusters of two processes on a mixed graph: ours, and fixed numbers of threads in each worker.

    python -m bench.adoption.dask [--quick] [--out F.jsonl]

240 sources wait 50 ms at a socket, are parsed (Python), reduced four by four (NumPy) and combined. Each
run is a cluster of its own that computes the graph several times: the first makespan (``cold``, when ours
knows nothing yet) and the others (``warm``) are judged apart. Throughput is tasks over
makespan; the latencies are makespans.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import child
from bench.adoption.contest import Contest, Outcome, add_arguments, sizes_of, verdict
from bench.environment import ROOT
from bench.estimate import percentile
from surefoot.workloads.spin import iterations_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OURS = "surefoot"
SIZES = (1, 2, 4, 8, 16)
SIZES_QUICK = (4, 8, 16)
WAIT_S = 0.050
#: Sources fetched and parsed, reductions, and the tree above them.
TASKS = 240 + 240 + 60 + 15 + 4 + 1
BAR = 0.97


def static(size: int) -> str:
    """Return the name of a fixed number of threads in each worker."""
    return f"nthreads={size}"


@contextlib.contextmanager
def waiting_server() -> Iterator[int]:
    """Start the server that tasks wait at; yields its port."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.knee.remote_server", "4096", str(WAIT_S)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["port"]
    finally:
        server.kill()
        server.communicate()


class Runs:
    """Runs contenders, and remembers what they computed."""

    def __init__(self, port: int, spins: int, repeats: int) -> None:
        self._arguments = {"port": port, "spins": spins, "repeats": repeats}
        self.digests: set[str] = set()
        self.nthreads: list[list[int]] = []

    def run(self, contender: str) -> dict[str, Outcome]:
        """Run one contender in a process and a cluster of its own."""
        threads = 0 if contender == OURS else int(contender.partition("=")[2])
        found: dict[str, Any] = child.measure(
            "bench.adoption.dask_graph", {**self._arguments, "threads": threads}
        )
        self.digests.add(found["digest"])
        if not threads:
            self.nthreads.append(found["nthreads"])
        makespans = found["makespans_s"]
        return {"cold": _outcome(makespans[:1]), "warm": _outcome(makespans[1:])}


def _outcome(makespans_s: Sequence[float]) -> Outcome:
    return Outcome(
        TASKS / median(makespans_s),
        percentile(makespans_s, 50) * 1e3,
        percentile(makespans_s, 99) * 1e3,
    )


def verdicts(contest: Contest, samples: Sequence[Any], digests: set[str]) -> str:
    """Return each bar with what was found."""
    lines = [verdict("results identical in all runs", len(digests) == 1)]
    for case in ("cold", "warm"):
        best = contest.best_static(samples, case)
        ratio, _ = contest.ratio(samples, case, best)
        lines.append(verdict(f"{case}: {ratio:.3f} of the speed of {best} (bar {BAR})", ratio >= BAR))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print tables and bars; return 0 however the bars turned out."""
    parser = argparse.ArgumentParser(prog="python -m bench.adoption.dask", description=__doc__)
    add_arguments(parser)
    asked = parser.parse_args(argv)
    sizes = sizes_of(asked, SIZES_QUICK, SIZES)
    contest = Contest("adoption-dask", OURS, tuple(map(static, sizes)), ())
    with contextlib.ExitStack() as stack:
        out: Any = stack.enter_context(asked.out.open("a")) if asked.out else None
        port = stack.enter_context(waiting_server())
        runs = Runs(port, iterations_for(0.001), repeats=3 if asked.quick else 4)
        rounds = asked.rounds or (2 if asked.quick else 6)
        samples = contest.hold(runs.run, rounds=rounds, quick=asked.quick, out=out)
    for case in ("cold", "warm"):
        print(f"\n{contest.table(samples, case)}")
    print(f"\nThreads of ours at the end, in each worker: {runs.nthreads}")
    print(f"\n{verdicts(contest, samples, runs.digests)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
