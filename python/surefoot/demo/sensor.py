"""The sensor: one reading over a TCP socket of the device."""

from __future__ import annotations

import socket
from typing import Final

from surefoot.demo.connections import Connections

TIMEOUT_S: Final = 30.0


class Sensor:
    """Reads frames from the device at a port of this machine."""

    def __init__(self, port: int) -> None:
        """Connect on the first reading.

        Args:
            port: The device's TCP port on 127.0.0.1.
        """

        def connect() -> socket.socket:
            connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection

        self._connections = Connections(connect)

    def read(self, frame: int) -> bytes:
        """Return the bytes of one frame; the calling thread waits for the device."""
        with self._connections.borrow() as connection:
            connection.sendall(b"READ %d\n" % frame)
            return _receive(connection, int.from_bytes(_receive(connection, 4), "big"))

    def close(self) -> None:
        """Close the connections to the device."""
        self._connections.close()


def _receive(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        if not chunk:
            raise ConnectionError("the device closed the connection in the middle of a frame")
        received += chunk
    return bytes(received)
