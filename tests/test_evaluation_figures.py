"""Figures come from records alone, say what was measured where, and are left out by name without records."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

pytest.importorskip("matplotlib")

import evaluation_records
from child import LIMIT_S
from surefoot.evaluation import reading
from surefoot.evaluation.figures import CATALOGUE, NoRecordsError, draw_all, svg

WITHOUT_RECORDS = {"architecture", "controller-flow"}
each_figure = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


@pytest.fixture(scope="module")
def evaluation():
    return reading.of_lines(evaluation_records.lines())


@each_figure
def test_a_figure_says_what_was_measured_where(evaluation, entry):
    drawing = svg(entry, evaluation)
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawing))
    if entry.name in WITHOUT_RECORDS:
        return
    assert "Synthetic Processor 9000" in words
    assert "CPython 3." in words
    assert re.search(r"(one|two) cores?", words)
    if {"cliff", "latency", "combined", "opening", "paradox"} & {entry.name}:
        assert "were missing" in words


@each_figure
def test_the_same_records_give_the_same_figure(evaluation, entry):
    assert svg(entry, evaluation) == svg(entry, evaluation)


@each_figure
def test_no_word_sticks_out(evaluation, entry):
    """Whatever is cut off at the edge, or stands on another word, is not legible."""
    import matplotlib as mpl

    from surefoot.evaluation.figures import style

    with mpl.rc_context(style.RC):
        figure = entry.draw(evaluation)
        figure.draw_without_rendering()
    whole = figure.bbox
    words = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
    assert words
    boxes = []
    for text in words:
        axes = text.axes
        if axes is not None and not axes.axison and text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            continue
        if axes is not None and text in {
            *axes.get_xticklabels(minor=True),
            *axes.get_yticklabels(minor=True),
        }:
            continue
        box = text.get_window_extent()
        if box.width < 1:
            continue
        # A tick beyond the axis' limits has a label that is not drawn.
        if axes is not None:
            across, down = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
            if text in axes.get_xticklabels() and not axes.bbox.x0 - 2 <= across <= axes.bbox.x1 + 2:
                continue
            if text in axes.get_yticklabels() and not axes.bbox.y0 - 2 <= down <= axes.bbox.y1 + 2:
                continue
        slack = 1.5
        least, most = min(box.x0, box.y0), max(box.x1 - whole.x1, box.y1 - whole.y1)
        assert -slack <= least, text.get_text()
        assert most <= slack, text.get_text()
        boxes.append((text.get_text(), box))
    for number, (said, box) in enumerate(boxes):
        for other_said, other in boxes[number + 1 :]:
            wide = min(box.x1, other.x1) - max(box.x0, other.x0)
            high = min(box.y1, other.y1) - max(box.y0, other.y0)
            smaller = min(box.width * box.height, other.width * other.height)
            overlap = wide * high if wide > 0 and high > 0 else 0.0
            assert overlap <= 0.15 * smaller, (said, other_said)


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
        try:
            svg(entry, alone)
        except NoRecordsError:
            continue
        drawn += 1
    assert drawn > len(WITHOUT_RECORDS)


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
