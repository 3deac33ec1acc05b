"""Puts a function into a class of somebody else's, and takes it out again."""

from __future__ import annotations

from typing import Any


class Patch:
    """One attribute of a class, replaced.

    What is put in must do the original's work once the patch is undone: if another patch was laid over it
    meanwhile, it cannot be taken out and goes on being called.
    """

    def __init__(self, owner: type, name: str, replacement: object) -> None:
        """Replace ``owner.name``; not thread-safe, the caller holds a lock."""
        self._owner = owner
        self._name = name
        self._replacement = replacement
        self._had_own = name in vars(owner)
        self._before: Any = vars(owner).get(name)
        setattr(owner, name, replacement)

    def undo(self) -> None:
        """Put back what was there: the very same object, or nothing if it was inherited."""
        if vars(self._owner).get(self._name) is not self._replacement:
            return
        if self._had_own:
            setattr(self._owner, self._name, self._before)
        else:
            delattr(self._owner, self._name)
