"""What the default controller must reach, as issued; all of them ratios or counts taken in one run."""

from __future__ import annotations

from bench.bars import Bar

#: Workload: metric: bound, and whether more is better.
_BARS: dict[str, dict[str, tuple[float, bool]]] = {
    "stated": {
        "throughput": (0.97, True),
        "p99": (1.3, False),
        "limit": (10, False),
        "settled": (0.5, False),
    },
    "cpu": {"throughput": (0.98, True), "p99": (1.7, False), "limit": (2, False), "settled": (0.5, False)},
    "io": {"throughput": (0.95, True), "p99": (1.1, False), "limit": (64, True), "settled": (0.3, False)},
    "micro": {"p99": (1 / 3, False), "limit": (16, False), "settled": (0.5, False)},
    "micro_batch": {"p99": (1 / 3, False), "limit": (16, False), "settled": (0.5, False)},
    "half_numpy": {
        "throughput": (0.97, True),
        "p99": (1.3, False),
        "limit": (16, False),
        "settled": (0.5, False),
    },
    "mixed": {"throughput": (0.95, True), "p99": (1.0, False)},
    "remote": {"throughput": (0.97, True), "limit": (20, False), "settled": (2.0, False)},
    "phases": {"efficiency": (0.85, True)},
    "affinity": {"throughput": (0.95, True), "settled": (2.0, False)},
    "affinity_half_numpy": {"throughput": (0.95, True), "settled": (2.0, False)},
    "no_cliff": {"throughput": (0.95, True), "p99": (1.05, False)},
    "liveness": {"extra": (0.050, False)},
    "overhead": {"throughput": (0.99, True), "monitor busy": (0.005, False), "monitor idle": (0.0001, False)},
}
#: ``micro``'s throughput depends on the interpreter where two cores fight for the GIL.
_MICRO_TWO_CORES = {"3.11": 1.3, "3.13": 1.08}
_MICRO_ONE_CORE = 1.15


def bar_for(workload: str, metric: str, cores: int, interpreter: str) -> Bar | None:
    """Return the bar of a metric, None where none was set."""
    if workload in ("micro", "micro_batch") and metric == "throughput":
        value = _MICRO_ONE_CORE if cores == 1 else _MICRO_TWO_CORES.get(interpreter)
        return None if value is None else Bar(value)
    found = _BARS.get(workload, {}).get(metric)
    # Set for builds with a GIL: without it the best size of a pure Python load is another.
    return None if found is None else Bar(*found, binding=not interpreter.endswith("t"))
