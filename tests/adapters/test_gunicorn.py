"""gunicorn with our worker class: real servers, real connections."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from patience import HANG_S, eventually

pytest.importorskip("gunicorn", reason="gunicorn is not installed")

pytestmark = pytest.mark.skipif(
    os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
)

APP = """
import json, threading
import surefoot

gate = threading.Event()
inside = threading.Semaphore(0)
waiting = [0]
lock = threading.Lock()

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/hold":
        with lock:
            waiting[0] += 1
        gate.wait(60)
        body = b"held"
    elif path == "/open":
        gate.set()
        body = b"opened"
    elif path == "/fail":
        raise ValueError("as it should")
    elif path == "/echo":
        body = environ["wsgi.input"].read()
    else:
        pools = [pool for pool in surefoot.pools() if pool._thread_name_prefix == "gunicorn"]
        stats = pools[0].stats()
        body = json.dumps({
            "pools": len(pools), "cap": stats.cap, "limit": stats.limit, "waiting": waiting[0],
            "queue": stats.queue_length, "class": type(pools[0]).__name__,
            "thread": threading.current_thread().name,
            "functions": list(stats.functions),
        }).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@contextlib.contextmanager
def serving(folder, *options, env=None):
    """A gunicorn with one worker process; its port."""
    (folder / "app.py").write_text(APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "gunicorn", "-k", "surefoot.adapters.gunicorn.AdaptiveThreadWorker"),
        *(
            "-b",
            f"127.0.0.1:{port}",
            "--chdir",
            str(folder),
            "--graceful-timeout",
            "20",
            "--no-control-socket",
            *options,
            "app:app",
        ),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}
        )
    try:

        def answers():
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return ask(port, "/") is not None
            except OSError:
                return False

        eventually(answers, "the server answers")
        yield port, process, folder / "log"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(HANG_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def ask(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def state(port):
    return json.loads(ask(port, "/")[1])


def test_requests_that_block_are_all_served_at_once(tmp_path):
    """Far more than the standard pool's default: the pool sees what waits, and grows."""
    with serving(tmp_path) as (port, process, log):
        before = state(port)
        assert before["class"] == "AdaptiveThreadPoolExecutor"
        assert before["thread"].startswith("gunicorn_")
        assert before["cap"] > 100, "without --threads the cap is the machine's"
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(ask(port, "/hold"))) for _ in range(60)]
        for client in clients:
            client.start()
        eventually(lambda: state(port)["waiting"] == 60, "all sixty are being served")
        ask(port, "/open")
        for client in clients:
            client.join()
        assert answers == [(200, b"held")] * 60
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0
        assert "Traceback" not in log.read_text()


def test_threads_is_the_cap(tmp_path):
    with serving(tmp_path, "--threads", "3") as (port, _process, _log):
        assert state(port)["cap"] == 3
        clients = [threading.Thread(target=ask, args=(port, "/hold")) for _ in range(2)]
        for client in clients:
            client.start()
        eventually(lambda: state(port)["waiting"] == 2)
        ask(port, "/open")
        for client in clients:
            client.join()
        assert ask(port, "/echo", b"x" * 100_000) == (200, b"x" * 100_000)
        assert ask(port, "/fail")[0] == 500


def test_connections_bound_the_cap_and_are_kept_alive(tmp_path):
    with serving(tmp_path, "--worker-connections", "20", "--keep-alive", "30") as (port, _process, _log):
        assert state(port)["cap"] == 20
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        for _ in range(5):
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            assert not answer.will_close
        connection.close()


def test_a_request_in_hand_is_finished_on_sigterm(tmp_path):
    with serving(tmp_path) as (port, process, _log):
        answers = []
        client = threading.Thread(target=lambda: answers.append(ask(port, "/hold")))
        client.start()
        eventually(lambda: state(port)["waiting"] == 1)
        opener = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        opener.request("GET", "/")
        opener.getresponse().read()
        process.send_signal(signal.SIGTERM)
        # A connection that is open already is served while the worker stops.
        opener.request("GET", "/open")
        assert opener.getresponse().read() == b"opened"
        opener.close()
        client.join()
        assert answers == [(200, b"held")]
        assert process.wait(HANG_S) == 0


def test_workers_are_replaced_and_none_hangs(tmp_path):
    # gunicorn's master waits this long if it is told to stop while it replaces a worker, whatever its class.
    options = ("--max-requests", "10", "--workers", "2", "--graceful-timeout", "2")
    with serving(tmp_path, *options) as (port, _process, log):
        deadline = time.monotonic() + HANG_S
        served = 0
        while served < 60 and time.monotonic() < deadline:
            with contextlib.suppress(OSError, http.client.HTTPException):
                served += ask(port, "/echo", b"x") == (200, b"x")
        assert served == 60
        assert log.read_text().count("Booting worker") > 2
        assert "CRITICAL" not in log.read_text()


def test_disabled_it_is_gunicorns_own_pool(tmp_path):
    with serving(tmp_path, "--threads", "4", env={"SUREFOOT_DISABLE": "1"}) as (port, _process, _log):
        assert state(port)["cap"] == 4
        assert ask(port, "/echo", b"y") == (200, b"y")
