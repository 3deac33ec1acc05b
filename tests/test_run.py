"""`surefoot run` leaves a program's output, errors and exit code alone, and makes its pools adaptive."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import zipfile

import pytest

import kinds
from child import LIMIT_S
from surefoot.profile.record import Profile

pytestmark = pytest.mark.skipif(kinds.STANDARD_ONLY, reason="SUREFOOT_TEST_STANDARD_ONLY=1")

RUN = ("-m", "surefoot", "run")


def python(words, folder, env=None, stdin="", flags=()):
    # Only what is written to the end counts: a report of reference counts or timings would differ anyhow.
    return subprocess.run(
        [sys.executable, *flags, *words],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def same(words, folder, *options, env=None, stdin="", flags=()):
    """Run words with python and with surefoot; require the same end, and return it."""
    plain = python(words, folder, env, stdin, flags)
    ours = python([*RUN, *options, *words], folder, env, stdin, flags)
    assert ours.stdout == plain.stdout
    assert ours.stderr == plain.stderr
    assert ours.returncode == plain.returncode
    return ours


@pytest.fixture
def program(tmp_path):
    def write(source, name="program.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), "utf-8")
        return name

    return write


FUTURES = """
    import sys, threading
    from concurrent.futures import ThreadPoolExecutor, as_completed, wait
    import concurrent.futures.thread

    def work(n):
        return n * n, threading.current_thread().name.rpartition("_")[0]

    with ThreadPoolExecutor(max_workers=4) as pool:
        print(sorted(pool.map(work, range(50)))[:3], sys.argv[1:])
        print(len(list(as_completed([pool.submit(work, n) for n in range(50)]))))
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as pool:
        print(pool.submit(work, 3).result(), type(pool), pool._max_workers)
        print(isinstance(pool, concurrent.futures.ThreadPoolExecutor), repr(ThreadPoolExecutor))
    try:
        pool.submit(work, 1)
    except RuntimeError as error:
        print(error)
"""

TO_THREAD = """
    import asyncio, threading

    async def main():
        loop = asyncio.get_running_loop()
        print(await asyncio.gather(*(asyncio.to_thread(pow, n, 2) for n in range(20))))
        print(await loop.run_in_executor(None, lambda: threading.current_thread().name.split("_")[0]))
        print(len(await loop.getaddrinfo("127.0.0.1", 80)) > 0)

    asyncio.run(main())
"""

SUBCLASS = """
    import contextvars, functools, threading, weakref
    from concurrent import futures
    from concurrent.futures import ThreadPoolExecutor

    class Contextual(ThreadPoolExecutor):
        def submit(self, fn, *args, **kwargs):
            return super().submit(functools.partial(contextvars.copy_context().run, fn), *args, **kwargs)

    class Odd(futures.thread.ThreadPoolExecutor):
        def __init__(self, name, /, size, *, colour):
            ThreadPoolExecutor.__init__(self, size, thread_name_prefix=name)
            self.colour = colour

    class Watching(ThreadPoolExecutor):
        def _adjust_thread_count(self):
            print("asked for", len(self._threads))
            super()._adjust_thread_count()

    class Meta(type):
        pass

    class Singleton(ThreadPoolExecutor, metaclass=Meta):
        pass

    var = contextvars.ContextVar("var")
    var.set(7)
    with Contextual(3) as pool:
        print(pool.submit(var.get).result(), pool._thread_name_prefix)
    with Odd("odd", 2, colour="red") as pool:
        print(pool.submit(lambda: threading.current_thread().name).result(), pool.colour, Odd.__mro__[1])
        print(isinstance(pool, ThreadPoolExecutor), issubclass(Odd, futures.Executor))
    with Watching() as pool:
        print(pool.submit(pow, 2, 3).result(), pool._max_workers)
    with Singleton(1) as pool:
        print(pool.submit(pow, 2, 4).result(), type(Singleton).__name__)
"""

UNHANDLED = """
    import atexit
    from concurrent.futures import ThreadPoolExecutor
    atexit.register(print, "at exit")

    def fail():
        raise ValueError("on purpose")

    def main():
        with ThreadPoolExecutor(2) as pool:
            pool.submit(pow, 2, 3).result()
            try:
                fail()
            except ValueError as error:
                raise RuntimeError("and then") from error

    if __name__ == "__main__":
        main()
