"""Profiles to render: an ordinary one, one full of traps, an empty one."""

from __future__ import annotations

import math

from surefoot.profile.record import (
    Finding,
    FunctionProfile,
    LimitDecision,
    Percentiles,
    PoolProfile,
    Profile,
    Program,
    Setting,
    TimelinePoint,
)
from surefoot.records import Shares

# What would act if it were not escaped, in text, attributes, styles and scripts.
TRAP = (
    "</style></title><script>document.title='caught'</script>\"'>"
    "<img src=http://127.0.0.1:9/x onerror=alert(1)>&amp;"
)


def shares(cpu, runqueue, gil, io, error=0.03):
    return Shares(
        cpu,
        runqueue,
        gil,
        io,
        1 - cpu - runqueue,
        (0.0, 1.0) if gil is None else (gil, gil),
        error,
        "sampled",
    )


UNKNOWN = Shares(0.3, 0.1, None, None, 0.6, (0.1, 0.5), 0.05, "bound")


def percentiles(p50_ns):
    return Percentiles(1.1 * p50_ns, p50_ns, 2 * p50_ns, 3 * p50_ns, 5 * p50_ns)


def function(name, calls=1200, part=None, **kwargs):
    fields = {
        "failed": 0,
        "throughput_per_s": calls / 12.5,
        "queued": percentiles(180_000),
        "wall": percentiles(61_300_000),
        "cpu_mean_ns": 10_050_000.0,
        "shares": part or shares(0.16, 0.01, 0.22, 0.61),
        "gil_demand_ns": 9_980_000.0,
        "gil_demand_error_ns": 210_000.0,
        "ceiling_per_s": 100.2,
        "knee": 6,
        "bottleneck": "gil",
    }
    return FunctionProfile(name, calls, **{**fields, **kwargs})


def timeline(pool, points=120, *, limited=True, part=None):
    for number in range(points):
        busy = 12 - 6 * number / points
        yield TimelinePoint(
            at_s=0.1 + number * 12.3 / points,
            pool=pool,
            limit=round(busy) if limited else None,
            workers_busy=max(1, round(busy - 1 + math.sin(number))),
            queue_length=max(0, round(40 * math.sin(number / 20))),
            throughput_per_s=95 + 4 * math.sin(number / 3),
            shares=part or shares(0.2, 0.02, 0.3 - 0.2 * number / points, 0.48 + 0.2 * number / points),
        )


def ordinary():
    pools = (
        PoolProfile("ThreadPoolExecutor-0", "surefoot", 512, 6, 12, 40, 1200, shares(0.16, 0.01, 0.22, 0.61)),
        PoolProfile("asyncio", "standard", 6, None, 6, 3, 310, UNKNOWN),
        PoolProfile("threads", "threads", None, None, 2, 0, 4, None),
    )
    return Profile(
        program=Program(("shop.py", "--orders", "1 000"), "CPython 3.13.1", True, 2.0, 8 * 2**30, "0.1.0"),
        started_at="2026-01-02T03:04:05.678+00:00",
        duration_s=12.5,
        functions=(
            function("shop.orders.Checkout.price_of_basket"),
            function("shop.mail.send", 310, UNKNOWN, failed=7, queued=None, knee=None, ceiling_per_s=None),
            function("shop.reports.totals", 42, shares(0.97, 0.01, 0.02, 0.0, 0.0), bottleneck="cores"),
        ),
        pools=pools,
        timeline=tuple(
            sorted(
                (
                    *timeline("ThreadPoolExecutor-0"),
                    *timeline("asyncio", 40, limited=False, part=UNKNOWN),
                ),
                key=lambda point: point.at_s,
            )
        ),
        decisions=(
            LimitDecision(1.2, "ThreadPoolExecutor-0", 12, 9, "fewer workers wait for the GIL", None),
            LimitDecision(4.0, "ThreadPoolExecutor-0", 9, 9, "tasks wait, but the GIL is full", "gil"),
            *(
                LimitDecision(5 + n / 4, "ThreadPoolExecutor-0", 9 - n % 2, 8 + n % 2, f"step {n}", None)
                for n in range(20)
            ),
        ),
        limited_by=Finding("gil", "The GIL limits this program: it was held for 93 % of the time."),
        advice=(
            Setting(
                "ThreadPoolExecutor(max_workers=...)", 6, "Six threads keep the GIL busy; more only wait."
            ),
            Setting(
                "anyio tokens", 8, "Eight synchronous endpoints at once reach 95 % of the best throughput."
            ),
        ),
        warnings=(
            Finding(
                "gil-held-while-blocked", "`shop.mail.send` holds the GIL while it is blocked: 12 ms a call."
            ),
        ),
    )


def full_of_traps():
    trapped = ordinary()
    return Profile(
        program=Program((TRAP, "x" * 300), TRAP, False, 0.5, None, TRAP),
        started_at=TRAP,
        duration_s=1e-9,
        functions=(
            function(TRAP, gil_demand_ns=None, cpu_mean_ns=None, wall=None, part=UNKNOWN),
            function("module." + "Long" * 60 + ".method", shares=None),
            function("tiny", 0, shares(0.0, 0.0, 0.0, 1.0, 2.0)),
        ),
        pools=(PoolProfile(TRAP, TRAP, None, None, 0, 0, 0, UNKNOWN),),
        timeline=tuple(TimelinePoint(0.0, f"{TRAP}{n}", None, None, None, 0.0, None) for n in range(9)),
        decisions=(LimitDecision(-1.0, f"{TRAP}1", 1, 1, TRAP, TRAP),),
        limited_by=Finding(TRAP, TRAP),
        advice=(Setting(TRAP, 3, TRAP), *trapped.advice),
        warnings=(Finding(TRAP, TRAP),),
    )


def empty():
    program = Program((), "CPython 3.10.13", True, 4.0, None, "0.1.0")
    nothing = Finding("not-measured", "Nothing was measured.")
    return Profile(program, "2026-01-02T03:04:05+00:00", 0.0, (), (), (), (), nothing, (), ())
