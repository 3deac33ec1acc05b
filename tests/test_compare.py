"""`surefoot compare`: what it does with suites, answers, kills and noise. The runs are made up; see
test_compare_runs.py for real ones."""

from __future__ import annotations

import collections
import json
import random
import signal
import subprocess
import sys

import pytest

from comparison_runner import calls, stand_in
from patience import HANG_S, eventually

pytestmark = pytest.mark.own

SUITE = """
name = "made-up"
seed = 3
[defaults]
seconds = 1.0
[noise]
drift_max = 1e9
others_cores_max = 1e9

[[experiment]]
name = "sizes"
workloads = ["micro"]
strategies = [{ name = "static-best", threads = [2, 8, 64] }, { name = "knee", threads = [64] }, "paper"]
repeats = 3
sweep_repeats = 2

[[experiment]]
name = "plain"
workloads = ["micro", "cpu"]
strategies = ["sequential", { name = "missing", interpreters = ["0.1"] }]
repeats = 2
"""
SWEEP, CONTEST, PLAIN, ABSENT = 3 * 2, 3 * 3, 2 * 2, 2 * 2
IN_ALL = SWEEP + CONTEST + PLAIN + ABSENT


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.records = folder / "made-up.jsonl"
        self.write(SUITE)

    def write(self, suite):
        self.suite = self.folder / "made-up.toml"
        self.suite.write_text(suite)

    def command(self, *words, **how):
        python = stand_in(self.folder, **how)
        command = [sys.executable, "-m", "surefoot", "compare", str(self.suite)]
        return [*command, "--python", f"default={python}", *words]

    def compare(self, *words, **how):
        command = self.command(*words, **how)
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=HANG_S, check=False
        )

    def start(self, *words, **how):
        command = self.command(*words, **how)
        return subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True)

    def lines(self):
        return [json.loads(line) for line in self.records.read_text().splitlines()]

    def of(self, kind):
        return [line for line in self.lines() if line["type"] == f"comparison_{kind}"]


def keys(lines):
    """The runs that lines are about; a size that the driver chose is no part of what was asked."""
    wanted = ("experiment", "phase", "workload", "strategy", "cores", "repeat", "attempt")
    return collections.Counter(
        (
            *(line[field] for field in wanted),
            None if line["strategy"] == "static-best" else line["threads"],
            line["interpreter"]["tag"],
        )
        for line in lines
        if "experiment" in line
    )


def test_every_run_is_made_once_and_the_contest_is_against_the_best_size(bench):
    done = bench.compare()
    assert done.returncode == 0, done.stderr
    runs = bench.of("run")
    assert len(runs) == SWEEP + CONTEST + PLAIN
    assert set(keys(bench.lines()).values()) == {1}
    best = [run for run in runs if run["strategy"] == "static-best"]
    assert {(run["phase"], run["threads"]) for run in best} == {("contest", 8)}
    # The runner knows the pool by one name, and is asked for fresh runs of the size.
    asked = [call for call in calls(bench.folder) if "--strategy static --threads 8 " in call]
    assert len(asked) == 2 + 3
    assert {run["order"] for run in runs} <= set(range(IN_ALL))
    first = runs[0]
    assert (first["schema"], first["suite"], first["is_noisy"]) == (1, "made-up", False)
    assert first["interpreter"]["tag"] == "3.77"
    assert first["measurement"]["tasks_per_s"] > 0
    assert first["machine"]["cores"] >= 1
    assert first["kernel"] == first["machine"]["kernel"]
    assert len(bench.of("control")) >= 2
    absent = bench.of("unavailable")
    assert len(absent) == ABSENT
    assert {line["interpreter"]["tag"] for line in absent} == {"0.1"}
    assert "--python 0.1=PATH" in absent[0]["reason"]

    again = bench.compare()
    assert again.returncode == 0, again.stderr
    assert len(calls(bench.folder)) == len(runs), "nothing is measured twice"


