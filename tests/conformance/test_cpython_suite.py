"""CPython's own thread-pool, future and asyncio executor tests, run against our executor and our future."""

from __future__ import annotations

import harness
import pytest
from differences import DIFFERENCES
from suites import SUITES

POOL_SUITES = [name for name, suite in SUITES.items() if suite.package == "test_concurrent_futures"]

pytestmark = [pytest.mark.counted, pytest.mark.timeout(harness.SUITE_LIMIT_S + 60)]


def check(report):
    # The class under test was in place, and it was the native one, not the standard pool as its stand-in.
    assert report.executor[1].split(".")[0::2] == ["surefoot", "AdaptiveThreadPoolExecutor"], report.executor
    assert report.future[0].split(".")[0::2] == ["surefoot", "Future"], report.future
    assert any(name.endswith(".FutureCore") for name in report.future), report.future
    assert report.ok, report.explain()


@pytest.mark.parametrize("name", SUITES)
def test_cpython_suite(run_suite, name):
    check(run_suite(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", POOL_SUITES)
def test_cpython_suite_with_the_fixed_controller(run_suite, name):
    """With a constant limit there is not even a deliberate difference."""
    report = run_suite(name, "fixed")
    check(report)
    assert not report.differences


def test_at_most_one_deliberate_difference():
    assert list(DIFFERENCES) in ([], ["ThreadPoolExecutorTest.test_default_workers"])
