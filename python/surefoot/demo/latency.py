"""How long the device and the service take: a fixed function of the frame.

Drawn from the frame's own number, not from one stream: whatever order the strategies ask in, a frame meets
the same latency in each of them.
"""

from __future__ import annotations

import math
import random
from typing import Final

DEVICE_LEAST_S: Final = 0.005
DEVICE_MOST_S: Final = 0.010
API_MEDIAN_S: Final = 0.040
API_SIGMA: Final = 0.25
API_MOST_S: Final = 0.200


def device_latency_s(frame: int) -> float:
    """Return how long the device takes to sample a frame: uniform between 5 and 10 ms."""
    return random.Random(2 * frame).uniform(DEVICE_LEAST_S, DEVICE_MOST_S)


def api_latency_s(frame: int) -> float:
    """Return how long the service thinks about a frame: lognormal, median 40 ms, cut at 200 ms."""
    drawn = random.Random(2 * frame + 1).lognormvariate(math.log(API_MEDIAN_S), API_SIGMA)
    return min(drawn, API_MOST_S)
