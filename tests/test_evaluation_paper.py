"""Every number, figure and table of the paper has its counterpart in the evaluation."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

import evaluation_records
import paper
from surefoot.evaluation import reading, tables
from surefoot.evaluation.claims import GROUPS
from surefoot.evaluation.figures import CATALOGUE

pytestmark = pytest.mark.own

OF_THE_PAPER = [claim for group in GROUPS[:-1] for claim in group.claims]
FIGURE_SECTION = {"figure 1": "4", "figure 2": "4", "figure 3": "4", "figure 4": "6.2", "figure 5": "6.2"}

# Numbers that say nothing of what was measured.
NOT_A_CLAIM = {
    re.compile(r"^\d+\. "): "the number of an item in a list",
    re.compile(r"Figure \d+"): "a reference to a figure",
    re.compile(r"Section \d+"): "a reference to a section",
    re.compile(r"PEP \d+"): "the name of a proposal",
    re.compile(r"Raspberry Pi \d+"): "the name of a board",
    re.compile(r"\bP\d\d\b"): "the name of a percentile",
}
# Tables that show no result.
NOT_A_RESULT = {
    "Resource / Cloud Server / Edge Device / Implication for GIL": "what servers and boards usually have",
}


def sections(claim):
    """Where a claim stands; a figure stands in the section that shows it."""
    places = [place.partition(",")[0].strip() for place in claim.place.split(";")]
    return {FIGURE_SECTION.get(place, place) for place in places}


def excuses(number):
    return [why for pattern, why in NOT_A_CLAIM.items() if number.is_within(pattern)]


def covers(claim, number):
    if number.section not in sections(claim):
        return False
    said = paper.values(claim.text)
    # Columns of tables have their unit in the heading.
    is_bare = not number.unit and number.line.startswith("|")
    return any(
        value == number.value and (is_bare or unit == number.unit or not number.unit) for value, unit in said
    )


def test_the_lines_with_numbers_are_those_of_the_paper():
    where = os.environ.get("SUREFOOT_PAPER")
    if not where:
        pytest.skip("SUREFOOT_PAPER names no copy of the paper")
    assert paper.lines(Path(where).read_text("utf-8")) == paper.LINES.read_text("utf-8").splitlines()


@pytest.mark.parametrize("section", paper.SECTIONS)
def test_a_section_has_numbers(section):
    assert any(each.section == section and not excuses(each) for each in paper.numbers())


@pytest.mark.parametrize(
    "number", paper.numbers(), ids=lambda each: f"{each.section}-{each.value}{each.unit}"
)
def test_a_number_is_in_a_claim(number):
    covered = [claim.key for claim in OF_THE_PAPER if covers(claim, number)]
    assert covered or excuses(number), str(number)


def test_every_excuse_is_needed():
    used = {why for number in paper.numbers() for why in excuses(number)}
    assert used == set(NOT_A_CLAIM.values())
    assert set(paper.kept("table")) >= set(NOT_A_RESULT)


def test_a_number_that_no_claim_has_would_be_found():
    wrong = paper.Number("6.2", "It is 71.3% faster.", "71.3", "%", 6)
    assert not any(covers(claim, wrong) for claim in OF_THE_PAPER)
    assert not excuses(wrong)
    elsewhere = paper.Number("1.4", "32.2% throughput loss", "32.2", "%", 0)
    assert not any(covers(claim, elsewhere) for claim in OF_THE_PAPER)


@pytest.mark.parametrize("title", paper.kept("figure"))
def test_a_figure_has_a_counterpart(title):
    number, _, name = title.partition(": ")
    found = []
    for entry in CATALOGUE:
        ours, _, which = entry.paper.partition(" (")
        if ours == number and which.rstrip(")") in name.lower():
            found.append(entry.name)
    assert found, title


def test_every_counterpart_is_a_figure_of_the_paper():
    numbers = {title.partition(":")[0] for title in paper.kept("figure")}
    named = {entry.paper.partition(" (")[0] for entry in CATALOGUE if entry.paper.startswith("Figure")}
    assert named == numbers


@pytest.mark.parametrize("headings", paper.kept("table"))
def test_a_table_has_a_counterpart(headings):
    if headings in NOT_A_RESULT:
        return
    assert headings == "Strategy / Throughput (TPS) / P99 Latency (ms) / vs Naive"
    ours = tables.solutions(reading.of_lines(evaluation_records.lines(only=("solutions",), repeats=1)))
    assert {"strategy", "tasks/s", "p99 ms", "of static 256"} <= set(ours.headings)
    names = {row[1] for row in ours.rows if row[0] == "micro"}
    assert {"static 256", "paper", "knee"} <= names
    assert any(name.startswith("static best") for name in names)
