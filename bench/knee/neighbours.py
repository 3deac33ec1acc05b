"""How much of the machine others used during a run.

It matters more here than elsewhere: the kernel shares the cores by thread, so beside a busy neighbour a pool
of many runnable threads gets more of the machine than a pool of one, and the wrong size looks best.
"""

from __future__ import annotations

import os
from pathlib import Path

#: From here on a run counts as disturbed. Half a core of two turns the order of sizes round.
DISTURBED_CORES = 0.3


def busy_s() -> float | None:
    """Return the seconds that all cores together were busy since the start; None where it cannot be read."""
    try:
        first_line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return None
    ticks = [int(field) for field in first_line.split()[1:9]]
    # proc_stat(5): idle and iowait stand at 3 and 4; stolen time is busy, since it was not to be had.
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def others_cores(
    before_s: float | None, after_s: float | None, own_s: float, elapsed_s: float
) -> float | None:
    """Return the cores that others kept busy on average, from two readings and this process's own time."""
    if before_s is None or after_s is None or elapsed_s <= 0:
        return None
    return max(0.0, (after_s - before_s - own_s) / elapsed_s)
