"""Connections kept open between tasks.

Kept in a stack, not in thread-local storage: a task takes the connection last put back, or opens one if all
are in use. So the number of connections follows how many tasks are at that step at once, and a pool whose
threads come and go opens no more than one whose threads stay. A new connection per task would measure
handshakes instead of work.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Closable(Protocol):
    """Anything with a `close`."""

    def close(self) -> None:
        """Let go of the underlying descriptor."""


C = TypeVar("C", bound=Closable)


class Connections(Generic[C]):
    """A stack of open connections, safe from many threads."""

    def __init__(self, connect: Callable[[], C]) -> None:
        """Keep connections that `connect` opens.

        Args:
            connect: Opens one more connection.
        """
        self._connect = connect
        # deque.append and deque.pop are atomic, with and without the GIL: no lock to queue behind.
        self._idle: deque[C] = deque()

    @contextmanager
    def borrow(self) -> Iterator[C]:
        """Yield a connection that nobody else uses; close it if its user fails."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()
