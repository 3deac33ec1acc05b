"""Claims that no measurement of ours can judge: listed so that none is passed over."""

from __future__ import annotations

from surefoot.evaluation.claims.claim import UNKNOWN, Claim, outside

_RULE = "None: no record of this evaluation bears on it."


def _claim(key: str, text: str, place: str, reason: str, why: str) -> Claim:
    return Claim(key, text, place, _RULE, outside(reason), {UNKNOWN: why})


CLAIMS = (
    _claim(
        "outside-gartner",
        "By 2027, 75 % of enterprise data will be processed outside data centres; edge deployments grow by "
        "32 % a year.",
        "1.1",
        "a forecast of the market",
        "Not a property of the system.",
    ),
    _claim(
        "outside-share",
        "Python has a market share of 68 % in machine learning.",
        "1.1",
        "a survey",
        "Not a property of the system.",
    ),
    _claim(
        "outside-cache",
        "Cache coherency traffic grows as threads migrate between cores.",
        "1.3; 2.1; 2.4",
        "hardware counters were not read",
        "Containers and virtual machines rarely let one read them; context switches and hand-overs are "
        "measured instead.",
    ),
    _claim(
        "outside-first",
        "This is the first systematic characterization; the degradation was previously undocumented.",
        "abstract; 1.4; 8",
        "a matter of the literature",
        "Beazley described the convoys of the new GIL in 2010, and CPython's issue on them (bpo-7946) holds "
        "measurements.",
    ),
    _claim(
        "outside-migration",
        "Libraries need 5 to 7 years for full free-threaded compatibility.",
        "2.4",
        "a forecast",
        "Not a property of the system.",
    ),
    _claim(
        "outside-affinity",
        "Restricting cores by affinity reproduces the hardware of edge devices.",
        "3.1",
        "no such device was at hand",
        "Affinity limits cores, not clock, caches or memory; docker/ says how to run the same on a "
        "Raspberry Pi or a Jetson.",
    ),
    _claim(
        "outside-oscillation",
        "Rapidly alternating workload phases may make the thread count oscillate.",
        "7.1",
        "every experiment here has one load for all of its run",
        "`surefoot simulate` has scenarios of alternating load, with its own table.",
    ),
    _claim(
        "outside-restructuring",
        "No kernel modification, no interpreter change, no restructuring of the application is needed.",
        "1.4; 8",
        "not a matter of figures",
        "True of this project by its tests: CPython's own suites of the standard class run against ours.",
    ),
)
"""Claims that are outside of what is measured."""
