from collections.abc import Sequence

from bench.alternate import turns
from bench.estimate import bootstrap, estimate, percentile


def test_turns_alternate_who_goes_first() -> None:
    order = [(turn.round, turn.pool) for turn in turns(("a", "b"), 3)]
    assert order == [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]


def test_turns_continue_from_a_given_round() -> None:
    assert [turn.pool for turn in turns(("a", "b"), 1, first_round=1)] == ["b", "a"]


def test_percentile_is_a_measured_value_at_its_rank() -> None:
    values = list(range(100, 0, -1))
    assert percentile(values, 99) == 99
    assert percentile(values, 50) == 50
    assert percentile(values, 100) == 100
    assert percentile([7.0], 99) == 7.0


def test_estimate_keeps_median_and_range() -> None:
    found = estimate([3.0, 1.0, 9.0])
    assert (found.median, found.low, found.high, found.count) == (3.0, 1.0, 9.0, 3)


def test_few_rounds_give_no_interval() -> None:
    assert bootstrap(4, lambda drawn: float(drawn[0])) is None


def test_interval_repeats_itself_and_covers_the_mean() -> None:
    def mean(drawn: Sequence[int]) -> float:
        return sum(drawn) / len(drawn)

    first, second = bootstrap(20, mean), bootstrap(20, mean)
    assert first == second
    assert first.contains(9.5)
    assert 0 < first.low < first.high < 19


def test_interval_of_a_constant_is_that_constant() -> None:
    found = bootstrap(6, lambda drawn: 2.0)
    assert (found.low, found.high) == (2.0, 2.0)
