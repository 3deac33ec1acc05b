"""Records as an evaluation reads them: typed lines, estimates, curves, the best static pool."""

from __future__ import annotations

import json

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

import evaluation_records
from surefoot.evaluation import Estimate, contest, read, reading, records
from surefoot.evaluation.curve import Point, curve


@pytest.fixture(scope="module")
def lines():
    return evaluation_records.lines(only=("cliff", "solutions", "profiles"))


@pytest.fixture(scope="module")
def evaluation(lines):
    return reading.of_lines(lines)


def written(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_every_line_is_read(tmp_path, lines):
    found = read([written(tmp_path / "a.jsonl", lines)])
    assert len(found.runs) == sum(line["type"] == "comparison_run" for line in lines)
    assert [each.reason for each in found.absences] == ["no interpreter pools before 3.14"]
    line = next(line for line in lines if line["type"] == "comparison_run")
    run = next(run for run in found.runs if run.at_unix_s == line["at_unix_s"])
    assert (run.workload, run.threads) == (records.name(line["workload"]), line["threads"])
    assert run.python == line["interpreter"]["tag"]
    assert run.measurement.tasks_per_s == line["measurement"]["tasks_per_s"]


def test_a_last_line_without_an_end_is_left_out(tmp_path, lines):
    path = written(tmp_path / "torn.jsonl", lines[:3])
    path.write_text(path.read_text("utf-8")[:-20], "utf-8")
    assert len(read([path]).runs) == 2


def test_a_broken_line_in_the_middle_is_an_error(tmp_path, lines):
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps(lines[0]) + "\n{\n" + json.dumps(lines[1]) + "\n", "utf-8")
    with pytest.raises(ValueError, match="line 2"):
        read([path])


def test_records_without_a_run_are_an_error(tmp_path):
    with pytest.raises(ValueError, match="no measured run"):
        read([written(tmp_path / "empty.jsonl", [{"type": "comparison_control"}])])


def test_a_newer_schema_is_refused(lines):
    with pytest.raises(ValueError, match="schema 2"):
        reading.of_lines([{**lines[0], "schema": 2}])


def test_a_file_is_called_by_its_name(evaluation):
    assert "vision" in evaluation.experiment("profiles").values("workload")
    assert "betapool" in evaluation.experiment("solutions").values("strategy")


def test_what_was_not_measured_is_none(lines):
    line = {**lines[0], "measurement": {"tasks_done": 4, "window_s": 2.0, "tasks_per_s": 2.0}}
    measured = reading.of_lines([line]).runs.first.measurement
    assert measured.wall_ms_p99 is measured.cores_busy is measured.memory_bytes is None
    assert measured.switches_per_task is measured.gil_switches_per_task is None
    assert (dict(measured.shares), measured.timeline) == ({}, ())


def test_noisy_runs_give_way_to_calm_ones_of_the_same_cell(lines):
    three = [line for line in lines if line["experiment"] == "cliff"]
    three = [line for line in three if (line["workload"], line["threads"], line["cores"]) == ("micro", 8, 1)]
    assert len(three) == 3
    noisy = [{**three[0], "is_noisy": True}, *three[1:]]
    assert len(reading.of_lines(noisy).runs.samples("tasks_per_s")) == 2
    all_noisy = [{**line, "is_noisy": True} for line in three]
    assert len(reading.of_lines(all_noisy).runs.samples("tasks_per_s")) == 3


def test_estimates_lie_within_their_interval(evaluation):
    own = evaluation.experiment("cliff", workload="micro", cores=1, threads=8)
    found = own.median()
    assert found.low <= found.value <= found.high
    assert found.samples == 3
    assert found.value == sorted(own.samples("tasks_per_s"))[1]
    ratio = own.ratio(own)
    assert ratio.value == 1.0
    assert ratio.less_than_one().value == 0.0
    assert own.where(threads=999).median() is own.ratio(own.where(threads=999)) is None


def points(*given):
    return [Point(threads, Estimate(rate, rate, rate), is_cut) for threads, rate, is_cut in given]


def test_peak_knee_and_cliff():
    found = curve(points((1, 50.0, False), (8, 96.0, False), (16, 100.0, False), (64, 80.0, False)))
    assert (found.peak.threads, found.knee.threads, found.last.threads) == (16, 8, 64)
    assert found.loss == pytest.approx(0.2)
    assert found.is_cliff
    assert found.plateau() == [8, 16]
    assert not curve(points((1, 50.0, False), (8, 100.0, False), (64, 81.0, False))).is_cliff


def test_a_run_that_was_cut_short_is_never_the_best():
    found = curve(points((1, 190.0, False), (8, 180.0, False), (2048, 500.0, True)))
    assert (found.peak.threads, found.is_cliff) == (1, False)
    assert curve(points((2048, 500.0, True))).peak.threads == 2048
    assert curve([]) is curve(points((1, 0.0, False))) is None


def test_static_best_is_measured_afresh_where_it_was(evaluation):
    runs = evaluation.experiment("profiles", workload="vision")
    best = contest.best(runs)
    assert best.values("strategy") == ["static-best"]
    sweep = runs.where(phase="sweep")
    shape = sweep.curve()
    assert contest.best(sweep).values("threads") == [shape.peak.threads]


def test_standings_are_ratios_to_static_best(evaluation):
    runs = evaluation.experiment("profiles")
    found = contest.standings(runs, "knee", lambda run: run.workload)
    assert set(found) == set(evaluation_records.PROFILES)
    own = runs.where(workload="vision")
    by_hand = own.where(strategy="knee").median().value / own.where(strategy="static-best").median().value
    assert found["vision"].efficiency.value == pytest.approx(by_hand)
    assert found["vision"].best_threads == own.where(strategy="static-best").first.threads
