"""Where the native pool cannot be had, or is not wanted, the class is the standard pool and says so once."""

from __future__ import annotations

import sys

import pytest

import child
import kinds

pytestmark = pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1")

LISTEN = """
import io, logging, sys
log = io.StringIO()
handler = logging.StreamHandler(log)
handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
logging.getLogger("surefoot").addHandler(handler)
"""

DISABLED = {"SUREFOOT_DISABLE": "1"}


def test_disabled(adaptive):
    code = """
    import concurrent.futures, queue
    every = dict(min_workers=2, controller="paper", interval_s=1.0, beta_threshold=0.5, idle_timeout_s=1.0)
    for kwargs in ({}, {"controller": "fixed"}, every):
        with Base(3, "prefix", **kwargs) as pool:
            assert isinstance(pool, concurrent.futures.ThreadPoolExecutor)
            assert "ThreadPoolExecutor" in type(pool).__name__
            future = pool.submit(pow, 2, 3)
            assert type(future) is concurrent.futures.Future
            assert future.result() == 8
            assert type(pool._work_queue) is queue.SimpleQueue
            assert pool.submit.__func__ is concurrent.futures.ThreadPoolExecutor.submit
            assert {t.name for t in pool._threads} <= {"prefix_0", "prefix_1"}
    import surefoot, importlib
    import surefoot
    assert Base is surefoot.AdaptiveThreadPoolExecutor
    for name in surefoot.__all__:
        getattr(surefoot, name)
    print(log.getvalue(), end="")
    """
    lines = child.run_clean(code, LISTEN, adaptive.source, env=DISABLED).lines
    assert len(lines) == 1
    assert lines[0].startswith("surefoot ")
    assert "SUREFOOT_DISABLE" in lines[0]


def test_disabled_and_asked_for_figures(adaptive):
    """A program that shows `stats()` goes on working under the kill switch."""
    code = """
    with Base(3) as pool:
        pool.submit(pow, 2, 3).result()
        assert pool.stats().cap == 3
        assert pool.decisions() == ()
        assert "<" in pool._repr_html_()
    """
    child.run_clean(code, adaptive.source, env=DISABLED)


def test_disabled_and_wrong_options(adaptive):
    code = """
    for wrong, error in (
        ({"interval_s": 0}, ValueError),
        ({"no_such_option": 1}, TypeError),
        ({"max_workers": 0}, ValueError),
    ):
        try:
            Base(**wrong)
        except error:
            print("refused")
    """
    assert child.run_clean(code, adaptive.source, env=DISABLED).lines == ["refused"] * 3


@pytest.mark.parametrize("value", ["", "0"])
def test_not_disabled(adaptive, value):
    code = """
    import concurrent.futures
    with Base(1) as pool:
        print(type(pool.submit(int)) is concurrent.futures.Future, log.getvalue() == "")
    """
    assert child.run_clean(code, LISTEN, adaptive.source, env={"SUREFOOT_DISABLE": value}).lines == [
        "False True"
    ]


def test_sub_interpreter(adaptive):
    """The extension cannot load there; the pool works all the same, and the main one stays native."""
    del adaptive
    inside = """
import io, logging, sys
log = io.StringIO()
handler = logging.StreamHandler(log)
logging.getLogger("surefoot").addHandler(handler)
import concurrent.futures, surefoot
from surefoot import AdaptiveThreadPoolExecutor
for _ in range(2):
    pool = AdaptiveThreadPoolExecutor(2, controller="fixed")
    future = pool.submit(pow, 2, 3)
    assert type(future) is concurrent.futures.Future
    assert future.result() == 8
    pool.shutdown()
print("inside", len(log.getvalue().strip().splitlines()), flush=True)
"""
    if sys.version_info >= (3, 14):
        run = (
            "from concurrent import interpreters\none = interpreters.create()\none.exec(INSIDE)\none.close()"
        )
    elif sys.version_info >= (3, 13):
        run = (
            "import _interpreters\none = _interpreters.create()\n"
            "print(*filter(None, [_interpreters.exec(one, INSIDE)]), end='')\n_interpreters.destroy(one)"
        )
    else:
        run = (
            "import _xxsubinterpreters as interpreters\none = interpreters.create(isolated=False)\n"
            "interpreters.run_string(one, INSIDE)\ninterpreters.destroy(one)"
        )
    code = f"""
import sys
INSIDE = {inside!r}
import surefoot
with surefoot.AdaptiveThreadPoolExecutor(1) as pool:
    pool.submit(int).result()
{run}
with surefoot.AdaptiveThreadPoolExecutor(1) as pool:
    print("outside", type(pool.submit(int)) is surefoot.Future, pool.submit(pow, 2, 3).result(), flush=True)
"""
    assert child.run_clean(code).lines == ["inside 1", "outside True 8"]


def test_one_version_however_it_is_found_out(adaptive):
    del adaptive
    code = "import surefoot, sys; print(surefoot.__version__, 'importlib.metadata' in sys.modules)"
    native, standard = (child.run_clean(code, env=env).lines for env in ({}, DISABLED))
    assert native[0].split()[0] == standard[0].split()[0]
    # It would take as long as all the rest of the import.
    assert native[0].split()[1] == "False"
