"""Finds programs that tests drive, and installs their Debian packages where that is allowed.

    python tests/debian.py            # what is here and what is not
    python tests/debian.py --install  # installs what is missing, as root; says so where it may not

A test asks :func:`program` and skips with the reason if there is none.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys

# Program and the Debian package it comes in.
PACKAGES = {
    "redis-server": "redis-server",
    "chromium": "chromium",
    "tmux": "tmux",
    "debootstrap": "debootstrap",
}

_LIMIT_S = 600.0


def program(name: str) -> str | None:
    """Return the path of a program, or ``None``."""
    return shutil.which(name)


def missing() -> list[str]:
    """Return the packages of the programs that are not here."""
    return [package for name, package in PACKAGES.items() if program(name) is None]


def _install(packages: list[str]) -> None:
    variables = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        # Keeps the packages' services from being started: the tests start their own.
        "RUNLEVEL": "1",
    }
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages],
    ):
        subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=True,
            capture_output=True,
        )


def main() -> int:
    """Report, and install if asked to; a package that cannot be had is no failure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--install", action="store_true", help="install what is missing")
    wanted = parser.parse_args()
    packages = missing()
    if wanted.install and packages:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            print(f"not installed (needs root and apt-get): {' '.join(packages)}; their tests are skipped")
            return 0
        try:
            _install(packages)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"not installed: {' '.join(packages)}: {error}; their tests are skipped")
    for name in PACKAGES:
        print(f"{name}: {program(name) or 'not here'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
