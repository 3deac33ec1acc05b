"""The proof that the harness adds no failure of its own, and that it cannot pass for nothing."""

from __future__ import annotations

import json

import harness
import pytest
from suites import SUITES

pytestmark = pytest.mark.timeout(harness.SUITE_LIMIT_S + 60)


@pytest.mark.parametrize(
    "name", ["initializer", "as_completed", "future", "asyncio_threads", "asyncio_futures"]
)
def test_the_standard_class_passes(run_suite, name):
    report = run_suite(name, "standard")
    assert report.ok, report.explain()
    # What was tested is the stand-in, not the standard class untouched.
    assert report.executor.count("concurrent.futures.thread.ThreadPoolExecutor") == 2


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("initializer", "ThreadPoolInitializerTest.test_initializer"),
        ("future", "FutureTests.test_cancelled"),
        ("asyncio_threads", "ToThreadTests.test_to_thread_args_kwargs"),
        # Its task runs in a `python -I` child: so children are swapped too.
        pytest.param("shutdown", "ThreadPoolShutdownTest.test_interpreter_shutdown", marks=pytest.mark.slow),
    ],
)
def test_a_broken_class_fails(run_suite, name, test):
    report = run_suite(name, "forgetful")
    assert not report.ok
    assert test in map(harness.short_id, report.failures)


def test_a_hang_is_a_failure(run_suite):
    # Far too short for a suite that sleeps: every run is a hang to this limit.
    report = run_suite("as_completed", "standard", limit_s=harness.LIMIT_MARGIN_S + 0.5)
    assert not report.ok
    assert "the process itself" in report.failures


def test_no_thread_pool_test_is_left_out(environment):
    package = "test_concurrent_futures"
    try:
        listed = environment.inventory(package)
    except harness.SuiteMissingError as error:
        pytest.skip(str(error))
    selected = [environment.selection(name) for name, suite in SUITES.items() if suite.package == package]
    assert listed == set().union(*selected)
    assert len({name.split(".")[0] for name in listed}) == 7
    assert len(listed) >= 60


def outcome(test, said, detail=""):
    return {"id": f"test.test_concurrent_futures.{test}", "outcome": said, "detail": detail}


LISTED = "ThreadPoolExecutorTest.test_default_workers"


def reduce(*lines, ending=""):
    lines = json.loads(json.dumps(lines))
    return harness.reduce("pool", lines, ending, {LISTED: "a reason"})


def test_a_listed_difference_may_fail():
    report = reduce(outcome("A.test_a", "passed"), outcome(LISTED, "failed", "why"))
    assert report.ok
    assert len(report.differences) == 1


def test_a_listed_difference_that_passes_is_stale():
    report = reduce(outcome("A.test_a", "passed"), outcome(LISTED, "passed"))
    assert not report.ok
    assert "listed as a difference, but it passes" in report.explain()


def test_an_unlisted_failure_counts_whatever_follows_it():
    report = reduce(
        outcome("A.test_a", "failed", "why"), outcome("A.test_a", "passed"), outcome("A.test_b", "passed")
    )
    assert not report.ok
    assert "why" in report.explain()


def test_a_test_that_never_ended_failed():
    report = reduce(
        outcome("A.test_a", "passed"), outcome("A.test_b", "started"), ending="ended with status -11"
    )
    assert sorted(map(harness.short_id, report.failures)) == ["A.test_b", "the process itself"]


def test_a_suite_in_which_nothing_passed_is_not_ok():
    assert not reduce().ok
    assert not reduce(outcome("A.test_a", "skipped", "why")).ok
