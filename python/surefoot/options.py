"""The executor's own options: defaults, and the errors for bad ones."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, get_args

from surefoot import capacity
from surefoot.controllers import Controller, FixedController, KneeController, PaperController

NAMES = (
    "min_workers",
    "controller",
    "interval_s",
    "beta_threshold",
    "idle_timeout_s",
    "keep_on_one_core",
    "max_queue",
    "queue_full",
    "context",
)

WhenFull = Literal["block", "raise", "caller-runs"]

ControllerChoice = str | KneeController | PaperController | FixedController | Controller

# Control intervals in seconds: the paper's, and the one that the knee controller is made for.
_INTERVAL_S = 0.5
_KNEE_INTERVAL_S = 0.05


@dataclass(frozen=True, slots=True)
class Options:
    """Checked options of one executor.

    Attributes:
        cap: Most workers.
        limit: Workers admitted at first.
        min_workers: Workers that stay though idle, and the controller's floor.
        controller: Who decides.
        interval_s: Control interval.
        idle_timeout_s: How long a worker may idle before it leaves; ``None``: for ever.
        keep_on_one_core: Keep workers on one core while that pays.
        max_queue: Most tasks that may wait; ``None``: any number.
        queue_full: What happens to a submitter when that many wait.
        copies_context: Run each task in a copy of its submitter's context.
    """

    cap: int
    limit: int
    min_workers: int
    controller: KneeController | PaperController | FixedController | Controller
    interval_s: float
    idle_timeout_s: float | None
    keep_on_one_core: bool = False
    max_queue: int | None = None
    queue_full: WhenFull = "block"
    copies_context: bool = False

    @classmethod
    def split(cls, max_workers: int | None, given: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
        """Separate our options from those of the standard class's (3.14: ``ctxkwargs``)."""
        rest = {name: value for name, value in given.items() if name not in NAMES}
        own = {name: value for name, value in given.items() if name in NAMES}
        return cls.check(max_workers, **own), rest

    @classmethod
    def check(
        cls,
        max_workers: int | None,
        min_workers: int = 1,
        controller: ControllerChoice = "knee",
        interval_s: float | None = None,
        beta_threshold: float = 0.3,
        idle_timeout_s: float | None = 60.0,
        keep_on_one_core: bool = False,
        max_queue: int | None = None,
        queue_full: WhenFull = "block",
        context: Literal["copy"] | None = None,
    ) -> Options:
        """Check every option.

        Raises:
            ValueError: For a value out of range.
            TypeError: For a value of the wrong kind.
        """
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        chosen = _controller(controller, beta_threshold)
        if isinstance(min_workers, bool) or not isinstance(min_workers, int):
            raise TypeError("min_workers must be an integer")
        if min_workers < 1:
            raise ValueError("min_workers must be greater than 0")
        if interval_s is None:
            interval_s = _KNEE_INTERVAL_S if isinstance(chosen, KneeController) else _INTERVAL_S
        interval_s = _seconds("interval_s", interval_s)
        if interval_s < 0.001:
            raise ValueError("interval_s must be at least 0.001")
        if idle_timeout_s is not None:
            idle_timeout_s = _seconds("idle_timeout_s", idle_timeout_s)
            if idle_timeout_s < 0:
                raise ValueError("idle_timeout_s must not be negative")
        if not isinstance(keep_on_one_core, bool):
            raise TypeError("keep_on_one_core must be a bool")
        cap, limit = _sizes(max_workers, chosen)
        if min_workers > cap:
            raise ValueError("min_workers must not be greater than max_workers")
        limit = max(limit, min_workers)
        return cls(
            cap=cap,
            limit=limit,
            min_workers=min_workers,
            controller=chosen,
            interval_s=interval_s,
            idle_timeout_s=idle_timeout_s,
            keep_on_one_core=keep_on_one_core,
            max_queue=_max_queue(max_queue),
            queue_full=_one_of("queue_full", queue_full, get_args(WhenFull)),
            copies_context=context is not None and bool(_one_of("context", context, ("copy",))),
        )


def whole_workers(max_workers: float) -> int:
    """Round a number of workers up, as the standard pool's comparison does (it takes floats)."""
    return capacity.MOST_WORKERS if math.isinf(max_workers) else math.ceil(max_workers)


def _sizes(max_workers: int | None, controller: object) -> tuple[int, int]:
    if isinstance(controller, FixedController):
        cap = capacity.standard_default() if max_workers is None else whole_workers(max_workers)
        if controller.limit is not None:
            if max_workers is not None and controller.limit > cap:
                raise ValueError("limit must not be greater than max_workers")
            cap = controller.limit if max_workers is None else cap
            return cap, controller.limit
        return cap, cap
    cap = capacity.default_cap().workers if max_workers is None else whole_workers(max_workers)
    return cap, min(cap, capacity.standard_default())


def _controller(
    controller: ControllerChoice, beta_threshold: float
) -> KneeController | PaperController | FixedController | Controller:
    if isinstance(beta_threshold, bool) or not isinstance(beta_threshold, (int, float)):
        raise TypeError("beta_threshold must be a number")
    paper = PaperController(beta_threshold=float(beta_threshold))
    if isinstance(controller, str):
        if controller == "knee":
            return KneeController()
        if controller == "paper":
            return paper
        if controller == "fixed":
            return FixedController()
        raise ValueError(
            f"controller must be 'knee', 'paper', 'fixed' or an object with decide(), not {controller!r}"
        )
    if isinstance(controller, (KneeController, PaperController, FixedController)):
        return controller
    if callable(getattr(controller, "decide", None)):
        return controller
    raise TypeError(
        "controller must be 'knee', 'paper', 'fixed' or an object with decide(), "
        f"not {type(controller).__name__}"
    )


def _max_queue(max_queue: object) -> int | None:
    if max_queue is None:
        return None
    if isinstance(max_queue, bool) or not isinstance(max_queue, int):
        raise TypeError("max_queue must be an integer or None")
    if max_queue < 0:
        raise ValueError("max_queue must not be negative")
    return min(max_queue, sys.maxsize)


def _one_of(name: str, value: object, words: tuple[str, ...]) -> Any:
    known = " or ".join(repr(word) for word in words)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be {known}")
    if value not in words:
        raise ValueError(f"{name} must be {known}, not {value!r}")
    return value


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite")
    return float(value)
