"""The tests of CPython that our executor fails on purpose, each with its reason.

`docs/reference/differences.md` explains them to users. The harness checks both directions: a failing test
that is not listed here is an error, and so is a listed test that passes.
"""

from __future__ import annotations

DIFFERENCES: dict[str, str] = {
    "ThreadPoolExecutorTest.test_default_workers": (
        "with max_workers=None the cap is found from memory, process limits and cores, since finding the "
        "size is the pool's own work; min(32, cpus + 4) is only the limit it starts with"
    ),
}
