"""Construction and `submit`: the standard signature, error types and texts."""

from __future__ import annotations

import inspect
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

OWN_OPTIONS = {"min_workers", "controller", "interval_s", "beta_threshold", "idle_timeout_s"}


def capture(*args, **kwargs):
    return args, kwargs


def error_of(call):
    """Type and text of the exception, with the name of the class made neutral."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is the point
        call()
    return caught.type, str(caught.value).replace("AdaptiveThreadPoolExecutor", "ThreadPoolExecutor")


def standard_error(call_with_class):
    return error_of(lambda: call_with_class(ThreadPoolExecutor))


def test_is_a_standard_thread_pool(kind, pools):
    pool = pools(kind.new(1))
    assert isinstance(pool, ThreadPoolExecutor)
    assert "ThreadPoolExecutor" in str(type(pool))
    assert "ThreadPoolExecutor" in type(pool).__name__


def test_constructor_keeps_the_standard_parameters_and_adds_keyword_only_ones(adaptive):
    standard = list(inspect.signature(ThreadPoolExecutor).parameters.values())
    ours = inspect.signature(adaptive.cls).parameters
    for parameter in standard:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert ours[parameter.name].kind is parameter.kind
            assert ours[parameter.name].default == parameter.default
    positional = [p.name for p in ours.values() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert positional == ["max_workers", "thread_name_prefix", "initializer", "initargs"]
    keyword_only = {p.name for p in ours.values() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert keyword_only >= OWN_OPTIONS


def test_positional_constructor_arguments(kind, pools):
    seen = []
    pool = pools(kind.new(2, "prefix", seen.append, ("initialised",)))
    assert pool.submit(lambda: threading.current_thread().name).result() == "prefix_0"
    assert seen == ["initialised"]
    assert pool._max_workers == 2


def test_submit_has_the_standard_signature(kind):
    assert inspect.signature(kind.cls.submit).replace(
        return_annotation=inspect.Signature.empty
    ).parameters.keys() == {
        "self",
        "fn",
        "args",
        "kwargs",
    }
    kinds_of = [p.kind for p in inspect.signature(kind.cls.submit).parameters.values()]
    assert kinds_of == [p.kind for p in inspect.signature(ThreadPoolExecutor.submit).parameters.values()]


def test_submit_passes_every_argument(kind, pools):
    pool = pools(kind.new(2))
    assert pool.submit(pow, 2, 8).result() == 256
    assert pool.submit(capture).result() == ((), {})
    assert pool.submit(capture, 1, self=2, fn=3).result() == ((1,), {"self": 2, "fn": 3})
    assert pool.submit(capture, *range(50), **{f"k{i}": i for i in range(50)}).result() == (
        tuple(range(50)),
        {f"k{i}": i for i in range(50)},
    )
    assert pool.submit(capture, **{"not an identifier": 1}).result() == ((), {"not an identifier": 1})


def test_later_changes_of_the_keywords_do_not_reach_the_task(kind, pools, gate):
    pool = pools(kind.new(1))
    gate.block(pool)
    keywords = {"a": 1}
    future = pool.submit(capture, **keywords)
    keywords["a"] = 2
    gate.open.set()
    assert future.result() == ((), {"a": 1})


@pytest.mark.parametrize("kwargs", [{}, {"fn": capture}, {"fn": capture, "arg": 1}, {"arg": 1}])
def test_submit_without_a_positional_function(kind, pools, kwargs):
    pool = pools(kind.new(1))
    with ThreadPoolExecutor(1) as standard:
        expected = error_of(lambda: standard.submit(**kwargs))
    assert expected[0] is TypeError
    assert error_of(lambda: pool.submit(**kwargs)) == expected


@pytest.mark.parametrize("not_callable", [None, 3, "text"])
def test_a_task_that_cannot_be_called_fails_in_its_future(kind, pools, not_callable):
    pool = pools(kind.new(1))
    error = pool.submit(not_callable).exception()
    assert type(error) is TypeError
    assert str(error) == f"'{type(not_callable).__name__}' object is not callable"
    assert pool.submit(pow, 2, 3).result() == 8


@pytest.mark.parametrize("bad", [0, -1, "x", [], 0.0, -0.5, False])
def test_bad_max_workers(kind, bad):
    expected = standard_error(lambda cls: cls(max_workers=bad))
    assert error_of(lambda: kind.new(max_workers=bad)) == expected
    assert error_of(lambda: kind.new(bad)) == expected


def test_max_workers_must_be_greater_than_0(kind):
    with pytest.raises(ValueError, match=r"^max_workers must be greater than 0$"):
        kind.new(0)


@pytest.mark.parametrize("accepted", [True, 1, 2.0, 2.5])
def test_odd_max_workers_that_the_standard_pool_accepts(kind, pools, accepted):
    pool = pools(kind.new(accepted))
    assert pool.submit(pow, 2, 3).result() == 8


@pytest.mark.parametrize("bad", [1, "text", ()])
def test_initializer_must_be_callable(kind, bad):
    expected = standard_error(lambda cls: cls(1, initializer=bad))
    assert expected == (TypeError, "initializer must be a callable")
    assert error_of(lambda: kind.new(1, initializer=bad)) == expected


def test_max_workers_is_checked_before_the_initializer(kind):
    expected = standard_error(lambda cls: cls(0, initializer=3))
    assert error_of(lambda: kind.new(0, initializer=3)) == expected


def test_unknown_option(kind):
    with pytest.raises(TypeError, match="no_such_option"):
        kind.new(1, no_such_option=1)


def test_too_many_positional_arguments(kind):
    with pytest.raises(TypeError):
        kind.new(1, "", None, (), 1)


def test_initargs_may_be_any_iterable(kind, pools):
    seen = []
    pool = pools(kind.new(1, initializer=lambda *args: seen.append(args), initargs=[1, 2]))
    pool.submit(int).result()
    assert seen == [(1, 2)]


@pytest.mark.parametrize("prefix", ["", None])
def test_default_thread_names(kind, pools, prefix):
    pool = pools(kind.new(1, thread_name_prefix=prefix))
    name = pool.submit(lambda: threading.current_thread().name).result()
    head, _, index = name.rpartition("_")
    assert index == "0"
    assert head.rpartition("-")[0].endswith("ThreadPoolExecutor")
    assert head.rpartition("-")[2].isdigit()


def test_default_names_differ_between_pools(kind, pools):
    names = {pools(kind.new(1)).submit(lambda: threading.current_thread().name).result() for _ in range(3)}
    assert len(names) == 3


def test_submit_after_shutdown(kind):
    pool = kind.new(1)
    pool.shutdown()
    standard = ThreadPoolExecutor(1)
    standard.shutdown()
    expected = error_of(lambda: standard.submit(int))
    assert expected == (RuntimeError, "cannot schedule new futures after shutdown")
    assert error_of(lambda: pool.submit(int)) == expected
    assert error_of(lambda: pool.map(int, [1])) == expected


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"min_workers": 0}, ValueError),
        ({"min_workers": -1}, ValueError),
        ({"min_workers": 3}, ValueError),
        ({"min_workers": "x"}, TypeError),
        ({"interval_s": 0}, ValueError),
        ({"interval_s": -1.0}, ValueError),
        ({"interval_s": float("nan")}, ValueError),
        ({"interval_s": "x"}, TypeError),
        ({"controller": "no such controller"}, ValueError),
        ({"controller": 3}, TypeError),
        ({"controller": None}, TypeError),
        ({"beta_threshold": -0.1}, ValueError),
        ({"beta_threshold": 1.1}, ValueError),
        ({"beta_threshold": float("nan")}, ValueError),
        ({"beta_threshold": "x"}, TypeError),
        ({"idle_timeout_s": -1}, ValueError),
        ({"idle_timeout_s": float("nan")}, ValueError),
        ({"idle_timeout_s": "x"}, TypeError),
    ],
    ids=str,
)
def test_bad_values_of_our_own_options(adaptive, options, error):
    with pytest.raises(error) as caught:
        adaptive.new(2, **options)
    # The message must name what is wrong.
    assert next(iter(options)) in str(caught.value)


def test_our_own_options_are_accepted(adaptive, pools):
    pool = pools(
        adaptive.new(
            4, min_workers=2, controller="paper", interval_s=0.25, beta_threshold=0.5, idle_timeout_s=5
        )
    )
    assert pool.submit(pow, 2, 3).result() == 8


def test_deep_recursion_limit_of_a_worker_is_the_interpreters(kind, pools):
    """A worker calls tasks with an ordinary Python stack."""

    def depth(n):
        return 0 if n == 0 else 1 + depth(n - 1)

    pool = pools(kind.new(1))
    reachable = sys.getrecursionlimit() // 2
    assert pool.submit(depth, reachable).result() == reachable
    assert isinstance(pool.submit(depth, sys.getrecursionlimit() * 2).exception(), RecursionError)
    assert pool.submit(depth, 3).result() == 3
