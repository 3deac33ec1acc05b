"""Reads Dockerfiles as far as this project writes them: stages and their instructions."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Instruction:
    """One instruction: ``RUN``, and what follows it, in one line."""

    word: str
    rest: str

    def words(self):
        """Return what follows, split as a shell does."""
        return shlex.split(self.rest)


@dataclass
class Stage:
    """A stage: its name, what it starts from, and what is done."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)


def stages(text):
    """Return the stages of a Dockerfile in their order."""
    # A comment may stand between the lines of an instruction.
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found: list[Stage] = []
    for line in joined.splitlines():
        word, _, rest = line.strip().partition(" ")
        if not word:
            continue
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            found.append(Stage(name, base))
        else:
            found[-1].instructions.append(Instruction(word, rest.strip()))
    return found


def lineage(found, name):
    """Return the stages that make up a stage, the first one first; and the image that they start from."""
    by_name = {stage.name: stage for stage in found}
    chain = []
    while name in by_name:
        chain.insert(0, by_name[name])
        name = by_name[name].base
    return chain, name
