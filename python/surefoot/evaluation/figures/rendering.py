"""Figures as files, and as SVG to stand within a page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.evaluation.choice import NoRecordsError
from surefoot.evaluation.figures import style
from surefoot.evaluation.figures.catalogue import CATALOGUE, Entry

if TYPE_CHECKING:
    from surefoot.evaluation.reading import Evaluation

PNG_DPI = 220


def svg(entry: Entry, evaluation: Evaluation) -> str:
    """Return a figure as SVG.

    Raises:
        NoRecordsError: Its records are not there.
        ModuleNotFoundError: matplotlib is not installed.
    """
    return _rendered(entry, evaluation, ("svg",))["svg"].decode("utf-8")


def draw_all(
    evaluation: Evaluation, folder: Path, only: Iterable[str] | None = None
) -> tuple[list[Path], dict[str, str]]:
    """Write figures as SVG and PNG; a file of an earlier run whose records are not there any more is removed.

    Args:
        evaluation: What they show.
        folder: Where they go; made if need be.
        only: Names of figures; all if not given.

    Returns:
        The files, and why a figure could not be drawn, by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = None if only is None else set(only)
    files: list[Path] = []
    left_out: dict[str, str] = {}
    for entry in CATALOGUE:
        if chosen is not None and entry.name not in chosen:
            continue
        paths = [folder / f"{entry.name}.{suffix}" for suffix in ("svg", "png")]
        try:
            rendered = _rendered(entry, evaluation, [path.suffix[1:] for path in paths])
        except NoRecordsError as error:
            left_out[entry.name] = str(error)
            for path in paths:
                path.unlink(missing_ok=True)
            continue
        for path in paths:
            path.write_bytes(rendered[path.suffix[1:]])
        files += paths
    return files, left_out


def _rendered(entry: Entry, evaluation: Evaluation, kinds: Iterable[str]) -> dict[str, bytes]:
    import matplotlib as mpl

    rc: Any = style.RC
    files = {}
    with mpl.rc_context(rc):
        figure = entry.draw(evaluation)
        for kind in kinds:
            # Without a date, the same records give the same file.
            metadata = {"Date": None} if kind == "svg" else {"Software": None}
            target = io.BytesIO()
            figure.savefig(target, format=kind, dpi=PNG_DPI, metadata=metadata)
            files[kind] = _numbered(target.getvalue()) if kind == "svg" else target.getvalue()
    return files


def _numbered(drawing: bytes) -> bytes:
    """Name the areas to which lines are clipped by their order.

    matplotlib names them by a digest of their corners, to the last bit, and the solver of the layout leaves
    that bit to chance.
    """
    names = list(dict.fromkeys(re.findall(rb'<clipPath id="(p[0-9a-f]{10})"', drawing)))
    for number, name in enumerate(sorted(names, key=lambda name: drawing.index(b"#" + name))):
        drawing = drawing.replace(name, b"clip%d" % number)
    return drawing
