"""Inference: a two-layer network with fixed weights that names the machine's condition.

Twelve hidden units each look at the bands that one condition raises on one axis; the output adds a
condition's units up. The weights follow from the table of signatures, so no file of numbers has to be shipped
or trusted.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from typing import Final

from surefoot.demo.frame import AXES, BANDS, CONDITIONS, SIGNATURES
from surefoot.demo.preprocess import FEATURES

BACKENDS: Final = ("numpy", "python")
Classify = Callable[[Sequence[float]], tuple[str, float]]

_GAIN: Final = 6.0
_THRESHOLD: Final = 0.35
_HEALTHY_BIAS: Final = 2.0


def weights() -> tuple[list[list[float]], list[float], list[list[float]], list[float]]:
    """Return hidden weights, hidden biases, output weights and output biases."""
    hidden: list[list[float]] = []
    output = [[0.0] * (len(CONDITIONS) * AXES) for _ in CONDITIONS]
    for index, condition in enumerate(CONDITIONS):
        for axis in range(AXES):
            row = [0.0] * FEATURES
            for band in SIGNATURES[condition][axis]:
                row[axis * BANDS + band] = 1.0
            output[index][len(hidden)] = _GAIN
            hidden.append(row)
    biases = [-_THRESHOLD] * len(hidden)
    return hidden, biases, output, [_HEALTHY_BIAS if name == "healthy" else 0.0 for name in CONDITIONS]


def _decide(shares: Sequence[float]) -> tuple[str, float]:
    best = max(range(len(CONDITIONS)), key=shares.__getitem__)
    # Six digits: beyond them the two backends may add in another order.
    return CONDITIONS[best], round(float(shares[best]), 6)


def python_backend() -> Classify:
    """Return the model in pure Python."""
    hidden, hidden_bias, output, output_bias = weights()

    def layer(rows: list[list[float]], biases: list[float], inputs: Sequence[float]) -> list[float]:
        return [
            sum([weight * value for weight, value in zip(row, inputs, strict=True)]) + bias
            for row, bias in zip(rows, biases, strict=True)
        ]

    def classify(inputs: Sequence[float]) -> tuple[str, float]:
        active = [max(0.0, value) for value in layer(hidden, hidden_bias, inputs)]
        logits = layer(output, output_bias, active)
        most = max(logits)
        powers = [math.exp(logit - most) for logit in logits]
        total = sum(powers)
        return _decide([power / total for power in powers])

    return classify


def numpy_backend() -> Classify:
    """Return the model in NumPy.

    Raises:
        ImportError: If NumPy cannot be imported.
    """
    import numpy as np

    hidden, hidden_bias, output, output_bias = (np.array(part) for part in weights())

    def classify(inputs: Sequence[float]) -> tuple[str, float]:
        active = np.maximum(0.0, hidden @ np.array(inputs) + hidden_bias)
        logits = output @ active + output_bias
        powers = np.exp(logits - logits.max())
        shares: list[float] = (powers / powers.sum()).tolist()
        return _decide(shares)

    return classify


def best_backend() -> str:
    """Return the backend to use here: NumPy where it is installed, pure Python elsewhere."""
    return "numpy" if importlib.util.find_spec("numpy") else "python"


def load(backend: str) -> Classify:
    """Return the model on a backend.

    Args:
        backend: One of `BACKENDS`.
    """
    return numpy_backend() if backend == "numpy" else python_backend()
