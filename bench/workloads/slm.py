"""Small language model: eight tokens, each through two blocks of causal attention (NumPy).

After each token comes a wait for whoever reads them, a sleep of an eighth of `wait_ms`.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager

# One thread for each task: the pool under test is what decides how many there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

PARAMETERS = {"wait_ms": 16.0}
GIL_S = 0.003

_BLOCKS, _WIDTH, _CONTEXT, _VOCABULARY, _TOKENS = 2, 64, 48, 256, 8


def TASK_S_MIN(wait_ms):
    return wait_ms / 1000


def _softmax(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def _normal(values):
    return (values - values.mean(-1, keepdims=True)) / (values.std(-1, keepdims=True) + 1e-5)


@contextmanager
def setup(threads, wait_ms):
    random = np.random.default_rng(19)

    def matrix(*shape):
        return (random.standard_normal(shape) / np.sqrt(shape[-2])).astype(np.float32)

    embedding = matrix(_VOCABULARY, _WIDTH)
    blocks = [
        (matrix(_WIDTH, 3 * _WIDTH), matrix(_WIDTH, 4 * _WIDTH), matrix(4 * _WIDTH, _WIDTH))
        for _ in range(_BLOCKS)
    ]
    # What lies ahead is hidden.
    hidden = np.triu(np.full((_CONTEXT, _CONTEXT), -1e9, dtype=np.float32), 1)
    prompt = random.integers(0, _VOCABULARY, _CONTEXT)

    def next_token(tokens):
        values = embedding[tokens]
        for attention, widen, narrow in blocks:
            queries, keys, contents = np.split(_normal(values) @ attention, 3, axis=-1)
            values = values + _softmax(queries @ keys.T / np.sqrt(_WIDTH) + hidden) @ contents
            values = values + np.maximum(_normal(values) @ widen, 0.0) @ narrow
        return int((values[-1] @ embedding.T).argmax())

    def make_task():
        def task():
            tokens = prompt
            for _ in range(_TOKENS):
                tokens = np.append(tokens[1:], next_token(tokens))
                time.sleep(wait_ms / 1000 / _TOKENS)
            return tokens

        return task

    yield make_task
