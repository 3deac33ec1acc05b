"""The demo: its stages one by one, and the whole of it in a process of its own."""

from __future__ import annotations

import cmath
import contextlib
import importlib.util
import json
import math
import os
import random
import select
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from surefoot.demo import api, frame, inference, latency, preprocess, report, strategies
from surefoot.demo.actuator import Actuator, Row, checksum, stored
from surefoot.demo.connections import Connections
from surefoot.demo.interruption import Interruption
from surefoot.demo.ledger import Ledger
from surefoot.demo.result import Result, Summary
from surefoot.demo.strategies import Strategy

HANG_LIMIT_S = 200
NAMES = ("sequential", "naive 256", "best static", "surefoot")


def payload(number):
    return frame.encode(number, frame.waveform_csv(frame.variant_of(number)))


# --- the frame and its preprocessing


def test_a_frame_survives_the_way_through_the_wire_format():
    number, axes = preprocess.parse(payload(11))
    assert number == 11
    assert [len(axis) for axis in axes] == [frame.SAMPLES] * frame.AXES


@pytest.mark.parametrize("cut", ["line", "field"])
def test_a_damaged_frame_is_refused(cut):
    whole = payload(3)
    damaged = whole.rpartition(b"\n")[0] if cut == "line" else whole.rpartition(b",")[0]
    with pytest.raises(ValueError, match="frame 3"):
        preprocess.parse(damaged)


def test_the_window_takes_the_mean_and_normalising_the_loudness_and_silence_stays_silence():
    assert preprocess.window([5.0] * frame.SAMPLES) == pytest.approx([0.0] * frame.SAMPLES)
    loud = preprocess.normalise([3.0, -4.0, 12.0])
    assert sum(sample * sample for sample in loud) == pytest.approx(1.0)
    assert preprocess.normalise([0.0, 0.0]) == [0.0, 0.0]


def test_band_power_is_that_of_the_fourier_sum():
    chance = random.Random(1)
    samples = [chance.gauss(0.0, 1.0) for _ in range(frame.SAMPLES)]
    for band in (0, 7, frame.BANDS - 1):
        angle = math.tau * frame.BAND_STEP_HZ * (band + 1) / frame.RATE_HZ
        fourier = sum(sample * cmath.exp(-1j * angle * i) for i, sample in enumerate(samples))
        assert preprocess.band_power(samples, 2.0 * math.cos(angle)) == pytest.approx(abs(fourier) ** 2)


def test_features_show_a_tone_in_its_own_band_and_sum_to_one_per_axis():
    angle = math.tau * frame.BAND_STEP_HZ * (5 + 1) / frame.RATE_HZ
    tone = [math.sin(angle * i) for i in range(frame.SAMPLES)]
    shares = preprocess.features([tone] * frame.AXES)
    assert len(shares) == preprocess.FEATURES
    for axis in range(frame.AXES):
        own = shares[axis * frame.BANDS : (axis + 1) * frame.BANDS]
        assert sum(own) == pytest.approx(1.0)
        assert own.index(max(own)) == 5


# --- inference


def every_waveform():
    return [
        (number, preprocess.features(preprocess.parse(payload(number))[1]))
        for number in range(frame.VARIANTS)
    ]


def test_the_model_names_the_condition_of_every_waveform():
    classify = inference.load("python")
    assert {frame.variant_of(number) for number in range(frame.VARIANTS)} == set(range(frame.VARIANTS))
    for number, features in every_waveform():
        assert classify(features)[0] == frame.condition_of(number)


def test_numpy_and_pure_python_agree():
    pytest.importorskip("numpy")
    in_numpy, in_python = inference.load("numpy"), inference.load("python")
    for number, features in every_waveform():
        (label, score), (other_label, other_score) = in_numpy(features), in_python(features)
        assert label == other_label, f"frame {number}"
        assert score == pytest.approx(other_score, abs=2e-6)


def test_the_best_backend_is_one_that_loads():
    label, score = inference.load(inference.best_backend())([0.0] * preprocess.FEATURES)
    assert label == "healthy"
    assert 0.0 < score <= 1.0


