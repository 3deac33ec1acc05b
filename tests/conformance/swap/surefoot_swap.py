"""Puts another executor and another future in the standard library's place, for CPython's own tests.

A `.pth` file of the harness imports this module at the start of every process in which the environment
variable `SUREFOOT_TEST_SWAP` is set: also of the `python -I` children that some of CPython's tests start,
which neither PYTHONPATH nor anything done by their parent can reach. So the swap happens before any test
module can take a reference to the standard class.

The value names what is put in:

- `surefoot`: our executor and our future, the ones under test;
- `fixed`: the same with the `fixed` controller;
- `standard`: the standard library's own, under the same names, which proves the harness;
- `forgetful`: a broken pair whose tasks are never called and whose futures deny having been cancelled, which
  proves that a failure is seen, in the process that runs the tests and in its children.
"""

from __future__ import annotations

import concurrent.futures
import concurrent.futures._base as base
import concurrent.futures.thread as thread
import contextlib
import os
import sys
import warnings

STANDARD_EXECUTOR = thread.ThreadPoolExecutor
STANDARD_FUTURE = base.Future

# The interpreter pool of 3.14 is a subclass of the standard class: it must keep its true base.
with contextlib.suppress(ImportError):
    import concurrent.futures.interpreter


def _surefoot(**defaults: object) -> tuple[type, type]:
    with warnings.catch_warnings():
        # A debug build says so on import. Children of some tests must leave stderr empty.
        warnings.filterwarnings("ignore", message="surefoot was built without optimisation")
        import surefoot

    # CPython's tests look the class up in `concurrent.futures` by its own name.
    class ThreadPoolExecutor(surefoot.AdaptiveThreadPoolExecutor):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**defaults, **kwargs})

    return ThreadPoolExecutor, surefoot.Future


def _fixed() -> tuple[type, type]:
    return _surefoot(controller="fixed")


def _standard() -> tuple[type, type]:
    class ThreadPoolExecutor(STANDARD_EXECUTOR):
        pass

    class Future(STANDARD_FUTURE):
        pass

    return ThreadPoolExecutor, Future


def _forgetful() -> tuple[type, type]:
    class ThreadPoolExecutor(STANDARD_EXECUTOR):
        def submit(self, fn, /, *args, **kwargs):
            return super().submit(lambda: None)

    class Future(STANDARD_FUTURE):
        def cancelled(self):
            return False

    return ThreadPoolExecutor, Future


CHOICES = {"surefoot": _surefoot, "fixed": _fixed, "standard": _standard, "forgetful": _forgetful}


def swap(choice: str) -> None:
    """Replaces the executor and the future in every module of `concurrent.futures` that names them."""
    executor_type, future_type = CHOICES[choice]()
    executor_type.__module__ = thread.__name__
    executor_type.__qualname__ = STANDARD_EXECUTOR.__qualname__
    for module in (concurrent.futures, thread):
        module.ThreadPoolExecutor = executor_type
    for module in (concurrent.futures, base):
        module.Future = future_type


def borrow(folder: str) -> None:
    """Puts a folder in front of the `test` package, for interpreters that came without the suites."""
    import test

    test.__path__.insert(0, folder)


if "SUREFOOT_TEST_BORROWED" in os.environ:
    borrow(os.environ["SUREFOOT_TEST_BORROWED"])
try:
    swap(os.environ["SUREFOOT_TEST_SWAP"])
except BaseException:
    # `site` would report the error and go on with the standard class, and the suite would pass for nothing.
    sys.excepthook(*sys.exc_info())
    sys.stderr.flush()
    os._exit(70)
