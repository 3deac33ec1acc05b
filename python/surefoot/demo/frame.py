"""The frame: what the device sends, and the machine conditions hidden in it.

A frame is 1 s of vibration on three axes, one CSV line a sample under one JSON header line. The device and
the model share nothing but the table of signatures: which bands each condition raises on which axis.
"""

from __future__ import annotations

import json
import math
import random
from typing import Final

AXES: Final = 3
SAMPLES: Final = 1024
RATE_HZ: Final = 1024
BANDS: Final = 16
BAND_STEP_HZ: Final = 16
VARIANTS: Final = 64
"""Distinct waveforms; enough that no two neighbours are alike, few enough to make at the device's start."""

CONDITIONS: Final = ("healthy", "imbalance", "misalignment", "bearing")

SIGNATURES: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "healthy": ((), (), ()),
    "imbalance": ((2,), (2,), ()),
    "misalignment": ((5,), (5,), (2, 5)),
    "bearing": ((9, 12), (9, 12, 14), (12, 14)),
}
"""Per condition and axis: the bands whose tone stands out of the noise."""


def variant_of(frame: int) -> int:
    """Return the waveform that a frame carries; 37 is prime to 64, so all of them appear."""
    return frame * 37 % VARIANTS


def condition_of(frame: int) -> str:
    """Return the condition that the device simulates in a frame."""
    return CONDITIONS[variant_of(frame) % len(CONDITIONS)]


def waveform_csv(variant: int) -> bytes:
    """Return one waveform as CSV: `SAMPLES` lines of `AXES` numbers.

    Args:
        variant: Which of the `VARIANTS` waveforms; the same number always gives the same bytes.
    """
    chance = random.Random(variant)
    signature = SIGNATURES[CONDITIONS[variant % len(CONDITIONS)]]
    axes: list[list[float]] = []
    for axis in range(AXES):
        samples = [chance.gauss(0.1, 0.4) for _ in range(SAMPLES)]
        for band in signature[axis]:
            amplitude = chance.uniform(0.7, 1.3)
            phase = chance.uniform(0.0, math.tau)
            step = math.tau * BAND_STEP_HZ * (band + 1) / RATE_HZ
            samples = [sample + amplitude * math.sin(step * i + phase) for i, sample in enumerate(samples)]
        axes.append(samples)
    return "\n".join(",".join(f"{value:.5f}" for value in row) for row in zip(*axes, strict=True)).encode()


def encode(frame: int, body: bytes) -> bytes:
    """Return the bytes of a frame: the JSON header line, then the CSV of its waveform."""
    header = {"device": "pump-7", "frame": frame, "rate_hz": RATE_HZ, "axes": AXES, "samples": SAMPLES}
    return json.dumps(header).encode() + b"\n" + body
