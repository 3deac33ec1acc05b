"""Demand, ceiling, knee, findings and advice: pure functions, on records whose truth is known."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest

from surefoot.profile.advice import REACH, advice
from surefoot.profile.analysis import LEAST_CALLS, demand, knee
from surefoot.profile.findings import best_workers, limited_by, warnings
from surefoot.profile.measured import Function, Lock, Measured, Pool
from surefoot.profile.record import TimelinePoint
from surefoot.records import Shares


def shares(cpu, runqueue, gil, io, error=0.01):
    blocked = gil + io
    return Shares(cpu, runqueue, gil, io, blocked, (gil, gil), error, "sampled")


def program(
    *,
    cpu_s,
    held_s,
    wait_s,
    workers,
    calls=1000,
    cores=4.0,
    asleep_s=0.0,
    queue_peak=100,
    runqueue=0.0,
    kind="standard",
    has_lock=True,
    **others,
):
    """What a closed program of these calls would measure, by the laws: each worker always has a task."""
    demand_s = max(held_s if has_lock else 0.0, cpu_s / cores)
    alone_s = max(cpu_s, held_s) + wait_s
    rate = min(workers / alone_s, 1 / demand_s)
    wall_s = workers / rate
    duration_s = calls / rate
    waiting = 1 - alone_s / wall_s
    # The time with the lock held that is not on a core is blocked, but not waiting for it.
    io = (wait_s + max(0.0, held_s - cpu_s)) / wall_s
    where = shares(cpu_s / wall_s, waiting * runqueue, waiting * (1 - runqueue), io)
    tasks = Function("work", calls, calls * wall_s, calls * cpu_s, calls * held_s, calls * asleep_s, where)
    used = rate * held_s
    looks = max(1, round(duration_s / 0.004))
    lock = Lock(has_lock, duration_s, looks, used * duration_s, used * duration_s, used * duration_s)
    pool = Pool("pool", kind, "executor", workers, workers, queue_peak, 0, 0, 0.0, tasks)
    points = tuple(
        TimelinePoint(duration_s * part / 10, "pool", None, workers, queue_peak, rate, where)
        for part in range(1, 11)
    )
    measured = Measured(
        duration_s=duration_s,
        active_s=duration_s,
        cores=cores,
        machine_cores=max(cores, 4.0),
        process_cpu_s=calls * cpu_s,
        lock=lock,
        functions=(tasks,),
        pools=(pool,),
        timeline=points,
    )
    return dataclasses.replace(measured, **others)


def found(measured):
    function = measured.functions[0]
    need = demand(function, measured.lock)
    return knee(need, function.calls, measured.cores, has_lock=measured.lock.is_enabled)


@pytest.mark.parametrize("workers", [1, 4, 6, 8, 32])
def test_ten_ms_of_python_and_fifty_of_waiting_have_their_knee_at_six(workers):
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.05, workers=workers)
    result = found(measured)
    assert result.bottleneck == "gil"
    assert result.ceiling_per_s == pytest.approx(100)
    assert result.whole == 6
    (setting,) = advice(measured)
    assert setting.where == "ThreadPoolExecutor(max_workers=...)"
    # On few workers no further than was tried.
    assert setting.value == min(REACH * workers, result.with_reserve)
    assert 6 <= result.with_reserve <= 8


def test_pure_python_wants_one_thread():
    measured = program(cpu_s=0.005, held_s=0.005, wait_s=0.0, workers=8)
    assert found(measured).whole == 1
    assert [setting.value for setting in advice(measured)] == [1]
    assert limited_by(measured).kind == "gil"


def test_native_code_that_lets_go_wants_as_many_as_there_are_cores():
    measured = program(cpu_s=0.02, held_s=0.001, wait_s=0.0, workers=16)
    result = found(measured)
    assert (result.bottleneck, result.whole) == ("cores", 4)
    assert result.ceiling_per_s == pytest.approx(200)
    assert [setting.value for setting in advice(measured)] == [4]
    assert limited_by(measured).kind == "cores"


def test_a_fractional_quota_counts_as_it_is():
    measured = program(cpu_s=0.02, held_s=0.001, wait_s=0.06, workers=16, cores=1.5)
    result = found(measured)
    assert (result.bottleneck, result.whole) == ("cores", 6)
    assert limited_by(measured).kind == "quota"


def test_without_a_lock_only_cores_limit():
    measured = program(cpu_s=0.01, held_s=0.0, wait_s=0.03, workers=32, has_lock=False)
    result = found(measured)
    assert (result.bottleneck, result.whole) == ("cores", 16)
    assert demand(measured.functions[0], measured.lock).gil_s is None


def test_a_lock_that_nobody_sees_is_not_guessed():
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.03, workers=8)
    blind = dataclasses.replace(measured, lock=Lock(True))
    assert found(blind).bottleneck == "none"
    assert found(blind).whole is None
    assert advice(blind) == ()
    assert "gil-unseen" in {warning.kind for warning in warnings(blind)}


def test_waiting_for_a_core_with_the_lock_is_no_need():
    """On a crowded machine a holder waits for its core: what is held is more than what is computed."""
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.05, workers=8)
    crowded = dataclasses.replace(measured.functions[0], held_s=measured.functions[0].held_s * 1.5)
    need = demand(crowded, measured.lock)
    assert need.gil_s == pytest.approx(0.01)


def test_sleeping_with_the_lock_is_a_need():
    measured = program(cpu_s=0.0001, held_s=0.005, asleep_s=0.0049, wait_s=0.0, workers=4)
    result = found(measured)
    assert (result.bottleneck, result.whole) == ("gil", 1)
    assert result.ceiling_per_s == pytest.approx(200, rel=0.05)
    assert limited_by(measured).kind == "gil-sleeper"
    assert [warning.kind for warning in warnings(measured)] == ["sleeps-with-gil"]
    assert "work" in warnings(measured)[0].text
    blind = dataclasses.replace(measured.lock, shows_sleep=False)
    silent = dataclasses.replace(measured.functions[0], asleep_holding_s=0.0)
    assert demand(silent, blind).gil_s == pytest.approx(0.005), "held without computing, whatever it does"


def test_io_with_too_few_workers_wants_more_but_no_further_than_the_data_reach():
    measured = program(cpu_s=0.0001, held_s=0.0001, wait_s=0.05, workers=4)
    finding = limited_by(measured)
    assert finding.kind == "workers"
    assert "I/O" in finding.text
    (setting,) = advice(measured)
    assert setting.value == REACH * 4
    assert "steps" in setting.why


def test_workers_to_spare_are_no_limit():
    measured = program(cpu_s=0.0001, held_s=0.0001, wait_s=0.05, workers=4, queue_peak=0)
    assert limited_by(measured).kind == "load"
    assert advice(measured) == ()


def test_tasks_that_wait_for_locks_are_not_io():
    measured = program(cpu_s=0.0001, held_s=0.0001, wait_s=0.05, workers=4)
    pool = dataclasses.replace(measured.pools[0], at_lock=0.9)
    assert "locks or other tasks" in limited_by(dataclasses.replace(measured, pools=(pool,))).text


def test_a_remote_server_is_found_by_what_more_workers_brought():
    measured = program(cpu_s=0.0001, held_s=0.0001, wait_s=0.05, workers=32)
    noise = random.Random(1)
    points = tuple(
        TimelinePoint(
            at, "pool", None, workers, 50, min(workers / 0.05, 160) * noise.uniform(0.97, 1.03), None
        )
        for at, workers in enumerate([2, 4, 8, 12, 16, 24, 32] * 4)
    )
    remote = dataclasses.replace(measured, timeline=points)
    assert limited_by(remote).kind == "remote"
    assert best_workers(list(points)) == 8
    (setting,) = advice(remote)
    assert setting.value == 8
    scales = tuple(dataclasses.replace(each, throughput_per_s=each.workers_busy * 20.0) for each in points)
    assert limited_by(dataclasses.replace(measured, timeline=scales)).kind != "remote"


@pytest.mark.parametrize("calls", [0, 1, LEAST_CALLS - 1])
def test_few_calls_carry_no_advice(calls):
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.05, workers=8, calls=max(1, calls))
    if calls == 0:
        measured = dataclasses.replace(measured, pools=(), functions=())
    assert limited_by(measured).kind == "too-few-calls"
    assert advice(measured) == ()


def test_a_knee_that_is_too_uncertain_is_not_told():
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.05, workers=8)
    blurred = dataclasses.replace(measured.functions[0].shares, error=0.7)
    function = dataclasses.replace(measured.functions[0], shares=blurred)
    result = found(dataclasses.replace(measured, functions=(function,)))
    assert result.whole is None
    assert result.ceiling_per_s == pytest.approx(100)


def test_what_others_do_with_the_lock_leaves_less():
    """The main thread takes as long for each call as the call itself."""
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.05, workers=8)
    lock = dataclasses.replace(measured.lock, held_s=2 * measured.lock.in_calls_s)
    (setting,) = advice(dataclasses.replace(measured, lock=lock))
    assert 3 <= setting.value <= 4


def test_pools_of_ours_need_no_advice():
    assert advice(program(cpu_s=0.01, held_s=0.01, wait_s=0.05, workers=8, kind="surefoot")) == ()


@pytest.mark.parametrize(
    ("place", "word"),
    [("anyio", "total_tokens"), ("gunicorn", "--threads"), ("langchain", "max_concurrency")],
)
def test_the_number_goes_where_the_size_is_set(place, word):
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.05, workers=8)
    pool = dataclasses.replace(measured.pools[0], place=place)
    (setting,) = advice(dataclasses.replace(measured, pools=(pool,)))
    assert word in setting.where


def test_library_threads_times_workers():
    measured = program(cpu_s=0.02, held_s=0.001, wait_s=0.0, workers=8, library_threads={"openblas": 4})
    assert [warning.kind for warning in warnings(measured)] == ["oversubscription"]
    for threads in ({"openblas": 1}, {}):
        assert warnings(dataclasses.replace(measured, library_threads=threads)) == ()


@pytest.mark.parametrize(("joining", "warns"), [(0, False), (3, False), (6, True), (8, True)])
def test_nested_waits_are_told_before_they_stop_the_pool(joining, warns):
    measured = program(cpu_s=0.001, held_s=0.001, wait_s=0.05, workers=8)
    pool = dataclasses.replace(measured.pools[0], joining_peak=joining)
    kinds = {warning.kind for warning in warnings(dataclasses.replace(measured, pools=(pool,)))}
    assert ("nested-waits" in kinds) is warns


def test_memory_that_runs_out_limits():
    measured = program(
        cpu_s=0.0001, held_s=0.0001, wait_s=0.05, workers=4, memory_bytes=1000, memory_used_bytes=950
    )
    assert limited_by(measured).kind == "memory"


def test_others_that_take_the_cores_are_named():
    measured = program(cpu_s=0.01, held_s=0.01, wait_s=0.0, workers=8, runqueue=0.4)
    assert "crowded" in {warning.kind for warning in warnings(measured)}


def test_every_error_bar_is_finite():
    for calls in (1, 5, 1000):
        for held_s in (0.0, 1e-6, 0.01):
            measured = program(cpu_s=0.01, held_s=max(held_s, 1e-9), wait_s=0.05, workers=8, calls=calls)
            need = demand(measured.functions[0], measured.lock)
            assert need.gil_error_s > 0
            assert math.isfinite(need.gil_error_s)
