"""Tries a Dockerfile's steps without an engine: on a plain Debian root, by chroot.

    python tests/plain_root.py             # every target, and a short run of what each is for
    python tests/plain_root.py --keep DIR  # leaves the roots in DIR

Needs Linux, root, debootstrap and Debian's packages; says which is missing and ends with 3. What an engine
adds (layers, isolation, a network of its own) is not tried; the limits are tried with docker/limited.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dockerfile

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docker"
MISSING = 3
_LIMIT_S = 1800.0
_SHORT = ("--threads", "1,4", "--workloads", "micro", "--seconds", "0.2")
_CERTIFICATES = "/run/certificates.crt"


class Root:
    """A folder with a Debian in it, and the state that instructions leave behind."""

    def __init__(self, folder):
        self.folder = folder
        self.variables = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
        }
        self.user = "root"
        self.workdir = "/"
        self.command = []

    def copy(self, folder):
        """Return a copy of it."""
        subprocess.run(["cp", "--archive", "--reflink=auto", self.folder, folder], check=True)
        other = Root(folder)
        other.variables = dict(self.variables)
        other.user, other.workdir, other.command = self.user, self.workdir, list(self.command)
        return other

    def within(self, path):
        """Return where a path of the root lies; folders that end with a slash are made."""
        return self.folder / os.path.normpath(os.path.join(self.workdir, path)).lstrip("/")

    def run(self, command, *, limited=None):
        """Run a shell command, or words, in the root; mounts vanish with their namespace."""
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        script = (
            'mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" || exit; root=$1 user=$2 place=$3; '
            'shift 3; exec chroot --userspec="$user" "$root" /usr/bin/env --chdir="$place" "$@"'
        )
        outer = ["unshare", "--mount", "sh", "-c", script, "sh", self.folder, self.user, self.workdir]
        inner = [f"{name}={value}" for name, value in self.variables.items()]
        board = [] if limited is None else [FOLDER / "limited", limited]
        subprocess.run(
            [*board, *outer, *inner, *words],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **_of_the_network()},
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=True,
        )


def _of_the_network():
    """The variables by which a machine says how packages are reached; what lies in files here is left out."""
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    if "PIP_INDEX_URL" in os.environ:
        kept["PIP_INDEX_URL"] = os.environ["PIP_INDEX_URL"]
    if _certificates():
        kept |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "CARGO_HTTP_CAINFO"), _CERTIFICATES)
    return kept


def _certificates():
    return os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")


def plain(image, folder):
    """Make the root of ``debian:SUITE-slim``."""
    suite = re.fullmatch(r"debian:([a-z]+)-slim", image)[1]
    _say(f"a plain Debian: {suite}")
    subprocess.run(
        ["debootstrap", "--variant=minbase", suite, folder],
        stdout=subprocess.DEVNULL,
        timeout=_LIMIT_S,
        check=True,
    )
    # An engine gives a container these.
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(f"/etc/{name}", folder / "etc" / name)
    if _certificates():
        shutil.copyfile(_certificates(), folder / _CERTIFICATES.lstrip("/"))
    return Root(folder)


def carry_out(instruction, root, roots):
    """Do what an instruction says.

    Raises:
        ValueError: It is not one of those that are known here.
    """
    if instruction.word == "RUN":
        root.run(instruction.rest)
    elif instruction.word == "COPY":
        words = instruction.words()
        source = ROOT
        if words[0].startswith("--from="):
            source = roots[words.pop(0).partition("=")[2]].folder
        *names, target = words
        for name in names:
            whole = source / name.lstrip("/")
            place = root.within(target) / whole.name if target.endswith("/") else root.within(target)
            place.parent.mkdir(parents=True, exist_ok=True)
            if whole.is_dir():
                left_out = shutil.ignore_patterns("__pycache__", "*.so")
                shutil.copytree(whole, place, dirs_exist_ok=True, ignore=left_out)
            else:
                shutil.copyfile(whole, place)
    elif instruction.word == "WORKDIR":
        root.workdir = instruction.rest
        root.within(".").mkdir(parents=True, exist_ok=True)
    elif instruction.word == "ENV":
        name, _, value = instruction.rest.partition("=")
        root.variables[name] = value
    elif instruction.word == "USER":
        root.user = instruction.rest
        root.variables["HOME"] = f"/home/{root.user}"
    elif instruction.word == "CMD":
        root.command = json.loads(instruction.rest)
    else:
        raise ValueError(f"{instruction.word} is not known here")


def try_all(folder):
    """Build every stage below a folder, and run what the last ones are for."""
    found = dockerfile.stages((FOLDER / "Dockerfile").read_text("utf-8"))
    bases = {stage.base for stage in found} - {stage.name for stage in found}
    roots = {base: plain(base, folder / f"base-{number}") for number, base in enumerate(sorted(bases))}
    for stage in found:
        _say(f"stage {stage.name}")
        root = roots[stage.base].copy(folder / stage.name)
        for instruction in stage.instructions:
            _say(f"{instruction.word} {instruction.rest}")
            carry_out(instruction, root, roots)
        roots[stage.name] = root
    for stage in found:
        root = roots[stage.name]
        if root.command:
            _say(f"{stage.name}: {' '.join([*root.command, *_SHORT])}")
            root.run([*root.command, *_SHORT], limited=stage.name)
            records = root.within(root.command[root.command.index("--out") + 1])
            lines = [json.loads(line) for line in records.read_text("utf-8").splitlines()]
            if not lines or any("reason" in line for line in lines):
                raise ValueError(f"{stage.name}: runs failed, or none was recorded")
            _say(f"{stage.name}: {len(lines)} runs recorded")


def _say(text):
    print(f"plain root: {text}", flush=True)


def missing():
    """Return what this machine lacks for it."""
    lacks = [name for name in ("debootstrap", "chroot", "unshare") if shutil.which(name) is None]
    return lacks + (["root"] if os.geteuid() != 0 else [])


def main():
    """Do as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the roots here; must not exist")
    given = parser.parse_args()
    if missing():
        _say(f"cannot be tried here, missing: {', '.join(missing())}")
        return MISSING
    begin_s = time.monotonic()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="surefoot-root-"))
    folder.mkdir(parents=True, exist_ok=given.keep is None)
    try:
        try_all(folder)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        _say(f"failed: {error}")
        return 1
    finally:
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    _say(f"every step works ({time.monotonic() - begin_s:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
