"""The report that is written when the program ends, however it does so through the interpreter's own exit."""

from __future__ import annotations

import atexit
import os
import sys

from surefoot.profile.session import Session


class Outcome:
    """What is measured from now on, and the file that it goes to."""

    def __init__(self, path: str) -> None:
        """Prepare a report that is to be written to ``path``, which ends in ``.html`` or ``.json``."""
        self._path = path
        self._session = Session()
        self._process_id = os.getpid()

    def start(self) -> None:
        """Begin to measure. The report is written after the program's own exit handlers have run."""
        atexit.register(self._write)
        self._session.start()

    def _write(self) -> None:
        if os.getpid() != self._process_id:
            # A forked child runs its parent's exit handlers, too.
            return
        try:
            self._session.stop()
            profile = self._session.profile()
            if self._path.endswith(".html"):
                from surefoot.report import html

                text = html(profile)
            else:
                text = profile.to_json(indent=1) + "\n"
            with open(self._path, "w", encoding="utf-8") as file:
                file.write(text)
        except Exception as error:
            # The program is over and did what it did: its exit code stays.
            print(f"surefoot: the report could not be written: {error!r}", file=sys.stderr)
