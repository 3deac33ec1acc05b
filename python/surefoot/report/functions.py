"""The functions of a profile: their figures, and where their time goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.report import bars, words
from surefoot.report.markup import Markup, element, join

if TYPE_CHECKING:
    from surefoot.profile.record import FunctionProfile, Percentiles, PoolProfile
    from surefoot.records import Shares

_FUNCTION_HEADINGS = (
    ("function", None),
    ("calls", None),
    ("throughput", None),
    ("queued", "median time from submission to start; in brackets the 99th percentile"),
    ("wall", "median time from start to end; in brackets the 99th percentile"),
    ("CPU", "mean CPU time of a call"),
    ("GIL", "mean time for which a call holds the GIL"),
    ("ceiling", "calls per second that no number of threads exceeds"),
    ("knee", "threads beyond which more bring nothing"),
)


def functions(profiles: Sequence[FunctionProfile]) -> Markup:
    """Return the table of functions."""
    if not profiles:
        return element("p", "No call ended while this was measured.")
    entries = [_entry(_figures(each), each.shares, each.name, len(_FUNCTION_HEADINGS)) for each in profiles]
    return join(_legend([each.shares for each in profiles]), _table("Functions", _FUNCTION_HEADINGS, entries))


_POOL_HEADINGS = (
    ("pool", None),
    ("kind", None),
    ("cap", "the most workers it may have"),
    ("limit", "workers admitted at the end"),
    ("most busy", "most workers that ran a task at once"),
    ("longest queue", "most tasks that waited at once"),
    ("tasks", None),
)
_KINDS = {"surefoot": "adaptive", "standard": "standard", "threads": "plain threads"}


def pools(profiles: Sequence[PoolProfile]) -> Markup:
    """Return the table of pools."""
    if not profiles:
        return element("p", "No pool of threads was seen.")
    entries = []
    for each in profiles:
        values = (
            _KINDS.get(each.kind, each.kind),
            words.count(each.cap),
            words.count(each.limit),
            words.count(each.workers_peak),
            words.count(each.queue_peak),
            words.count(each.tasks),
        )
        row = _row(each.name, values, _POOL_HEADINGS)
        entries.append(_entry(row, each.shares, each.name, len(_POOL_HEADINGS)))
    return _table("Pools", _POOL_HEADINGS, entries)


def _figures(each: FunctionProfile) -> Markup:
    failed = f" ({each.failed:,} failed)" if each.failed else ""
    demand = words.duration(each.gil_demand_ns)
    if each.gil_demand_ns is not None and each.gil_demand_error_ns is not None:
        demand = f"{demand} ± {words.duration(each.gil_demand_error_ns)}"
    values = (
        f"{each.calls:,}{failed}",
        words.rate(each.throughput_per_s),
        _percentiles(each.queued),
        _percentiles(each.wall),
        words.duration(each.cpu_mean_ns),
        demand,
        words.rate(each.ceiling_per_s),
        words.count(each.knee),
    )
    return _row(each.name, values, _FUNCTION_HEADINGS)


def _percentiles(each: Percentiles | None) -> str:
    if each is None:
        return words.NOTHING
    return f"{words.duration(each.p50_ns)} ({words.duration(each.p99_ns)})"


def _row(name: str, values: Sequence[str], headings: Sequence[tuple[str, str | None]]) -> Markup:
    cells = [
        element("td", value, data_label=heading)
        for value, (heading, _) in zip(values, headings[1:], strict=True)
    ]
    return element("tr", element("th", element("code", name), scope="row"), *cells, class_="figures")


def _entry(figures: Markup, shares: Shares | None, name: str, columns: int) -> Markup:
    """Return the rows of one function or pool: its figures, and its bar below."""
    rows = [figures]
    if shares is not None:
        text = element("div", words.shares_text(shares), class_="quiet")
        rows.append(
            element("tr", element("td", bars.share_bar(shares, name), text, colspan=columns), class_="shares")
        )
    return element("tbody", *rows, class_="entry")


def _table(name: str, headings: Sequence[tuple[str, str | None]], entries: Sequence[Markup]) -> Markup:
    cells = [
        element("th", heading, scope="col", title=title, class_="text" if number == 0 else None)
        for number, (heading, title) in enumerate(headings)
    ]
    return element("table", element("thead", element("tr", *cells)), *entries, aria_label=name)


def _legend(shares: Sequence[Shares | None]) -> Markup:
    present = {name for each in shares if each is not None for name, _ in words.parts(each)}
    return bars.legend([name for name in words.SHARE_NAMES if name in present])
