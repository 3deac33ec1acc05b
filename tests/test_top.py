"""`surefoot top` against real processes: the figures, the screen, and every way in which there is none."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import child
import kinds
from debian import program
from patience import HANG_S, eventually

pytestmark = [
    pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1"),
    pytest.mark.skipif(sys.platform != "linux", reason="snapshot files need /proc"),
]

TARGET = """
import sys, threading, time
from surefoot import AdaptiveThreadPoolExecutor
stop = threading.Event()
def feed(pool):
    while not stop.is_set():
        list(pool.map(time.sleep, [0.001] * 50))
adaptive = AdaptiveThreadPoolExecutor(16, thread_name_prefix="requests")
fixed = AdaptiveThreadPoolExecutor(3, thread_name_prefix="mailer", controller="fixed")
feeders = [threading.Thread(target=feed, args=(pool,)) for pool in (adaptive, fixed)]
for feeder in feeders: feeder.start()
"""

#: Ends when the parent closes its standard input or prints a line.
UNTIL_TOLD = """
sys.stdin.readline()
stop.set()
for feeder in feeders: feeder.join()
adaptive.shutdown(), fixed.shutdown()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the snapshot files of this test's processes."""
    chosen = tmp_path / "runtime"
    monkeypatch.setenv("SUREFOOT_RUNTIME_DIR", str(chosen))
    return chosen


class Target:
    """A process with two busy pools; killed at the end, whatever happens."""

    def __init__(self, code=TARGET + UNTIL_TOLD, **env):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def end(self):
        self.process.communicate("\n", timeout=HANG_S)
        return self.process.returncode


def files(folder):
    return sorted(folder.glob("*.snapshot")) if folder.exists() else []


def shown(folder):
    """Return once a file is there."""
    eventually(lambda: files(folder), "a snapshot file")
    return files(folder)


def top(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "surefoot", "top", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
        **options,
    )


