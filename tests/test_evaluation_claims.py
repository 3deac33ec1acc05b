"""Verdicts follow from records by their rules, and agree between evaluations that differ by noise."""

from __future__ import annotations

import dataclasses
import html.parser
import subprocess
import sys
from pathlib import Path

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

import evaluation_records
from child import LIMIT_S
from surefoot.evaluation import Evaluation, reading, tables
from surefoot.evaluation.claims import GROUPS, Verdict, disagreements
from surefoot.evaluation.claims.judging import verdicts
from surefoot.evaluation.claims.page import markdown
from surefoot.evaluation.runs import Runs

pytestmark = pytest.mark.own

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def evaluation():
    return reading.of_lines(evaluation_records.lines())


def altered(evaluation, wanted, **changes):
    """The same evaluation with the measurement of some runs multiplied."""

    def change(run):
        if not all(getattr(run, key) == value for key, value in wanted.items()):
            return run
        measured = {key: getattr(run.measurement, key) * factor for key, factor in changes.items()}
        return dataclasses.replace(run, measurement=dataclasses.replace(run.measurement, **measured))

    return Evaluation(Runs(change(run) for run in evaluation.runs), evaluation.absences)


def test_keys_are_unique_and_everything_is_said():
    claims = [claim for group in GROUPS for claim in group.claims]
    assert len({claim.key for claim in claims}) == len(claims)
    for claim in claims:
        assert claim.text.endswith(".")
        assert claim.place
        assert claim.rule.endswith((".", ".)"))


def test_whole_records_judge_all_but_what_lies_outside(evaluation):
    unknown = {key for key, each in verdicts(evaluation).items() if each.verdict is Verdict.UNKNOWN}
    assert unknown == {key for key in verdicts(evaluation) if key.startswith("outside-")} | {"free-beta"}


def test_without_records_nothing_is_judged():
    only = reading.of_lines(evaluation_records.lines(only=("overhead",), repeats=1))
    judged = verdicts(only)
    known = {key for key, each in judged.items() if each.verdict is not Verdict.UNKNOWN}
    assert known == {"solution-lightweight", "bar-duration"}
    assert judged["cliff-exists"].measured == "no such runs of experiment 'cliff'"


@pytest.mark.parametrize("name", list(evaluation_records.EXPERIMENTS))
def test_any_experiment_may_be_missing(name):
    rest = tuple(other for other in evaluation_records.EXPERIMENTS if other != name)
    markdown(reading.of_lines(evaluation_records.lines(only=rest, repeats=1)))


def test_evaluations_that_differ_by_noise_agree(evaluation):
    other = reading.of_lines(evaluation_records.lines(seed=8))
    assert [one.claim.key for one, _ in disagreements(evaluation, other)] == []


def test_verdicts_follow_the_records():
    evaluation = reading.of_lines(evaluation_records.lines(only=("cliff", "profiles")))
    judged = verdicts(evaluation)
    assert judged["cliff-loss-one-core"].verdict is Verdict.HOLDS
    assert judged["bar-average"].verdict is Verdict.HOLDS

    cliff = {"experiment": "cliff", "workload": "micro", "threads": 2048}
    flat = altered(evaluation, cliff, tasks_per_s=1.4)
    assert verdicts(flat)["cliff-loss-one-core"].verdict is Verdict.NOT
    assert verdicts(flat)["cliff-exists"].verdict is Verdict.NOT
    steep = altered(evaluation, cliff, tasks_per_s=0.3)
    assert verdicts(steep)["cliff-loss-one-core"].verdict is Verdict.PART
    assert verdicts(steep)["cliff-sharp"].verdict is Verdict.PART
    assert judged["cliff-sharp"].verdict is Verdict.NOT

    slow = altered(evaluation, {"experiment": "profiles", "strategy": "knee"}, tasks_per_s=0.5)
    assert verdicts(slow)["bar-average"].verdict is Verdict.NOT
    late = altered(evaluation, {"experiment": "profiles", "strategy": "knee"}, wall_ms_p99=5.0)
    assert verdicts(late)["bar-tail"].verdict is Verdict.NOT
    assert {one.claim.key for one, _ in disagreements(evaluation, late)} == {"bar-tail"}


class Reader(html.parser.HTMLParser):
    """Only `details` and `summary` may stand in the page."""

    def __init__(self):
        super().__init__()
        self.tags = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)


def test_the_page(evaluation):
    page = markdown(evaluation)
    reader = Reader()
    reader.feed(page)
    assert reader.tags <= {"details", "summary"}
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for claim in (claim for group in GROUPS for claim in group.claims):
        assert any(row.startswith(f"| {claim.text} |") for row in rows), claim.key
        assert f"*{claim.text}* {claim.rule}" in page
    for row in rows:
        assert row.count("|") - row.count("\\|") in (6,), row


def test_tables(evaluation):
    found, left_out = tables.tables(evaluation)
    assert (tuple(each.name for each in found), left_out) == (tables.NAMES, {})
    for each in found:
        assert each.rows
        assert all(len(row) == len(each.headings) for row in each.rows)
        lines = tables.markdown(each).splitlines()
        assert len(lines) == len(each.rows) + 2


def bench(module, *words):
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_command_writes_and_compares(tmp_path):
    one = evaluation_records.write(tmp_path / "one.jsonl", only=("cliff", "profiles"))
    other = evaluation_records.write(tmp_path / "other.jsonl", only=("cliff",))
    out = tmp_path / "claims.md"
    assert bench("bench.claims", one, "-o", out) == (0, "")
    assert out.read_text("utf-8") == markdown(reading.read([one]))
    assert bench("bench.claims", "--compare", one, one) == (0, "all verdicts agree\n")
    code, said = bench("bench.claims", "--compare", one, other)
    assert code == 1
    assert "bar-average: holds | not measured here" in said
    assert bench("bench.claims")[0] == 2
    assert bench("bench.claims", tmp_path / "nothing.jsonl")[0] == 1


def test_the_readme_is_filled_between_its_markers(tmp_path):
    records = evaluation_records.write(tmp_path / "records.jsonl", only=("cliff", "solutions", "profiles"))
    page = tmp_path / "PAGE.md"
    before = "".join(
        f"{name}\n<!-- bench.readme: {name} -->\nwhat stood here\n<!-- bench.readme: end {name} -->\n"
        for name in ("opening", "claims")
    )
    page.write_text(before, "utf-8")
    assert bench("bench.readme", records, "--into", page, "--check")[0] == 1
    assert page.read_text("utf-8") == before
    assert bench("bench.readme", records, "--into", page) == (0, "")
    after = page.read_text("utf-8")
    assert "what stood here" not in after
    assert "| `micro`: **surefoot** (`knee`) |" in after
    assert "**mean**" in after
    assert bench("bench.readme", records, "--into", page, "--check") == (0, "")
    page.write_text("no markers\n", "utf-8")
    code, said = bench("bench.readme", records, "--into", page)
    assert code == 1
    assert "needs the lines" in said
