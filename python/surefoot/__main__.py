"""``python -m surefoot`` and the ``surefoot`` command: hand the arguments to the Rust command line."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line on ``sys.argv`` and return its exit code."""
    try:
        from surefoot import _core
    except ImportError as error:
        print(f"surefoot: the extension module cannot be loaded: {error}", file=sys.stderr)
        print(
            f"surefoot: install it for this interpreter: {sys.executable} -m pip install .", file=sys.stderr
        )
        return 1
    return int(_core.run_cli(["surefoot", *sys.argv[1:]], sys.executable))


if __name__ == "__main__":
    sys.exit(main())