"""

HOOKS = """
    import atexit, sys
    def hook(kind, error, traceback):
        print(kind.__name__, error, traceback.tb_frame.f_code.co_name, sys.excepthook is hook)
    sys.excepthook = hook
    def last():
        print(sys.last_type.__name__, sys.excepthook is hook, sys.last_traceback.tb_lineno)
    atexit.register(last)
    1 / 0
"""

SPAWN = """
    import concurrent.futures, multiprocessing, sys

    class Thing:
        pass

    def work(thing):
        return type(thing).__module__, type(thing).__name__, sys.argv[1:]

    if __name__ == "__main__":
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            print(pool.map(work, [Thing()]))
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            print(pool.submit(work, Thing()).result())
        print(pool.submit.__self__ is pool)
"""

SHOW = """
    '''Its documentation.'''
    from __future__ import annotations
    import sys
    for name, value in sorted(globals().copy().items()):
        if name.startswith("__"):
            print(name, "module" if name == "__builtins__" else repr(value).partition(" object at")[0])
    import __main__
    print(__main__.__dict__ is globals(), sys.modules["__main__"] is __main__, sys.argv, sys.path[0])
    def f(x: not_evaluated): pass
    print(f.__annotations__)
"""


@pytest.mark.parametrize("options", [(), ("--no-install",), ("--controller", "fixed")], ids=" ".join)
@pytest.mark.parametrize("source", [FUTURES, TO_THREAD, SUBCLASS], ids=["futures", "to_thread", "subclass"])
def test_programs(program, tmp_path, source, options):
    end = same([program(source), "one", "--two", "-h"], tmp_path, *options)
    assert end.returncode == 0, end.stderr
    assert end.stdout


def test_exit_codes(program, tmp_path):
    for argument, code in (("3", 3), ("'gone'", 1), ("None", 0), ("", 0), ("[1]", 1), ("-1", 255)):
        assert same(["-c", f"import sys; sys.exit({argument})"], tmp_path).returncode == code
    name = program("import os, atexit; atexit.register(print, 'never'); print('x', flush=True); os._exit(4)")
    assert same([name], tmp_path).returncode == 4


def test_unhandled_exception(program, tmp_path):
    end = same([program(UNHANDLED)], tmp_path)
    assert end.returncode == 1
    assert end.stdout == "at exit\n"
    assert "and then" in end.stderr


def test_unhandled_exception_of_a_module(program, tmp_path):
    program(UNHANDLED, "package/__main__.py")
    end = same(["-m", "package"], tmp_path)
    assert end.returncode == 1
    assert "_run_module_as_main" in end.stderr


def test_hooks_see_the_program_only(program, tmp_path):
    end = same([program(HOOKS)], tmp_path)
    assert end.stdout == "ZeroDivisionError division by zero <module> True\nZeroDivisionError True 9\n"


def test_syntax_errors(program, tmp_path):
    assert same([program("x = 1\nif x\n")], tmp_path).returncode == 1
    assert same(["-c", "if x"], tmp_path).returncode == 1
    # Not known: which line of the interpreter's own says so.
    program("if x\n", "package/__main__.py")
    assert same(["-m", "package"], tmp_path).returncode == 1


@pytest.mark.parametrize("how", ["script", "module"])
def test_keyboard_interrupt(program, tmp_path, how):
    program("import atexit\natexit.register(print, 'at exit')\nraise KeyboardInterrupt")
    end = same(["program.py"] if how == "script" else ["-m", "program"], tmp_path)
    assert end.returncode == -signal.SIGINT
    assert end.stdout == "at exit\n"


@pytest.mark.parametrize("flags", [(), ("-I",), ("-O", "-W", "error", "-X", "utf8")], ids=" ".join)
@pytest.mark.parametrize(
    "how", ["script", "relative", "absolute", "link", "folder", "zip", "pyc", "module", "code", "-"]
)
def test_main_is_as_python_makes_it(program, tmp_path, how, flags):
    program(SHOW, "inside/show.py")
    program(SHOW, "package/__main__.py")
    program("", "package/__init__.py")
    words = {
        "script": ["inside/show.py"],
        "relative": ["./inside/../inside/show.py"],
        "absolute": [str(tmp_path / "inside" / "show.py")],
        "link": ["link.py"],
        "folder": ["package"],
        "zip": ["archive.zip"],
        "pyc": ["show.pyc"],
        "module": ["-m", "package"],
        "code": ["-c", textwrap.dedent(SHOW)],
        "-": ["-"],
    }[how]
    if how == "link":
        (tmp_path / "link.py").symlink_to(tmp_path / "inside" / "show.py")
    if how == "zip":
        with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
            archive.write(tmp_path / "package" / "__main__.py", "__main__.py")
    if how == "pyc":
        import py_compile

        py_compile.compile(str(tmp_path / "inside" / "show.py"), str(tmp_path / "show.pyc"), "show.py")
    if how == "module" and "-I" in flags:
        pytest.skip("python -I does not look for modules here")
    if "-I" in flags:
        # Neither finds its own package here; what is installed is found.
        flags = ("-I",)
    end = same([*words, "a", "-b"], tmp_path, stdin=textwrap.dedent(SHOW) if how == "-" else "", flags=flags)
    assert end.returncode == 0, end.stderr
    assert "__name__ '__main__'" in end.stdout


def test_joined_options_as_python_takes_them(program, tmp_path):
    program("import sys; print(sys.argv[1:])")
    assert same(["-mprogram", "x"], tmp_path).stdout == "['x']\n"
    assert same(["-cimport sys; print(sys.argv)", "-c", "x"], tmp_path).stdout == "['-c', '-c', 'x']\n"


def test_indented_code_and_its_traceback(tmp_path):
    same(["-c", "  print(1)\n  1/0"], tmp_path)
    same(["-c", "def f():\n    1/0\nf()"], tmp_path)
    same(["-"], tmp_path, stdin="def f():\n    1/0\nf()")


def test_a_missing_module(tmp_path):
    end = same(["-m", "no_such_module"], tmp_path)
    assert end.returncode == 1


def test_input_is_the_programs(program, tmp_path):
    end = same(
        [program("print(input('? ')[::-1]); import sys; print(sys.stdin.read())")],
        tmp_path,
        stdin="abc\nrest",
    )
    assert end.stdout == "? cba\nrest\n"


def test_processes_by_spawn(program, tmp_path):
    end = same([program(SPAWN), "x"], tmp_path)
    assert end.stdout == "[('__mp_main__', 'Thing', ['x'])]\n('__mp_main__', 'Thing', ['x'])\nTrue\n"


def test_processes_by_spawn_of_a_module(program, tmp_path):
    program(SPAWN)
    end = same(["-m", "program", "x"], tmp_path)
    assert end.stdout.startswith("[('__mp_main__'")


def ours(code, folder, *options, **kwargs):
    """Run code under surefoot and return what it prints."""
    end = python([*RUN, *options, "-c", textwrap.dedent(code)], folder, **kwargs)
    assert (end.returncode, end.stderr) == (0, ""), end.stderr
    return end.stdout


WHAT = """
    import asyncio, concurrent.futures, concurrent.futures.thread, pickle, sys
    import surefoot
    from concurrent.futures import ThreadPoolExecutor

    class Mine(ThreadPoolExecutor):
        pass

    for made in (ThreadPoolExecutor, concurrent.futures.thread.ThreadPoolExecutor, Mine):
        with made(3) as pool:
            print(isinstance(pool, surefoot.AdaptiveThreadPoolExecutor), hasattr(pool, "decisions"), end=" ")
            print(type(pool.submit(int)).__module__)
