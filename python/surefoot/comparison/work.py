"""The workload of a run: one of ours by name, or a file.

Both offer ``setup``, as :class:`surefoot.workloads.Workload` describes. A file may have a plain function
``task`` instead, and an ``async def atask`` beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from surefoot import workloads
from surefoot.comparison import files

if TYPE_CHECKING:
    from surefoot.comparison.parameters import Value
    from surefoot.workloads import AsyncTask, Task

__all__ = ["Work", "declared", "resolve"]


@dataclass(frozen=True)
class Work:
    """A workload with its parameters.

    Attributes:
        source: The name, or the path of the file.
        parameters: All of them, the defaults included.
        task_s_min: About the least wall time of one task, in seconds.
        gil_s: About the time one task needs the GIL, in seconds; ``None`` if its author does not say.
        module: What defines it.
    """

    source: str
    parameters: Mapping[str, Value]
    task_s_min: float
    gil_s: float | None
    module: Any = field(repr=False)

    def setup(self, threads: int) -> AbstractContextManager[Callable[[], Task]]:
        """Prepare for ``threads`` concurrent callers; yields what makes the task in the measured process."""
        if hasattr(self.module, "setup"):
            return cast(
                "AbstractContextManager[Callable[[], Task]]",
                self.module.setup(threads, **self.parameters),
            )
        return nullcontext(lambda: cast("Task", self.module.task))

    def setup_async(self, threads: int) -> AbstractContextManager[Callable[[], AsyncTask]] | None:
        """Prepare for ``threads`` coroutines at once; ``None`` if this workload has none."""
        if hasattr(self.module, "setup_async"):
            return cast(
                "AbstractContextManager[Callable[[], AsyncTask]]",
                self.module.setup_async(threads, **self.parameters),
            )
        if hasattr(self.module, "atask"):
            return nullcontext(lambda: cast("AsyncTask", self.module.atask))
        return None


def declared(source: str) -> tuple[Any, Mapping[str, Value]]:
    """Find a workload; return what defines it, and its parameters with their defaults.

    Raises:
        UnavailableError: If it cannot exist here.
        ValueError: If there is none, or the file does not define one.
    """
    if not files.is_file(source):
        return workloads.load(source), {}
    module = files.load(source)
    if not (hasattr(module, "setup") or hasattr(module, "task")) or not hasattr(module, "TASK_S_MIN"):
        raise ValueError(f"{source} is no workload: it needs task() or setup(), and TASK_S_MIN")
    return module, getattr(module, "PARAMETERS", {})


def resolve(source: str, parameters: Mapping[str, Value]) -> Work:
    """Return a workload with these parameters, which are all that it declares."""
    module, _ = declared(source)
    task_s_min = _number(module.TASK_S_MIN, parameters)
    gil_s = _number(module.GIL_S, parameters) if hasattr(module, "GIL_S") else None
    return Work(source, parameters, task_s_min, gil_s, module)


def _number(of: Any, parameters: Mapping[str, Value]) -> float:
    """Return a constant of a workload, which may depend on its parameters."""
    value = float(of(**parameters) if callable(of) else of)
    if value < 0.0:
        raise ValueError("TASK_S_MIN and GIL_S are seconds and not negative")
    return value
