"""Finds the CPython interpreters of this machine, best candidate first, one list per version tag."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

TAGS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.14t")
"""The versions the project supports; a trailing `t` means free-threaded."""

ARCHIVES = Path(__file__).resolve().parents[2] / "shared" / "python"
"""Where ready-built interpreters may lie beside the repository, as `cpython-*.tar.xz`."""

_PROBE_LIMIT_S = 30.0
_PROBE = """
import json, os, sys, sysconfig
tests = os.path.join(sysconfig.get_path("stdlib"), "test")
print(json.dumps({
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "implementation": sys.implementation.name,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "final": sys.version_info.releaselevel == "final",
    "tag": "%d.%d" % sys.version_info[:2] + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""),
    "tests": tests if os.path.isdir(tests) else None,
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """One CPython found on this machine.

    Attributes:
        executable: The program itself, never one of a virtual environment.
        version: Such as `3.13.0`.
        tag: Such as `3.13` or `3.14t`.
        tests: The folder of its own `test` package, where it has one.
    """

    executable: Path
    version: str
    tag: str
    tests: Path | None


def cache_folder() -> Path:
    """Returns the folder that ready-built interpreters are unpacked to."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "surefoot"


def probe(executable: Path) -> Interpreter | None:
    """Asks a program what it is.

    Args:
        executable: Any program; pyenv's shims for versions that are not installed are expected here.

    Returns:
        The interpreter, or None where the program is no final CPython of a supported version.
    """
    try:
        answer = subprocess.run(
            [executable, "-I", "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_LIMIT_S,
            check=True,
        ).stdout
        said = json.loads(answer)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if said["implementation"] != "cpython" or not said["final"] or said["tag"] not in TAGS:
        return None
    return Interpreter(
        executable=Path(said["executable"]),
        version=said["version"],
        tag=said["tag"],
        tests=Path(said["tests"]) if said["tests"] else None,
    )


def _by_version(folder: Path) -> tuple[int, ...]:
    """Orders `3.9.18` before `3.10.13`; names that are no version come first."""
    return tuple(int(part) for part in folder.name.split("-")[-1].rstrip("t").split(".") if part.isdigit())


def _candidates() -> list[Path]:
    """Lists programs that may be an interpreter, the wished-for ones first."""
    named = [Path(name) for name in os.environ.get("SUREFOOT_PYTHONS", "").split(os.pathsep) if name]
    on_path = [Path(found) for tag in TAGS if (found := shutil.which(f"python{tag}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    unpacked = [
        folder / "bin" / "python3"
        for parent in (pyenv, cache_folder())
        for folder in sorted(parent.glob("*"), key=_by_version, reverse=True)
        # Version folders of Pythons we do not support need not even be started.
        if not folder.name.startswith(("2.", "3.6.", "3.7.", "3.8.", "3.9."))
    ]
    return [*named, *on_path, *unpacked, Path(sys.executable), Path("/usr/bin/python3")]


def find() -> dict[str, list[Interpreter]]:
    """Finds interpreters.

    Returns:
        For each tag of `TAGS` that has one, its interpreters: those of `SUREFOOT_PYTHONS` first, then
        `python3.x` on PATH, pyenv's, the unpacked ones, and the running one.
    """
    found: dict[str, list[Interpreter]] = {}
    seen: set[Path] = set()
    for candidate in _candidates():
        if not candidate.is_file() or candidate.resolve() in seen:
            continue
        interpreter = probe(candidate)
        if interpreter is None or interpreter.executable.resolve() in seen:
            continue
        # A pyenv shim is one script for every version: only what it led to tells interpreters apart.
        seen.add(interpreter.executable.resolve())
        found.setdefault(interpreter.tag, []).append(interpreter)
    return {tag: found[tag] for tag in TAGS if tag in found}


def unpack_archives(archives: Path = ARCHIVES) -> list[Path]:
    """Unpacks ready-built interpreters, each once.

    Args:
        archives: A folder of `cpython-<version>-*.tar.xz`, each holding one folder `cpython-<version>`.

    Returns:
        The folders unpacked by this call: none where there are no archives or they were there already.
    """
    unpacked = []
    for archive in sorted(archives.glob("cpython-*.tar.xz")):
        target = cache_folder() / "-".join(archive.name.split("-")[:2])
        if target.is_dir():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # Unpacked beside the target and renamed, so that an interrupted run leaves no half interpreter.
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch, tarfile.open(archive) as bundle:
            if hasattr(tarfile, "tar_filter"):
                bundle.extractall(scratch, filter="tar")
            else:
                bundle.extractall(scratch)
            (Path(scratch) / target.name).rename(target)
        unpacked.append(target)
    return unpacked