"""


def test_every_pool_is_adaptive(tmp_path):
    assert ours(WHAT, tmp_path) == "True True surefoot.futures\n" * 3
    assert ours(WHAT, tmp_path, env={"SUREFOOT_DISABLE": "1"}) == "False False concurrent.futures._base\n" * 3


def test_the_programs_own_adaptive_pools_count_as_thread_pools(tmp_path):
    """asyncio refuses a default executor that is none."""
    code = """
    import asyncio, pickle
    from concurrent.futures import ThreadPoolExecutor
    import surefoot

    async def main():
        with surefoot.AdaptiveThreadPoolExecutor(2, controller="fixed") as pool:
            asyncio.get_running_loop().set_default_executor(pool)
            print(isinstance(pool, ThreadPoolExecutor), pool.stats().limit, end=" ")
            print(await asyncio.to_thread(pow, 2, 3))

    asyncio.run(main())
    for kind in (ThreadPoolExecutor, surefoot.AdaptiveThreadPoolExecutor):
        assert pickle.loads(pickle.dumps(kind)) is kind
    """
    assert ours(code, tmp_path) == "True 2 8\n"


def test_what_imported_the_class_before(tmp_path):
    """As a `.pth` file of the environment may."""
    (tmp_path / "sitecustomize.py").write_text("import early\n")
    (tmp_path / "early.py").write_text("from concurrent.futures import ThreadPoolExecutor as Pool\n")
    code = """
    import early, concurrent.futures as f
    print(early.Pool is f.ThreadPoolExecutor, hasattr(early.Pool, "stats"))
    """
    assert ours(code, tmp_path, env={"PYTHONPATH": str(tmp_path)}) == "True True\n"


@pytest.mark.parametrize("before", ["import asyncio", ""], ids=["asyncio first", "surefoot first"])
def test_a_program_that_installs_has_its_way(tmp_path, before):
    code = """
    import surefoot
    with surefoot.install(max_workers=3) as own:
        import asyncio
        asyncio.run(asyncio.to_thread(pow, 2, 3))
        print(own.stats().tasks_done, own.stats().cap, own.is_active)
    print(own.is_active)
    """
    assert ours(before + code.replace("\n    ", "\n"), tmp_path) == "1 3 True\nFalse\n"


def test_asyncio_is_not_loaded_for_those_who_do_without(tmp_path):
    code = "import sys, concurrent.futures; print('asyncio' in sys.modules)"
    assert ours(code, tmp_path) == "False\n"
    code = """
    import asyncio, surefoot
    async def main():
        await asyncio.to_thread(pow, 2, 3)
        return surefoot.install().stats().tasks_done
    print(asyncio.run(main()))
    """
    assert ours(code, tmp_path) == "1\n"
    assert ours(code, tmp_path, "--no-install") == "0\n"


def test_max_workers(tmp_path):
    code = """
    from concurrent.futures import ThreadPoolExecutor
    print(*(ThreadPoolExecutor(n)._max_workers for n in (None, 1, 2, 100)))
    """
    assert ours(code, tmp_path, "--max-workers", "7") == "7 1 7 7\n"


def test_patches_of_submit(tmp_path):
    """As tracing libraries make them."""
    code = """
    import concurrent.futures as f
    original = f.ThreadPoolExecutor.submit
    def submit(self, fn, *args, **kwargs):
        print("patched", fn.__name__)
        return original(self, fn, *args, **kwargs)
    f.ThreadPoolExecutor.submit = submit
    with f.ThreadPoolExecutor(1) as pool:
        print(pool.submit(pow, 2, 3).result())
    f.ThreadPoolExecutor.submit = original
    with f.ThreadPoolExecutor(1) as pool:
        print(pool.submit(pow, 2, 4).result())
    """
    assert ours(code, tmp_path) == "patched pow\n8\n16\n"


@pytest.mark.skipif(sys.version_info < (3, 14), reason="interpreter pools are new in 3.14")
def test_interpreter_pools(program, tmp_path):
    code = """
    from concurrent.futures import InterpreterPoolExecutor, ThreadPoolExecutor
    with InterpreterPoolExecutor(2) as pool:
        print(pool.submit(pow, 2, 3).result(), isinstance(pool, ThreadPoolExecutor), pool._thread_name_prefix)
    print(InterpreterPoolExecutor()._max_workers)
    """
    assert same([program(code)], tmp_path).returncode == 0


def test_forked_children_go_on(program, tmp_path):
    code = """
    import os
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(2)
    print(pool.submit(pow, 2, 3).result(), flush=True)
    if os.fork() == 0:
        print(ThreadPoolExecutor(2).submit(pow, 2, 4).result(), flush=True)
        raise SystemExit(5)
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    assert same([program(code)], tmp_path, flags=("-W", "ignore")).stdout == "8\n16\n5\n"


