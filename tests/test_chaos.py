"""Everything at once, at random: every future ends exactly once and no task runs twice.

`SUREFOOT_CHAOS_TASKS` sets how many, half for each kind of our pool; `SUREFOOT_CHAOS_SEED` repeats a run.
"""

from __future__ import annotations

import concurrent.futures
import logging
import os
import random
import threading
import time

import pytest

from patience import HANG_S, eventually

TASKS = int(os.environ.get("SUREFOOT_CHAOS_TASKS", "1_000_000"))
SEED = int(os.environ.get("SUREFOOT_CHAOS_SEED", "0")) or time.time_ns()
ROUND = 10_000
SUBMITTERS = 4


class Strange(BaseException):
    """Not an Exception."""


class Round:
    """One pool, several submitters, and a tally of what happened to each task."""

    def __init__(self, pool, dice, tasks):
        self.pool = pool
        self.dice = dice
        self.tasks = tasks
        self.lock = threading.Lock()
        self.runs = [0] * (2 * tasks)  # the second half is for tasks that tasks submit
        self.ends = [0] * (2 * tasks)
        self.futures = [None] * (2 * tasks)
        self.nested = tasks
        self.first_done = threading.Event()

    def body(self, number, how):
        """The task; `how` is a random number in [0, 1)."""
        self.runs[number] += 1
        self.first_done.set()
        if how < 0.10:
            raise ValueError(number)
        if how < 0.13:
            raise random.choice([Strange, SystemExit, KeyboardInterrupt, GeneratorExit])(number)
        if how < 0.25 and number < self.tasks:
            with self.lock:
                child, self.nested = self.nested, self.nested + 1
            self.submit(child, how * 4)
        elif how < 0.27:
            return sum(range(300))
        return number

    def ended(self, number):
        def callback(future):
            self.ends[number] += 1

        return callback

    @staticmethod
    def spoiled(future):
        raise ValueError("a callback that raises")

    def submit(self, number, how):
        """False once the pool takes no more."""
        try:
            future = self.pool.submit(self.body, number, how)
        except RuntimeError as error:
            if str(error) != "cannot schedule new futures after shutdown":
                raise
            return False
        if how > 0.9:
            future.add_done_callback(self.spoiled)
        future.add_done_callback(self.ended(number))
        self.futures[number] = future
        return True

    def submitter(self, first, seed):
        dice = random.Random(seed)
        for number in range(first, self.tasks, SUBMITTERS):
            if not self.submit(number, dice.random()):
                return
            what = dice.random()
            if what < 0.10:
                victim = self.futures[dice.randrange(first, number + 1)]
                if victim is not None:
                    victim.cancel()
            elif what < 0.105:
                self.pool._max_workers = dice.randrange(1, 24)
            elif what < 0.11:
                waited_for = self.futures[number]
                try:
                    waited_for.result(HANG_S)
                except concurrent.futures.TimeoutError:
                    raise
                except BaseException:  # whatever the task raised
                    continue

    def run(self):
        threads = [
            threading.Thread(target=self.submitter, args=(first, self.dice.random()))
            for first in range(SUBMITTERS)
        ]
        for thread in threads:
            thread.start()
        end = self.dice.random()
        if end < 0.3:  # in the middle of it
            assert self.first_done.wait(HANG_S)
            self.pool.shutdown(wait=self.dice.random() < 0.5, cancel_futures=end < 0.15)
        for thread in threads:
            thread.join(2 * HANG_S)
            assert not thread.is_alive(), "a submitter hangs"
        self.pool.shutdown(wait=self.dice.random() < 0.7, cancel_futures=self.dice.random() < 0.3)
        self.pool.shutdown(wait=True)

    def check(self):
        accepted = [n for n, future in enumerate(self.futures) if future is not None]
        # The last callback may still be under way in a canceller, never in a worker.
        eventually(lambda: all(self.futures[n].done() for n in accepted), "every future ends")
        for number in range(2 * self.tasks):
            future, runs, ends = self.futures[number], self.runs[number], self.ends[number]
            if future is None:
                assert (runs, ends) == (0, 0), f"task {number} was refused and yet ran {runs} times"
                continue
            assert ends == 1, f"task {number} ended {ends} times: {future}"
            assert runs == (0 if future.cancelled() else 1), f"task {number} ran {runs} times: {future}"
            if not future.cancelled():
                error = future.exception(timeout=0)
                assert error is None or error.args == (number,)
        return len(accepted)


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_future_ends_exactly_once(kind, capsys):
    tasks = TASKS // 2 if kind.ours else min(TASKS, 20_000)
    with capsys.disabled():
        print(f" [seed {SEED}]", end="", flush=True)
    dice = random.Random(f"{SEED} {kind.name}")
    logger = logging.getLogger("concurrent.futures")  # it would report every callback that raises
    logger.disabled = True
    done, rounds = 0, 0
    try:
        while done < tasks:
            options = {"interval_s": dice.choice([0.002, 0.5])} if kind.ours else {}
            if kind.ours and dice.random() < 0.3:
                options["idle_timeout_s"] = dice.choice([0.0, 0.001])
            one = Round(
                kind.new(dice.choice([1, 2, 3, 8, 16]), **options), dice, min(ROUND, tasks - done or 1)
            )
            one.run()
            one.check()
            if kind.ours:
                stats = one.pool.stats()
                accepted = sum(future is not None for future in one.futures)
                assert stats.tasks_submitted == accepted
                assert stats.tasks_done + stats.tasks_failed + stats.tasks_cancelled == accepted
            # Rounds that were cut short count for what they accepted, and at least for something.
            done += max(1, sum(future is not None for future in one.futures[: one.tasks]))
            rounds += 1
    finally:
        logger.disabled = False
    assert rounds >= tasks // ROUND
