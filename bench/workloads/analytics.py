"""Edge analytics: counts, means, deviations, percentiles and alarms of 10,000 readings (NumPy).

The result becomes JSON and goes to a service elsewhere: that wait is a sleep.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager

# One thread for each task: the pool under test is what decides how many there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

PARAMETERS = {"wait_ms": 25.0}
GIL_S = 0.002

_READINGS, _SENSORS = 10_000, 100


def TASK_S_MIN(wait_ms):
    return wait_ms / 1000


def _summary(sensors, values):
    counts = np.bincount(sensors, minlength=_SENSORS)
    means = np.bincount(sensors, values, _SENSORS) / counts
    squares = np.bincount(sensors, (values - means[sensors]) ** 2, _SENSORS) / counts
    order = np.argsort(sensors, kind="stable")
    groups = np.split(values[order], np.cumsum(counts)[:-1])
    return [
        {
            "sensor": sensor,
            "count": int(counts[sensor]),
            "mean": round(float(means[sensor]), 3),
            "deviation": round(float(squares[sensor]) ** 0.5, 3),
            "p95": round(float(np.partition(group, -max(1, len(group) // 20))[-max(1, len(group) // 20)]), 3),
            "is_alarm": bool(abs(means[sensor] - 20.0) > 1.0),
        }
        for sensor, group in enumerate(groups)
    ]


@contextmanager
def setup(threads, wait_ms):
    random = np.random.default_rng(23)
    sensors = random.permutation(np.arange(_READINGS) % _SENSORS)
    batches = 20.0 + 3.0 * random.standard_normal((8, _READINGS))

    def make_task():
        state = {"next": 0}

        def task():
            # A lost update only takes the same batch twice.
            state["next"] = number = (state["next"] + 1) % len(batches)
            text = json.dumps(_summary(sensors, batches[number]))
            time.sleep(wait_ms / 1000)
            return len(text)

        return task

    yield make_task
