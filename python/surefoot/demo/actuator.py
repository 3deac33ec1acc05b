"""The actuator: every result is one row in SQLite.

The database is in WAL mode and each row its own short transaction. Each task borrows a connection of its own
instead of sharing one under a lock: a lock held across SQLite calls would be held while its owner waits for
the GIL, and the pool would then measure that lock.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING, Final, NamedTuple

from surefoot.demo.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Iterable

BUSY_TIMEOUT_S: Final = 30.0


class Row(NamedTuple):
    """What one task leaves behind."""

    frame: int
    label: str
    score: float
    setpoint: float


def _connect(path: str) -> sqlite3.Connection:
    # isolation_level=None: one INSERT is one transaction and one call into SQLite.
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


class Actuator:
    """Stores rows from any number of threads."""

    def __init__(self, path: str) -> None:
        """Make the database.

        Args:
            path: A file that does not exist yet.
        """
        self._connections: Connections[sqlite3.Connection] = Connections(lambda: _connect(path))
        with self._connections.borrow() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            # No unique key: a frame stored twice must be seen by the check afterwards, not refused here.
            connection.execute("CREATE TABLE action (frame INTEGER, label TEXT, score REAL, setpoint REAL)")

    def store(self, row: Row) -> None:
        """Store one row; it is committed on return."""
        with self._connections.borrow() as connection:
            connection.execute("INSERT INTO action VALUES (?, ?, ?, ?)", row)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._connections.close()


def stored(path: str) -> list[Row]:
    """Return all rows of a database, in the order of their frames."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT frame, label, score, setpoint FROM action ORDER BY frame")
        return [Row(*row) for row in rows]
    finally:
        connection.close()


def checksum(rows: Iterable[Row]) -> str:
    """Return the SHA-256 of rows, over their exact values."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()
