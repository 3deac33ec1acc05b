"""Vision: one camera frame through four 3 x 3 convolutions, a pooling and a decision (NumPy).

The wait for the camera is a sleep. NumPy lets the GIL go within its larger loops, and holds it around them.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

# One thread for each task: the pool under test is what decides how many there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

PARAMETERS = {"wait_ms": 15.0}
GIL_S = 0.0015

_HEIGHT, _WIDTH = 96, 128
_KERNELS = np.array(
    [
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
        [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
        [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
    ],
    dtype=np.float32,
).reshape(4, 9)


def TASK_S_MIN(wait_ms):
    return wait_ms / 1000


def _is_something_there(frame):
    windows = np.lib.stride_tricks.sliding_window_view(frame, (3, 3))
    height, width = windows.shape[:2]
    maps = _KERNELS @ windows.reshape(-1, 9).T
    edges = np.maximum(maps.reshape(4, height, width), 0.0)
    pooled = (
        edges[:, : height // 2 * 2, : width // 2 * 2].reshape(4, height // 2, 2, width // 2, 2).max((2, 4))
    )
    means = pooled.mean((1, 2))
    return bool(means[0] + means[1] > means[3])


@contextmanager
def setup(threads, wait_ms):
    frames = np.random.default_rng(7).random((16, _HEIGHT, _WIDTH), dtype=np.float32)

    def make_task():
        state = {"next": 0}

        def task():
            time.sleep(wait_ms / 1000)
            # A lost update only shows the same frame twice.
            state["next"] = number = (state["next"] + 1) % len(frames)
            return _is_something_there(frames[number])

        return task

    yield make_task
