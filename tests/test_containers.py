"""Images, compose file, script and page say the same; the script keeps the limits that it says it keeps."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dockerfile
from child import LIMIT_S

pytestmark = pytest.mark.own

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docker"
LIMITED = FOLDER / "limited"
PAGE = ROOT / "docs" / "howto" / "containers.md"
MIB = 1 << 20
BOARDS = {"single-core": (1, 512 * MIB), "quad-core": (4, 2048 * MIB)}

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="affinity and limits are Linux's")

# Prints how many cores there are, and whether so much memory can be used.
WANTS = """
import os, sys
print(len(os.sched_getaffinity(0)), flush=True)
held = bytearray(int(sys.argv[1]))
for at in range(0, len(held), 4096):
    held[at] = 1
print("had it", flush=True)
"""


@pytest.fixture(scope="module")
def stages():
    return dockerfile.stages((FOLDER / "Dockerfile").read_text("utf-8"))


def test_every_board_is_a_stage_on_a_plain_debian(stages):
    for board, (cpus, _) in BOARDS.items():
        chain, image = dockerfile.lineage(stages, board)
        assert re.fullmatch(r"debian:[a-z]+-slim", image)
        command = json.loads(chain[-1].instructions[-1].rest)
        assert chain[-1].instructions[-1].word == "CMD"
        assert max(map(int, command[command.index("--cores") + 1].split(","))) == cpus
        users = [each.rest for stage in chain for each in stage.instructions if each.word == "USER"]
        assert users[-1:] not in ([], ["root"])


def test_everything_copied_is_there_and_let_through(stages):
    let_through = [
        line[1:]
        for line in (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    ]
    copied = []
    for stage in stages:
        for each in stage.instructions:
            if each.word != "COPY":
                continue
            *names, _ = each.words()
            if names[0].startswith("--from="):
                assert names.pop(0).partition("=")[2] in [other.name for other in stages]
            else:
                copied += names
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    assert sorted(let_through) == sorted(copied)


def test_packages_are_refreshed_where_they_are_installed(stages):
    steps = [each.rest for stage in stages for each in stage.instructions if each.word == "RUN"]
    installing = [step for step in steps if "apt-get install" in step]
    assert installing
    for step in installing:
        assert step.startswith("apt-get update")
        assert "--yes --no-install-recommends" in step
        assert step.endswith("rm -rf /var/lib/apt/lists/*")


def test_the_compose_file_has_the_limits(stages):
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"]
    assert set(services) == set(BOARDS)
    for board, (cpus, memory) in BOARDS.items():
        service = services[board]
        assert service["build"]["target"] == board
        assert (FOLDER / service["build"]["context"]).resolve() == ROOT
        assert ROOT / service["build"]["dockerfile"] == FOLDER / "Dockerfile"
        plain = {key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value)) for key, value in service.items()}
        assert float(plain["cpus"]) == cpus
        first, _, last = plain["cpuset"].partition("-")
        assert int(last or first) - int(first) + 1 == cpus
        assert bytes_of(plain["mem_limit"]) == bytes_of(plain["memswap_limit"]) == memory


def bytes_of(text):
    return int(text[:-1]) * {"m": MIB, "g": 1024 * MIB}[text[-1]]


def test_the_engine_s_own_client_reads_the_compose_file():
    client = shutil.which("docker")
    if client is None or subprocess.run([client, "compose", "version"], capture_output=True).returncode != 0:
        pytest.skip("no docker compose")
    done = subprocess.run(
        [client, "compose", "--file", FOLDER / "compose.yaml", "config", "--format", "json"],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for board, (cpus, memory) in BOARDS.items():
        service = json.loads(done.stdout)["services"][board]
        assert (service["cpus"], int(service["mem_limit"])) == (cpus, memory)


def test_the_page_says_the_same(stages):
    text = PAGE.read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", text, re.MULTILINE))
    assert set(rows) == set(BOARDS)
    for board, (cpus, memory) in BOARDS.items():
        said = f"{memory // MIB} MB" if memory < 1024 * MIB else f"{memory // MIB // 1024} GB"
        assert rows[board].split(" | ")[:2] == [str(cpus), said]
        assert f"docker/limited {board} " in text
        assert f"run --rm {board}" in text
    image = dockerfile.lineage(stages, "single-core")[1]
    assert f"`{image}`" in text


def limited(*words, code=0):
    done = subprocess.run(
        [sys.executable, LIMITED, *map(str, words)],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert code is None or done.returncode == code, done.stderr
    return done


@linux_only
@pytest.mark.parametrize("board", BOARDS)
def test_a_board_s_limits_are_said_and_let_work_through(board):
    cpus, memory = BOARDS[board]
    done = limited(board, sys.executable, "-c", WANTS, 8 * MIB)
    there = min(cpus, len(os.sched_getaffinity(0)))
    assert done.stdout.split("\n")[:2] == [str(there), "had it"]
    assert f"{memory // MIB} MiB of memory" in done.stderr
    assert re.search(r"^limited: memory by \S+", done.stderr, re.MULTILINE)
    assert ("the others are missing" in done.stderr) is (there < cpus)


@linux_only
@pytest.mark.parametrize("way", ["systemd", "cgroup", "rlimit"])
def test_more_memory_than_allowed_is_not_to_be_had(way):
    done = limited(
        "--way", way, "--cpus", 1, "--memory", "96m", sys.executable, "-c", WANTS, 200 * MIB, code=None
    )
    if done.returncode == 125:
        assert way != "rlimit"
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode != 0
    assert done.stdout == "1\n"


@linux_only
def test_the_exit_code_is_the_command_s():
    assert limited("single-core", sys.executable, "-c", "raise SystemExit(7)", code=7).stdout == ""
    limited("single-core", "/no/such/program", code=125)
    limited("single-core", code=2)
    limited("--cpus", 1, sys.executable, code=2)


@linux_only
def test_no_group_is_left_behind():
    done = limited("single-core", sys.executable, "-c", "pass")
    made = re.search(r"a control group, (.+)$", done.stderr, re.MULTILINE)
    if made is None:
        pytest.skip(done.stderr.splitlines()[-1])
    assert not Path(made[1]).exists()
    assert Path(made[1]).parent.is_dir()
