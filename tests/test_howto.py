"""Every how-to page does what it says (`tests/howto.py` has the convention), and the runner can tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import howto
from patience import eventually

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs" / "howto").glob("*.md"))


@pytest.mark.timeout(2.5 * howto.LIMIT_S)
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page(path, tmp_path):
    page = howto.read(path.read_text("utf-8"))
    missing = howto.missing(page)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    howto.run(page, tmp_path)


def test_there_are_pages():
    assert PAGES


def fenced(language, text):
    return f"```{language}\n{text}\n```\n"


def run(text, folder, **kwargs):
    page = howto.read(text)
    howto.run(page, folder, **kwargs)
    return page


def test_blocks_are_one_program_whose_files_and_commands_are_there(tmp_path):
    run(
        "# Title\n<!-- requires: json, program:sh -->\n"
        + fenced("python", "# file: beside/beside.py\nvalue = 7")
        + fenced("python", "import sys\nsys.path.insert(0, 'beside')\nfrom beside import value")
        + fenced("text", "rm -rf this is not run")
        + fenced("python", "print(value, file=open('out', 'w'))")
        + fenced(
            "console", "$ grep 7 out   # finds it\n7\n$ python -c 'import surefoot' && surefoot --version"
        ),
        tmp_path,
    )
    assert (tmp_path / "out").read_text() == "7\n"


def test_lines_of_the_program_have_their_numbers_on_the_page(tmp_path):
    text = "\n\n" + fenced("python", "a = 1") + "\n" + fenced("python", "b = 2\n1 / 0")
    assert text.splitlines().index("1 / 0") + 1 == 9
    with pytest.raises(howto.PageFailedError, match=r'page.py", line 9'):
        run(text, tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (fenced("python", "raise SystemExit(3)"), "exit code 3"),
        (fenced("console", "$ false\n$ true"), "exit code 1"),
        (fenced("bash", "true"), "a block is one of"),
        (fenced("text", "true"), "nothing on this page is run"),
        ("```python\n1", "does not end"),
    ],
    ids=["program", "command", "language", "nothing", "open"],
)
def test_a_page_that_does_not_work_fails(text, why, tmp_path):
    with pytest.raises(howto.PageFailedError, match=why):
        run(text, tmp_path)


def test_a_page_that_hangs_fails(tmp_path):
    with pytest.raises(howto.PageFailedError, match="still running after"):
        run(fenced("console", "$ sleep 600"), tmp_path, limit_s=0.5)


def test_what_is_not_here_is_named():
    text = "<!-- requires: json, no_such_module, no.such.child, program:no-such-program -->\n"
    page = howto.read(text + fenced("python", "1"))
    assert howto.missing(page) == ["no_such_module", "no.such.child", "program:no-such-program"]


def test_nothing_is_left_running(tmp_path):
    run(fenced("console", "$ sleep 600 > /dev/null 2>&1 & echo $! > pid"), tmp_path)
    pid = (tmp_path / "pid").read_text().strip()

    def ended():
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except FileNotFoundError:
            return True

    if os.path.isdir("/proc"):
        eventually(ended)
