"""A headless Chromium, driven by the DevTools protocol over two pipes: the standard library is enough.

with Browser(program("chromium")) as browser:
    with browser.page(width=400, height=800, dark=True) as page:
        page.open(path)
        assert page.complaints == []
        page.evaluate("document.title")
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIMIT_S = 60.0

_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # Tests may run as root, in containers without user namespaces; pages are our own.
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
)


# The protocol's descriptors are 3 and 4 in the browser's process, whatever they are here.
_LAUNCHER = """
import fcntl, os, sys
for number, given in enumerate([fcntl.fcntl(int(word), fcntl.F_DUPFD, 10) for word in sys.argv[1:3]], 3):
    os.dup2(given, number)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserError(AssertionError):
    """The browser refused, died or did not answer; the text says which."""


class Browser:
    """One browser process with a profile folder of its own."""

    def __init__(self, executable: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="surefoot-browser-")
        read_here, write_there = os.pipe()
        read_there, write_here = os.pipe()
        launcher = [sys.executable, "-c", _LAUNCHER, str(read_there), str(write_there)]
        try:
            with (Path(self._folder) / "stderr").open("wb") as errors:
                self._process = subprocess.Popen(
                    [*launcher, executable, *_FLAGS, f"--user-data-dir={self._folder}/profile"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=(read_there, write_there),
                    start_new_session=True,
                )
        finally:
            os.close(read_there)
            os.close(write_there)
        self._read, self._write = read_here, write_here
        self._buffer = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        os.close(self._read)
        # The session is the browser's own: its helper processes go with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(LIMIT_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; return its result.

        Raises:
            BrowserError: It failed, or there was no answer in time.
        """
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        with contextlib.suppress(BrokenPipeError):  # What it said last is to be read.
            os.write(self._write, json.dumps(message).encode() + b"\0")
        give_up = time.monotonic() + LIMIT_S
        while True:
            answer = self._message(give_up, method)
            if answer.get("id") != number:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise BrowserError(f"{method}: {answer['error']}")
            return answer["result"]

    def wait_for(self, method: str, session: str) -> dict[str, Any]:
        """Return the first event of this name that has not been asked for yet."""
        give_up = time.monotonic() + LIMIT_S
        seen = 0
        while True:
            for number, event in enumerate(self.events[seen:], seen):
                if event.get("method") == method and event.get("sessionId") == session:
                    return self.events.pop(number)
            seen = len(self.events)
            self.events.append(self._message(give_up, method))

    def _message(self, give_up: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, give_up - time.monotonic()))
            if not ready:
                raise BrowserError(f"{what}: no answer within {LIMIT_S:g} s\n{self._last_words()}")
            read = os.read(self._read, 1 << 16)
            if not read:
                raise BrowserError(f"{what}: the browser is gone\n{self._last_words()}")
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(text)

    def _last_words(self) -> str:
        return (Path(self._folder) / "stderr").read_text("utf-8", "replace")[-2000:]

    @contextlib.contextmanager
    def page(self, *, width: int, height: int, dark: bool = False) -> Iterator[Page]:
        """Yield a page of this size (CSS pixels), which is closed at the end."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        try:
            yield Page(self, session, width, height, dark)
        finally:
            self.call("Target.closeTarget", targetId=target)


class Page:
    """One page. Whatever went wrong on it is in `complaints`."""

    def __init__(self, browser: Browser, session: str, width: int, height: int, dark: bool) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **params)

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        said = self.call("Page.navigate", url=path.absolute().as_uri())
        if said.get("errorText"):
            raise BrowserError(f"{path}: {said['errorText']}")
        self._browser.wait_for("Page.loadEventFired", self._session)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, through JSON."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise BrowserError(f"{expression}: {said['exceptionDetails']}")
        return said["result"].get("value")

    @property
    def complaints(self) -> list[str]:
        """Errors on the console, exceptions and failed requests until now."""
        self.evaluate("new Promise(done => setTimeout(done))")  # What was under way has arrived.
        found = []
        for event in self._mine():
            params = event["params"]
            if event["method"] == "Runtime.consoleAPICalled" and params["type"] in (
                "error",
                "assert",
                "warning",
            ):
                found.append(f"console: {params['args']}")
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(f"exception: {params['exceptionDetails']}")
            elif event["method"] == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"log: {params['entry']['text']}")
            elif event["method"] == "Network.loadingFailed":
                found.append(f"request failed: {params['errorText']}")
        return found

    @property
    def requests(self) -> list[str]:
        """The addresses of everything that was asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self._mine()
            if event["method"] == "Network.requestWillBeSent"
        ]

    def _mine(self) -> list[dict[str, Any]]:
        return [event for event in self._browser.events if event.get("sessionId") == self._session]

    def screenshot(self, path: Path) -> None:
        """Write the whole page as PNG, however long it is."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