def test_all_runs_have_the_same_tasks_also_after_an_interruption(bench):
    law = "print(json.dumps(measured(1, spin_ns=os.environ.get('SUREFOOT_SPIN_NS'))))"
    assert bench.compare("--experiment", "plain", law=law).returncode == 0
    (found,) = bench.of("calibration")
    assert (found["tag"], found["spin_ns"]) == ("3.77", 25.5)
    # What the records say is believed from then on.
    text = bench.records.read_text()
    bench.records.write_text(text.replace('"spin_ns":25.5}', '"spin_ns":31.25}'))
    assert bench.compare(law=law).returncode == 0
    assert len(bench.of("calibration")) == 1
    told = {run["experiment"]: run["measurement"]["spin_ns"] for run in bench.of("run")}
    assert told == {"plain": "25.5", "sizes": "31.25"}


def test_the_order_is_the_seeds(bench):
    orders = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        bench.write(SUITE.replace("seed = 3", f"seed = {seed}"))
        bench.records = bench.folder / f"{name}.jsonl"
        assert bench.compare("--records", bench.records.name).returncode == 0
        orders.append([(run["phase"], run["strategy"], run["threads"]) for run in bench.of("run")])
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_kills_at_any_point_lose_and_double_nothing(bench):
    law = "time.sleep(0.05); print(json.dumps(measured(1000 - 10 * abs(threads - 8))))"
    chance = random.Random(11)
    kills = 0
    while True:
        process = bench.start(law=law)
        before = len(calls(bench.folder))
        target = before + chance.randint(0, 4)
        pause_s = chance.random() * 0.06

        def is_there(process=process, target=target):
            return process.poll() is not None or len(calls(bench.folder)) >= target

        eventually(is_there)
        try:
            process.wait(pause_s)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        _, stderr = process.communicate(timeout=HANG_S)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, stderr
        whole = bench.records.read_bytes().rpartition(b"\n")[0] if bench.records.exists() else b""
        lines = [json.loads(line) for line in whole.splitlines()]
        assert not [key for key, count in keys(lines).items() if count > 1]
        if kills >= 8:
            assert bench.compare(law=law).returncode == 0
            break
    assert kills
    found = keys(bench.lines())
    assert len(found) == IN_ALL
    assert set(found.values()) == {1}
    assert {run["threads"] for run in bench.of("run") if run["strategy"] == "static-best"} == {8}


