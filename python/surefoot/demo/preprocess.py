"""Preprocessing in pure Python: parse a frame, window it, normalise it, reduce it to band shares.

This is the part of a task that holds the GIL. It stays in plain Python also where NumPy is present: such code
is what keeps the threads of a real gateway from running side by side.
"""

from __future__ import annotations

import json
import math
from typing import Final

from surefoot.demo.frame import AXES, BAND_STEP_HZ, BANDS, RATE_HZ, SAMPLES

FEATURES: Final = AXES * BANDS

_HANN: Final = tuple(0.5 - 0.5 * math.cos(math.tau * i / (SAMPLES - 1)) for i in range(SAMPLES))
_TURN: Final = tuple(2.0 * math.cos(math.tau * BAND_STEP_HZ * (band + 1) / RATE_HZ) for band in range(BANDS))


def parse(payload: bytes) -> tuple[int, list[list[float]]]:
    """Return the frame number and the samples of each axis.

    Args:
        payload: The bytes of a frame, as the device sent them.

    Raises:
        ValueError: If the frame is not what its header says.
    """
    head, _, body = payload.partition(b"\n")
    header = json.loads(head)
    rows = [[float(field) for field in line.split(",")] for line in body.decode().splitlines()]
    if (
        len(rows) != header["samples"]
        or header["samples"] != SAMPLES
        or any(len(row) != AXES for row in rows)
    ):
        raise ValueError(f"frame {header['frame']}: expected {SAMPLES} samples on {AXES} axes")
    return int(header["frame"]), [list(axis) for axis in zip(*rows, strict=True)]


def window(samples: list[float]) -> list[float]:
    """Return the samples without their mean, under a Hann window, so that a tone stays in its band."""
    mean = sum(samples) / len(samples)
    return [(sample - mean) * weight for sample, weight in zip(samples, _HANN, strict=True)]


def normalise(samples: list[float]) -> list[float]:
    """Return the samples scaled to unit power, so that loudness does not decide; silence stays silence."""
    power = sum(sample * sample for sample in samples)
    if power == 0.0:
        return samples
    scale = 1.0 / math.sqrt(power)
    return [sample * scale for sample in samples]


def band_power(samples: list[float], turn: float) -> float:
    """Return the power in one band, by Goertzel's recurrence.

    Args:
        samples: One axis.
        turn: Twice the cosine of the band's angle per sample.
    """
    last = before = 0.0
    for sample in samples:
        last, before = sample + turn * last - before, last
    return last * last + before * before - turn * last * before


def features(axes: list[list[float]]) -> list[float]:
    """Return the share of each band in the power of its axis, axis after axis: `FEATURES` numbers.

    Args:
        axes: The samples of each axis, as parsed.
    """
    shares: list[float] = []
    for samples in axes:
        ready = normalise(window(samples))
        powers = [band_power(ready, turn) for turn in _TURN]
        total = sum(powers) or 1.0
        shares.extend(power / total for power in powers)
    return shares
