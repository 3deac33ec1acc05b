"""The architecture, as ARCHITECTURE.md maps it: one direction, from task to limit."""

from __future__ import annotations

from typing import Any

from surefoot.evaluation.figures.diagram import Arrow, Box, Diagram, Group
from surefoot.evaluation.figures.diagram import draw as draw_diagram

DIAGRAM = Diagram(
    width=7.0,
    height=8.0,
    groups=(
        Group("Python", 0.1, 0.1, 6.9, 1.75),
        Group("Rust core", 0.1, 1.95, 6.9, 6.45),
    ),
    boxes=(
        Box("program", "program\nsubmit(), map()", 1.3, 1.0, 1.7, 0.75, "outside"),
        Box("task", "the task's function,\nin the interpreter", 5.45, 1.0, 2.1, 0.75, "outside"),
        Box("queue", "queue", 1.3, 2.8, 1.3, 0.6),
        Box("permits", "permits: as many\nas the limit", 3.2, 2.8, 1.6, 0.7),
        Box("workers", "workers; Instrumentor:\nclocks at start, end", 5.45, 2.8, 2.3, 0.75),
        Box("ledger", "ledger:\ncounts, times", 5.9, 4.2, 1.5, 0.65),
        Box("sensors", "sensors: GIL, CPU\nclocks, run queue,\nquota, memory", 1.4, 4.2, 1.8, 0.95),
        Box("monitor", "monitor: one thread,\nnever needs the GIL", 3.8, 4.2, 2.05, 0.75),
        Box("controller", "controller\n(window, state)", 3.8, 5.65, 1.6, 0.75, "decide"),
        Box("guard", "liveness\nguard", 1.4, 5.65, 1.2, 0.75, "decide"),
        Box(
            "snapshot",
            "snapshot: stats(), decisions(), metrics, surefoot top, records",
            3.5,
            7.4,
            6.6,
            0.6,
            "outside",
        ),
    ),
    arrows=(
        Arrow("program.b", "queue.t", "task", shift=(0.3, 0.14)),
        Arrow("queue.r", "permits.l"),
        Arrow("permits.r", "workers.l"),
        Arrow("workers.t", "task.b", "call", shift=(0.27, 0.16)),
        Arrow("workers.b", "ledger.t", "sample", via=((5.45, 3.5), (5.9, 3.5)), shift=(0.1, -0.16)),
        Arrow("ledger.l", "monitor.r"),
        Arrow("sensors.r", "monitor.l"),
        Arrow("monitor.b", "controller.t", "window of 50 ms", shift=(0.75, 0.0)),
        Arrow("controller.l", "guard.r", "decision", shift=(0.0, -0.16)),
        Arrow(
            "guard.t",
            "permits.b",
            "limit",
            via=((1.4, 4.95), (0.25, 4.95), (0.25, 3.5), (3.2, 3.5)),
            shift=(0.9, -0.16),
        ),
        Arrow("controller.b", "snapshot.t", "", via=((3.8, 6.7), (3.5, 6.7))),
    ),
)


def draw(_evaluation: Any = None) -> Any:
    """Return the figure; it needs no records."""
    return draw_diagram(DIAGRAM, size=5.6)
