"""The reference page of the command line names what the commands take, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import kinds
from child import LIMIT_S

pytestmark = pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1")

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "command-line.md"
OPTION = re.compile(r"--[a-z][a-z-]*")


def said(*words):
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed():
    """The commands in the order of `surefoot --help`."""
    commands = said("--help").partition("Commands:\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in commands.splitlines()]


def section(command):
    found = re.search(rf"^## `surefoot {command}`\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S)
    assert found, f"no section on surefoot {command}"
    return found[1]


def test_commands():
    commands = set(listed()) - {"help"}
    assert commands >= {"cliff", "simulate", "doctor", "run", "profile"}
    assert commands == set(re.findall(r"^## `surefoot ([a-z]+)`$", PAGE.read_text("utf-8"), re.M))


@pytest.mark.parametrize("command", ["cliff", "simulate", "doctor", "run", "profile", "top"])
def test_options(command):
    rows = "".join(line for line in section(command).splitlines(keepends=True) if line.startswith("| `-"))
    described = set(OPTION.findall("".join(re.findall(r"^\| (.*?) \|", rows, re.M))))
    taken = set(OPTION.findall("".join(re.findall(r"^ +(?:-[a-z], )?--.*$", said(command, "--help"), re.M))))
    assert described | {"--help"} == taken | {"--help"}
