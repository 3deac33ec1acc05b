"""`surefoot.install()` in a FastAPI application under uvicorn, over real sockets."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from patience import eventually

pytest.importorskip("fastapi", reason="fastapi is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip(
    "python_multipart", reason="python-multipart, which FastAPI's uploads need, is not installed"
)
httpx = pytest.importorskip("httpx", reason="httpx is not installed")

LIMIT_S = 60.0
HERE = Path(__file__).parent


class Server:
    """A uvicorn that serves `fastapi_application`, in its own process."""

    def __init__(self, *options, env=None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "fastapi_application:app", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--no-access-log", *options],
            cwd=HERE,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=LIMIT_S, limits=limits, trust_env=False
        )

    def __enter__(self):
        give_up = time.monotonic() + LIMIT_S
        while True:
            try:
                self.client.get("/stats")
                return self
            except httpx.TransportError:
                assert self.process.poll() is None, self.process.communicate()[0]
                assert time.monotonic() < give_up, "the server does not answer"
                time.sleep(0.02)

    def __exit__(self, *_):
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def get(self, path, **headers):
        headers = {"connection": "close", **headers} if path == "/broken" else headers
        return self.client.get(path, headers={name.replace("_", "-"): text for name, text in headers.items()})

    def get_many(self, path, count):
        with concurrent.futures.ThreadPoolExecutor(count) as clients:
            return list(clients.map(lambda _: self.get(path), range(count)))

    def stop(self):
        """Ask it to end, as a process manager does, and return what it said."""
        self.process.send_signal(signal.SIGTERM)
        try:
            out, _ = self.process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            pytest.fail("the server does not end")
        return out


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request):
    if request.param == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed")
    with Server("--loop", request.param) as running:
        yield running


disabled = os.environ.get("SUREFOOT_DISABLE") == "1"


def test_synchronous_endpoints_run_on_the_pool(server):
    said = server.get("/thread", x_caller="me").json()
    assert said["mode"] == ("absent" if disabled else "pool")
    assert said["ours"] is not disabled
    assert said["caller"] == "me"
    if not disabled:
        assert said["name"].startswith("surefoot_")


def test_answers_are_the_application_s(server):
    assert server.get("/missing").status_code == 404
    assert server.get("/call-back").json() == {"loop": "MainThread"}
    assert server.client.post("/upload", files={"file": b"x" * 2_000_000}).json() == {"bytes": 2_000_000}
    lines = server.get("/stream").text.splitlines()
    assert [line.split()[0] for line in lines] == list("01234")
    assert server.get("/background").json() == {"done": True}
    eventually(lambda: server.get("/noted").json() == ["done"], "the background task did not run")
    # The last: uvicorn closes the connection after an error of the application's.
    assert server.get("/broken").status_code == 500


def test_dependencies_that_hold_what_others_wait_for(server):
    """Sixty requests for three connections, which are given back only by requests that get a thread."""
    assert [answer.status_code for answer in server.get_many("/database", 60)] == [200] * 60


def test_more_requests_that_wait_for_each_other_than_anyio_has_tokens(server):
    if disabled:
        pytest.skip("with anyio's 40 tokens they wait for ever")
    places = [answer.json()["place"] for answer in server.get_many("/meet", 60)]
    assert sorted(places) == list(range(60))


def test_endpoints_are_counted_by_name(server):
    if disabled:
        pytest.skip("nothing is counted with SUREFOOT_DISABLE=1")
    server.get("/thread")
    read = server.get("/stats").json()
    assert "fastapi_application.thread" in read["functions"]
    assert read["done"] > 0


def test_a_number_of_tokens_that_the_application_chose_is_kept():
    with Server(env={"TOKENS": "2"}) as server:
        assert server.get("/stats").json()["tokens"] == 2
        assert [answer.status_code for answer in server.get_many("/thread", 20)] == [200] * 20


def test_it_ends_when_told_to():
    with Server() as server:
        server.get_many("/thread", 10)
        assert "lifespan ended" in server.stop()


def test_several_processes():
    with Server("--workers", "2") as server:
        pids = {answer.json()["pid"] for _ in range(20) for answer in [server.get("/thread")]}
        assert all(server.get("/thread").json()["ours"] is not disabled for _ in range(5))
        assert pids
        server.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_switched_off_it_is_as_without():
    with Server(env={"SUREFOOT_DISABLE": "1"}) as server:
        said = server.get("/thread", x_caller="me").json()
        assert (said["ours"], said["mode"], said["caller"]) == (False, "absent", "me")
        assert said["name"] == "AnyIO worker thread"
        assert server.get("/stats").json()["tokens"] == 40
