"""Links between the project's pages lead somewhere, and its commands exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.own

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("crates/*/src/**/*.md"),
        *ROOT.glob("bench/*.md"),
    ]
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?://|#)([^)#\s]+)")


def test_there_are_pages():
    assert ROOT / "README.md" in PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    dangling = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert dangling == []


def test_make_words_in_the_pages_exist():
    words = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for word in re.findall(r"(?:^|`)make ([a-z-]+)(?:`|$|\s{2,})", page.read_text("utf-8"), re.MULTILINE)
    }
    assert named
    assert named <= words


def test_make_alone_lists_every_word():
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    for word in ("demo", "test", "lint", "model", "bench", "docs"):
        assert re.search(rf"^{word}\s+\S", listed, re.MULTILINE), listed
