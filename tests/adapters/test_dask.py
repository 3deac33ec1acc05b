"""Adaptive threads in the workers of a real cluster: two worker processes, real sockets."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="distributed is not installed")

import dask
from distributed import Client, LocalCluster

import child
import kinds
from patience import HANG_S, eventually

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1"),
    # Of distributed and tornado themselves, on newer interpreters and while a cluster closes.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

THREADS = 3


@pytest.fixture(scope="module")
def tasks():
    """The module of tasks, importable here and in the workers, which inherit the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.setenv("PYTHONPATH", str(HERE), prepend=":")
        import dask_tasks

        yield dask_tasks
    sys.modules.pop("dask_tasks", None)


@pytest.fixture(scope="module")
def client(tasks):
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=THREADS,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def adaptive(client, tasks):
    from surefoot.adapters.dask import AdaptiveThreadsPlugin

    client.register_plugin(AdaptiveThreadsPlugin(max_workers=40))
    yield client
    client.unregister_worker_plugin("surefoot")
    # Everything is as it was.
    assert {(pool["class"], pool["nthreads"]) for pool in client.run(tasks.pool_of).values()} == {
        ("ThreadPoolExecutor", THREADS)
    }
    eventually(lambda: set(client.nthreads().values()) == {THREADS}, "the scheduler's number is back")
    assert client.submit(tasks.add, 1, 2, pure=False).result(HANG_S) == 3


def test_slots_follow_the_limit_in_workers_and_scheduler(adaptive, tasks):
    names = adaptive.gather(adaptive.map(tasks.nap, [0.1] * 200, pure=False))
    assert all("Dask-Adaptive-Threads" in name for name in names)
    pools = adaptive.run(tasks.pool_of)
    for pool in pools.values():
        assert pool["cap"] == 40
        assert pool["limit"] > THREADS
        assert pool["limit"] < pool["nthreads"] <= 2 * pool["limit"] + 1
    eventually(
        lambda: (
            adaptive.nthreads()
            == {address: pool["nthreads"] for address, pool in adaptive.run(tasks.pool_of).items()}
        ),
        "the scheduler knows the workers' slots",
    )

    def is_sound(dask_scheduler):
        """Whether the sums that the scheduler keeps are those of its workers."""
        threads = sum(worker.nthreads for worker in dask_scheduler.workers.values())
        hosts = sum(host["nthreads"] for host in dask_scheduler.host_info.values())
        return (
            threads == hosts == dask_scheduler.total_nthreads == dask_scheduler.total_nthreads_history[-1][1]
        )

    assert adaptive.run_on_scheduler(is_sound)


def test_results_errors_and_dependencies(adaptive, tasks):
    with pytest.raises(LookupError, match="as asked"):
        adaptive.submit(tasks.fail).result(HANG_S)
    total = dask.delayed(sum)([dask.delayed(tasks.add)(i, i) for i in range(100)])
    assert adaptive.compute(total).result(HANG_S) == 9900


@pytest.mark.parametrize(
    "name", ["fibonacci_seceding", "fibonacci_with_worker_client", "fibonacci_without_a_word"]
)
def test_tasks_that_wait_for_tasks(adaptive, tasks, name):
    assert adaptive.submit(getattr(tasks, name), 8, pure=False).result(HANG_S) == 21
    # Each is counted again when it has ended.
    eventually(lambda: {pool["joining"] for pool in adaptive.run(tasks.pool_of).values()} == {0})


def test_who_secedes_and_never_comes_back_is_counted_again(adaptive, tasks):
    assert adaptive.gather(adaptive.map(tasks.secede_and_forget, range(50), pure=False)) == list(range(50))
    eventually(lambda: {pool["joining"] for pool in adaptive.run(tasks.pool_of).values()} == {0})


def test_a_chain_longer_than_the_cap_ends(adaptive, tasks):
    # Dask's own threads that secede are bounded by nothing.
    worker = next(iter(adaptive.nthreads()))
    assert adaptive.submit(tasks.chain, 60, pure=False, workers=[worker]).result(HANG_S) == 60


def test_actors_and_other_executors_are_left_alone(adaptive, tasks):
    counter = adaptive.submit(tasks.Counter, actor=True).result(HANG_S)
    number, thread = counter.increment().result()
    assert number == 1
    assert "Dask-Actor-Threads" in thread

    def add_executor(dask_worker):
        dask_worker.executors["mine"] = ThreadPoolExecutor(1, thread_name_prefix="mine")

    def remove_executor(dask_worker):
        dask_worker.executors.pop("mine").shutdown()

    adaptive.run(add_executor)
    with dask.annotate(executor="mine"):
        name = dask.delayed(tasks.nap)(0.0)
    assert adaptive.compute(name, optimize_graph=False).result(HANG_S).startswith("mine")
    adaptive.run(remove_executor)


def test_a_worker_that_comes_later_gets_it_too(adaptive, tasks):
    adaptive.cluster.scale(3)
    adaptive.wait_for_workers(3, timeout=HANG_S)
    eventually(
        lambda: (
            [pool["class"] for pool in adaptive.run(tasks.pool_of).values()]
            == ["_SecedingThreadPoolExecutor"] * 3
        )
    )
    adaptive.cluster.scale(2)
    eventually(lambda: len(adaptive.nthreads()) == 2)
    eventually(
        lambda: len(adaptive.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.workers))) == 2
    )


def test_an_executor_of_ones_own_stays():
    end = child.run(
        """
        from concurrent.futures import ThreadPoolExecutor
        from distributed import Client, LocalCluster
        from surefoot.adapters.dask import AdaptiveThreadsPlugin

        own = ThreadPoolExecutor(2)
        options = dict(n_workers=1, processes=False, dashboard_address=None, protocol="tcp")
        with LocalCluster(executor=own, **options) as cluster, Client(cluster) as client:
            client.register_plugin(AdaptiveThreadsPlugin())
            assert cluster.workers[0].executor is own
            print(client.submit(sum, [1, 2]).result())
        """
    )
    assert end.code == 0, str(end)
    assert end.lines == ["3"], str(end)


def test_switched_off_it_changes_nothing():
    end = child.run(
        """
        from distributed import Client, LocalCluster
        from surefoot.adapters.dask import AdaptiveThreadsPlugin

        options = dict(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            client.register_plugin(AdaptiveThreadsPlugin())
            print(client.submit(sum, [1, 2]).result(), *client.nthreads().values())
        """,
        env={"SUREFOOT_DISABLE": "1"},
    )
    assert end.code == 0, str(end)
    assert end.lines == ["3 2"], str(end)
