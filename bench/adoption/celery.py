"""Celery workers on a Redis broker: ours, Celery's threads at each size, and what it does by default.

    python -m bench.adoption.celery [--quick] [--out F.jsonl]

64 tasks in flight. ``mixed``: 10 ms of Python and 50 ms of waiting at a socket; ``cpu``: 10 ms of Python.
Each run is a ``celery worker`` process of its own; Redis and the server that tasks wait at are shared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import child
from bench.adoption.contest import Contest, Outcome, add_arguments, sizes_of, verdict
from bench.environment import ROOT
from surefoot.workloads.spin import iterations_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.records import Sample

OURS = "surefoot"
SIZES = (1, 2, 4, 8, 16, 32, 64)
SIZES_QUICK = (4, 8, 16)
PREFORK = "prefork (default)"
THREADS = "threads (default size)"
CASES = ("mixed", "cpu")
IN_FLIGHT = 64
CPU_S = 0.010
WAIT_S = 0.050
#: Share of the best static throughput that ours must reach.
BAR = 0.97
_START_LIMIT_S = 60.0


def static(size: int) -> str:
    """Return the name of Celery's threads at a size."""
    return f"threads -c {size}"


@dataclass(frozen=True)
class Lengths:
    """Seconds of one load."""

    warm_up_s: float
    window_s: float


@dataclass(frozen=True)
class Site:
    """The servers that all runs share."""

    redis_port: int
    environment: dict[str, str]

    def worker_arguments(self, contender: str) -> list[str]:
        """Return the pool's options of ``celery worker``."""
        if contender == OURS:
            return ["-P", "custom"]
        if contender == PREFORK:
            return []
        if contender == THREADS:
            return ["-P", "threads"]
        return ["-P", "threads", "-c", contender.rpartition(" ")[2]]

    def run(self, contender: str, lengths: Lengths) -> dict[str, Outcome]:
        """Start a worker, load it with each case in turn, and stop it."""
        with self._worker(contender):
            return {case: self._load(case, lengths) for case in CASES}

    @contextlib.contextmanager
    def _worker(self, contender: str) -> Iterator[None]:
        command = [sys.executable, "-m", "celery", "-A", "bench.adoption.celery_app", "worker"]
        command += ["-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        worker = subprocess.Popen(
            [*command, *self.worker_arguments(contender)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # The first result comes once the worker is up.
            self._celery("cpu", "get")
            yield
        finally:
            worker.send_signal(signal.SIGTERM)
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            self._redis("FLUSHALL")

    def _load(self, case: str, lengths: Lengths) -> Outcome:
        message = json.loads(self._celery(case, "template"))
        measured = child.measure(
            "bench.adoption.celery_load",
            {
                "port": self.redis_port,
                **message,
                "in_flight": IN_FLIGHT,
                **vars(lengths),
            },
        )
        return Outcome(*(measured[f] for f in ("throughput_per_s", "latency_ms_p50", "latency_ms_p99")))

    def _celery(self, case: str, what: str) -> str:
        """Ask a process that has Celery in it: this one stays light."""
        return subprocess.run(
            [sys.executable, "-c", _CLIENT, case, what, str(_START_LIMIT_S)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=2 * _START_LIMIT_S,
        ).stdout

    def _redis(self, command: str) -> None:
        with socket.create_connection(("127.0.0.1", self.redis_port)) as connection:
            connection.sendall(f"{command}\r\n".encode())
            connection.recv(64)


# "get": run one task. "template": what Celery sends for one, caught on a queue that no worker reads.
_CLIENT = """
import json, sys
from bench.adoption.celery_app import app
case, what, limit_s = sys.argv[1:]
if what == "get":
    app.tasks[case].delay().get(timeout=float(limit_s))
else:
    task_id = app.tasks[case].apply_async(queue="caught").id
    with app.connection_for_read() as connection:
        text = connection.default_channel.client.rpop("caught").decode()
    text = text.replace('"routing_key": "caught"', '"routing_key": "celery"')
    tag = json.loads(text)["properties"]["delivery_tag"]
    print(json.dumps({"template": text, "task_id": task_id, "delivery_tag": tag}))
"""


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Start Redis and the server that tasks wait at."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not here: python3 tests/debian.py --install")
    port = _free_port()
    folder = tempfile.mkdtemp()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    redis = subprocess.Popen(
        [program, *options, "--dir", folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    waiting = subprocess.Popen(
        [sys.executable, "-m", "bench.knee.remote_server", "4096", str(WAIT_S)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert waiting.stdout is not None
        wait_port = json.loads(waiting.stdout.readline())["port"]
        _await_port(port)
        yield Site(
            port,
            {
                **os.environ,
                "CELERY_CUSTOM_WORKER_POOL": "surefoot.adapters.celery:TaskPool",
                "BENCH_REDIS_URL": f"redis://127.0.0.1:{port}/0",
                "BENCH_SPINS": str(iterations_for(CPU_S)),
                "BENCH_WAIT_PORT": str(wait_port),
                "PYTHONPATH": str(ROOT),
                "C_FORCE_ROOT": "1",
            },
        )
    finally:
        for process in (waiting, redis):
            process.kill()
            process.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int) -> None:
    deadline = time.monotonic() + _START_LIMIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def verdicts(contest: Contest, samples: Sequence[Sample]) -> str:
    """Return each bar with what was found."""
    lines = []
    for case in CASES:
        best = contest.best_static(samples, case)
        ratio, _ = contest.ratio(samples, case, best)
        text = f"{case}: {ratio:.3f} of the throughput of {best} (bar {BAR})"
        lines.append(verdict(text, ratio >= BAR))
        for default in contest.defaults:
            rate, _ = contest.ratio(samples, case, default)
            p99, _ = contest.ratio(samples, case, default, "latency_ms_p99")
            text = f"{case}: against {default} {rate:.2f}x the throughput, {p99:.2f}x the p99 (one better)"
            lines.append(verdict(text, rate > 1 or p99 < 1))
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, print tables and bars; return 0 however the bars turned out."""
    parser = argparse.ArgumentParser(prog="python -m bench.adoption.celery", description=__doc__)
    add_arguments(parser)
    asked = parser.parse_args(argv)
    sizes = sizes_of(asked, SIZES_QUICK, SIZES)
    lengths = Lengths(1.0, 2.0) if asked.quick else Lengths(1.0, 2.5)
    contest = Contest("adoption-celery", OURS, tuple(map(static, sizes)), (PREFORK, THREADS))
    with contextlib.ExitStack() as stack:
        out: Any = stack.enter_context(asked.out.open("a")) if asked.out else None
        place = stack.enter_context(site())
        samples = contest.hold(
            lambda contender: place.run(contender, lengths),
            rounds=asked.rounds or (2 if asked.quick else 5),
            quick=asked.quick,
            out=out,
        )
    for case in CASES:
        print(f"\n{contest.table(samples, case)}")
    print(f"\n{verdicts(contest, samples)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