def test_a_torn_last_line_is_made_again(bench):
    assert bench.compare().returncode == 0
    whole = bench.records.read_bytes()
    lines = whole.splitlines(keepends=True)
    at = max(at for at, line in enumerate(lines) if b"comparison_run" in line)
    bench.records.write_bytes(b"".join(lines[:at]) + lines[at][: len(lines[at]) // 2])
    made = len(calls(bench.folder))
    done = bench.compare()
    assert done.returncode == 0, done.stderr
    assert "torn" in done.stderr
    assert len(calls(bench.folder)) >= made + 1
    found = keys(bench.lines())
    assert len(found) == IN_ALL
    assert set(found.values()) == {1}


def test_ctrl_c_keeps_what_was_measured(bench):
    law = "time.sleep(600 if os.path.getsize(%r) > 400 else 0); print(json.dumps(measured(1)))"
    process = bench.start(law=law % str(bench.folder / "calls"))
    # Two or three runs are made; the next one hangs.
    eventually(lambda: bench.records.exists() and len(bench.of("run")) >= 2)
    eventually(lambda: len(calls(bench.folder)) > len(bench.of("run")))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HANG_S)
    assert process.returncode == 130, stderr
    assert "the same command goes on from here" in stderr
    kept = len(bench.of("run"))
    assert kept >= 2
    done = bench.compare()
    assert done.returncode == 0, done.stderr
    assert f"[1/{IN_ALL - kept}]" in done.stderr
    assert set(keys(bench.lines()).values()) == {1}
    assert len(keys(bench.lines())) == IN_ALL


ONE = """
name = "made-up"
{noise}
[[experiment]]
name = "one"
workloads = ["micro"]
strategies = ["knee"]
repeats = 2
"""


def test_runs_that_others_disturb_are_marked_and_made_once_more(bench):
    bench.write(ONE.format(noise="noise = { others_cores_max = 0.02, drift_max = 1e9 }"))
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            done = bench.compare(law="time.sleep(0.5); print(json.dumps(measured(1)))")
        finally:
            other.kill()
    assert done.returncode == 0, done.stderr
    assert "made once more" in done.stderr
    runs = bench.of("run")
    assert sorted((run["repeat"], run["attempt"]) for run in runs) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert all(run["is_noisy"] for run in runs)
    assert all(run["others_cores"] > 0.02 for run in runs)


def test_the_load_of_processes_that_a_run_leaves_behind_is_not_known(bench):
    bench.write(ONE.format(noise="noise = { others_cores_max = 1e-9, drift_max = 1e9 }"))
    assert bench.compare(law="print(json.dumps(measured(1, processes=5)))").returncode == 0
    assert [(run["others_cores"], run["is_noisy"]) for run in bench.of("run")] == [(None, False)] * 2


def test_a_run_next_to_a_control_that_drifted_is_marked_and_made_once_more(bench):
    bench.write(ONE.format(noise="noise = { others_cores_max = 1e9, drift_max = 0.9 }"))
    assert bench.compare().returncode == 0
    lines = bench.lines()
    # The machine was ten times slower before the first run than usually.
    controls = [line for line in lines if line["type"] == "comparison_control"]
    usual = controls[0]
    slow = {**usual, "spin_s": 10 * usual["spin_s"]}
    runs = [line for line in lines if line["type"] == "comparison_run"]
    made_up = [slow, runs[0], usual, runs[1], usual, usual]
    bench.records.write_text("".join(json.dumps(line) + "\n" for line in made_up))
    done = bench.compare()
    assert done.returncode == 0, done.stderr
    marks = {(run["repeat"], run["attempt"]): run["is_noisy"] for run in bench.of("run")}
    assert marks[runs[0]["repeat"], 0]
    assert not marks[runs[1]["repeat"], 0]
    assert (runs[0]["repeat"], 1) in marks
    assert (runs[1]["repeat"], 1) not in marks


def test_failures_and_what_cannot_be_here_are_records(bench):
    law = """
if strategy == "paper":
    print(json.dumps({"error": "boom"})); sys.exit(1)
if strategy == "knee":
    print(json.dumps({"unavailable": "no such package"})); sys.exit(3)
if threads == 2:
    print("no JSON at all"); sys.exit(0)
print(json.dumps(measured(threads or 1)))
"""
    done = bench.compare("--experiment", "sizes", law=law)
    assert done.returncode == 1, done.stderr
    assert "5 runs failed" in done.stderr
    assert {(line["strategy"], line["reason"]) for line in bench.of("failure")} >= {("paper", "boom")}
    assert any("unreadable" in line["reason"] for line in bench.of("failure"))
    assert {line["reason"] for line in bench.of("unavailable")} == {"no such package"}
    # What failed is not tried again unless that is asked for.
    made = len(calls(bench.folder))
    assert bench.compare("--experiment", "sizes").returncode == 0
    assert len(calls(bench.folder)) == made
    assert bench.compare("--experiment", "sizes", "--retry-failed").returncode == 0
    assert len(calls(bench.folder)) == made + 2 + 3 + 3
    assert not bench.of("failure")
    assert set(keys(bench.lines()).values()) == {1}


def test_an_interpreter_that_turns_up_later_is_measured_then(bench):
    assert bench.compare("--experiment", "plain").returncode == 0
    assert len(bench.of("unavailable")) == ABSENT
    other = stand_in(bench.folder, version="0.1.5", name="other")
    done = bench.compare("--experiment", "plain", "--python", f"0.1={other}")
    assert done.returncode == 0, done.stderr
    assert not bench.of("unavailable")
    assert len(bench.of("run")) == PLAIN + ABSENT
    wrong = bench.compare("--python", f"0.2={other}")
    assert wrong.returncode == 2
    assert "that is CPython 0.1" in wrong.stderr


def test_plan_says_what_there_is_to_do_and_does_nothing(bench):
    done = bench.compare("--plan")
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    by_name = {row[0]: row[1:] for row in rows if row}
    assert by_name["sizes"][:2] == [str(SWEEP + CONTEST), "0"]
    assert by_name["in all"][:2] == [str(IN_ALL), "0"]
    assert not bench.records.exists()
    assert not calls(bench.folder)
    assert bench.compare("--experiment", "plain").returncode == 0
    (row,) = (line for line in bench.compare("--plan").stdout.splitlines() if "plain" in line)
    assert [cell.strip() for cell in row.split("|")[2:4]] == [str(PLAIN + ABSENT)] * 2


def test_quick_is_another_file_and_fewer_runs(bench):
    done = bench.compare("--quick", "--experiment", "sizes")
    assert done.returncode == 0, done.stderr
    assert not bench.records.exists()
    bench.records = bench.folder / "made-up-quick.jsonl"
    assert len(bench.of("run")) == 2 + 3
    assert all("--seconds 0.4 " in call for call in calls(bench.folder))


def test_a_suite_that_changed_is_not_mixed_with_what_it_was(bench):
    assert bench.compare("--experiment", "plain").returncode == 0
    bench.write(SUITE.replace('"sequential"', '"knee"'))
    refused = bench.compare()
    assert refused.returncode == 2
    assert "--forget plain" in refused.stderr
    done = bench.compare("--experiment", "plain", "--forget", "plain")
    assert done.returncode == 0, done.stderr
    assert {run["strategy"] for run in bench.of("run")} == {"knee"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("repeats = 3", "repeats = 'three'", ["line 14", "repeats", "expected u32"]),
        ("repeats = 3", "repeets = 3", ["line 14", "repeets", "expected one of"]),
        ("threads = [64]", "thread = [64]", ["line 13", "thread", "threads"]),
        ('"paper"', "5", ["line 13", "a name, or a table"]),
        ("[[experiment]]", "[[experiment", ["line 10"]),
        ('"paper"', '"paper", "paper"', ["twice", "paper"]),
        ('"paper"', '"strategies/none.py"', ["experiment \"sizes\"", "none.py"]),
        ("repeats = 3", "repeats = 0", ["experiment \"sizes\""]),
    ],
)  # fmt: skip
def test_a_bad_suite_is_explained_by_file_line_and_key(bench, old, new, said):
    bench.write(SUITE.replace(old, new, 1))
    done = bench.compare()
    assert done.returncode == 2, done.stderr
    for words in ["made-up.toml", *said]:
        assert words in done.stderr
    assert not bench.records.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--experiment", "nowhere"],
        ["--python", "3.14"],
        ["--python", "3.14=/nonexistent/python"],
        ["--records", "/nonexistent/records.jsonl"],
        ["--patience-s", "-1"],
        ["--against", "x.jsonl"],
    ],
)
def test_bad_arguments_exit_with_2(bench, words):
    done = bench.compare(*words)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip()
    assert not bench.records.exists()


