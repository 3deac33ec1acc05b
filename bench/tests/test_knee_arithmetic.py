import random

import pytest
from bench.estimate import percentile
from bench.knee import trace
from bench.knee.bars import bar_for
from bench.knee.neighbours import others_cores
from bench.knee.plan import best_sizes
from bench.knee.records import Run
from bench.knee.rows import rows

# A controller that starts at 6, overshoots to 20 and stays at 10 from 1.5 s on.
RISE = [(0.0, 6), (0.5, 20), (1.5, 10)]


def test_rate_counts_ends_after_the_begin_and_up_to_the_end() -> None:
    assert trace.rate_per_s([0.5, 1.0, 1.5, 2.0, 2.5], 1.0, 2.0) == 2.0
    assert trace.rate_per_s([0.5], 1.0, 1.0) == 0.0


def test_counts_drop_what_ends_outside() -> None:
    assert trace.counts([0.05, 0.15, 0.16, 0.31, -0.01], 0.1, 0.3) == [1, 2, 0]


def test_counts_have_as_many_windows_as_fit_despite_rounding() -> None:
    assert len(trace.counts([], 0.1, 0.3)) == 3
    assert len(trace.counts([], 0.1, 6.0)) == 60


def test_percentile_of_wall_times_is_one_of_them() -> None:
    walls = random.Random(1).sample(range(1000), 300)
    assert percentile(walls, 99) == sorted(walls)[296]


def test_limit_in_force() -> None:
    assert [trace.limit_at(RISE, at) for at in (-1.0, 0.0, 0.49, 0.5, 1.5, 9.0)] == [6, 6, 6, 20, 10, 10]


def test_limits_weigh_as_long_as_they_last() -> None:
    on_grid = trace.limits_on_grid(RISE, 0.0, 2.0)
    assert (on_grid.count(6), on_grid.count(20), on_grid.count(10)) == (50, 100, 50)


def test_final_limit_is_of_the_second_half() -> None:
    assert trace.final_limit(RISE, 0.0, 4.0) == 10


def test_settled_when_it_was_outside_for_the_last_time() -> None:
    assert trace.limit_settling_s(RISE, 0.0, 4.0) == 1.5
    assert trace.limit_settling_s([(0.0, 10)], 0.0, 4.0) == 0.0


def test_two_workers_or_a_seventh_is_no_difference() -> None:
    assert trace.limit_settling_s([(0.0, 8), (1.0, 10)], 0.0, 4.0) == 0.0
    assert trace.limit_settling_s([(0.0, 7), (1.0, 10)], 0.0, 4.0) == 1.0
    assert trace.limit_settling_s([(0.0, 55), (1.0, 64)], 0.0, 4.0) == 0.0
    assert trace.limit_settling_s([(0.0, 54), (1.0, 64)], 0.0, 4.0) == 1.0


def test_settling_counts_from_the_begin_of_the_phase() -> None:
    assert trace.limit_settling_s([(0.0, 30), (5.25, 10)], 5.0, 9.0) == pytest.approx(0.25)


def test_one_that_never_settles_takes_the_whole_span() -> None:
    swinging = [(number * 0.1, 4 if number % 2 else 40) for number in range(40)]
    assert trace.limit_settling_s(swinging, 0.0, 4.0) == pytest.approx(4.0)


def test_first_settling_forgives_a_later_excursion_and_the_strict_one_does_not() -> None:
    excursion = [*RISE, (3.5, 30), (3.6, 10)]
    assert trace.limit_first_settled_s(excursion, 0.0, 6.0) == 1.5
    assert trace.limit_settling_s(excursion, 0.0, 6.0) == pytest.approx(3.6)
    assert trace.outside_share(excursion, 0.0, 6.0) == pytest.approx(1.6 / 6)


def test_first_settling_needs_the_hold() -> None:
    passing = [(0.0, 10), (0.2, 40), (0.4, 10)]
    assert trace.limit_first_settled_s(passing, 0.0, 4.0) == pytest.approx(0.4)


def test_reversals_count_turns_and_not_steps() -> None:
    assert trace.reversals([(0.0, 1), (0.1, 2), (0.2, 4)], 0.0, 1.0) == 0
    assert trace.reversals([(0.0, 4), (0.1, 8), (0.2, 4), (0.3, 6)], 0.0, 1.0) == 2
    assert trace.reversals([(0.0, 4), (0.1, 8), (0.2, 4)], 0.15, 1.0) == 0


def test_rate_settles_after_the_last_poor_window() -> None:
    assert trace.rate_settling_s([100, 500, 1000, 1000], 0.1, 10_000) == pytest.approx(0.2)
    assert trace.rate_settling_s([1000, 1000], 0.1, 10_000) == 0.0
    assert trace.rate_settling_s([0, 0], 0.1, 0.0) == pytest.approx(0.2)


def test_rate_settling_of_a_slow_load_takes_longer_windows() -> None:
    # 100 tasks/s: windows of 0.2 s, in which one task more or less means nothing.
    assert trace.rate_settling_s([0, 10, 9, 10, 11, 9], 0.1, 100.0) == pytest.approx(0.2)


