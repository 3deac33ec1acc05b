"""The evaluation's page opens in a browser without a complaint and shows every figure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

pytest.importorskip("matplotlib")

import evaluation_records
from browser import Browser
from child import LIMIT_S
from debian import program
from surefoot.evaluation import facts, read
from surefoot.evaluation.claims import GROUPS
from surefoot.evaluation.figures import CATALOGUE

pytestmark = pytest.mark.own

SIZES = {"desktop": (1200, 900), "phone": (400, 800)}

# Figures that are too small to be seen, or in which nothing is drawn.
EMPTY = """Array.from(document.querySelectorAll("figure[data-name]")).filter(figure => {
    const svg = figure.querySelector("svg");
    if (!svg) return true;
    const box = svg.getBoundingClientRect();
    const drawn = Array.from(svg.querySelectorAll("path, text, use")).filter(each => {
        const part = each.getBoundingClientRect();
        return part.width > 0 || part.height > 0;
    });
    return box.width < 250 || box.height < 100 || drawn.length < 10;
}).map(figure => figure.dataset.name)"""

# Names that are there twice, and references that lead nowhere.
DOUBLED = """(() => {
    const names = Array.from(document.querySelectorAll("[id]")).map(each => each.id);
    return names.filter((name, at) => names.indexOf(name) !== at);
})()"""
DANGLING = """Array.from(document.querySelectorAll("use, a")).map(each => each.getAttribute("href"))
    .filter(name => !document.getElementById(name.slice(1)))"""

# Text whose colour cannot be told from the page's.
FAINT = """(() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map(Number).map(part => {
            part /= 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const page = light(getComputedStyle(document.body).backgroundColor);
    const contrast = colour => {
        const [a, b] = [light(colour), page].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    };
    const texts = Array.from(document.querySelectorAll("main p, main td, main th, main dd, .verdict"));
    const words = Array.from(document.querySelectorAll("svg.figure text"))
        .filter(each => !["rgb(254, 254, 254)", "rgb(1, 1, 1)"].includes(getComputedStyle(each).fill));
    return texts.filter(each => contrast(getComputedStyle(each).color) < 4.5)
        .concat(words.filter(each => contrast(getComputedStyle(each).fill) < 4.5))
        .map(each => each.outerHTML.slice(0, 99));
})()"""


@pytest.fixture(scope="module")
def browser():
    executable = program("chromium")
    if executable is None:
        pytest.skip("no chromium: python tests/debian.py --install")
    with Browser(executable) as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The page as the command writes it, and its records."""
    folder = tmp_path_factory.mktemp("evaluation")
    records = evaluation_records.write(folder / "records.jsonl")
    page = folder / "report.html"
    done = report(records, "-o", page)
    assert done.returncode == 0, done.stderr
    return page, records


def report(*words):
    return subprocess.run(
        [sys.executable, "-m", "surefoot", "report", *map(str, words)],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "dark"), [("desktop", False), ("phone", True)], ids=["desktop-light", "phone-dark"]
)
def test_in_a_browser(browser, made, tmp_path, size, dark):
    path, records = made
    width, height = SIZES[size]
    shots = Path(os.environ.get("SUREFOOT_SCREENSHOTS") or tmp_path)
    with browser.page(width=width, height=height, dark=dark) as page:
        page.open(path)
        page.screenshot(shots / f"evaluation-{size}-{'dark' if dark else 'light'}.png")
        assert page.complaints == []
        assert page.requests == [path.absolute().as_uri()]
        names = page.evaluate(
            'Array.from(document.querySelectorAll("figure[data-name]")).map(each => each.dataset.name)'
        )
        assert names == [entry.name for entry in CATALOGUE]
        assert page.evaluate(EMPTY) == []
        assert page.evaluate(DOUBLED) == []
        assert page.evaluate(DANGLING) == []
        assert page.evaluate(FAINT) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") is not dark
        text = page.evaluate("document.body.textContent")
        assert all(value in text for _, value in facts.facts(read([records])))
        assert facts.RERUN in text
        assert page.evaluate('document.querySelectorAll(".claims tbody tr").length') == sum(
            len(group.claims) for group in GROUPS
        )


def test_missing_figures_are_named(browser, tmp_path):
    records = evaluation_records.write(tmp_path / "few.jsonl", only=("memory",), repeats=1)
    assert report(records).returncode == 0
    with browser.page(width=800, height=600) as page:
        page.open(tmp_path / "few.html")
        assert page.complaints == []
        shown = page.evaluate('document.querySelectorAll("figure[data-name]").length')
        said = page.evaluate('document.querySelector("#figures .missing").textContent')
        assert shown == 3
        for entry in CATALOGUE:
            if entry.name not in ("architecture", "controller-flow", "memory"):
                assert entry.title.replace("`", "") in said


def test_whatever_records_say_is_shown_as_it_is(browser, tmp_path):
    trap = "</style><script>document.title='caught'</script><img src=http://127.0.0.1:9/x onerror=alert(1)>"
    lines = evaluation_records.lines(only=("solutions",), repeats=1)
    for line in lines:
        if line["type"] == "comparison_run":
            line["commit"] = line["surefoot_version"] = trap
            line["machine"] = {**line["machine"], "system": trap}
            if line["strategy"] == "queue-depth":
                line["strategy"] = trap
        else:
            line["reason"] = trap
    records = tmp_path / "trap.jsonl"
    records.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert report(records).returncode == 0
    with browser.page(width=800, height=600) as page:
        page.open(tmp_path / "trap.html")
        assert page.complaints == []
        assert len(page.requests) == 1
        assert page.evaluate("document.title") == "surefoot: the evaluation"
        assert page.evaluate('document.querySelectorAll("script, img").length') == 0
        assert trap in page.evaluate("document.body.textContent")


def test_records_that_were_measured_are_shown(tmp_path):
    """What `surefoot compare` writes is what is read here."""
    records = tmp_path / "smoke.jsonl"
    suite = Path(__file__).resolve().parents[1] / "bench" / "suites" / "smoke.toml"
    measured = subprocess.run(
        [sys.executable, "-m", "surefoot", "compare", str(suite), "--records", str(records)],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert measured.returncode == 0, measured.stdout + measured.stderr
    runs = read([records]).runs
    assert set(runs.values("strategy")) == {"sequential", "static", "static-best", "knee", "fixed-watched"}
    assert set(runs.values("phase")) == {"sweep", "contest", "single"}
    assert all(run.measurement.tasks_per_s > 0 for run in runs)
    assert runs.where(strategy="fixed-watched").first.measurement.shares
    assert report(records).returncode == 0
    page = (tmp_path / "smoke.html").read_text("utf-8")
    assert 'data-name="solutions"' in page
    assert 'data-name="shares"' in page


def test_exit_codes(tmp_path):
    assert report("--help").returncode == 0
    assert report().returncode == 2
    missing = report(tmp_path / "nothing.jsonl")
    assert missing.returncode == 1
    assert "nothing.jsonl" in missing.stderr
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n{]\n", "utf-8")
    assert "line 2" in report(broken).stderr
