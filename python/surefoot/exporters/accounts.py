"""Keeps the accounts of all pools by name, so that no count falls when a pool goes.

A pool is known here by its native account, which keeps nothing of the program's alive. When its last task has
ended, its counts are added to those of its name, and it is let go.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from typing import Any

from surefoot import registry
from surefoot.exporters.account import BOUNDS_NS, Account

NAMES_MAX = 64
"""Names told apart; the pools of all further ones are ``(others)``."""

OTHERS = "(others)"

_NAME_LENGTH_MAX = 100

# What executors are called that were given no name: each bears a number of its own.
_NUMBERED = re.compile(r"((?:Adaptive)?ThreadPoolExecutor)-\d+")

# Pools that may be made between two readings before somebody looks which of them are gone.
_SWEEP_AFTER = 64


# What belongs to a parent process is kept, never dropped.
_left_behind: list[Any] = []


class Accounts:
    """The accounts of one process. All methods may be called from any thread.

    A pool that was gone before this was made is not counted.
    """

    def __init__(self) -> None:
        """Follow the pools there are, and every one that will be."""
        self._lock = threading.Lock()
        self._opened: deque[tuple[int, str, Any]] = deque()
        self._start()
        registry.followers.append(self.follow)
        for executor in registry.executors():
            pool = executor.__dict__.get("_AdaptiveThreadPoolExecutor__pool")
            if pool is not None:
                self.follow(str(executor._thread_name_prefix), pool)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _start(self) -> None:
        self._followed: dict[Any, str] = {}
        self._names: set[str] = set()
        self._pid = os.getpid()
        self._gone: dict[str, Account] = {}

    def _renew(self) -> None:
        """Start from nothing in a forked child: what was done, the parent did and reports."""
        self._lock = threading.Lock()
        # Neither asked nor dropped: their locks and their tasks are the parent's.
        _left_behind.append(self._followed)
        self._start()

    def follow(self, prefix: str, pool: Any) -> None:
        """Count a pool from now on; takes no lock that it would wait for."""
        self._opened.append((os.getpid(), prefix, pool.account()))
        # In a forked child that has not called `_renew` yet, the pools followed are the parent's.
        is_ours = self._pid == os.getpid()
        if len(self._opened) >= _SWEEP_AFTER and is_ours and self._lock.acquire(blocking=False):
            try:
                self._take_in()
                for pool in [pool for pool in self._followed if pool.has_ended]:
                    self._settle(pool, pool.read(BOUNDS_NS))
            finally:
                self._lock.release()

    def stop(self) -> None:
        """Hear of no more pools; what is followed already stays."""
        registry.followers.remove(self.follow)

    def read(self) -> dict[str, Account]:
        """Return one account for each name, in the order in which the names came."""
        with self._lock:
            self._take_in()
            # Whether it has ended is asked first: a task that ends in between is then read again.
            readings = [(pool, pool.has_ended, pool.read(BOUNDS_NS)) for pool in self._followed]
            for pool, has_ended, fields in readings:
                if has_ended:
                    self._settle(pool, fields)
            accounts = {name: account.copy() for name, account in self._gone.items()}
            for pool, has_ended, fields in readings:
                if not has_ended:
                    account = accounts.setdefault(self._followed[pool], Account())
                    account.add_counts(fields)
                    account.add_state(fields)
            for executor in registry.executors():
                if "_AdaptiveThreadPoolExecutor__pool" not in executor.__dict__:
                    self._add_standard(accounts, executor)
            return accounts

    def _take_in(self) -> None:
        pid = os.getpid()
        while self._opened:
            opened = self._opened.popleft()
            if opened[0] != pid:
                _left_behind.append(opened)
                continue
            _, prefix, pool = opened
            # One that was made while these accounts were is announced twice.
            self._followed.setdefault(pool, self._name(prefix))

    def _settle(self, pool: Any, fields: dict[str, Any]) -> None:
        name = self._followed.pop(pool)
        self._gone.setdefault(name, Account()).add_counts(fields)

    def _add_standard(self, accounts: dict[str, Account], executor: Any) -> None:
        """Add what a standard pool shows: it counts nothing."""
        try:
            stats, prefix = executor.stats(), executor._thread_name_prefix
        except AttributeError:  # Not set up yet, or a subclass that never calls `super().__init__`.
            return
        account = accounts.setdefault(self._name(prefix), Account())
        names = ("limit", "cap", "workers_live", "workers_busy", "queue_length", "queue_head_age_s")
        account.add_state({name: getattr(stats, name) for name in names})

    def _name(self, prefix: object) -> str:
        numbered = _NUMBERED.fullmatch(str(prefix))
        name = numbered[1] if numbered else str(prefix)
        # What cannot be encoded would spoil the whole export.
        name = name[:_NAME_LENGTH_MAX].encode(errors="replace").decode()
        if name not in self._names and len(self._names) < NAMES_MAX:
            self._names.add(name)
        return name if name in self._names else OTHERS


shared = Accounts()
"""The accounts from which all exporters read; they begin when the first is imported."""