def once(pid, interval_s=0.3):
    done = top(pid, "--json", "--once", "--interval-s", interval_s)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_figures_of_a_running_process(folder):
    with Target() as target:
        shown(folder)
        # Whoever looks for the first time may meet a pool before its first task has ended.
        eventually(lambda: len(once(target.pid)["pools"]) == 2, "both pools")
        line = once(target.pid)
        assert (line["schema"], line["version"], line["pid"]) == ("surefoot.top", 1, target.pid)
        assert line["ended"] is None
        assert line["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
        pools = {pool["name"]: pool for pool in line["pools"]}
        assert set(pools) == {"requests", "mailer"}
        adaptive, fixed = pools["requests"], pools["mailer"]
        assert (adaptive["controller"], fixed["controller"]) == ("knee", "fixed")
        assert (adaptive["cap"], fixed["limit"], fixed["cap"]) == (16, 3, 3)
        for pool in (adaptive, fixed):
            assert pool["throughput_per_s"] > 0
            # A sleep of a millisecond takes no less, and the buckets are 20 % wide.
            assert 0.0008 < pool["wall"]["p50_s"] <= pool["wall"]["p99_s"]
            assert 1 <= pool["workers_live"] <= pool["cap"]
            known = pool["tasks_running"] + pool["tasks_done"] + pool["queue_length"]
            assert pool["tasks_submitted"] == known
        shares = adaptive["shares_life"]
        assert shares["cpu"] + shares["runqueue"] + shares["blocked"] == pytest.approx(1)
        assert all(decision["reason"] for decision in adaptive["decisions"])
        # The only process of this folder is found without its number.
        assert json.loads(top("--json", "--once").stdout)["pid"] == target.pid
        text = top("--once").stdout
        assert "requests" in text
        assert "mailer" in text
        assert "\x1b" not in text


def test_the_file_is_the_owners_alone_and_goes_with_its_process(folder):
    with Target() as target:
        (path,) = shown(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.name.startswith(f"{target.pid}-")
        assert target.end() == 0
        assert files(folder) == []


def test_lines_follow_until_the_process_ends(folder):
    with Target() as target:
        shown(folder)
        watcher = subprocess.Popen(
            [sys.executable, "-m", "surefoot", "top", str(target.pid), "--json", "--interval-s", "0.1"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            lines = [json.loads(watcher.stdout.readline()) for _ in range(3)]
            assert [line["ended"] for line in lines] == [None] * 3
            done = [sum(pool["tasks_done"] for pool in line["pools"]) for line in lines]
            assert done[0] < done[2]
            target.end()
            rest = watcher.communicate(timeout=HANG_S)[0].splitlines()
            assert watcher.returncode == 0
            assert str(target.pid) in json.loads(rest[-1])["ended"]
        finally:
            watcher.kill()
            watcher.wait()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_lines(folder, number, code):
    with Target() as target:
        shown(folder)
        watcher = subprocess.Popen(
            [sys.executable, "-m", "surefoot", "top", str(target.pid), "--json", "--interval-s", "0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            watcher.stdout.readline()
            watcher.send_signal(number)
            _, err = watcher.communicate(timeout=HANG_S)
            assert (watcher.returncode, err) == (code, "")
        finally:
            watcher.kill()
            watcher.wait()


def test_a_killed_process_is_told_from_one_that_never_was(folder):
    with Target() as target:
        (path,) = shown(folder)
        target.process.kill()
        target.process.wait()
        assert path.exists(), "nobody could remove it"
        done = top(target.pid, "--json")
        assert (done.returncode, done.stdout) == (3, "")
        assert "was killed" in done.stderr
        assert not path.exists(), "what is left over is removed"
        done = top(target.pid, "--json")
        assert done.returncode == 3
        assert "does not exist" in done.stderr


def test_leftovers_are_removed_by_the_next_process(folder):
    with Target() as killed:
        (left,) = shown(folder)
        killed.process.kill()
        killed.process.wait()
    with Target() as target:
        eventually(lambda: not left.exists(), "the leftover is gone")
        eventually(lambda: [path for path in files(folder) if path.name.startswith(f"{target.pid}-")])


def test_a_process_without_pools(folder):
    idle = Target("import sys, surefoot; sys.stdin.readline()")
    with idle:
        done = top(idle.pid, "--json")
        assert done.returncode == 4
        assert "shows no pools" in done.stderr
    done = top("--json")
    assert done.returncode == 4
    assert "no process of yours" in done.stderr


def test_a_file_of_another_version_is_refused(folder):
    with Target() as target:
        (path,) = shown(folder)
        with path.open("r+b") as file:
            file.seek(8)
            file.write((7).to_bytes(4, "little"))
        done = top(target.pid, "--json")
        assert done.returncode == 6
        assert "version 7" in done.stderr


def test_a_file_of_another_user_is_refused(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    with Target() as target:
        (path,) = shown(folder)
        os.chown(path, 65534, 65534)
        done = top(target.pid, "--json")
        assert done.returncode == 5
        assert "belongs to user 65534" in done.stderr
        os.chown(path, 0, 0)
        os.chown(folder, 65534, 65534)
        done = top(target.pid, "--json")
        assert done.returncode == 5
        assert "belongs to user 65534" in done.stderr


def test_a_folder_that_cannot_be_used_is_no_failure(tmp_path):
    """The process runs on without a file and says so once, at DEBUG."""
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be", encoding="utf-8")
    code = """
    import logging, sys, time
    logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s", level=logging.DEBUG)
    from surefoot import AdaptiveThreadPoolExecutor
    said = []
    class Listen(logging.Handler):
        def emit(self, record):
            said.append(record)
    logging.getLogger("surefoot").addHandler(Listen())
    give_up = time.monotonic() + 60
    with AdaptiveThreadPoolExecutor(4) as pool, AdaptiveThreadPoolExecutor(4) as other:
        while not any("no snapshot" in record.getMessage() for record in said):
            assert time.monotonic() < give_up
            list(pool.map(time.sleep, [0.001] * 20))
            list(other.map(time.sleep, [0.001] * 20))
    """
    end = child.run_clean(code, env={"SUREFOOT_RUNTIME_DIR": str(taken)})
    assert next(line for line in end.lines if "no snapshot file" in line).startswith("DEBUG ")
    assert end.out.count("no snapshot file") == 1


def test_nothing_is_written_where_that_is_not_wanted(folder):
    with Target(SUREFOOT_NO_SNAPSHOT="1") as target:
        done = top(target.pid, "--json")
        assert done.returncode == 4
        assert target.end() == 0
    assert not folder.exists()


def test_a_short_program_never_makes_a_file(folder):
    code = """
    import surefoot
    with surefoot.AdaptiveThreadPoolExecutor(4) as pool:
        assert pool.submit(pow, 2, 3).result() == 8
    """
    child.run_clean(code)
    assert not folder.exists()


def test_a_forked_child_has_a_file_of_its_own(folder):
    code = """
    import os
    pid = os.fork()
    if pid == 0:
        def work():
            with AdaptiveThreadPoolExecutor(2, thread_name_prefix="grandchild") as own:
                for _ in range(5000):
                    list(own.map(time.sleep, [0.001] * 5))
                    for name in os.listdir(os.environ["SUREFOOT_RUNTIME_DIR"]):
                        if name.startswith(f"{os.getpid()}-"):
                            return 0
            return 1
        from surefoot import _core
        code = work()
        _core.end_snapshot(True)
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    """
    with Target(TARGET + "time.sleep(0.3)\n" + textwrap.dedent(code) + UNTIL_TOLD) as target:
        assert target.process.stdout.readline() == "0\n"
        left = files(folder)
        assert [path.name.partition("-")[0] for path in left] == [str(target.pid)], "the child's has gone"
        names = {pool["name"] for pool in once(target.pid)["pools"]}
        assert names == {"requests", "mailer"}, "the child never wrote to it"


def test_without_a_terminal_the_screen_says_what_to_do(folder):
    done = top(stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "--json" in done.stderr


class Tmux:
    """A terminal of 80 columns and 24 rows with one program in it."""

    def __init__(self, socket: Path, *command, **env):
        self._base = [program("tmux"), "-S", str(socket), "-f", "/dev/null", "-u"]
        words = [f"{name}={value}" for name, value in env.items()]
        self._do("new-session", "-d", "-x", "80", "-y", "24", "env", *words, *map(str, command))
        self._do("set", "-g", "remain-on-exit", "on")

    def _do(self, *arguments):
        return subprocess.run(
            [*self._base, *arguments], capture_output=True, text=True, timeout=HANG_S, check=True
        ).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._do("kill-server")

    def screen(self):
        return self._do("capture-pane", "-p")

    def press(self, *keys):
        self._do("send-keys", *keys)

    def resize(self, columns, rows):
        self._do("resize-window", "-x", str(columns), "-y", str(rows))

    def status(self):
        """The exit code of the program; ``None`` while it runs."""
        # tmux 3.3 now and then forgets what a pane ended with.
        ended = self.note.with_suffix(".ended")
        return int(ended.read_text(encoding="utf-8")) if ended.exists() else None

    def await_text(self, *texts):
        eventually(lambda: all(text in self.screen() for text in texts), f"{texts} on the screen")
        return self.screen()


@pytest.fixture
def screen(tmp_path, folder):
    """Open `surefoot top` in a terminal."""
    if program("tmux") is None:
        pytest.skip("tmux is not installed")
    opened = []

    def show(*arguments, **env):
        command = [sys.executable, "-m", "surefoot", "top", *arguments, "--interval-s", "0.1"]
        env = {"LC_ALL": "C.UTF-8", "SUREFOOT_RUNTIME_DIR": str(folder), **env}
        # The command after it notes whether the terminal was given back as it was.
        note = tmp_path / f"stty-{len(opened)}"
        script = '"$@"; code=$?; stty -a >"$0"; echo $code >"$0.new"; mv "$0.new" "$0.ended"'
        shell = ["sh", "-c", script, note]
        opened.append(Tmux(tmp_path / f"tmux-{len(opened)}", *shell, *command, **env))
        opened[-1].note = note
        return opened[-1]

    yield show
    for terminal in opened:
        terminal.__exit__()


def given_back(terminal, code):
    eventually(lambda: terminal.status() is not None, "the end of surefoot top")
    assert terminal.status() == code, terminal.screen()
    settings = terminal.note.read_text(encoding="utf-8").split()
    assert {"icanon", "echo", "isig"} <= set(settings), "the terminal reads lines again"
    assert "requests" not in terminal.screen(), "what was on the screen is gone"


def test_the_screen_shows_pools_and_obeys_keys(folder, screen):
    with Target() as target:
        shown(folder)
        terminal = screen()
        text = terminal.await_text("requests", "mailer", "2 pools", "last decisions", "q quit")
        assert f" {target.pid}  python" in text
        assert "▶ requests" in text
        assert "cpu" in text
        terminal.press("Down")
        terminal.await_text("▶ mailer", "the limit of this pool is fixed")
        terminal.press("p")
        terminal.await_text("paused")
        terminal.press("p", "?")
        terminal.await_text("waiting for the interpreter")
        terminal.press("?")
        terminal.resize(120, 30)
        terminal.await_text("where the time goes")
        terminal.press("q")
        given_back(terminal, 0)


def test_the_screen_says_when_the_process_was_killed(folder, screen):
    with Target() as target:
        shown(folder)
        terminal = screen(str(target.pid), NO_COLOR="1", LC_ALL="C")
        terminal.await_text("> requests", "last decisions")
        assert terminal.screen().isascii()
        target.process.kill()
        target.process.wait()
        terminal.await_text(f"process {target.pid} has ended", "> requests")
        terminal.press("C-c")
        given_back(terminal, 130)


def test_a_list_of_processes_and_a_signal(folder, screen):
    with Target() as first, Target() as second:
        eventually(lambda: len(files(folder)) == 2, "both files")
        terminal = screen()
        terminal.await_text("processes with pools", str(first.pid), str(second.pid))
        terminal.press("Down", "Enter")
        terminal.await_text("last decisions", str(max(first.pid, second.pid)))
        terminal.press("Escape")
        terminal.await_text("processes with pools")
        shell = int(terminal._do("display-message", "-p", "#{pane_pid}"))
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split()
        os.kill(int(children[0]), signal.SIGTERM)
        given_back(terminal, 143)


def test_garbage_in_the_file_is_survived(folder):
    """Whoever may write the file is its owner; what is in it never brings the reader down."""
    with Target() as target:
        (path,) = shown(folder)
        with path.open("r+b") as file:
            file.seek(4 * 4096)
            file.write(os.urandom(29 * 4096))
        line = once(target.pid)
        assert line["pid"] == target.pid
        with path.open("r+b") as file:
            file.truncate(5000)
        assert once(target.pid)["pid"] == target.pid
        assert target.end() == 0, "the writer survives that, too"
