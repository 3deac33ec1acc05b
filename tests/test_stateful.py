"""A model of the pool against the pool: which tasks run is known after every step.

Events make each step deterministic: a task starts, says so and stays until the model lets it end. Nothing is
asserted about time.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import kinds
from patience import HANG_S, await_event


class Task:
    """One submitted call, held by its event."""

    def __init__(self, machine, fails):
        self.machine = machine
        self.fails = fails
        self.started = threading.Event()
        self.may_end = threading.Event()
        self.runs = 0
        self.future = None

    def __call__(self):
        self.runs += 1
        self.machine.enter()
        self.started.set()
        await_event(self.may_end, "leave to end")
        self.machine.leave()
        if self.fails:
            raise ValueError(id(self))
        return id(self)


class Model(RuleBasedStateMachine):
    """FIFO queue, at most `cap` tasks at once, and always that many while tasks wait."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.lock = threading.Lock()
        self.inside, self.too_many = 0, 0

    @initialize(cap=st.integers(1, 4))
    def make(self, cap):
        self.cap = cap
        # A short interval: where the limit has to grow to the cap first, it does so at once.
        self.pool = self.kind.new(cap, **({"interval_s": 0.005} if self.kind.ours else {}))
        self.waiting, self.running, self.ended, self.cancelled = [], [], [], []
        self.is_shut_down = False

    def enter(self):
        with self.lock:
            self.inside += 1
            self.too_many += self.inside > self.cap

    def leave(self):
        with self.lock:
            self.inside -= 1

    def let_start(self):
        """Move what must run now to `running`, and wait until it does."""
        while self.waiting and len(self.running) < self.cap:
            task = self.waiting.pop(0)
            self.running.append(task)
            assert task.started.wait(HANG_S), (
                f"a task does not start: {self.pool.stats() if self.kind.ours else self.pool}"
            )

    @rule(fails=st.booleans())
    def submit(self, fails):
        task = Task(self, fails)
        if self.is_shut_down:
            with pytest.raises(RuntimeError, match=r"^cannot schedule new futures after shutdown$"):
                self.pool.submit(task)
            return
        task.future = self.pool.submit(task)
        self.waiting.append(task)
        self.let_start()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end_one(self, data):
        task = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        task.may_end.set()
        if task.fails:
            assert task.future.exception(HANG_S).args == (id(task),)
        else:
            assert task.future.result(HANG_S) == id(task)
        self.ended.append(task)
        self.let_start()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel_a_waiting_one(self, data):
        task = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        assert task.future.cancel()
        self.cancelled.append(task)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def cancel_a_running_one(self, data):
        task = data.draw(st.sampled_from(self.running))
        assert not task.future.cancel()

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def cancel_an_ended_one(self, data):
        assert not data.draw(st.sampled_from(self.ended)).future.cancel()

    @precondition(lambda self: self.kind.ours and not self.is_shut_down)
    @rule(cap=st.integers(1, 6))
    def resize(self, cap):
        self.cap = cap  # first: while all that may run runs, nothing starts before the pool knows it
        self.pool._max_workers = cap
        self.let_start()

    @rule(cancel_futures=st.booleans())
    def shut_down(self, cancel_futures):
        self.pool.shutdown(wait=False, cancel_futures=cancel_futures)
        self.is_shut_down = True
        if cancel_futures:
            self.cancelled += self.waiting
            self.waiting = []

    @invariant()
    def the_futures_agree(self):
        if not hasattr(self, "pool"):
            return
        assert all(t.future.running() and not t.future.done() for t in self.running)
        assert not any(t.future.running() or t.future.done() for t in self.waiting)
        assert all(t.future.cancelled() for t in self.cancelled)
        assert all(t.future.done() and not t.future.cancelled() for t in self.ended)
        assert not any(t.started.is_set() for t in self.waiting + self.cancelled)
        assert self.too_many == 0, "more tasks at once than the cap"

    @invariant()
    def the_counts_agree(self):
        if not hasattr(self, "pool") or not self.kind.ours:
            return
        stats = self.pool.stats()
        accepted = len(self.waiting) + len(self.running) + len(self.ended) + len(self.cancelled)
        assert stats.cap == self.pool._max_workers == self.cap
        assert stats.tasks_submitted == accepted
        assert stats.tasks_running == len(self.running)
        assert stats.tasks_done + stats.tasks_failed == len(self.ended)
        assert stats.tasks_failed == sum(t.fails for t in self.ended)
        # A cancelled task may stand in the queue until a worker meets it.
        assert len(self.waiting) <= stats.queue_length <= len(self.waiting) + len(self.cancelled)

    def teardown(self):
        if not hasattr(self, "pool"):
            return
        for task in self.waiting + self.running:
            task.may_end.set()
        self.pool.shutdown(wait=True)
        for task in self.waiting + self.running + self.ended:
            assert task.future.done()
            assert task.runs == 1
        for task in self.cancelled:
            assert task.runs == 0
            with pytest.raises(CancelledError):
                task.future.result(timeout=0)
        assert self.inside == 0


SETTINGS = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


def test_the_pool_behaves_like_its_model(kind):
    run_state_machine_as_test(lambda: Model(kind), settings=SETTINGS)


def test_the_model_can_fail():
    """A pool that runs one task more than its cap is found out."""

    class Greedy(kinds.Kind):
        def new(self, cap, **options):
            return super().new(cap + 1, **options)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            lambda: Model(Greedy("standard")), settings=settings(SETTINGS, phases=[Phase.generate])
        )
