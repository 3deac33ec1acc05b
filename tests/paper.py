"""What the paper states in numbers, figures and tables, sentence by sentence.

`paper.txt` holds those lines of the paper that bear a number, and the titles of its figures and tables, so
that the tests need no copy of the paper. Written anew by


python tests/paper.py PAPER.md > tests/paper.txt
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

LINES = Path(__file__).with_name("paper.txt")
SECTIONS = ("abstract", "1.4", "4", "6.2", "8")
"""Those whose every number must be covered."""
NUMBER = re.compile(r"(order of magnitude|\d[\d,]*(?:\.\d+)?)(?:[ ]?(%|x\b|ms\b|GB\b|MB\b))?")
"""A number and its unit, if it is one of those that the paper writes beside figures."""
_HEADING = re.compile(r"^#+\s*(?:(\d+(?:\.\d+)*)\.?\s|(\w+))", re.MULTILINE)


@dataclass(frozen=True)
class Number:
    """A number, where it stands, and what stands around it."""

    section: str
    line: str
    value: str
    unit: str
    start: int

    def is_within(self, pattern: re.Pattern[str]) -> bool:
        """Say whether it is part of what a pattern finds in its line."""
        return any(match.start() <= self.start < match.end() for match in pattern.finditer(self.line))

    def __str__(self) -> str:
        """Return it with a few words before and after."""
        return f"{self.section}: ...{self.line[max(0, self.start - 30) : self.start + 30]}..."


def lines(paper: str) -> list[str]:
    """Return what `paper.txt` holds: ``section | line``, and ``figure | title``, ``table | headings``."""
    found = [
        f"{section} | {re.sub(r'[]][(][^)]*[)]$', '', line).strip()}"
        for section, text in _sections(paper)
        if section in SECTIONS
        for line in text.splitlines()
        if NUMBER.search(line)
    ]
    titles = re.findall(r"^!\[(Figure \d+: [^.]+)\.", paper, re.MULTILINE)
    found += [f"figure | {title}" for title in titles]
    tables = re.findall(r"^\|(.+)\|\n\|[-|]+\|$", paper, re.MULTILINE)
    found += [f"table | {' / '.join(cell.strip() for cell in each.split('|'))}" for each in tables]
    return found


def _sections(paper: str) -> list[tuple[str, str]]:
    heads = list(_HEADING.finditer(paper))
    ends = [head.start() for head in heads[1:]] + [len(paper)]
    return [
        ((head[1] or head[2]).lower(), paper[paper.index("\n", head.end() - 1) : end])
        for head, end in zip(heads, ends, strict=True)
    ]


def kept(kind: str) -> list[str]:
    """Return the lines of a section, or the titles of all figures or tables."""
    split = (line.split(" | ", 1) for line in LINES.read_text("utf-8").splitlines())
    return [text for found, text in split if found == kind]


def numbers() -> list[Number]:
    """Return every number of the sections that must be covered."""
    return [each for section in SECTIONS for line in kept(section) for each in _in(section, line)]


def values(text: str) -> set[tuple[str, str]]:
    """Return the numbers of a text with their units."""
    return {(each.value, each.unit) for each in _in("", text)}


def _in(section: str, line: str) -> list[Number]:
    return [
        Number(section, line, match[1].replace(",", ""), match[2] or "", match.start())
        for match in NUMBER.finditer(line)
    ]


if __name__ == "__main__":
    print("\n".join(lines(Path(sys.argv[1]).read_text("utf-8"))))