def test_a_summary_shows_known_figures_and_the_guard_knows_slower_from_noise(bench):
    command = [sys.executable, "-m", "surefoot", "compare", "--summary"]

    def show(*words):
        return subprocess.run(
            [*command, *words], cwd=bench.folder, capture_output=True, text=True, timeout=HANG_S, check=False
        )

    law = "print(json.dumps(measured(1000 - 10 * abs(threads - 8) if strategy == 'static' else %d)))"
    assert bench.compare("--records", "now.jsonl", law=law % 500).returncode == 0
    assert bench.compare("--records", "then.jsonl", law=law % 900).returncode == 0
    shown = show("now.jsonl", "--experiment", "sizes")
    assert shown.returncode == 0, shown.stderr
    rows = {line.split("|")[1].strip(): line for line in shown.stdout.splitlines() if "|" in line}
    assert "1,000 [1,000, 1,000]" in rows["static-best 8"]
    assert "0.50 [0.50, 0.50]" in rows["knee 64"]
    assert "plain" not in shown.stdout
    assert show("now.jsonl", "--against", "now.jsonl").returncode == 0
    slower = show("now.jsonl", "--against", "then.jsonl")
    assert slower.returncode == 1
    assert "slower" in slower.stdout
    faster = show("then.jsonl", "--against", "now.jsonl")
    assert faster.returncode == 0
    assert "faster" in faster.stdout
    assert show("nowhere.jsonl").returncode == 2
