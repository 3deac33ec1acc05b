"""Figures come from records alone, say what was measured where, and are left out by name without records."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import subprocess
import sys
from typing import Any

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

pytest.importorskip("matplotlib")

import matplotlib as mpl
from matplotlib.text import Text

import evaluation_records
from child import LIMIT_S
from surefoot.evaluation import reading
from surefoot.evaluation.figures import CATALOGUE, NoRecordsError, draw_all, style, svg

pytestmark = pytest.mark.own

WITHOUT_RECORDS = {"architecture", "controller-flow"}
each_figure = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


@pytest.fixture(scope="module")
def evaluation():
    return reading.of_lines(evaluation_records.lines())


@dataclasses.dataclass
class Drawn:
    """A figure's file, its own box and the boxes of all words that were drawn."""

    svg: str
    whole: Any
    words: list[tuple[str, Any]]


@pytest.fixture(scope="module")
def drawn(evaluation):
    """Draws a figure, once for all tests."""

    @functools.cache
    def draw(entry):
        with mpl.rc_context(style.RC), pytest.MonkeyPatch.context() as patch:
            figure = entry.draw(evaluation)
            figure.draw_without_rendering()  # the layout is settled now
            words = []

            def note(text, renderer, *rest):
                original(text, renderer, *rest)
                if text.get_visible() and text.get_text().strip():
                    words.append((text.get_text(), Text.get_window_extent(text, renderer)))

            # Labels of ticks beyond an axis' limits exist, too, but are never drawn.
            original = Text.draw
            patch.setattr(Text, "draw", note)
            figure.draw_without_rendering()
        return Drawn(svg(entry, evaluation), figure.bbox, words)

    return draw


@each_figure
def test_a_figure_says_what_was_measured_where(drawn, entry):
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawn(entry).svg))
    assert words
    if entry.name in WITHOUT_RECORDS:
        return
    assert "Synthetic Processor 9000" in words
    assert "CPython 3." in words
    assert re.search(r"(one|two) cores?", words)
    if entry.name in {"cliff", "latency", "combined", "opening", "paradox"}:
        assert "were missing" in words


@each_figure
def test_the_same_records_give_the_same_figure(evaluation, drawn, entry):
    assert svg(entry, evaluation) == drawn(entry).svg


@each_figure
def test_no_word_sticks_out(drawn, entry):
    """Whatever is cut off at the edge, or stands on another word, is not legible."""
    whole, words = drawn(entry).whole, drawn(entry).words
    assert words
    slack = 1.5
    out = [said for said, box in words if min(box.x0, box.y0) < -slack]
    out += [said for said, box in words if max(box.x1 - whole.x1, box.y1 - whole.y1) > slack]
    assert out == []
    on_each_other = []
    for (said, box), (other_said, other) in itertools.combinations(words, 2):
        wide = min(box.x1, other.x1) - max(box.x0, other.x0)
        high = min(box.y1, other.y1) - max(box.y0, other.y0)
        smaller = min(box.width * box.height, other.width * other.height)
        if wide > 0 and high > 0 and wide * high > 0.15 * smaller:
            on_each_other.append((said, other_said))
    assert on_each_other == []


@each_figure
def test_a_figure_without_its_records_is_left_out(entry):
    alone = reading.of_lines(evaluation_records.lines(only=("overhead",), repeats=1))
    if entry.name in WITHOUT_RECORDS | {"overhead"}:
        assert "<svg" in svg(entry, alone)
    else:
        with pytest.raises(NoRecordsError):
            svg(entry, alone)


@pytest.mark.parametrize("name", list(evaluation_records.EXPERIMENTS))
def test_one_run_each_is_enough(name):
    """A smoke run has no intervals and few sizes."""
    alone = reading.of_lines(evaluation_records.lines(only=(name,), repeats=1))
    drawn = 0
    for entry in CATALOGUE:
        if entry.name in WITHOUT_RECORDS:
            continue
        try:
            svg(entry, alone)
        except NoRecordsError:
            continue
        drawn += 1
    assert drawn


def test_one_size_is_enough():
    """A smoke run has one number of threads where a curve has many."""
    lines = evaluation_records.lines(repeats=1)
    sizes = [line for line in lines if line.get("threads") in (None, 4)]
    few = reading.of_lines(sizes)
    drawn = 0
    for entry in CATALOGUE:
        if entry.name in WITHOUT_RECORDS:
            continue
        try:
            svg(entry, few)
        except NoRecordsError:
            continue
        drawn += 1
    assert drawn > 5


def test_files(evaluation, tmp_path):
    stale = tmp_path / "memory.png"
    stale.write_bytes(b"of an earlier run")
    alone = reading.of_lines(evaluation_records.lines(only=("overhead",), repeats=1))
    files, left_out = draw_all(alone, tmp_path)
    assert {path.stem for path in files} == WITHOUT_RECORDS | {"overhead"}
    assert set(left_out) == {entry.name for entry in CATALOGUE} - WITHOUT_RECORDS - {"overhead"}
    assert not stale.exists()
    for path in files:
        head = path.read_bytes()[:8]
        assert head.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")
    files, left_out = draw_all(evaluation, tmp_path, ["memory"])
    assert {path.name for path in files} == {"memory.svg", "memory.png"}
    assert left_out == {}


def test_the_command(tmp_path):
    records = evaluation_records.write(tmp_path / "records.jsonl", only=("overhead",), repeats=1)
    command = [sys.executable, "-m", "surefoot.evaluation.figures", records, "-o", tmp_path / "figures"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 figures" in done.stdout
    assert "left out: cliff: no such runs of experiment 'cliff'" in done.stdout
