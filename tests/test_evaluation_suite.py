"""What the suite measures is what figures, tables and claims are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

pytest.importorskip("tomllib", reason="TOML comes with Python 3.11")

import tomllib

import evaluation_records
from evaluation_law import PROFILES
from surefoot.evaluation import records
from surefoot.evaluation.figures import style

pytestmark = pytest.mark.own

SUITE = Path(__file__).resolve().parents[1] / "bench" / "suites" / "evaluation.toml"


@pytest.fixture(scope="module")
def experiments():
    suite = tomllib.loads(SUITE.read_text("utf-8"))
    return {each["name"]: each for each in suite["experiment"]}


def names(given):
    return [records.name(each if isinstance(each, str) else each["name"]) for each in given]


def test_the_suite_has_the_experiments_that_are_shown(experiments):
    # The made-up records have what figures and claims ask for: their tests leave none of them out.
    made_up = {line["experiment"] for line in evaluation_records.lines(repeats=1)}
    assert set(experiments) == made_up


def test_the_suite_has_the_strategies_and_workloads_that_are_shown(experiments):
    shown = {}
    for line in evaluation_records.lines(repeats=1):
        if line["type"] != "comparison_run" or line["phase"] == "sweep":
            continue
        places = shown.setdefault(line["experiment"], (set(), set()))
        places[0].add(records.name(line["strategy"]))
        places[1].add(records.name(line["workload"]))
    for name, (strategies, workloads) in shown.items():
        assert strategies <= set(names(experiments[name]["strategies"])), name
        assert workloads <= set(names(experiments[name]["workloads"])), name


def test_every_strategy_has_a_look(experiments):
    for experiment in experiments.values():
        assert set(names(experiment["strategies"])) <= set(style.STRATEGIES)


def test_the_suite_has_the_seven_profiles(experiments):
    assert set(names(experiments["profiles"]["workloads"])) == set(PROFILES)
