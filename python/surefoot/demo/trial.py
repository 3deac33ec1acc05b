"""A trial: one strategy, one set of frames, in a process of its own: ``python -m surefoot.demo.trial SPEC``.

It prints JSON lines: ``{"progress": ...}`` four times a second, at the end ``{"result": ...}``. When its
stdin ends its parent is gone, and it goes too.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from surefoot.demo import inference
from surefoot.demo.actuator import Actuator
from surefoot.demo.pipeline import Pipeline
from surefoot.demo.sensor import Sensor
from surefoot.demo.service import Service
from surefoot.demo.strategies import Runner, Strategy, start

PROGRESS_INTERVAL_S: Final = 0.25


@dataclass(frozen=True)
class Spec:
    """All that a trial needs to know, passed as one JSON argument."""

    strategy: Strategy
    frames: int
    device_port: int
    api_port: int
    database: str
    backend: str

    def to_json(self) -> str:
        """Return the spec as one line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Spec:
        """Return the spec that `to_json` wrote."""
        fields = json.loads(text)
        return Spec(**{**fields, "strategy": Strategy(**fields["strategy"])})


def _say(kind: str, content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({kind: content}) + "\n")
    sys.stdout.flush()


def _leave_with_the_parent() -> None:
    # os.read, not sys.stdin: a lock held in a blocked read would stop the interpreter from ending.
    while os.read(0, 1):
        pass
    os._exit(1)


def _report(pipeline: Pipeline, runner: Runner, frames: int, begun_s: float, over: threading.Event) -> None:
    while not over.wait(PROGRESS_INTERVAL_S):
        content = {
            "at_s": time.monotonic() - begun_s,
            "done": len(pipeline.spans),
            "limit": runner.limit(),
            "queue_length": frames - len(pipeline.started),
        }
        _say("progress", content)


def run(spec: Spec) -> None:
    """Run a trial and print its result."""
    pipeline = Pipeline(
        Sensor(spec.device_port),
        inference.load(spec.backend),
        Service(spec.api_port),
        Actuator(spec.database),
    )
    pipeline.warm_up()
    runner = start(spec.strategy)
    limit_first = runner.limit()
    over = threading.Event()
    begun_ns, cpu_begun_ns = time.monotonic_ns(), time.process_time_ns()
    reporter = threading.Thread(
        target=_report,
        args=(pipeline, runner, spec.frames, begun_ns / 1e9, over),
        name="progress",
        daemon=True,
    )
    reporter.start()
    errors = runner.run(pipeline, range(spec.frames))
    wall_ns, cpu_ns = time.monotonic_ns() - begun_ns, time.process_time_ns() - cpu_begun_ns
    limit_last, decisions = runner.limit(), runner.decisions()
    over.set()
    reporter.join()
    runner.close()
    pipeline.close()
    content = {
        "wall_ns": wall_ns,
        "cpu_ns": cpu_ns,
        "ends_ns": sorted(end - begun_ns for _, end in pipeline.spans),
        "latencies_ns": [end - begin for begin, end in pipeline.spans],
        "limit_first": limit_first,
        "limit_last": limit_last,
        "decisions": decisions,
        "errors": errors,
    }
    _say("result", content)


if __name__ == "__main__":
    threading.Thread(target=_leave_with_the_parent, name="lifeline", daemon=True).start()
    run(Spec.from_json(sys.argv[1]))