# --- latency and service


def test_latencies_are_the_frame_s_own_and_realistic():
    device = [latency.device_latency_s(number) for number in range(2000)]
    service = [latency.api_latency_s(number) for number in range(2000)]
    assert (device[7], service[7]) == (latency.device_latency_s(7), latency.api_latency_s(7))
    assert latency.DEVICE_LEAST_S <= min(device) < max(device) <= latency.DEVICE_MOST_S
    assert statistics.median(service) == pytest.approx(latency.API_MEDIAN_S, rel=0.05)
    assert max(service) <= latency.API_MOST_S


def test_the_service_answers_in_http():
    head, _, body = api.answer({"frame": 9, "label": "bearing", "score": 1.0}).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert api.content_length(head) == len(body)
    assert json.loads(body) == {"frame": 9, "setpoint": 0.3}


# --- the actuator, its connections, the ledger


def test_rows_stored_by_many_threads_are_all_there(tmp_path):
    path = str(tmp_path / "rows.sqlite")
    actuator = Actuator(path)
    workers, each = 16, 50
    ready = threading.Barrier(workers)

    def work(first):
        ready.wait()
        for number in range(first, workers * each, workers):
            actuator.store(Row(number, "healthy", 0.5, 1.0))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    actuator.close()
    assert [row.frame for row in stored(path)] == list(range(workers * each))


def test_a_row_is_committed_when_store_returns(tmp_path):
    path = str(tmp_path / "rows.sqlite")
    actuator = Actuator(path)
    actuator.store(Row(1, "healthy", 0.5, 1.0))
    assert stored(path) == [Row(1, "healthy", 0.5, 1.0)]
    actuator.close()


def test_the_checksum_sees_every_field():
    row = Row(1, "healthy", 0.5, 1.0)
    others = [
        row._replace(frame=2),
        row._replace(label="x"),
        row._replace(score=0.6),
        row._replace(setpoint=0.9),
    ]
    assert len({checksum([each]) for each in [row, *others]}) == 5


class Line:
    def __init__(self):
        self.closed = False

    def close(self):
        self.closed = True


def test_connections_are_reused_and_a_failed_one_is_not():
    opened = []

    def connect():
        opened.append(Line())
        return opened[-1]

    lines = Connections(connect)
    with lines.borrow() as first, lines.borrow() as second:
        assert first is not second
    with lines.borrow() as third:
        assert third in (first, second)
    assert len(opened) == 2
    with pytest.raises(sqlite3.Error), lines.borrow() as failed:
        raise sqlite3.Error
    assert failed.closed
    lines.close()
    assert all(line.closed for line in opened)


def rows(*numbers, label="healthy"):
    return [Row(number, label, 0.5, 1.0) for number in numbers]


@pytest.mark.parametrize(
    ("stored_rows", "fault"),
    [
        (rows(0, 2), "1 frames lost, the first is frame 1"),
        (rows(0, 1, 1, 2), "1 frames stored twice, the first is frame 1"),
        (rows(0, 1, 2, 7), "1 frames never asked for, the first is frame 7"),
        (rows(0, 1) + rows(2, label="bearing"), "1 frames different, the first is frame 2"),
    ],
)
def test_the_ledger_finds_what_is_wrong(stored_rows, fault):
    ledger = Ledger()
    ledger.add("reference", 3, rows(0, 1, 2))
    assert ledger.lines()[0].startswith("results verified: 1 runs, 3 rows")
    ledger.add("suspect", 3, stored_rows)
    assert ledger.faults == [f"suspect: {fault}"]
    assert ledger.lines()[0] == "results NOT verified:"


# --- strategies and report


