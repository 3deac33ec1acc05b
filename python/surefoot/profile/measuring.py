"""``surefoot.profile``: a part of a program, or the calls of a function, measured."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from surefoot.profile.session import Session

if TYPE_CHECKING:
    from surefoot.profile.record import (
        Finding,
        FunctionProfile,
        LimitDecision,
        PoolProfile,
        Profile,
        Program,
        Setting,
        TimelinePoint,
    )

P = ParamSpec("P")
T = TypeVar("T")


class Profiling:
    """A profile in the making, and the profile once it is made.

    As a context manager it measures what the standard pools, pools of surefoot and anyio's worker threads of
    the whole process do until the block ends; as a decorator it measures the calls of a function, in whatever
    threads they are made. Its attributes are those of a :class:`surefoot.profile.Profile`, up to the end or,
    if that has not come, up to now. May be read from any thread.
    """

    def __init__(self) -> None:
        """Make one that has not begun."""
        self._session = Session()
        self._made: Profile | None = None

    def __enter__(self) -> Profiling:
        """Begin.

        Raises:
            RuntimeError: If it has begun before.
        """
        if self._session.is_on or self._made is not None:
            raise RuntimeError("a profile begins once; make another with surefoot.profile()")
        self._session.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End, whatever the block raised; calls that still run are not waited for."""
        self._session.stop()
        self._made = self._session.profile()

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Measure the calls of a function from now on; ``function.profile()`` gives the profile so far.

        Raises:
            TypeError: For what is no function, and for coroutine and generator functions: their calls return
                before anything has run.
        """
        if not callable(function) or isinstance(function, (type, staticmethod, classmethod)):
            raise TypeError(f"profile() measures the calls of a function, not {function!r}")
        if (
            inspect.iscoroutinefunction(function)
            or inspect.isgeneratorfunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise TypeError(f"{function!r} returns before it has run: profile the functions that it calls")
        session = self._session.start_calls()

        @functools.wraps(function)
        def observed(*args: P.args, **kwargs: P.kwargs) -> T:
            return session.call(function, args, kwargs)

        observed.profile = self.result  # type: ignore[attr-defined]
        return observed

    def result(self) -> Profile:
        """Return the record: of the whole, or up to now if it has not ended."""
        return self._made if self._made is not None else self._session.profile()

    @property
    def program(self) -> Program:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().program

    @property
    def started_at(self) -> str:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().started_at

    @property
    def duration_s(self) -> float:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().duration_s

    @property
    def functions(self) -> tuple[FunctionProfile, ...]:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().functions

    @property
    def pools(self) -> tuple[PoolProfile, ...]:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().pools

    @property
    def timeline(self) -> tuple[TimelinePoint, ...]:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().timeline

    @property
    def decisions(self) -> tuple[LimitDecision, ...]:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().decisions

    @property
    def limited_by(self) -> Finding:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().limited_by

    @property
    def advice(self) -> tuple[Setting, ...]:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().advice

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """See :class:`surefoot.profile.Profile`."""
        return self.result().warnings

    def to_json(self, indent: int | None = None) -> str:
        """Return the record as JSON text."""
        return self.result().to_json(indent)

    def to_chrome_trace(self) -> str:
        """Return limit, workers, queue and shares over time for ``chrome://tracing`` or Perfetto."""
        return self.result().to_chrome_trace()

    def to_html(self) -> str:
        """Return the report as one HTML page."""
        return self.result().to_html()

    def __str__(self) -> str:
        """Return the summary, for people."""
        return str(self.result())

    def _repr_html_(self) -> str:
        return self.result()._repr_html_()


@overload
def profile(function: None = None, /) -> Profiling: ...
@overload
def profile(function: Callable[P, T], /) -> Callable[P, T]: ...
def profile(function: Callable[..., Any] | None = None, /) -> Any:
    """Measure a part of a program, or the calls of a function.

    Used as ``with surefoot.profile() as profile:``, as ``@surefoot.profile`` or as ``@surefoot.profile()``.
    Any number may go on at once, in one another or overlapping.

    Args:
        function: What to measure the calls of; ``None``: the caller will say.
    """
    return Profiling() if function is None else Profiling()(function)
