"""A strategy in a file: any pool of threads that has ``submit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from surefoot.comparison import files, in_threads
from surefoot.comparison.stage import BACKLOG_S
from surefoot.comparison.unavailable import UnavailableError

if TYPE_CHECKING:
    from surefoot.comparison.notes import Note
    from surefoot.comparison.stage import Stage

__all__ = ["load", "run"]


def load(path: str) -> Any:
    """Return the module.

    Raises:
        UnavailableError: If it cannot exist here.
        ValueError: If the file does not define a strategy.
    """
    module = files.load(path)
    if not hasattr(module, "make_pool"):
        raise ValueError(f"{path} is no strategy: it needs make_pool()")
    return module


def run(module: Any, stage: Stage) -> NoReturn:
    """Run tasks on the pool that the file makes.

    Raises:
        UnavailableError: If the pool needs what is not installed.
    """
    threads: int = stage.threads or module.THREADS
    try:
        pool = module.make_pool(threads, **stage.options)
    except ImportError as error:
        raise UnavailableError(str(error)) from error
    see = getattr(module, "see", None)

    def look() -> Note:
        return {"limit": threads, "workers_live": threads, **(see(pool) if see is not None else {})}

    # One that says how it is doing may have any number of workers.
    in_threads.run_on(
        stage,
        pool,
        look,
        threads,
        starts_with=0 if see is not None else threads,
        backlog_s=getattr(module, "BACKLOG_S", BACKLOG_S),
    )
