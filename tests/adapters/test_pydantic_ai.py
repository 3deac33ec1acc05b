"""pydantic-ai's tools in our executor: its own hook is all that is needed."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from patience import HANG_S
from surefoot import AdaptiveThreadPoolExecutor
from surefoot.capacity import standard_default

pytest.importorskip("pydantic_ai", reason="pydantic-ai is not installed")

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
    ),
    # pydantic-ai's own.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

from pydantic_ai import Agent  # noqa: E402
from pydantic_ai.capabilities import UseThreadExecutor  # noqa: E402
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart  # noqa: E402
from pydantic_ai.models.function import FunctionModel  # noqa: E402

MANY = 2 * standard_default()


def model():
    """A model that calls the tool many times at once, then ends."""

    def answer(messages, _info):
        if len(messages) == 1:
            return ModelResponse([ToolCallPart("meet", {"x": x}) for x in range(MANY)])
        return ModelResponse([TextPart("done")])

    return FunctionModel(answer)


def tool():
    barrier, names = threading.Barrier(MANY), []

    def meet(x: int) -> int:
        """Meet the others."""
        names.append(threading.current_thread().name)
        barrier.wait(HANG_S)
        return x

    return meet, names


def test_the_capability():
    meet, names = tool()
    with AdaptiveThreadPoolExecutor(thread_name_prefix="agent") as executor:
        agent = Agent(model(), tools=[meet], capabilities=[UseThreadExecutor(executor)])
        assert asyncio.run(agent.run("go")).output == "done"
        assert executor.stats().limit >= MANY
    assert len(names) == MANY
    assert all(name.startswith("agent_") for name in names)


def test_the_context_manager():
    meet, names = tool()
    with AdaptiveThreadPoolExecutor(thread_name_prefix="agent") as executor:
        agent = Agent(model(), tools=[meet])
        with Agent.using_thread_executor(executor):
            assert asyncio.run(agent.run("go")).output == "done"
    assert all(name.startswith("agent_") for name in names)
    assert len(names) == MANY
