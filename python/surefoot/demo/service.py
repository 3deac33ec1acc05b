"""The control service as the pipeline sees it: one HTTP call."""

from __future__ import annotations

import http.client
import json
from typing import Final

from surefoot.demo.connections import Connections

TIMEOUT_S: Final = 30.0


class Service:
    """Asks the control service at a port of this machine, over connections kept alive."""

    def __init__(self, port: int) -> None:
        """Connect on the first call.

        Args:
            port: The service's TCP port on 127.0.0.1.
        """
        self._connections = Connections(
            lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        )

    def setpoint(self, frame: int, label: str, score: float) -> float:
        """Return the speed the service allows; the calling thread waits for the answer."""
        body = json.dumps({"frame": frame, "label": label, "score": score}).encode()
        with self._connections.borrow() as connection:
            connection.request("POST", "/v1/setpoint", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            reply = json.loads(response.read())
        if response.status != 200 or reply["frame"] != frame:
            raise ConnectionError(f"frame {frame}: the service answered {response.status} {reply!r}")
        return float(reply["setpoint"])

    def close(self) -> None:
        """Close the connections to the service."""
        self._connections.close()
