"""The lines of a record file, typed. `docs/reference/records.md` describes them.

A field that a record does not hold is ``None``: what could not be measured is not made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

SCHEMA = 1
"""The newest schema of ``comparison_run`` that is read here."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that a run was measured with.

    Attributes:
        tag: What the suite calls it: ``3.14t``.
        version: ``3.14.0``.
        is_free_threaded: It ran without a GIL.
        switch_interval_s: Its switch interval.
    """

    tag: str
    version: str
    is_free_threaded: bool
    switch_interval_s: float | None

    @property
    def name(self) -> str:
        """Return the version, with ``t`` if it is free-threaded."""
        return f"{self.version}{'t' if self.is_free_threaded else ''}"


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of a run.

    Attributes:
        cpu_model: As the system names it.
        cores: Cores that a run could have used.
        memory_bytes: Memory of the machine.
        kernel: Release of the kernel.
        system: Name of the system.
    """

    cpu_model: str
    cores: int
    memory_bytes: int | None
    kernel: str
    system: str


@dataclass(frozen=True, slots=True)
class TimelinePoint:
    """A look at a run while it went on.

    Attributes:
        at_s: Seconds since the run began.
        limit: Workers admitted, or threads of a pool without a limit.
        tasks_done: Tasks that ended until then.
        queued: Tasks that waited.
        beta: Mean blocking ratio of the tasks since the last look.
        shares: Of the workers' time since the last look, by name.
    """

    at_s: float
    limit: float | None
    tasks_done: int | None
    queued: int | None
    beta: float | None
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of a controller: when, the limit after it, by which rule and why."""

    at_s: float
    limit: float | None
    rule: str
    reason: str


SHARES = ("cpu", "runqueue", "gil", "io")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run measured. Wall times are taken inside the task.

    Attributes:
        tasks_done: Tasks that ended within the window.
        window_s: Its length.
        tasks_per_s: Throughput.
        wall_ms_p50: Median wall time of a task, and so on.
        wall_ms_p95: 95th percentile.
        wall_ms_p99: 99th percentile.
        is_truncated: The window closed before each thread could do two tasks: the figures are rough.
        open_s: The time over which CPU time and switches are taken.
        cpu_s: CPU time of all threads.
        switches_voluntary: Context switches because a thread waited.
        switches_involuntary: Context switches because a thread was taken off its core.
        gil_switches_per_s: Hand-overs of the GIL from thread to thread.
        limit: Workers admitted at the end.
        workers_live: Threads at the end.
        processes: Processes that ran tasks.
        rss_bytes_max: Most resident memory, summed over the process tree: shared pages count in each process.
        pss_bytes_max: Most proportional memory: shared pages are divided among those that share them.
        beta_mean: Mean blocking ratio of the tasks.
        shares: Of the workers' time, by name: ``cpu``, ``runqueue``, ``gil``, ``io``.
        vetoes: Vetoes by reason.
        timeline: Looks in the order of time; empty if none were taken.
        decisions: In the order of time.
    """

    tasks_done: int
    window_s: float
    tasks_per_s: float
    wall_ms_p50: float | None
    wall_ms_p95: float | None
    wall_ms_p99: float | None
    is_truncated: bool
    open_s: float | None
    cpu_s: float | None
    switches_voluntary: int | None
    switches_involuntary: int | None
    gil_switches_per_s: float | None
    limit: float | None
    workers_live: int | None
    processes: int | None
    rss_bytes_max: int | None
    pss_bytes_max: int | None
    beta_mean: float | None
    shares: Mapping[str, float]
    vetoes: Mapping[str, int]
    timeline: tuple[TimelinePoint, ...]
    decisions: tuple[Decision, ...]

    @property
    def cores_busy(self) -> float | None:
        """CPU time per time: how many cores were busy on average."""
        return self.cpu_s / self.open_s if self.cpu_s is not None and self.open_s else None

    @property
    def switches_per_task(self) -> float | None:
        """Context switches of either kind for each task that ended."""
        if self.switches_voluntary is None or self.switches_involuntary is None or not self.open_s:
            return None
        rate = (self.switches_voluntary + self.switches_involuntary) / self.open_s
        return rate / self.tasks_per_s if self.tasks_per_s > 0 else None

    @property
    def gil_switches_per_task(self) -> float | None:
        """Hand-overs of the GIL for each task that ended."""
        if self.gil_switches_per_s is None or self.tasks_per_s <= 0:
            return None
        return self.gil_switches_per_s / self.tasks_per_s

    @property
    def memory_bytes(self) -> int | None:
        """Proportional memory where it is known, resident memory elsewhere."""
        return self.pss_bytes_max if self.pss_bytes_max is not None else self.rss_bytes_max


