"""A grpc server on our executor: nothing but the executor is needed."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest

from patience import HANG_S, eventually
from surefoot import AdaptiveThreadPoolExecutor
from surefoot.capacity import standard_default

grpc = pytest.importorskip("grpc", reason="grpcio is not installed")

pytestmark = pytest.mark.skipif(
    os.environ.get("SUREFOOT_TEST_STANDARD_ONLY") == "1", reason="SUREFOOT_TEST_STANDARD_ONLY=1"
)


@contextlib.contextmanager
def serving(executor, handlers, **options):
    """A server with these methods of the service `test`; a channel to it."""
    server = grpc.server(executor, **options)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(HANG_S)
            yield channel
    finally:
        server.stop(None).wait(HANG_S)


def test_calls_that_block_are_all_served_at_once():
    many = 4 * standard_default()
    barrier = threading.Barrier(many)

    def meet(request, _context):
        barrier.wait(HANG_S)
        return request

    with AdaptiveThreadPoolExecutor(thread_name_prefix="grpc") as executor:
        handlers = {"Meet": grpc.unary_unary_rpc_method_handler(meet)}
        with serving(executor, handlers) as channel:
            call = channel.unary_unary("/test/Meet")
            futures = [call.future(b"%d" % number, timeout=HANG_S) for number in range(many)]
            assert [future.result() for future in futures] == [b"%d" % number for number in range(many)]
        eventually(lambda: executor.stats().tasks_done == many)
        assert executor.stats().limit >= many


def test_streams_that_hold_their_threads_starve_nobody():
    """More streams than the standard pool has threads, each of which waits for a call that comes after."""
    many = 2 * standard_default()
    released = threading.Event()

    def watch(_request, _context):
        yield b"begun"
        released.wait(HANG_S)
        yield b"released"

    def release(request, _context):
        released.set()
        return request

    def add(requests, _context):
        yield b"%d" % sum(int(request) for request in requests)

    handlers = {
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
        "Release": grpc.unary_unary_rpc_method_handler(release),
        "Add": grpc.stream_stream_rpc_method_handler(add),
    }
    with (
        AdaptiveThreadPoolExecutor(thread_name_prefix="grpc") as executor,
        serving(executor, handlers) as channel,
    ):
        streams = [channel.unary_stream("/test/Watch")(b"", timeout=HANG_S) for _ in range(many)]
        assert [next(stream) for stream in streams] == [b"begun"] * many
        assert channel.unary_unary("/test/Release")(b"now", timeout=HANG_S) == b"now"
        assert [next(stream) for stream in streams] == [b"released"] * many
        sums = channel.stream_stream("/test/Add")(iter([b"1", b"2", b"3"]), timeout=HANG_S)
        assert list(sums) == [b"6"]


def test_maximum_concurrent_rpcs_still_refuses():
    gate = threading.Event()

    def hold(request, _context):
        gate.wait(HANG_S)
        return request

    handlers = {"Hold": grpc.unary_unary_rpc_method_handler(hold)}
    with (
        AdaptiveThreadPoolExecutor(thread_name_prefix="grpc") as executor,
        serving(executor, handlers, maximum_concurrent_rpcs=3) as channel,
    ):
        call = channel.unary_unary("/test/Hold")
        held = [call.future(b"", timeout=HANG_S) for _ in range(3)]
        eventually(lambda: executor.stats().tasks_running == 3)
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=HANG_S)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        gate.set()
        assert [future.result() for future in held] == [b""] * 3


def test_a_method_may_have_a_pool_of_its_own():
    def where(_request, _context):
        return threading.current_thread().name.encode()

    where_else = lambda request, context: where(request, context)  # noqa: E731
    with (
        AdaptiveThreadPoolExecutor(thread_name_prefix="main") as executor,
        AdaptiveThreadPoolExecutor(2, thread_name_prefix="slow") as own,
    ):
        where_else.experimental_thread_pool = own
        handlers = {
            "Where": grpc.unary_unary_rpc_method_handler(where),
            "WhereElse": grpc.unary_unary_rpc_method_handler(where_else),
        }
        with serving(executor, handlers) as channel:
            assert channel.unary_unary("/test/Where")(b"", timeout=HANG_S).startswith(b"main_")
            assert channel.unary_unary("/test/WhereElse")(b"", timeout=HANG_S).startswith(b"slow_")


def test_exceptions_and_interceptors():
    def fail(_request, _context):
        raise ValueError("as it should")

    seen = []

    class Interceptor(grpc.ServerInterceptor):
        def intercept_service(self, continuation, details):
            seen.append(details.method)
            return continuation(details)

    handlers = {"Fail": grpc.unary_unary_rpc_method_handler(fail)}
    with (
        AdaptiveThreadPoolExecutor(thread_name_prefix="grpc") as executor,
        serving(executor, handlers, interceptors=[Interceptor()]) as channel,
    ):
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/test/Fail")(b"", timeout=HANG_S)
        assert failed.value.code() == grpc.StatusCode.UNKNOWN
        assert seen == ["/test/Fail"]