@pytest.mark.parametrize(
    "strategy", [Strategy("sequential"), Strategy("static", 3), Strategy("adaptive")], ids=Strategy.name
)
def test_every_strategy_runs_each_frame_once_and_reports_what_failed(strategy):
    ran = []

    def task(number):
        ran.append(number)
        if number == 5:
            raise LookupError("no such frame")

    runner = strategies.start(strategy)
    try:
        assert runner.limit() >= 1
        errors = runner.run(task, range(40))
        assert isinstance(runner.decisions(), list)
    finally:
        runner.close()
    assert sorted(ran) == list(range(40))
    assert errors == ["frame 5: LookupError: no such frame"]


def result(tasks_per_s, limit=4, *, kind="static", decisions=()):
    ends_ns = [round((i + 1) * 1e9 / tasks_per_s) for i in range(100)]
    latencies_ns = [(i + 1) * 1_000_000 for i in range(100)]
    return Result(
        Strategy(kind, limit),
        100,
        ends_ns[-1],
        10**9,
        ends_ns,
        latencies_ns,
        limit,
        limit,
        list(decisions),
        [],
        [],
    )


def test_the_table_holds_medians_and_ratios_of_what_was_measured():
    summaries = [
        Summary("naive 256", [result(50.0), result(10.0), result(20.0)]),
        Summary("best static", [result(40.0)]),
        Summary("surefoot", [result(30.0)]),
    ]
    alone = report.comparison(summaries[2:])[1]
    assert alone[-3:-1] == ["-", "-"], "a ratio to what was not measured is left open"
    table = report.comparison(summaries)
    cells = {row[0]: dict(zip(table[0], row, strict=True)) for row in table[1:]}
    assert cells["naive 256"]["tasks/s"] == "20.0"
    assert cells["naive 256"]["least..most"] == "10.0..50.0"
    assert cells["surefoot"]["x naive"] == "1.50"
    assert cells["surefoot"]["x best static"] == "0.75"
    assert [cells["surefoot"][name] for name in ("p50 ms", "p95 ms", "p99 ms")] == ["50.0", "95.0", "99.0"]


def test_the_second_half_leaves_the_ramp_out():
    ends_ns = [i * 10**9 for i in range(1, 11)] + [10 * 10**9 + i * 10**8 for i in range(1, 11)]
    ramp = Result(Strategy("adaptive"), 20, ends_ns[-1], 1, ends_ns, [1] * 20, 1, 1, [], [], [])
    assert ramp.throughput == pytest.approx(20 / 11)
    assert ramp.late_throughput == pytest.approx(10.0)


def test_decisions_are_counted_by_what_they_did():
    log = [
        {"at_s": 0.5, "limit_before": 4, "limit": 5, "reason": "queue", "veto": None},
        {"at_s": 1.0, "limit_before": 5, "limit": 5, "reason": "veto", "veto": "gil"},
        {"at_s": 1.5, "limit_before": 5, "limit": 4, "reason": "empty", "veto": None},
    ]
    line = report.decisions_line(result(1.0, kind="adaptive", decisions=log))
    assert "limit 4 at the start, 5 at most, 4 at the end" in line
    assert "3 decisions: 1 raised it, 1 lowered it; vetoes: 1 gil" in line


