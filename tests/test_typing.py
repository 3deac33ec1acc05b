"""mypy accepts what it must, and refuses what it must."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kinds

HERE = Path(__file__).parent


@pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1")
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
@pytest.mark.parametrize("name", ["accepted", "refused"])
def test_mypy(name, tmp_path):
    package = Path(importlib.util.find_spec("surefoot").origin).parent
    command = [
        *(
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--warn-unused-ignores",
            "--config-file=",
            "--no-error-summary",
        ),
        *("--python-version", "3.11", "--cache-dir", str(tmp_path), str(HERE / "typing" / f"{name}.py")),
    ]
    # An editable installation is found through its sources; mypy does not search every import hook.
    environment = (
        {**os.environ, "MYPYPATH": str(package.parent)} if "site-packages" not in str(package) else None
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""
