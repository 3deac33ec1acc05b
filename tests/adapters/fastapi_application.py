"""What `test_fastapi.py` serves: an application that uses threads in every way that FastAPI offers."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated, Any

import anyio.from_thread
import anyio.to_thread
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request, UploadFile
from fastapi.responses import StreamingResponse

import surefoot

LIMIT_S = 30.0
CONNECTIONS = 3

installation = surefoot.install()
caller: ContextVar[str] = ContextVar("caller", default="nobody")
database = threading.Semaphore(CONNECTIONS)
rendezvous = threading.Barrier(60)
noted: list[str] = []


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    if tokens := os.environ.get("TOKENS"):
        anyio.to_thread.current_default_thread_limiter().total_tokens = int(tokens)
    yield
    print("lifespan ended", flush=True)


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def name_the_caller(request: Request, call_next: Any) -> Any:
    caller.set(request.headers.get("x-caller", "nobody"))
    return await call_next(request)


def connection() -> Iterator[int]:
    """A connection that is held for the whole request; another request's end must give one back."""
    if not database.acquire(timeout=LIMIT_S):
        raise HTTPException(503, "no connection")
    try:
        yield threading.get_ident()
    finally:
        database.release()


@app.get("/thread")
def thread() -> dict[str, Any]:
    mine = threading.current_thread()
    return {
        "ours": mine in installation.executor._threads,
        "name": mine.name,
        "caller": caller.get(),
        "mode": installation.anyio,
        "pid": os.getpid(),
    }


@app.get("/database")
def with_database(_thread: Annotated[int, Depends(connection)]) -> dict[str, bool]:
    threading.Event().wait(0.005)
    return {"done": True}


@app.get("/meet")
def meet() -> dict[str, int]:
    return {"place": rendezvous.wait(LIMIT_S)}


@app.get("/missing")
def missing() -> None:
    raise HTTPException(404, "not here")


@app.get("/broken")
def broken() -> None:
    raise RuntimeError("broken endpoint")


@app.get("/stream")
def stream() -> StreamingResponse:
    def lines() -> Iterator[str]:
        for number in range(5):
            yield f"{number} {threading.current_thread() in installation.executor._threads}\n"

    return StreamingResponse(lines(), media_type="text/plain")


@app.post("/upload")
def upload(file: UploadFile) -> dict[str, int]:
    return {"bytes": len(file.file.read())}


@app.get("/background")
def background(tasks: BackgroundTasks) -> dict[str, bool]:
    tasks.add_task(noted.append, "done")
    return {"done": True}


@app.get("/noted")
async def what_was_noted() -> list[str]:
    return noted


@app.get("/call-back")
def call_back() -> dict[str, str]:
    async def name() -> str:
        return threading.current_thread().name

    return {"loop": anyio.from_thread.run(name)}


@app.get("/stats")
async def stats() -> dict[str, Any]:
    read = installation.stats()
    return {
        "done": read.tasks_done,
        "failed": read.tasks_failed,
        "limit": read.limit,
        "functions": sorted(read.functions),
        "tokens": anyio.to_thread.current_default_thread_limiter().total_tokens,
        "threads": sorted(one.name for one in threading.enumerate()),
    }