def test_bars_are_proportional_and_plain_where_the_stream_is_plain():
    lines = report.bars("title", [("a", 10.0), ("bb", 5.0)], "tasks/s", "ascii")
    assert [line.count("#") for line in lines] == [0, report.BAR_WIDTH, report.BAR_WIDTH // 2]
    assert "█" in "".join(report.bars("title", [("a", 1.0)], "ms", "utf-8"))


# --- Ctrl-C


@pytest.fixture
def interruption():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    installed = Interruption()
    installed.install()
    yield installed
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_interrupts_and_a_second_leaves_the_ending_alone(interruption, number):
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    signal.raise_signal(number)


def test_a_held_interruption_comes_when_the_block_is_over(interruption):
    steps = []

    def block():
        with interruption.held():
            signal.raise_signal(signal.SIGINT)
            steps.append("went on")
        steps.append("never here")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert steps == ["went on"]


def test_an_interruption_that_was_dropped_is_not_forgotten(interruption):
    interruption.check()
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interruption.check()


# --- the whole of it


def command(*arguments):
    return [sys.executable, "-m", "surefoot.demo", *arguments]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """One quick run and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("demo")
    ended = subprocess.run(
        command("--quick", "--out", str(folder)),
        capture_output=True,
        text=True,
        timeout=HANG_LIMIT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended, folder


@pytest.mark.timeout(HANG_LIMIT_S + 20)
def test_a_quick_run_compares_all_strategies(quick):
    ended, _ = quick
    lines = ended.stdout.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("strategy")) :]
    assert tuple(line.split("  ")[0] for line in table[2:6]) == NAMES
    assert any(line.startswith("results verified:") for line in lines)
    assert any(line.startswith("surefoot:") and "limit" in line for line in lines)


@pytest.mark.timeout(HANG_LIMIT_S + 20)
def test_the_record_holds_every_task_of_every_run(quick):
    _, folder = quick
    record = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    assert record["complete"]
    assert record["faults"] == []
    runs = {run["part"]: run for run in record["runs"]}
    assert set(NAMES) < set(runs)
    for run in record["runs"]:
        assert len(run["ends_ns"]) == len(run["latencies_ns"]) == run["tasks"]
        assert run["errors"] == []
        assert max(run["ends_ns"]) <= run["wall_ns"]
        # No task can be faster than the least latency that the device puts in its way.
        assert min(run["latencies_ns"]) >= latency.DEVICE_LEAST_S * 1e9
    assert len({runs[name]["tasks"] for name in NAMES[1:]}) == 1


@pytest.mark.timeout(HANG_LIMIT_S + 20)
def test_a_figure_is_drawn_where_matplotlib_is_installed(quick):
    ended, folder = quick
    drawn = {file.name for file in folder.iterdir()} - {"demo.json"}
    if importlib.util.find_spec("matplotlib"):
        assert drawn == {"demo.png", "demo.svg"}
        assert (folder / "demo.png").read_bytes().startswith(b"\x89PNG")
    else:
        assert drawn == set()
        assert "matplotlib is not installed" in ended.stdout


def children_of(pid):
    """Return a descriptor per child process; it becomes readable when that process has ended."""
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                children.append(os.pidfd_open(int(status.parent.name)))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return children


def assert_ended(children, limit_s=30):
    for child in children:
        with os.fdopen(child) as descriptor:
            assert select.select([descriptor], [], [], limit_s)[0], "a child process is left behind"


@pytest.fixture
def demo(tmp_path):
    """A demo far from its end: the servers and a trial run, and the first trial is over."""
    process = subprocess.Popen(
        command("--seconds", "60", "--out", str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A killed demo cannot remove its temporary folder: let the test's own hold it.
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    try:
        assert process.stderr.readline().startswith("sweep: static 1 ")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(HANG_LIMIT_S)
def test_ctrl_c_reports_what_was_measured_and_leaves_no_process(demo):
    children = children_of(demo.pid)
    assert len(children) >= 2
    demo.send_signal(signal.SIGINT)
    out, err = demo.communicate(timeout=60)
    assert demo.returncode == 130, out + err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert "standard pool, throughput by number of workers" in out
    assert "results verified: " in out
    assert_ended(children)


@pytest.mark.timeout(HANG_LIMIT_S)
def test_the_children_go_when_the_demo_is_killed(demo):
    children = children_of(demo.pid)
    assert len(children) >= 2
    demo.kill()
    assert_ended(children)


@pytest.mark.timeout(HANG_LIMIT_S)
def test_too_few_descriptors_are_named_before_anything_runs(tmp_path):
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *command("--quick", "--out", str(tmp_path))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "open files" in ended.stderr
    assert "256" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.timeout(HANG_LIMIT_S)
def test_a_trial_that_dies_is_a_failure(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ImportError('broken on purpose')\n")
    ended = subprocess.run(
        command("--quick", "--inference", "numpy", "--out", str(tmp_path)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "sweep: static 4: the process ended without a result" in ended.stderr
