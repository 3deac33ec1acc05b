"""The report as one page that needs nothing else: no request, no script."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.report import functions, history, words
from surefoot.report.markup import Markup, element, join, prose

if TYPE_CHECKING:
    from surefoot.profile.record import Finding, Profile

# Nothing may be fetched, whatever a name contains.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(profile: Profile) -> str:
    """Return a profile as an HTML document that stands alone.

    It is readable in light and dark, on a phone and without colours; what comes from the program is escaped.
    """
    title = f"surefoot: {_command(profile)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", _css("style"), _css("page")),
    )
    body = element(
        "main",
        element(
            "header", element("h1", "What limits ", element("code", _command(profile))), _answer(profile)
        ),
        _section("Warnings", _warnings(profile)) if profile.warnings else None,
        _section("Functions", functions.functions(profile.functions)),
        _section("Pools", functions.pools(profile.pools)),
        _section("Over time", history.timeline(profile)),
        _section("Decisions", history.decisions(profile.decisions)),
        _section("Measured on", _machine(profile)),
        class_="surefoot",
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', body), lang='en')}\n"


def short(profile: Profile) -> str:
    """Return the answer, the warnings and the functions, to stand within another page (a notebook)."""
    return element(
        "div",
        element("style", _css("style")),
        _answer(profile),
        _warnings(profile),
        functions.functions(profile.functions),
        element("p", _measured(profile), class_="quiet"),
        class_="surefoot",
    )


def _css(name: str) -> Markup:
    return Markup(Path(__file__).with_name(f"{name}.css").read_text("utf-8"))


def _section(title: str, *children: Markup) -> Markup:
    return element("section", element("h2", title), *children)


def _answer(profile: Profile) -> Markup:
    """Return the one number to use, and what limits the program."""
    limit = element("p", prose(profile.limited_by.text), class_="why", data_kind=profile.limited_by.kind)
    if not profile.advice:
        return element("div", limit, class_="answer")
    first, *rest = profile.advice
    also = [element("li", element("code", each.where), f": {each.value}. ", prose(each.why)) for each in rest]
    return element(
        "div",
        element("p", _setting(first.where, first.value), class_="number"),
        element("p", prose(first.why), class_="why"),
        limit,
        element("ul", *also, class_="also") if also else None,
        class_="answer",
    )


def _setting(where: str, value: int) -> Markup:
    """Return the number in its place: ``ThreadPoolExecutor(max_workers=6)``."""
    if "..." in where:
        # Where a phone may break the line.
        before, bracket, after = where.replace("...", str(value), 1).partition("(")
        return element("code", before, bracket, element("wbr") if bracket else None, after)
    return join(element("code", where), f": {value}")


def _warnings(profile: Profile) -> Markup:
    return join(*map(_warning, profile.warnings))


def _warning(finding: Finding) -> Markup:
    return element("p", prose(finding.text), class_="warning", data_kind=finding.kind, role="note")


def _machine(profile: Profile) -> Markup:
    program = profile.program
    gil = "with the GIL" if program.gil_enabled else "without the GIL"
    facts = (
        f"{program.python}, {gil}",
        f"{program.cores:g} cores, memory: {words.memory(program.memory_bytes)}",
        f"surefoot {program.surefoot}",
        _measured(profile),
    )
    return element(
        "div",
        element("ul", *(element("li", fact) for fact in facts), class_="findings"),
        element("p", "Measure again:"),
        element("pre", element("code", f"surefoot profile {_command(profile)}")),
    )


def _measured(profile: Profile) -> str:
    return f"measured for {words.duration(profile.duration_s * 1e9)}, from {profile.started_at} on (UTC)"


def _command(profile: Profile) -> str:
    return shlex.join(profile.program.argv) or "this program"
