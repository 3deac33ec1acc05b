"""Workloads and strategies that are files."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from surefoot.comparison.unavailable import UnavailableError

__all__ = ["is_file", "load"]


def is_file(name: str) -> bool:
    """Tell whether a workload or strategy is named by its file."""
    return name.endswith(".py")


def load(path: str) -> ModuleType:
    """Run a file as a module; once in a process.

    The module is registered, so that what it defines can be pickled. Its name begins with a prefix: a file
    may be called like the package that it is about.

    Raises:
        UnavailableError: If the file imports what is not installed, or its ``requires()`` gives a reason.
        ValueError: If there is no such file.
    """
    place = Path(path).resolve()
    if not place.is_file():
        raise ValueError(f"no such file: {path}")
    name = f"surefoot_file_{re.sub(r'[^0-9a-zA-Z_]', '_', place.stem)}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(place):
        return known
    spec = importlib.util.spec_from_file_location(name, place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        del sys.modules[name]
        raise UnavailableError(f"{place.name}: {error}") from error
    reason = getattr(module, "requires", lambda: None)()
    if reason:
        raise UnavailableError(f"{place.name}: {reason}")
    return module
