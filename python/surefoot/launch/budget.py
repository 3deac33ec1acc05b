"""One budget for asyncio's and anyio's threads, from when the program needs it: once it imports asyncio."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from surefoot.adapters.on_import import OnImport


def install_with_asyncio(options: dict[str, Any]) -> None:
    """Call ``surefoot.install`` once asyncio has been imported; most programs never do.

    A program that calls it itself has its way: what was installed here gives place.
    """

    def install(_module: ModuleType) -> None:
        if "surefoot.installation" in sys.modules:
            # It is the program's own call that imports asyncio.
            return
        from surefoot import installation

        by_program = installation.install
        # The names of asyncio's own threads: programs print them.
        installed = by_program(thread_name_prefix="asyncio", **options)

        def install_of_program(**given: Any) -> installation.Installation:
            if given and installation._state.current is installed:
                installation.uninstall()
            return by_program(**given)

        install_of_program.__doc__ = by_program.__doc__
        for module in (installation, sys.modules["surefoot"]):
            vars(module)["install"] = install_of_program

    OnImport({"asyncio": install})
