"""The Celery pool in a real worker, on a real Redis."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("celery", reason="Celery is not installed")
pytest.importorskip("redis", reason="redis is not installed")

import debian
import kinds
from patience import HANG_S

HERE = Path(__file__).parent
POOL = "surefoot.adapters.celery:TaskPool"

pytestmark = [
    pytest.mark.skipif(debian.program("redis-server") is None, reason="redis-server is not installed"),
    pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1"),
    # Celery's and kombu's own, on newer interpreters.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    folder = tmp_path_factory.mktemp("redis")
    server = subprocess.Popen(
        [debian.program("redis-server"), *options, "--dir", folder], stdout=subprocess.DEVNULL
    )
    try:
        _until(lambda: _is_open(port), "Redis")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def _is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _until(is_so, what):
    deadline = time.monotonic() + HANG_S
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def app(redis_url):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_REDIS_URL", redis_url)
        patch.syspath_prepend(str(HERE))
        import celery_app

        yield celery_app
        # Results are in cycles, and unsubscribe when they go: now, not when Redis is gone.
        gc.collect()
        celery_app.app.close()
    sys.modules.pop("celery_app", None)


class Worker:
    """A `celery worker` process."""

    def __init__(self, redis_url, app, log, *options, **environment):
        self.app = app
        self.log = log
        command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "celery_app", "worker", "-P"]
        command += ["custom", "-l", "INFO", "--without-mingle", "--without-gossip", *options]
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                command,
                cwd=HERE,
                env={
                    **os.environ,
                    "TEST_REDIS_URL": redis_url,
                    "CELERY_CUSTOM_WORKER_POOL": POOL,
                    "C_FORCE_ROOT": "1",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def stats(self):
        (answer,) = self.ask("stats").values()
        return answer

    def ask(self, question):
        def answer():
            assert self.process.poll() is None, "the worker is gone"
            return getattr(self.app.app.control.inspect(timeout=1, limit=1), question)()

        return _until(answer, "an answer of the worker")

    def await_ready(self):
        self.ask("ping")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(HANG_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.app.app.control.purge()
        if kind is not None:
            print(self.log.read_text())


@pytest.fixture
def worker(redis_url, app, tmp_path):
    def start(*options, **environment):
        return Worker(redis_url, app, tmp_path / "worker.log", *options, **environment)

    return start


def all_of(results):
    return [result.get(HANG_S) for result in results]


class TestNothingConfigured:
    @pytest.fixture(scope="class")
    def plain(self, redis_url, app, tmp_path_factory):
        """A worker with nothing configured, for the tests that leave it as it was."""
        with Worker(redis_url, app, tmp_path_factory.mktemp("plain") / "worker.log") as running:
            running.await_ready()
            yield running

    def test_tasks_run_in_threads_of_ours_and_answer_through_the_broker(self, plain, app):
        assert app.add.delay(1, 2).get(HANG_S) == 3
        with pytest.raises(LookupError, match="as asked"):
            app.fail.delay().get(HANG_S)
        assert app.retried.delay().get(HANG_S) == 1
        sent = app.context.delay()
        task_id, name, thread = sent.get(HANG_S)
        assert (task_id, name) == (sent.id, "celery_app.context")
        assert thread.startswith("surefoot-celery")

    def test_links_groups_and_chords_work(self, plain, app):
        from celery import chord, group

        linked = app.add.apply_async((1, 2), link=app.add.s(4))
        assert linked.get(HANG_S) == 3
        assert [child.get(HANG_S) for child in linked.children] == [7]
        assert group(app.add.s(i, i) for i in range(20)).delay().get(HANG_S) == [2 * i for i in range(20)]
        summed = chord([app.add.s(i, 0) for i in range(3)], app.total.s()).delay()
        assert summed.get(HANG_S) == 3
        assert app.add.apply_async((2, 2), countdown=0.1).get(HANG_S) == 4

    def test_the_limit_grows_past_the_cores_though_nothing_was_configured(self, plain, app):
        # Each waits for 23 others: the pool must come to see that tasks wait, and the consumer fetch them.
        assert len(set(all_of([app.meet.delay() for _ in range(24)]))) == 24
        pool = plain.stats()["pool"]
        assert pool["implementation"] == POOL
        assert pool["limit"] >= 24
        assert pool["max-concurrency"] > pool["limit"]
        assert pool["tasks"]["celery_app.meet"]["tasks"] == 24
        assert pool["decisions"]
        _until(
            lambda: (stats := plain.stats())["prefetch_count"] >= 4 * stats["pool"]["limit"],
            "more messages for more threads",
        )

    def test_time_limits_are_not_enforced_as_in_celerys_threads(self, plain, app):
        assert app.nap.apply_async((0.5,), time_limit=0.1).get(HANG_S) == 0.5

    def test_a_task_that_asks_for_the_end_does_not_end_the_worker(self, plain, app):
        app.leave.delay()
        assert app.add.delay(1, 2).get(HANG_S) == 3
        assert plain.process.poll() is None


def test_late_acks_with_one_message_a_thread_do_not_starve_the_pool(worker, app):
    # Then what runs counts as fetched, and nothing would ever be seen waiting.
    with worker("--prefetch-multiplier", "1") as running:
        assert set(all_of([app.nap.delay(0.2) for _ in range(100)])) == {0.2}
        assert running.stats()["pool"]["limit"] > 12


def test_concurrency_is_the_cap_which_can_be_moved_from_outside(worker, app):
    with worker("-c", "3") as running:
        assert set(all_of([app.nap.delay(0.01) for _ in range(30)])) == {0.01}
        pool = running.stats()["pool"]
        assert pool["max-concurrency"] == 3
        assert pool["threads"] <= 3
        app.app.control.pool_grow(4, reply=True, limit=1)
        assert running.stats()["pool"]["max-concurrency"] == 7
        app.app.control.pool_shrink(6, reply=True, limit=1)
        assert running.stats()["pool"]["max-concurrency"] == 1
        # Revoked while it waits: it never runs.
        first, second = app.nap.delay(0.5), app.add.delay(1, 2)
        app.app.control.revoke(second.id, reply=True, limit=1)
        assert first.get(HANG_S) == 0.5
        from celery.exceptions import TaskRevokedError

        with pytest.raises(TaskRevokedError):
            second.get(HANG_S)


def test_autoscale_moves_the_cap(worker, app):
    with worker("--autoscale", "9,2", AUTOSCALE_KEEPALIVE="0.2") as running:
        tasks = [app.nap.delay(0.3) for _ in range(40)]
        _until(lambda: running.stats()["pool"]["max-concurrency"] == 9, "scaling up")
        assert set(all_of(tasks)) == {0.3}
        _until(lambda: running.stats()["pool"]["max-concurrency"] == 2, "scaling down")


def test_a_warm_shutdown_lets_tasks_end_and_returns_what_waits(worker, app):
    with worker("-c", "2") as running:
        ending = [app.nap.delay(2.0) for _ in range(2)]
        _until(lambda: running.stats()["pool"]["busy"] == 2, "the tasks' start")
        waiting = [app.nap.delay(0.01) for _ in range(4)]
        _until(lambda: running.stats()["pool"]["waiting"] == 4, "the others' arrival")
        running.process.terminate()
        assert running.process.wait(HANG_S) == 0
        assert all_of(ending) == [2.0, 2.0]
        assert not any(task.ready() for task in waiting)
        with worker("-c", "2"):
            assert all_of(waiting) == [0.01] * 4


def test_a_cold_shutdown_returns_what_waits(worker, app):
    with worker("-c", "1") as running:
        app.nap.delay(1.5)
        _until(lambda: running.stats()["pool"]["busy"] == 1, "the task's start")
        waiting = [app.add.delay(1, 2) for _ in range(2)]
        _until(lambda: running.stats()["pool"]["waiting"] == 2, "the others' arrival")
        running.process.send_signal(signal.SIGQUIT)
        # With which code depends on where the signal finds the main thread, as with Celery's own threads: it
        # stumbles over a task that cannot be killed.
        running.process.wait(HANG_S)
        assert not any(task.ready() for task in waiting)
        with worker("-c", "1"):
            assert all_of(waiting) == [3, 3]


def test_a_lost_connection_runs_once_what_waited(worker, app, redis_url):
    import redis

    with worker("-c", "1") as running, contextlib.closing(redis.Redis.from_url(redis_url)) as admin:
        admin.delete("counted")
        first = app.nap.delay(2.0)
        _until(lambda: running.stats()["pool"]["busy"] == 1, "the task's start")
        # Four are fetched for one thread, and what runs is one of them: its ack comes late.
        tasks = [app.count.delay() for _ in range(3)]
        _until(lambda: running.stats()["pool"]["waiting"] == 3, "the others' arrival")
        for client in admin.client_list():
            if "b" in client["flags"]:  # blocked: the worker, which waits for messages
                admin.client_kill(client["addr"])
        assert first.get(HANG_S) == 2.0
        all_of(tasks)
        # All that there is has run once this has: the only thread takes them in order.
        assert app.add.delay(1, 2).get(HANG_S) == 3
        assert int(admin.get("counted")) == 3


def test_switched_off_it_is_a_pool_of_threads(worker, app):
    with worker("-c", "3", SUREFOOT_DISABLE="1") as running:
        assert app.add.delay(1, 2).get(HANG_S) == 3
        assert running.stats()["pool"]["max-concurrency"] == 3
