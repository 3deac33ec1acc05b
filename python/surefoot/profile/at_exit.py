"""Tells of a program when it ends: begins to observe now, writes when its threads have been joined."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from surefoot.profile.session import Session

if TYPE_CHECKING:
    from surefoot.profile.record import Profile

_silent = [False]


def keep_silent() -> None:
    """Tell nothing: there was no program."""
    _silent[0] = True


def tell_at_exit(files: Mapping[str, str], *, is_quiet: bool = False) -> Session:
    """Observe this process from now on; at its end write ``--json``, ``--html``, ``--trace`` and the summary.

    A forked child tells nothing. What cannot be written is said on the standard error; the exit code is the
    program's own.
    """
    session = Session()
    process_id = os.getpid()

    def tell() -> None:
        if os.getpid() != process_id or _silent[0]:
            return
        session.stop()
        profile = session.profile()
        for option, path in files.items():
            _write(option, path, profile)
        if not is_quiet:
            _say(f"\nsurefoot profile: {profile.duration_s:.1f} s\n{profile}\n")

    # Handlers run in reverse order and after the threads of executors were joined, so this comes late.
    atexit.register(tell)
    session.start()
    return session


def _write(option: str, path: str, profile: Profile) -> None:
    try:
        if option == "--json":
            text = profile.to_json(indent=1) + "\n"
        elif option == "--html":
            text = profile.to_html()
        else:
            text = profile.to_chrome_trace()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except Exception as error:
        # The program is over and did what it did: its exit code stays.
        _say(f"surefoot profile: {path} was not written: {error}\n")


def _say(text: str) -> None:
    stream = sys.stderr or sys.__stderr__
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "replace").decode("ascii"))
    except (OSError, ValueError):
        # Closed by the program: there is nobody to tell.
        return
