"""The statistics of records, as figures and tables call them: medians and ratios with their intervals."""

from __future__ import annotations

import statistics

import pytest

from surefoot import _core


def test_a_median_lies_in_its_interval_and_the_interval_in_the_samples():
    samples = [103.0, 99.0, 101.0, 97.0, 100.0, 250.0, 98.0, 102.0]
    median, low, high = _core.median_interval(samples)
    assert median == statistics.median(samples)
    assert min(samples) <= low <= median <= high <= max(samples)
    # One disturbed run of eight is not within the middle 95 %.
    assert high < 250.0


def test_one_sample_is_its_own_interval():
    assert _core.median_interval([4]) == (4.0, 4.0, 4.0)


def test_a_ratio_of_medians_tells_apart_what_differs():
    ours, theirs = [20.0, 21.0, 19.0, 20.5, 19.5], [10.0, 10.5, 9.5, 10.2, 9.8]
    ratio, low, high = _core.ratio_interval(ours, theirs)
    assert ratio == pytest.approx(2.0)
    assert 1.5 < low < 2.0 < high < 2.5
    _, low, high = _core.ratio_interval(ours, ours)
    assert low <= 1.0 <= high


@pytest.mark.parametrize("samples", [[], [1.0, float("nan")], [float("inf")]])
def test_no_interval_of_no_figures(samples):
    with pytest.raises(ValueError, match="finite"):
        _core.median_interval(samples)
    with pytest.raises(ValueError, match="finite"):
        _core.ratio_interval(samples, [1.0])


def test_no_ratio_to_nothing():
    with pytest.raises(ValueError, match="above 0"):
        _core.ratio_interval([1.0], [1.0, 0.0])
