"""``python -m surefoot`` and the ``surefoot`` command.

``run`` and ``profile`` run a program in this very process, and ``report`` draws with matplotlib, so they are
Python's; the rest is handed to the Rust command line.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line on ``sys.argv`` and return its exit code."""
    words = sys.argv[1:]
    if words[:1] == ["help"] and words[1:2] in (["run"], ["profile"], ["report"]):
        words = [words[1], "--help"]
    if words[:1] == ["run"]:
        from surefoot.launch import command

        return command.main(words[1:])
    if words[:1] == ["profile"]:
        from surefoot.profile import command as profile_command

        return int(profile_command.main(words[1:]))
    if words[:1] == ["report"]:
        from surefoot.evaluation import command as report_command

        return int(report_command.main(words[1:]))
    try:
        from surefoot import _core
    except ImportError as error:
        print(f"surefoot: the extension module cannot be loaded: {error}", file=sys.stderr)
        print(
            f"surefoot: install it for this interpreter: {sys.executable} -m pip install .", file=sys.stderr
        )
        return 1
    return int(_core.run_cli(["surefoot", *words], sys.executable))


if __name__ == "__main__":
    sys.exit(main())
