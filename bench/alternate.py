"""Rounds: the order in which rivals take their turns.

A machine drifts (frequency, neighbours, page cache). Rivals therefore alternate, and the one that
goes first changes from round to round, so that neither drift nor the place in the round favours one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class Turn:
    """One measurement to make.

    Attributes:
        round: Which round it belongs to; the turns of one round are a matched set.
        position: 0 for the first of its round.
        pool: The contender whose turn it is.
    """

    round: int
    position: int
    pool: str


def turns(pools: Sequence[str], rounds: int, *, first_round: int = 0) -> Iterator[Turn]:
    """Yield the turns of some rounds, each round in the reverse order of the one before."""
    for number in range(first_round, first_round + rounds):
        order = list(pools) if number % 2 == 0 else list(reversed(pools))
        for position, pool in enumerate(order):
            yield Turn(number, position, pool)
