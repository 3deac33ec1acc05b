"""The flow of control: the paper's controller, and the one that is the default, as the code has them.

`crates/surefoot-core/src/controller/paper.rs` and `.../knee/`.
"""

from __future__ import annotations

from typing import Any

from surefoot.evaluation.figures.diagram import Arrow, Box, Diagram, Group
from surefoot.evaluation.figures.diagram import draw as draw_diagram

DIAGRAM = Diagram(
    width=14.0,
    height=7.6,
    groups=(
        Group("paper: every 500 ms", 0.1, 0.1, 5.4, 7.45),
        Group("knee: looks every 1 to 4 ms, windows of 50 ms", 5.6, 0.1, 13.9, 7.45),
    ),
    boxes=(
        Box("p0", "a window ends", 1.6, 0.95, 2.2, 0.6, "outside"),
        Box("p1", "do tasks wait?", 1.6, 2.2, 2.2, 0.7, "decide"),
        Box("p2", "did one complete?", 1.6, 3.6, 2.2, 0.7, "decide"),
        Box("p3", "beta > 0.3 ?", 1.6, 5.0, 2.2, 0.7, "decide"),
        Box("p4", "limit + 1\nnot above the cap", 1.6, 6.7, 2.2, 0.8, "act"),
        Box("p5", "limit \N{MINUS SIGN} 1, not below\nmin_workers", 4.2, 2.2, 2.0, 0.8, "act"),
        Box("p6", "hold", 4.2, 3.6, 2.0, 0.6, "outside"),
        Box("p7", "veto: hold", 4.2, 5.0, 2.0, 0.6, "refuse"),
        Box("k0", "a look", 7.1, 0.95, 1.8, 0.6, "outside"),
        Box("k1", "tasks wait, nobody\nis runnable?", 7.1, 2.2, 2.5, 0.85, "decide"),
        Box("k2", "fast gate: admit more,\nsteps double", 7.1, 6.7, 2.6, 0.8, "act"),
        Box("k3", "a window ends", 10.35, 0.95, 2.2, 0.6, "outside"),
        Box("k4", "did a trial or a\nchange of load end?", 10.35, 2.2, 2.5, 0.85, "decide"),
        Box("k5", "utilisation U of the\nbottleneck (GIL, cores)", 10.35, 3.65, 2.6, 0.85, "part"),
        Box("k6", "U low: room\nand tasks wait?", 10.35, 5.1, 2.3, 0.85, "decide"),
        Box("k7", "rise towards the knee\nN* + sqrt(N*\N{MINUS SIGN}servers)", 10.35, 6.7, 2.6, 0.8, "act"),
        Box("k8", "take back,\nor forget", 13.05, 2.2, 1.4, 0.85, "act"),
        Box("k9", "too many wait\nfor it: fall", 13.05, 3.65, 1.5, 0.85, "act"),
        Box("k10", "veto: gil, cpu,\nquota, memory,\nplateau, cap", 13.0, 5.1, 1.65, 1.1, "refuse"),
    ),
    arrows=(
        Arrow("p0.b", "p1.t"),
        Arrow("p1.b", "p2.t", "yes", shift=(0.35, 0.0)),
        Arrow("p1.r", "p5.l", "no", shift=(0.0, -0.2)),
        Arrow("p2.b", "p3.t", "yes", shift=(0.35, 0.0)),
        Arrow("p2.r", "p6.l", "no", shift=(0.0, -0.2)),
        Arrow("p3.b", "p4.t", "yes", shift=(0.35, 0.0)),
        Arrow("p3.r", "p7.l", "no", shift=(0.0, -0.2)),
        Arrow("k0.b", "k1.t"),
        Arrow("k1.b", "k2.t", "yes", shift=(0.35, 0.0)),
        Arrow("k3.b", "k4.t"),
        Arrow("k4.b", "k5.t", "no", shift=(0.3, 0.0)),
        Arrow("k4.r", "k8.l", "yes", shift=(0.0, -0.2)),
        Arrow("k5.b", "k6.t", "else", shift=(0.35, 0.0)),
        Arrow("k5.r", "k9.l", "high", shift=(0.0, -0.2)),
        Arrow("k6.b", "k7.t", "yes", shift=(0.35, 0.0)),
        Arrow("k6.r", "k10.l", "no", shift=(0.0, -0.2)),
    ),
)


def draw(_evaluation: Any = None) -> Any:
    """Return the figure; it needs no records."""
    return draw_diagram(DIAGRAM, 7.0)