@dataclass(frozen=True, slots=True)
class Run:
    """One ``comparison_run``.

    Attributes:
        experiment: Which experiment of the suite.
        phase: ``sweep``, ``contest`` or ``single``.
        workload: Its name; of a file, the file's.
        parameters: Of workload and strategy.
        strategy: Its name; of a file, the file's.
        threads: Threads, processes or concurrent tasks asked for; ``None`` where the strategy decides.
        cores: Cores that the run had.
        cores_asked: Cores that the suite asked for: more, if this machine does not have them.
        quota_cores: Quota of CPU time in cores; ``None`` without one.
        interpreter: Which Python.
        machine: Which machine.
        commit: Of the repository.
        surefoot_version: Which surefoot.
        suite: Name of the suite.
        repeat: Which repeat, from 0 on.
        at_unix_s: When it ended, or began.
        is_noisy: The control runs beside it had drifted.
        measurement: What it measured.
    """

    experiment: str
    phase: str
    workload: str
    parameters: Mapping[str, Any]
    strategy: str
    threads: int | None
    cores: int
    cores_asked: int
    quota_cores: float | None
    interpreter: Interpreter
    machine: Machine
    commit: str
    surefoot_version: str
    suite: str
    repeat: int
    at_unix_s: float
    is_noisy: bool
    measurement: Measurement

    @property
    def python(self) -> str:
        """The interpreter's tag."""
        return self.interpreter.tag


@dataclass(frozen=True, slots=True)
class Absence:
    """A run that is not there, and why: ``comparison_failure`` or ``comparison_unavailable``."""

    experiment: str
    workload: str
    strategy: str
    python: str
    reason: str
    is_failure: bool


def run(line: Mapping[str, Any]) -> Run:
    """Return a ``comparison_run`` as a dataclass.

    Raises:
        KeyError: A field is missing that every run has.
        TypeError, ValueError: A field is of another type.
    """
    interpreter, machine = line["interpreter"], line["machine"]
    cores = int(line["cores"])
    quota = line.get("quota_cores")
    threads = line.get("threads")
    return Run(
        experiment=str(line["experiment"]),
        phase=str(line.get("phase", "single")),
        workload=name(str(line["workload"])),
        parameters=line.get("parameters") or {},
        strategy=name(str(line["strategy"])),
        threads=None if threads is None else int(threads),
        cores=cores,
        cores_asked=int(line.get("cores_asked") or cores),
        quota_cores=None if quota is None else float(quota),
        interpreter=Interpreter(
            tag=str(interpreter.get("tag") or interpreter["version"]),
            version=str(interpreter["version"]),
            is_free_threaded=bool(interpreter.get("is_free_threaded", False)),
            switch_interval_s=interpreter.get("switch_interval_s"),
        ),
        machine=Machine(
            cpu_model=str(machine.get("cpu_model", "unknown")),
            cores=int(machine.get("cores", cores)),
            memory_bytes=machine.get("memory_bytes"),
            kernel=str(line.get("kernel") or machine.get("kernel", "unknown")),
            system=str(machine.get("system", "unknown")),
        ),
        commit=str(line.get("commit") or "unknown"),
        surefoot_version=str(line.get("surefoot_version") or "unknown"),
        suite=str(line.get("suite", "")),
        repeat=int(line.get("repeat", 0)),
        at_unix_s=float(line.get("at_unix_s", 0.0)),
        is_noisy=bool(line.get("is_noisy", False)),
        measurement=measurement(line["measurement"]),
    )


def absence(line: Mapping[str, Any]) -> Absence:
    """Return a ``comparison_failure`` or ``comparison_unavailable`` as a dataclass."""
    interpreter = line.get("interpreter") or {}
    return Absence(
        experiment=str(line.get("experiment", "")),
        workload=name(str(line.get("workload", ""))),
        strategy=name(str(line.get("strategy", ""))),
        python=str(interpreter.get("tag") or interpreter.get("version") or ""),
        reason=str(line.get("reason", "")),
        is_failure=line.get("type") == "comparison_failure",
    )


def measurement(line: Mapping[str, Any]) -> Measurement:
    """Return the measurement of a run as a dataclass."""
    given: dict[str, Any] = {field: line.get(field) for field in Measurement.__slots__}
    return Measurement(
        **{
            **given,
            "tasks_done": int(line["tasks_done"]),
            "tasks_per_s": float(line["tasks_per_s"]),
            "window_s": float(line["window_s"]),
            "is_truncated": bool(line.get("is_truncated", False)),
            "shares": _known(line.get("shares")),
            "vetoes": line.get("vetoes") or {},
            "timeline": tuple(_point(each) for each in line.get("timeline") or ()),
            "decisions": tuple(_decision(each) for each in line.get("decisions") or ()),
        }
    )


def name(text: str) -> str:
    """Return a workload's or strategy's name: that of the file if it is one."""
    return PurePath(text).stem if text.endswith(".py") else text


def _known(shares: Mapping[str, Any] | None) -> dict[str, float]:
    return {key: float(value) for key, value in (shares or {}).items() if value is not None}


def _point(line: Mapping[str, Any]) -> TimelinePoint:
    return TimelinePoint(
        at_s=float(line["at_s"]),
        limit=line.get("limit"),
        tasks_done=line.get("tasks_done"),
        queued=line.get("queued"),
        beta=line.get("beta"),
        shares={key: float(line[key]) for key in SHARES if line.get(key) is not None},
    )


def _decision(line: Mapping[str, Any]) -> Decision:
    return Decision(
        float(line["at_s"]), line.get("limit"), str(line.get("rule", "")), str(line.get("reason", ""))
    )
