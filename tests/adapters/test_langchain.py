"""LangChain and LangGraph in adaptive pools."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from typing import Annotated, TypedDict

import pytest

import child
from patience import HANG_S

pytest.importorskip("langchain_core", reason="langchain-core is not installed")

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
    ),
    # LangChain's own, on newer interpreters.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough  # noqa: E402
from langchain_core.runnables import config as runnables_config  # noqa: E402

from surefoot import AdaptiveThreadPoolExecutor  # noqa: E402
from surefoot.adapters import langchain  # noqa: E402
from surefoot.capacity import standard_default  # noqa: E402

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


@pytest.fixture
def installed():
    with langchain.install():
        yield


def thread_name(_input):
    return threading.current_thread().name


@pytest.mark.usefixtures("installed")
def test_a_batch_that_blocks_runs_at_once():
    """Four times the standard pool's default meet; without us they would wait for each other for ever."""
    many = 4 * standard_default()
    barrier = threading.Barrier(many)
    answers = RunnableLambda(lambda x: (x, barrier.wait(HANG_S))[0]).batch(list(range(many)))
    assert answers == list(range(many))
    assert langchain.max_concurrency() >= many


@pytest.mark.usefixtures("installed")
def test_max_concurrency_stays_the_cap():
    running, most, lock = [0], [0], threading.Lock()
    pause = threading.Event()

    def work(x):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        pause.wait(0.002)
        with lock:
            running[0] -= 1
        return x

    answers = RunnableLambda(work).batch(list(range(40)), config={"max_concurrency": 3})
    assert answers == list(range(40))
    assert most[0] == 3


@pytest.mark.usefixtures("installed")
def test_all_kinds_of_runnables():
    parallel = RunnableParallel(a=RunnableLambda(thread_name), b=RunnableLambda(thread_name))
    assert all(name.startswith("langchain_") for name in parallel.invoke(1).values())
    assigned = RunnablePassthrough.assign(name=RunnableLambda(thread_name)).batch([{"x": 1}, {"x": 2}])
    assert all(answer["x"] for answer in assigned)
    # Nested: a batch of parallels.
    assert len(parallel.batch(list(range(20)))) == 20
    as_completed = RunnableLambda(lambda x: x + 1).batch_as_completed(list(range(10)))
    assert sorted(as_completed) == [(x, x + 1) for x in range(10)]

    def fail(x):
        if x == 3:
            raise ValueError("three")
        return x

    with pytest.raises(ValueError, match="three"):
        RunnableLambda(fail).batch(list(range(5)))
    answers = RunnableLambda(fail).batch(list(range(5)), return_exceptions=True)
    assert isinstance(answers[3], ValueError)


@pytest.mark.usefixtures("installed")
def test_context_variables_reach_the_threads():
    token = VARIABLE.set("here")
    try:
        assert RunnableLambda(lambda _x: VARIABLE.get()).batch([1, 2, 3]) == ["here"] * 3
    finally:
        VARIABLE.reset(token)


def test_langgraph_runs_steps_and_tools(installed):
    pytest.importorskip("langgraph", reason="langgraph is not installed")
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool
    from langgraph.graph import END, START, StateGraph
    from langgraph.prebuilt import ToolNode

    branches = 2 * standard_default()
    barrier = threading.Barrier(branches)
    names = []

    class State(TypedDict):
        total: Annotated[int, lambda a, b: a + b]

    def step(_state):
        names.append(threading.current_thread().name)
        barrier.wait(HANG_S)
        return {"total": 1}

    graph = StateGraph(State)
    for number in range(branches):
        graph.add_node(f"step{number}", step)
        graph.add_edge(START, f"step{number}")
        graph.add_edge(f"step{number}", END)
    assert graph.compile().invoke({"total": 0})["total"] == branches
    assert all(name.startswith("langchain_") for name in names)

    tool_barrier = threading.Barrier(branches)

    @tool
    def meet(x: int) -> str:
        """Meet the others."""
        tool_barrier.wait(HANG_S)
        return f"{x} {threading.current_thread().name}"

    calls = [{"name": "meet", "args": {"x": x}, "id": str(x), "type": "tool_call"} for x in range(branches)]
    tools = StateGraph(dict)
    node = ToolNode([meet])
    tools.add_node("tools", lambda state: {"messages": node.invoke(state)["messages"]})
    tools.add_edge(START, "tools")
    tools.add_edge("tools", END)
    answer = tools.compile().invoke({"messages": [AIMessage("", tool_calls=calls)]})
    texts = [message.content for message in answer["messages"]]
    assert [text.split()[0] for text in texts] == [str(x) for x in range(branches)]
    assert all(text.split()[1].startswith("langchain_") for text in texts)


def test_installing_is_undone_everywhere():
    import langchain_core.runnables.base as base

    original = runnables_config.get_executor_for_config
    langchain.install()
    langchain.install()
    assert runnables_config.get_executor_for_config is base.get_executor_for_config is not original
    langchain.uninstall()
    hooks = [vars(module).get("get_executor_for_config") for module in list(sys.modules.values()) if module]
    assert {hook for hook in hooks if hook is not None} == {original}
    langchain.uninstall()
    names = RunnableLambda(thread_name).batch([1, 2, 3])
    assert all(name.startswith("ThreadPoolExecutor-") for name in names)


def test_a_copy_imported_later_is_ours_and_is_given_back():
    code = """
    import sys
    from surefoot.adapters import langchain
    with langchain.install():
        import langgraph.pregel._executor as late
        ours = late.get_executor_for_config
        assert ours.__module__.startswith("surefoot"), ours.__module__
    assert late.get_executor_for_config is not ours
    """
    pytest.importorskip("langgraph", reason="langgraph is not installed")
    child.run_clean(code)


def test_the_executor_is_both_classes():
    with langchain.AdaptiveContextThreadPoolExecutor(2) as executor:
        assert isinstance(executor, runnables_config.ContextThreadPoolExecutor)
        assert isinstance(executor, AdaptiveThreadPoolExecutor)
        assert list(executor.map(abs, [-1, -2])) == [1, 2]
        assert executor.submit(abs, -3).result() == 3
        assert executor.stats().tasks_done == 3


def test_disabled_nothing_is_changed():
    code = """
    from langchain_core.runnables import config
    before = config.get_executor_for_config
    from surefoot.adapters import langchain
    with langchain.install():
        print(config.get_executor_for_config is before)
    """
    assert child.run_clean(code, env={"SUREFOOT_DISABLE": "1"}).lines == ["True"]