POOLS = """
    import sys, time
    from concurrent.futures import ThreadPoolExecutor

    def work(n):
        time.sleep(0.002)
        return sum(range(2000))

    with ThreadPoolExecutor(8) as pool:
        print(sum(pool.map(work, range(200))))
"""

ENDS = {
    "end": ("", 0),
    "exit": ("sys.exit(3)", 3),
    "exception": ("1 / 0", 1),
    "forked child": ("import os; sys.exit(os.fork() and os.waitstatus_to_exitcode(os.wait()[1]))", 0),
}


@pytest.mark.parametrize("observe", [False, True], ids=["adaptive", "observe"])
@pytest.mark.parametrize("ends", ENDS)
def test_report_as_json(program, tmp_path, ends, observe):
    code, exit_code = ENDS[ends]
    options = ["--report", "out.json", *(["--observe"] if observe else [])]
    name = program(textwrap.dedent(POOLS) + code)
    end = same([name, "--argument"], tmp_path, *options, flags=("-W", "ignore"))
    assert end.returncode == exit_code
    profile = Profile.of_json((tmp_path / "out.json").read_text("utf-8"))
    (pool,) = profile.pools
    assert pool.kind == ("standard" if observe else "surefoot")
    assert (pool.tasks, pool.cap) == (200, 8)
    (function,) = profile.functions
    assert (function.name, function.calls) == ("__main__.work", 200)
    assert profile.program.argv == ("program.py", "--argument")


