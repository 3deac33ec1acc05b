"""Fixtures that every test of the executor shares."""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # so that tests import child.py, kinds.py and patience.py by name

import kinds
from patience import HANG_S, await_event

faulthandler.enable()

# A shell's background jobs ignore Ctrl-C, and programs that the tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "chaos: random mixtures of everything; SUREFOOT_CHAOS_TASKS sets how much"
    )
    config.addinivalue_line("markers", "slow: takes more than about ten seconds")
    config.addinivalue_line("markers", "own: the same on every interpreter, so `make matrix` leaves it out")


def _named(kind):
    return kind.name


def _or_skip(kind):
    if kind.ours and kinds.STANDARD_ONLY:
        pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1")
    return kind


@pytest.fixture(params=kinds.ALL, ids=_named)
def kind(request):
    """Each kind of pool, the standard one as the proof of the test."""
    return _or_skip(request.param)


@pytest.fixture(params=kinds.OURS, ids=_named)
def ours(request):
    """Each kind of the class under test, where the standard pool differs or has nothing alike."""
    return _or_skip(request.param)


@pytest.fixture
def adaptive():
    return _or_skip(kinds.ADAPTIVE)


@pytest.fixture
def fixed():
    return _or_skip(kinds.FIXED)


@pytest.fixture
def pools():
    """Keep pools: `pools(pool)` returns it and ends it after the test, failing if a worker does not exit."""
    kept = []

    def keep(pool):
        kept.append(pool)
        return pool

    yield keep
    for pool in kept:
        pool.shutdown(wait=False, cancel_futures=True)
    for pool in kept:
        for thread in tuple(pool._threads):
            if thread.ident is not None:
                thread.join(HANG_S)
            assert not thread.is_alive(), f"{thread} of {pool} did not exit"


class Gate:
    """A task that stops here until the gate is opened: workers stay busy as long as a test needs."""

    def __init__(self):
        self.open = threading.Event()
        self._arrived = threading.Semaphore(0)

    def __call__(self, value=None):
        self._arrived.release()
        await_event(self.open, "opening the gate")
        return value

    def await_arrivals(self, count=1):
        for arrival in range(count):
            assert self._arrived.acquire(timeout=HANG_S), f"only {arrival} of {count} tasks started"

    def block(self, pool, count=1):
        """Occupy `count` workers and return their futures once all of them are inside."""
        futures = [pool.submit(self, number) for number in range(count)]
        self.await_arrivals(count)
        return futures


@pytest.fixture
def gate(pools):
    """A gate that opens by itself at the end of the test, before the pools are joined."""
    made = Gate()
    yield made
    made.open.set()


@pytest.fixture
def gates(pools):
    """As many gates as a test asks for."""
    made = []

    def make():
        made.append(Gate())
        return made[-1]

    yield make
    for one in made:
        one.open.set()
