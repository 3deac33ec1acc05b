"""Voice: one second of sound to mel-frequency features and a keyword's score (NumPy's FFT).

The wait for the microphone is a sleep.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

# One thread for each task: the pool under test is what decides how many there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

PARAMETERS = {"wait_ms": 20.0}
GIL_S = 0.0015

_RATE_HZ = 16_000
_SAMPLES, _FRAME, _HOP, _BANDS, _COEFFICIENTS = 16_000, 400, 160, 26, 13


def TASK_S_MIN(wait_ms):
    return wait_ms / 1000


def _mel_filters():
    """Return triangles that are equally wide in mel, m = 2595 log10(1 + f / 700); shape (bands, bins)."""
    mel_most = 2595 * np.log10(1 + _RATE_HZ / 2 / 700)
    edges_hz = 700 * (10 ** (np.linspace(0, mel_most, _BANDS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(_FRAME, 1 / _RATE_HZ)
    low, centre, high = (edges_hz[at : at + _BANDS, None] for at in range(3))
    return np.maximum(0.0, np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)))


@contextmanager
def setup(threads, wait_ms):
    random = np.random.default_rng(11)
    sounds = random.standard_normal((8, _SAMPLES))
    weights = random.standard_normal(_COEFFICIENTS)
    filters = _mel_filters()
    window = np.hanning(_FRAME)
    # The discrete cosine transform of the second kind.
    steps = np.arange(_BANDS) + 0.5
    cosines = np.cos(np.pi / _BANDS * np.arange(_COEFFICIENTS)[:, None] * steps)

    def score(sound):
        frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP] * window
        power = np.abs(np.fft.rfft(frames)) ** 2
        features = np.log(power @ filters.T + 1e-10) @ cosines.T
        features -= features.mean(0)
        return float(1 / (1 + np.exp(-(features @ weights).mean())))

    def make_task():
        state = {"next": 0}

        def task():
            time.sleep(wait_ms / 1000)
            # A lost update only hears the same sound twice.
            state["next"] = number = (state["next"] + 1) % len(sounds)
            return score(sounds[number])

        return task

    yield make_task
