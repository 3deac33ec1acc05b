"""What a type checker must refuse: an ignore that is not needed is an error."""

from surefoot import AdaptiveThreadPoolExecutor, FixedController, PaperController


def double(number: int, /, *, factor: float = 2.0) -> float:
    return number * factor


def construct() -> None:
    AdaptiveThreadPoolExecutor("4")  # type: ignore[arg-type]
    AdaptiveThreadPoolExecutor(4, "", None, (), 1)  # type: ignore[call-arg]
    AdaptiveThreadPoolExecutor(controller=3)  # type: ignore[arg-type]
    AdaptiveThreadPoolExecutor(interval_s="fast")  # type: ignore[arg-type]
    AdaptiveThreadPoolExecutor(min_workers=1.5)  # type: ignore[arg-type]
    PaperController(beta_threshold="high")  # type: ignore[arg-type]
    FixedController(limit="three")  # type: ignore[arg-type]


def use(pool: AdaptiveThreadPoolExecutor) -> None:
    pool.submit(double, "three")  # type: ignore[arg-type]
    pool.submit(double, number=3)  # type: ignore[call-arg]
    pool.submit(double, 3, factor="large")  # type: ignore[arg-type]
    pool.submit(fn=double)  # type: ignore[call-arg]
    number: int = pool.submit(double, 3).result()  # type: ignore[assignment]
    pool.stats().limit = number  # type: ignore[misc]
    pool.decisions().append(None)  # type: ignore[attr-defined]
    pool.shutdown(True, True)  # type: ignore[call-arg]
