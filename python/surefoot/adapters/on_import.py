"""Calls a function once a module has been imported, now or later, without importing it."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

logger = logging.getLogger("surefoot")


class OnImport:
    """A finder that finds nothing by itself: it asks the others, and listens to the loader they name."""

    def __init__(self, then: dict[str, Callable[[ModuleType], None]]) -> None:
        """Call ``then[name](module)`` for each module that is there already, and listen for the others.

        Args:
            then: By full name of a module. Called in the thread that imports it, once its code has run; must
                not raise.
        """
        self._then = dict(then)
        for name in then:
            if name in sys.modules:
                # Not taken from there: this waits for another thread that is in the middle of importing it.
                self._tell(name, importlib.import_module(name))
        if self._then:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Listen no longer."""
        self._then.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def _tell(self, name: str, module: ModuleType) -> None:
        then = self._then.pop(name, None)
        if then is not None:
            then(module)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by the import system."""
        if name not in self._then:
            return None
        for finder in sys.meta_path:
            find_spec = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find_spec(name, path, target) if find_spec else None
            if spec is not None:
                self._listen(name, spec)
                return spec
        return None

    def _listen(self, name: str, spec: ModuleSpec) -> None:
        loader = spec.loader
        execute = getattr(loader, "exec_module", None)
        if loader is None or execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            if module.__name__ == name:
                # The loader is left as it was found.
                vars(loader).pop("exec_module", None)
                execute(module)
                self._tell(name, module)
            else:
                execute(module)

        try:
            if isinstance(loader, type):
                raise AttributeError("a loader of many modules")
            loader.exec_module = exec_module  # type: ignore[method-assign]
        except AttributeError:
            logger.warning("%s is imported by %r, which cannot be listened to", name, loader)
