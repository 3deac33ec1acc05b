"""Sensor fusion: 40 steps of a Kalman filter over position and velocity (NumPy, small matrices).

The wait for the sensors is a sleep. Matrices this small never let the GIL go.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

# One thread for each task: the pool under test is what decides how many there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

PARAMETERS = {"wait_ms": 10.0, "steps": 40}
GIL_S = 0.0015

_STEP_S = 0.01


def TASK_S_MIN(wait_ms, steps):
    return wait_ms / 1000


def _model():
    """Return the matrices of the textbook's filter for constant velocity in three dimensions."""
    identity = np.eye(3)
    zero = np.zeros((3, 3))
    transition = np.block([[identity, _STEP_S * identity], [zero, identity]])
    observation = np.hstack([identity, zero])
    return transition, observation, 1e-4 * np.eye(6), 1e-2 * identity


@contextmanager
def setup(threads, wait_ms, steps):
    transition, observation, drift, noise = _model()
    readings = np.random.default_rng(13).normal(size=(steps, 3))

    def fuse():
        state, spread = np.zeros(6), np.eye(6)
        for reading in readings:
            state = transition @ state
            spread = transition @ spread @ transition.T + drift
            expected = observation @ spread @ observation.T + noise
            gain = np.linalg.solve(expected, observation @ spread).T
            state = state + gain @ (reading - observation @ state)
            spread = spread - gain @ observation @ spread
        return state

    def make_task():
        def task():
            time.sleep(wait_ms / 1000)
            return fuse()

        return task

    yield make_task
