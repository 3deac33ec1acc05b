"""The standard class's private attributes, live on a native pool."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class PoolAttribute(Generic[T]):
    """An attribute that reads and writes the pool, or is plain where there is none.

    An executor that works as the standard class keeps the value in its ``__dict__``, as that class
    does; so does one whose ``__init__`` has not run.
    """

    def __init__(self, read: Callable[[Any], T], write: Callable[[Any, T], None]) -> None:
        """Take what to do on a native pool."""
        self._read = read
        self._write = write

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the attribute's name."""
        self._name = name
        self._pool = f"_{owner.__name__}__pool"

    @overload
    def __get__(self, executor: None, owner: type) -> PoolAttribute[T]: ...
    @overload
    def __get__(self, executor: object, owner: type) -> T: ...
    def __get__(self, executor: object | None, owner: type) -> Any:
        """Read the pool, or the plain value."""
        if executor is None:
            return self
        values = executor.__dict__
        if self._pool in values:
            return self._read(executor)
        try:
            return values[self._name]
        except KeyError:
            name = type(executor).__name__
            raise AttributeError(f"{name!r} object has no attribute {self._name!r}") from None

    def __set__(self, executor: object, value: T) -> None:
        """Write to the pool, or the plain value."""
        if self._pool in executor.__dict__:
            self._write(executor, value)
        else:
            executor.__dict__[self._name] = value


class IdleCount:
    """``_idle_semaphore`` of a native pool: its value is the number of idle workers.

    There is nothing to hold: ``acquire`` only tells whether a worker is idle.
    """

    __slots__ = ("_executor",)

    def __init__(self, executor: Any) -> None:
        """Look at ``executor``, which owns this object."""
        self._executor = weakref.ref(executor)

    @property
    def _value(self) -> int:
        executor = self._executor()
        return 0 if executor is None else int(executor.stats().workers_idle)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Return whether a worker is idle; never waits."""
        del blocking, timeout
        return self._value > 0

    def release(self, n: int = 1) -> None:
        """Do nothing: the pool counts its idle workers itself."""
        del n
