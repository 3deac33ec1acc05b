"""Which of CPython's own tests are run: its thread-pool and future tests, and asyncio's executor tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """A selection from one test module of CPython.

    Attributes:
        package: The part of the `test` package it belongs to.
        module: The module inside the package. `test_concurrent_futures` used to be a single module: there
            the patterns alone select.
        patterns: Patterns as of `python -m unittest -k`, of which a test must match one.
    """

    package: str
    module: str
    patterns: tuple[str, ...]


def _pool(module: str, *classes: str) -> Suite:
    return Suite("test_concurrent_futures", module, tuple(f"*.{name}.test*" for name in classes))


def _asyncio(module: str, *patterns: str) -> Suite:
    return Suite("test_asyncio", module, patterns)


SUITES = {
    "pool": _pool("test_thread_pool", "ThreadPoolExecutorTest"),
    "shutdown": _pool("test_shutdown", "ThreadPoolShutdownTest"),
    "wait": _pool("test_wait", "ThreadPoolWaitTest*"),
    "as_completed": _pool("test_as_completed", "ThreadPoolAsCompletedTest*"),
    "initializer": _pool("test_init", "ThreadPoolInitializerTest", "ThreadPoolFailingInitializerTest"),
    "future": _pool("test_future", "FutureTests"),
    "asyncio_events": _asyncio("test_events", "*run_in_executor*"),
    "asyncio_base_events": _asyncio("test_base_events", "*default_executor*", "*run_in_executor*"),
    "asyncio_threads": _asyncio("test_threads", "*"),
    "asyncio_tasks": _asyncio("test_tasks", "*.RunCoroutineThreadsafeTests.*"),
    "asyncio_futures": _asyncio("test_futures", "*wrap_future*"),
}
