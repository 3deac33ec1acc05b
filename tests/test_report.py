"""The report opens in a browser without a complaint, shows its figures and fits a phone."""

from __future__ import annotations

import html.parser
import json
import os
from pathlib import Path

import pytest

import kinds

if kinds.STANDARD_ONLY:
    pytest.skip("SUREFOOT_TEST_STANDARD_ONLY=1", allow_module_level=True)

import profiles
from browser import Browser
from debian import program
from surefoot import report

PROFILES = {"ordinary": profiles.ordinary, "traps": profiles.full_of_traps, "empty": profiles.empty}
SIZES = {"desktop": (1200, 900), "phone": (400, 800)}

each_profile = pytest.mark.parametrize("made", PROFILES.values(), ids=PROFILES.keys())


@pytest.fixture(scope="module")
def browser():
    executable = program("chromium")
    if executable is None:
        pytest.skip("no chromium: python tests/debian.py --install")
    with Browser(executable) as running:
        yield running


@pytest.fixture
def shots(tmp_path):
    """Where screenshots go: to look at, `SUREFOOT_SCREENSHOTS` names a folder that stays."""
    folder = Path(os.environ.get("SUREFOOT_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


BOXES = """Array.from(document.querySelectorAll("svg")).filter(svg => {
    const folded = svg.closest("details:not([open])");
    const box = svg.getBoundingClientRect();
    return !folded && (box.width < 100 || box.height < 10);
}).length"""

BARS = """Array.from(document.querySelectorAll("svg.bar")).map(bar => {
    const whole = bar.getBoundingClientRect();
    const parts = Array.from(bar.querySelectorAll("rect")).map(part => part.getBoundingClientRect().width);
    return parts.reduce((sum, width) => sum + width, 0) / whole.width;
})"""

# What sticks out to the right of the window.
OUTSIDE = """Array.from(document.querySelectorAll("body *")).filter(each =>
    each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
    && getComputedStyle(each).position !== "absolute" && !each.closest("thead, svg")
).map(each => each.outerHTML.slice(0, 200))"""

# Contrast of text against the page, by WCAG.
CONTRAST = """(() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map(Number).map(part => {
            part /= 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const body = getComputedStyle(document.body);
    const [a, b] = [light(body.color), light(body.backgroundColor)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
})()"""


@each_profile
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_in_a_browser(browser, tmp_path, shots, made, size, dark):
    path = tmp_path / "report.html"
    path.write_text(report.html(made()), "utf-8")
    width, height = SIZES[size]
    with browser.page(width=width, height=height, dark=dark) as page:
        page.open(path)
        name = f"{made.__name__}-{size}-{'dark' if dark else 'light'}.png"
        page.screenshot(shots / name)
        assert page.complaints == []
        assert page.requests == [path.absolute().as_uri()]
        assert page.evaluate("document.title").startswith("surefoot: ")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(BOXES) == 0
        assert page.evaluate(CONTRAST) > 7
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") is not dark
        if made is profiles.ordinary:
            assert page.evaluate('document.querySelectorAll("svg.bar").length') == 5
            assert page.evaluate('document.querySelectorAll("svg.chart").length') == 8
            assert page.evaluate(BARS) == pytest.approx([1.0] * 5, abs=0.01)
            assert page.evaluate('document.querySelector(".number").innerText') == (
                "ThreadPoolExecutor(max_workers=6)"
            )


def test_the_short_form_in_a_page_of_somebody_else(browser, tmp_path):
    path = tmp_path / "notebook.html"
    short = report.short(profiles.ordinary())
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8><body><h2>Theirs</h2>{short}", "utf-8")
    with browser.page(width=700, height=600) as page:
        page.open(path)
        assert page.complaints == []
        assert page.evaluate(BOXES) == 0
        assert page.evaluate("getComputedStyle(document.querySelector('h2')).marginTop") != "35.2px"


class Reader(html.parser.HTMLParser):
    """Requires that elements close in order; keeps the words and the names."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            assert name not in ("src", "href", "style"), (tag, name, value)
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@each_profile
@pytest.mark.parametrize("render", [report.html, report.short])
def test_markup(made, render):
    reader = Reader()
    reader.feed(render(made()))
    assert reader.open == []
    assert not reader.tags & {"script", "img", "link", "iframe", "object"}


def test_whatever_the_program_says_is_shown_as_it_is():
    reader = Reader()
    reader.feed(report.html(profiles.full_of_traps()))
    # Function, pool, limit, reason, advice, warning, program.
    assert "".join(reader.text).count(profiles.TRAP) >= 7


def test_numbers_of_the_profile_are_in_the_page():
    text = "".join(reader_text(report.html(profiles.ordinary())))
    for said in (
        "price_of_basket",
        "1,200",
        "61.3\N{NARROW NO-BREAK SPACE}ms",
        "310 (7 failed)",
        "8\N{NARROW NO-BREAK SPACE}GiB",
        "shop.py --orders '1 000'",
        "shop.mail.send holds the GIL while",
        "veto: gil",
        "of that GIL wait 10",
    ):
        assert said in text, said


def reader_text(page):
    reader = Reader()
    reader.feed(page)
    return reader.text


def test_in_a_notebook():
    assert profiles.ordinary()._repr_html_() == report.short(profiles.ordinary())


@each_profile
def test_trace(made):
    profile = made()
    events = json.loads(report.trace(profile))["traceEvents"]
    assert {event["ph"] for event in events} <= {"M", "C", "i"}
    instants = [event for event in events if event["ph"] == "i"]
    assert [event["args"]["reason"] for event in instants] == [made.reason for made in profile.decisions]
    for event in events:
        if event["ph"] == "C":
            assert event["args"]
            assert all(isinstance(value, (int, float)) for value in event["args"].values())
    shares = [event["args"] for event in events if event["name"].endswith(": shares")]
    assert all(sum(each.values()) == pytest.approx(1) for each in shares)
    assert len(shares) == sum(point.shares is not None for point in profile.timeline)