def test_lost_time_is_the_shortfall_in_seconds_of_work() -> None:
    assert trace.lost_s([5, 5, 10, 10], 0.1, 100.0, 0.4) == pytest.approx(0.1)
    assert trace.lost_s([10, 10], 0.1, 100.0, 0.2) == pytest.approx(0.0)


def test_phase_seconds_split_the_span() -> None:
    assert trace.phase_seconds(("cpu", "io"), 2.0, 0.0, 7.0) == {"cpu": 4.0, "io": 3.0}
    assert trace.phase_seconds(("cpu", "io"), 1.0, 0.5, 1.5) == {"cpu": 0.5, "io": 0.5}


def test_efficiency_weighs_the_possible_by_time() -> None:
    seconds, possible = {"cpu": 3.0, "io": 3.0}, {"cpu": 200.0, "io": 1280.0}
    assert trace.efficiency(4440, seconds, possible) == pytest.approx(1.0)
    assert trace.efficiency(2220, seconds, possible) == pytest.approx(0.5)
    assert trace.efficiency(1, {"cpu": 0.0}, {"cpu": 200.0}) == 0.0


def test_log_is_put_on_the_clock_of_the_looks() -> None:
    # The log's zero is 100 s earlier; the second look came 0.4 s late.
    looked = [(0.0, 6), (0.51, 8), (1.9, 12)]
    log = [(100.5, 8), (101.0, 10), (101.5, 12)]
    found = trace.aligned(looked, log)
    assert [limit for _, limit in found] == [6, 8, 10, 12]
    assert [at for at, _ in found] == pytest.approx([0.0, 0.51, 1.01, 1.51])


def test_log_that_does_not_fit_is_left_alone() -> None:
    looked = [(0.0, 6), (0.5, 8)]
    assert trace.aligned(looked, [(100.0, 7)]) == looked
    assert trace.aligned(looked, []) == looked
    assert trace.aligned([(0.0, 6)], [(1.0, 7)]) == [(0.0, 6)]


def _run(contender: str, role: str, round_number: int, rate: float, p99: float, **more: object) -> Run:
    measures = {
        "tasks_per_s": rate,
        "tasks_per_s_whole": rate,
        "wall_ms_p99": p99,
        "window_s": 0.1,
        "until_s": 4.0,
        "done": {"task": [round(rate / 10)] * 40},
        **more,
    }
    return Run("stated", "stated", 2, contender, role, round_number, measures, "3.11", 1.0)


def test_best_size_and_the_least_that_equals_it() -> None:
    sweep = [_run(f"standard:{size}", "sweep", 0, rate, 1.0) for size, rate in ((4, 66), (8, 99), (32, 100))]
    assert best_sizes(sweep) == (32, 8)


def test_rows_hold_ours_against_the_best_of_the_turns() -> None:
    runs = [_run(f"standard:{size}", "sweep", 0, rate, 100.0) for size, rate in ((8, 99.0), (32, 100.0))]
    for number in range(3):
        runs += [
            _run("standard:8", "final", number, 100.0, 100.0),
            _run("standard:32", "final", number, 98.0, 900.0),
            _run("ours:64", "final", number, 96.0, 120.0 + number, limits=RISE),
        ]
    found = {row.metric: row for row in rows(runs)}
    assert found["throughput"].value == pytest.approx(0.96)
    assert found["throughput"].verdict == "MISSED"
    assert found["p99"].value == pytest.approx(1.21)
    assert found["p99"].verdict == "holds"
    assert (found["limit"].value, found["limit"].verdict) == (10, "holds")
    assert (found["settled"].value, found["settled"].verdict) == (1.5, "MISSED")


def test_a_bar_that_some_rounds_hold_is_marked() -> None:
    runs = [_run("standard:8", "sweep", 0, 100.0, 100.0)]
    for number, rate in enumerate((99.0, 98.0, 90.0)):
        runs += [
            _run("standard:8", "final", number, 100.0, 100.0),
            _run("ours:64", "final", number, rate, 100.0, limits=[(0.0, 6)]),
        ]
    found = {row.metric: row for row in rows(runs)}
    assert found["throughput"].verdict == "holds ~"


def test_bars_of_micro_depend_on_interpreter_and_cores() -> None:
    assert bar_for("micro", "throughput", 2, "3.11").value == 1.3
    assert bar_for("micro", "throughput", 2, "3.13").value == 1.08
    assert bar_for("micro", "throughput", 2, "3.14") is None
    assert bar_for("micro", "throughput", 1, "3.14").value == 1.15


def test_bars_bind_only_where_there_is_a_gil() -> None:
    assert bar_for("cpu", "limit", 2, "3.14").binding
    assert not bar_for("cpu", "limit", 2, "3.14t").binding
    assert bar_for("cpu", "no such metric", 2, "3.14") is None


def test_others_are_what_was_busy_and_not_ours() -> None:
    assert others_cores(10.0, 16.0, 3.0, 6.0) == pytest.approx(0.5)
    assert others_cores(10.0, 12.0, 3.0, 6.0) == 0.0
    assert others_cores(None, 12.0, 3.0, 6.0) is None
