"""The Celery application of the worker under test."""

import contextlib
import os
import threading
import time

import redis
from celery import Celery

URL = os.environ["TEST_REDIS_URL"]

app = Celery("celery_app", broker=URL, backend=URL)
app.conf.update(
    broker_connection_retry_on_startup=True,
)

met = threading.Barrier(24)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def count():
    with contextlib.closing(redis.Redis.from_url(URL)) as client:
        client.incr("counted")


@app.task
def fail():
    raise LookupError("as asked")


@app.task(bind=True)
def retried(self):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    return self.request.retries


@app.task
def meet():
    """End only once 24 of these run at once."""
    met.wait(60)
    return threading.current_thread().name


@app.task(bind=True)
def context(self):
    return self.request.id, self.name, threading.current_thread().name


@app.task(acks_late=True)
def nap(seconds):
    time.sleep(seconds)
    return seconds


@app.task
def leave():
    raise SystemExit("a task ends")
