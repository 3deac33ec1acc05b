"""Lets the tests import the harness by name, and prints the counts of each suite at the end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness

COUNTS = pytest.StashKey[list]()


@pytest.fixture(scope="session")
def environment():
    with harness.environment() as env:
        yield env


@pytest.fixture
def run_suite(environment, request):
    """Runs a suite, or skips the test where the interpreter came without it; the counts go to the summary."""

    def run(name, swap="surefoot", **options):
        try:
            report = environment.run(name, swap, **options)
        except harness.SuiteMissingError as error:
            pytest.skip(str(error))
        if request.node.get_closest_marker("counted"):
            request.config.stash.setdefault(COUNTS, []).append((swap, report))
        return report

    return run


def pytest_configure(config):
    config.addinivalue_line("markers", "counted: its suites' counts belong in the summary")


def pytest_terminal_summary(terminalreporter, config):
    counts = config.stash.get(COUNTS, [])
    if not counts:
        return
    terminalreporter.section("CPython's own tests")
    for swap, report in counts:
        terminalreporter.write_line(f"{swap:>8}  {report}")
        for test, reason in report.skipped.items():
            terminalreporter.write_line(
                f"{'':>8}      skipped by CPython: {harness.short_id(test)}: {reason}"
            )
    for kind in dict.fromkeys(swap for swap, _ in counts):
        reports = [report for swap, report in counts if swap == kind]
        passed, skipped, differences, failures = (
            sum(len(getattr(report, name)) for report in reports)
            for name in ("passed", "skipped", "differences", "failures")
        )
        terminalreporter.write_line(
            f"{kind:>8}  in all: {passed} passed, {skipped} skipped by CPython, "
            f"{differences} deliberate differences, {failures} failed"
        )
