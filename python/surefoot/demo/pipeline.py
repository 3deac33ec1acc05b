"""The pipeline: the work of one task, from the sensor to the actuator."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from surefoot.demo.actuator import Actuator, Row
from surefoot.demo.preprocess import features, parse

if TYPE_CHECKING:
    from surefoot.demo.inference import Classify
    from surefoot.demo.sensor import Sensor
    from surefoot.demo.service import Service


class Pipeline:
    """One task is one call with a frame number; every strategy calls the same object."""

    def __init__(self, sensor: Sensor, classify: Classify, service: Service, actuator: Actuator) -> None:
        """Join the stages.

        Args:
            sensor: Where frames come from.
            classify: Names the condition from the features.
            service: Says what to do about it.
            actuator: Stores the result.
        """
        self._sensor = sensor
        self._classify = classify
        self._service = service
        self._actuator = actuator
        self.started: list[int] = []
        """Monotonic start of each task, in ns; appends are atomic, so no lock disturbs what is measured."""
        self.spans: list[tuple[int, int]] = []
        """Monotonic start and end of each finished task, in ns."""

    def _row(self, frame: int) -> Row:
        number, axes = parse(self._sensor.read(frame))
        label, score = self._classify(features(axes))
        return Row(number, label, score, self._service.setpoint(number, label, score))

    def __call__(self, frame: int) -> None:
        """Run one task: read, preprocess, classify, ask, store."""
        start_ns = time.monotonic_ns()
        self.started.append(start_ns)
        self._actuator.store(self._row(frame))
        self.spans.append((start_ns, time.monotonic_ns()))

    def warm_up(self) -> None:
        """Run every stage but the last once, so that no task pays for the first connections."""
        self._row(0)

    def close(self) -> None:
        """Close the connections of every stage."""
        self._sensor.close()
        self._service.close()
        self._actuator.close()