def test_report_as_html(program, tmp_path):
    same([program(POOLS)], tmp_path, "--report=out.html")
    text = (tmp_path / "out.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "__main__.work" in text
    assert "ThreadPoolExecutor-0" in text


def test_report_tells_what_was_decided(program, tmp_path):
    code = """
        import time
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(64) as pool:
            print(sum(pool.map(lambda n: time.sleep(0.02) or n, range(600))))
    """
    same([program(code)], tmp_path, "--report=out.json")
    profile = Profile.of_json((tmp_path / "out.json").read_text("utf-8"))
    made = [each for each in profile.decisions if each.veto is None]
    # It is all waiting: the limit rises from where the standard pool would be.
    assert made[0].to_limit > made[0].from_limit
    assert all(0 <= each.at_s <= profile.duration_s and each.reason for each in profile.decisions)
    assert all(after.from_limit == before.to_limit for before, after in itertools.pairwise(made))


def test_a_report_that_cannot_be_written_changes_no_exit_code(program, tmp_path):
    code = "import os, sys; os.rename('here', 'there'); sys.exit(5)"
    (tmp_path / "here").mkdir()
    end = python([*RUN, "--report", "here/out.json", program(code)], tmp_path)
    assert end.returncode == 5
    assert "was not written" in end.stderr


def test_observing_changes_nothing(tmp_path):
    assert ours(WHAT, tmp_path, "--observe", "--report=out.json") == (
        "False False concurrent.futures._base\n" * 3
    )


def test_no_report_of_what_is_not_there_or_disabled(program, tmp_path):
    assert python([*RUN, "--report", "out.json", "nothing.py"], tmp_path).returncode == 2
    same([program(POOLS)], tmp_path, "--report", "out.json", env={"SUREFOOT_DISABLE": "1"})
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no program"),
        (("-m",), "no program"),
        (("--nonsense", "x.py"), "unknown option"),
        (("--controller", "best", "x.py"), "--controller is one of"),
        (("--controller",), "needs a value"),
        (("--max-workers=0", "x.py"), "--max-workers"),
        (("--observe", "x.py"), "--report"),
        (("--observe=1", "x.py"), "takes no value"),
        (("--report", "x.pdf", "x.py"), ".html"),
        (("--report", "no/such/folder/x.html", "x.py"), "no folder"),
        (("--observe", "--max-workers=3", "--report=x.json", "x.py"), "--observe changes nothing"),
        (("no-such-file.py",), "can't open file"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_wrong_words(tmp_path, words, said):
    end = python([*RUN, *words], tmp_path)
    assert end.returncode == 2
    assert said in end.stderr
    assert end.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_help(tmp_path):
    ways = [["run", "--help"], ["run", "-h"], ["help", "run"]]
    first, *rest = [python(["-m", "surefoot", *way], tmp_path) for way in ways]
    assert first.returncode == 0
    assert all(
        option in first.stdout for option in ("--observe", "--report", "--controller", "SUREFOOT_DISABLE")
    )
    assert all(other.stdout == first.stdout for other in rest)
    listed = python(["-m", "surefoot", "--help"], tmp_path).stdout
    assert all(f"  {word} " in listed for word in ("cliff", "simulate", "doctor", "run", "profile"))
