"""The evaluation as one page that needs nothing else: no request, no script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.evaluation import facts, tables
from surefoot.evaluation.claims import Judged, Verdict, judge
from surefoot.evaluation.claims.judging import counts
from surefoot.evaluation.figures import CATALOGUE, NoRecordsError, svg
from surefoot.evaluation.inline import inline
from surefoot.report.markup import Markup, element, join, prose

if TYPE_CHECKING:
    from surefoot.evaluation.figures.catalogue import Entry
    from surefoot.evaluation.reading import Evaluation

# Nothing may be fetched, whatever a record contains.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MARKS = {Verdict.HOLDS: "yes", Verdict.PART: "part", Verdict.NOT: "no", Verdict.UNKNOWN: "unknown"}


def html(evaluation: Evaluation) -> str:
    """Return the page.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    judged = judge(evaluation)
    drawn, missing = _figures(evaluation)
    found, tables_missing = tables.tables(evaluation)
    title = "surefoot: the evaluation"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(Path(__file__).with_name("page.css").read_text("utf-8"))),
    )
    body = element(
        "main",
        element("header", element("h1", "The evaluation"), _summary(judged), _contents()),
        _section("figures", "Figures", *drawn, _missing("Figures", missing)),
        _section("tables", "Tables", *(_table(each) for each in found), _missing("Tables", tables_missing)),
        _section("claims", "Claims", *(_claims(group.title, own) for group, own in judged)),
        _section("machine", "Measured on", _facts(evaluation)),
        _section("absent", "Not measured", _absences(evaluation)) if evaluation.absences else None,
        _section("rerun", "Run it again", _rerun()),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', body), lang='en')}\n"


def _section(key: str, title: str, *children: Markup | None) -> Markup:
    return element("section", element("h2", title), *children, id=key)


def _contents() -> Markup:
    places = ("figures", "tables", "claims", "machine", "rerun")
    return element("nav", *(element("a", place, href=f"#{place}") for place in places))


def _summary(judged: Sequence[object]) -> Markup:
    number = counts(list(judged)[:-1])  # type: ignore[arg-type]
    items = [
        element(
            "li", element("b", str(number[verdict])), " ", verdict.value, class_=f"verdict {_MARKS[verdict]}"
        )
        for verdict in Verdict
    ]
    return join(
        element("p", "The paper's claims, by what was measured:"), element("ul", *items, class_="summary")
    )


def _figures(evaluation: Evaluation) -> tuple[list[Markup], dict[str, str]]:
    drawn: list[Markup] = []
    missing: dict[str, str] = {}
    for entry in CATALOGUE:
        try:
            drawn.append(_figure(entry, svg(entry, evaluation)))
        except NoRecordsError as error:
            missing[entry.title] = str(error)
    return drawn, missing


def _figure(entry: Entry, drawing: str) -> Markup:
    paper = element("span", f" (the paper: {entry.paper})", class_="quiet") if entry.paper else None
    caption = element("figcaption", element("b", prose(entry.title)), ". ", prose(entry.text), paper)
    return element("figure", inline(drawing, entry.name, entry.title), caption, data_name=entry.name)


def _missing(what: str, missing: dict[str, str]) -> Markup | None:
    if not missing:
        return None
    items = [element("li", prose(f"{name}: {reason}")) for name, reason in missing.items()]
    return element(
        "div",
        element("p", f"{what} that these records do not hold:"),
        element("ul", *items),
        class_="missing",
    )


def _rows(headings: Sequence[str], rows: Sequence[Sequence[object]], **attributes: object) -> Markup:
    head = element("thead", element("tr", *(element("th", prose(each), scope="col") for each in headings)))
    body = []
    for first, *rest in rows:
        cells = [
            element("td", cell, data_label=heading) for cell, heading in zip(rest, headings[1:], strict=True)
        ]
        body.append(element("tr", element("th", first, scope="row"), *cells))
    return element("table", head, element("tbody", *body), **attributes)


def _table(each: tables.Table) -> Markup:
    rows = [[cell.replace("**", "") for cell in row] for row in each.rows]
    return element(
        "div",
        element("h3", prose(each.title)),
        _rows(each.headings, rows, class_="numbers"),
        data_table=each.name,
    )


def _claims(title: str, judged: Sequence[Judged]) -> Markup:
    rows = [
        (
            prose(each.claim.text),
            each.claim.place,
            prose(each.measured),
            element("span", each.verdict.value, class_=f"verdict {_MARKS[each.verdict]}"),
            join(
                prose(each.why) if each.why else None,
                element("details", element("summary", "rule"), element("p", prose(each.claim.rule))),
            ),
        )
        for each in judged
    ]
    headings = ("claim", "where", "measured here", "verdict", "why")
    return element("div", element("h3", title), _rows(headings, rows, class_="claims"))


def _facts(evaluation: Evaluation) -> Markup:
    pairs = [join(element("dt", name), element("dd", value)) for name, value in facts.facts(evaluation)]
    return element("dl", *pairs)


def _absences(evaluation: Evaluation) -> Markup:
    items = []
    for each in evaluation.absences:
        place = ", ".join(part for part in (each.workload, each.strategy, each.python) if part)
        what = "failed" if each.is_failure else "cannot exist here"
        items.append(element("li", f"{each.experiment}: {place}: {what}: {each.reason}"))
    return element("ul", *items)


def _rerun() -> Markup:
    steps = (
        f"{facts.RERUN}             # in a clone: measures everything, then writes figures, tables, claims "
        "and this page",
        "surefoot compare SUITE.toml --records RECORDS.jsonl",
        "surefoot report RECORDS.jsonl -o report.html",
    )
    return element("pre", element("code", "\n".join(steps)))
