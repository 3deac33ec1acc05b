"""Retrieval-augmented generation: parse a question, search vectors, read documents, ask a model, answer.

JSON and hashing from the standard library, the search in NumPy, the documents in SQLite, where each thread
has a connection. What was found is ranked again by the letters that it shares with the question. The model is
a service elsewhere: its time is a sleep.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import zlib
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

# One thread for each task: the pool under test is what decides how many there are.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

PARAMETERS = {"wait_ms": 40.0}
GIL_S = 0.002

_DOCUMENTS, _DIMENSIONS, _FOUND = 5_000, 64, 24
_WORDS = ("pump", "valve", "motor", "heat", "noise", "leak", "start", "stop", "belt", "fan", "filter", "oil")


def TASK_S_MIN(wait_ms):
    return wait_ms / 1000


def _embed(text):
    """Return a unit vector of hashed words; enough for a search to have something to find."""
    vector = np.zeros(_DIMENSIONS, dtype=np.float32)
    for word in text.lower().split():
        digest = zlib.crc32(word.encode())
        vector[digest % _DIMENSIONS] += 1.0 if digest & 0x8000_0000 else -1.0
    return vector / (np.linalg.norm(vector) or 1.0)


def _likeness(body, question):
    """Return the part of the pairs of letters that both have (Dice)."""
    pairs = [Counter(text[at : at + 2] for at in range(len(text) - 1)) for text in (body, question)]
    return 2 * (pairs[0] & pairs[1]).total() / max(1, pairs[0].total() + pairs[1].total())


@contextmanager
def setup(threads, wait_ms):
    random = np.random.default_rng(17)
    texts = [" ".join(random.choice(_WORDS, 24)) for _ in range(_DOCUMENTS)]
    vectors = np.stack([_embed(text) for text in texts])
    questions = [json.dumps({"id": at, "question": " ".join(random.choice(_WORDS, 6))}) for at in range(32)]
    folder = Path(tempfile.mkdtemp(prefix="surefoot-rag-"))
    try:
        path = folder / "documents.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
            connection.executemany("INSERT INTO documents VALUES (?, ?)", enumerate(texts))
        connection.close()
        yield lambda: _make_task(path, vectors, questions, wait_ms)
    finally:
        shutil.rmtree(folder)


def _make_task(path, vectors, questions, wait_ms):
    local = threading.local()
    state = {"next": 0}
    query = f"SELECT body FROM documents WHERE id IN ({','.join('?' * _FOUND)})"

    def task():
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        # A lost update only asks the same question twice.
        state["next"] = number = (state["next"] + 1) % len(questions)
        question = json.loads(questions[number])
        scores = vectors @ _embed(question["question"])
        nearest = np.argpartition(scores, -_FOUND)[-_FOUND:].tolist()
        bodies = [body for (body,) in local.connection.execute(query, nearest)]
        bodies.sort(key=lambda body: -_likeness(body, question["question"]))
        prompt = "\n".join([*bodies, question["question"]])
        time.sleep(wait_ms / 1000)
        return json.dumps({"id": question["id"], "words": len(prompt.split()), "sources": nearest})

    return task
