"""Makes a virtual environment with pip in it, also where Debian's python3-venv is not installed.

    python3 tests/environment.py .venv                 # of the running interpreter
    python3 tests/environment.py .venv maturin pytest  # and installs what is missing of these

Nothing outside the named folder is touched, and an environment that works already is left as it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LIMIT_S = 600.0

_IDENTITY = "import sys, pip; print(sys.version, sys.prefix != sys.base_prefix)"


class EnvironmentFailedError(Exception):
    """No way of making an environment worked; the text says how each one failed."""


def _run(*command: str | Path) -> None:
    """Runs a command, quietly unless it fails."""
    done = subprocess.run(
        command,
        env=_variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        raise EnvironmentFailedError(f"{' '.join(map(str, command))}\n{done.stdout.strip()[-4000:]}")


def _variables() -> dict[str, str]:
    """Returns the environment without what points Python at another environment."""
    misleading = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_USER"}
    return {name: value for name, value in os.environ.items() if name not in misleading}


def program(folder: Path) -> Path:
    """Returns the interpreter of an environment."""
    return folder / "bin" / "python"


def _works(folder: Path, version: str) -> bool:
    """Whether an environment has pip, and its interpreter exists and is of this exact version."""
    try:
        said = subprocess.run(
            [program(folder), "-I", "-c", _IDENTITY],
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        ).stdout
    except OSError:
        return False
    return said == f"{version} True\n"


def _with_ensurepip(folder: Path, python: Path) -> None:
    """The usual way; Debian leaves `ensurepip` out of python3."""
    _run(python, "-m", "venv", folder)


def _with_pip_of_the_interpreter(folder: Path, python: Path) -> None:
    """The interpreter's own pip installs a second pip into the environment (pip 22.3 and newer)."""
    _run(python, "-m", "venv", "--without-pip", folder)
    _run(python, "-m", "pip", "--python", program(folder), "install", "--quiet", "pip")


def _with_virtualenv(folder: Path, python: Path) -> None:
    """The package virtualenv, kept in a folder beside the environment; it brings pip along."""
    tools = folder.parent / f"{folder.name}-virtualenv"
    # Debian marks its Python as externally managed; a folder of our own is no part of what it manages.
    unlocked = [] if _pip_version(python) < (23, 0, 1) else ["--break-system-packages"]
    try:
        _run(python, "-m", "pip", "install", "--quiet", *unlocked, "--target", tools, "virtualenv")
        start = (
            "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); "
            "runpy.run_module('virtualenv', None, '__main__')"
        )
        _run(python, "-c", start, tools, "--python", python, folder)
    finally:
        shutil.rmtree(tools, ignore_errors=True)


def _pip_version(python: Path) -> tuple[int, ...]:
    """Returns the version of an interpreter's own pip."""
    said = subprocess.run(
        [python, "-c", "import pip; print(pip.__version__)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    return tuple(int(part) for part in said.strip().split(".") if part.isdigit())


WAYS: tuple[Callable[[Path, Path], None], ...] = (
    _with_ensurepip,
    _with_pip_of_the_interpreter,
    _with_virtualenv,
)
"""The ways of making an environment, tried in this order."""


def create(
    folder: Path, python: Path | None = None, ways: Sequence[Callable[[Path, Path], None]] = WAYS
) -> Path:
    """Makes an environment, unless there is a working one.

    Args:
        folder: Where; a broken environment or one of another version there is replaced.
        python: Whose; the running interpreter's when None.
        ways: How, each tried when the one before failed.

    Returns:
        The environment's interpreter.

    Raises:
        EnvironmentFailedError: Every way failed.
        FileExistsError: The folder holds something that is no environment.
    """
    folder = folder.absolute()
    python = python or Path(sys.executable)
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.strip()
    if _works(folder, version):
        return program(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        raise FileExistsError(f"{folder} is no virtual environment: move it away first")
    failures = []
    for way in ways:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            way(folder, python)
        except EnvironmentFailedError as error:
            failures.append(str(error))
            continue
        if _works(folder, version):
            return program(folder)
        failures.append(f"{way.__name__}: the environment has no working pip")
    shutil.rmtree(folder, ignore_errors=True)
    raise EnvironmentFailedError("\n\n".join(failures))


def install(python: Path, *requirements: str, options: Sequence[str] = ()) -> None:
    """Installs packages into an environment.

    Args:
        python: The environment's interpreter.
        requirements: As for pip.
        options: More arguments for `pip install`.

    Raises:
        EnvironmentFailedError: With what pip said.
    """
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options, *requirements)


def main() -> int:
    """Makes an environment and says where."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("requirements", nargs="*", help="packages to install, as for pip")
    parser.add_argument("--python", type=Path, help="another interpreter than the one that runs this")
    options = parser.parse_args()
    try:
        python = create(options.folder, options.python)
        if options.requirements:
            install(python, *options.requirements)
    except (EnvironmentFailedError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    print(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
