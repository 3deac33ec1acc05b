"""The record of a profile survives JSON."""

from __future__ import annotations

import dataclasses
import json

import pytest

from surefoot.profile.record import (
    Finding,
    FunctionProfile,
    LimitDecision,
    Percentiles,
    PoolProfile,
    Profile,
    Program,
    Setting,
    TimelinePoint,
)
from surefoot.records import Shares

SHARES = Shares(0.25, 0.05, 0.2, 0.5, 0.7, (0.15, 0.25), 0.05, "sampled")
UNSEEN = Shares(0.25, 0.0, None, None, 0.75, (0.0, 0.75), 0.1, "bound")
TIMES = Percentiles(1.5e6, 1_000_000, 2_000_000, 3_000_000, 4_000_000)


def profile() -> Profile:
    known = FunctionProfile("m.f", 10, 1, 2.5, TIMES, TIMES, 4e5, SHARES, 3e5, 1e4, 3333.0, 5, "gil")
    unknown = FunctionProfile(
        "m.<lambda>", 1, 0, 0.25, None, None, None, UNSEEN, None, None, None, None, "none"
    )
    return Profile(
        program=Program(("a.py", "--x"), "CPython 3.11.2", True, 1.5, None, "0.0.1"),
        started_at="2026-01-01T00:00:00+00:00",
        duration_s=4.0,
        functions=(known, unknown),
        pools=(PoolProfile("pool", "standard", 8, None, 8, 100, 10, None),),
        timeline=(TimelinePoint(0.5, "pool", None, 8, 3, 2.0, SHARES),),
        decisions=(LimitDecision(1.0, "other", 4, 8, "work waits and nobody is runnable", None),),
        limited_by=Finding("gil", "The interpreter's lock."),
        advice=(Setting("ThreadPoolExecutor(max_workers=...)", 5, "The knee."),),
        warnings=(Finding("sleeps-with-gil", "<b>"),),
    )


def test_json_gives_back_the_same_record() -> None:
    assert Profile.of_json(profile().to_json()) == profile()
    assert json.loads(profile().to_json(indent=2))["schema"] == "surefoot.profile"


def test_whole_numbers_come_back_as_the_type_that_they_were() -> None:
    whole = dataclasses.replace(profile(), duration_s=4)
    again = Profile.of_json(whole.to_json())
    assert isinstance(again.duration_s, float)
    assert isinstance(again.functions[0].calls, int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a surefoot.profile"),
        ("{}", "not a surefoot.profile"),
        ('{"schema": "surefoot.profile", "version": 2}', "version 2"),
        ('{"schema": "surefoot.profile", "version": 1}', "not the fields of a Profile"),
        ('{"schema": "surefoot.profile", "version": 1, "program": []}', "not the fields of a Program"),
    ],
)
def test_what_is_no_record_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Profile.of_json(text)


def test_numbers_that_json_does_not_know_are_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dataclasses.replace(profile(), duration_s=float("nan")).to_json()
