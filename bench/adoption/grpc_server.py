"""A grpc server in its own process: ``python -m bench.adoption.grpc_server '{"contender": ...}'``.

The first line that it prints says its port. It leaves when its standard input ends.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

from bench import child
from bench.adoption import work
from surefoot import AdaptiveThreadPoolExecutor


def main() -> None:
    """Serve until the parent leaves."""
    contender = child.arguments()["contender"]
    executor: ThreadPoolExecutor
    if contender == "surefoot":
        executor = AdaptiveThreadPoolExecutor(thread_name_prefix="grpc")
    else:
        executor = ThreadPoolExecutor(None if contender == "default" else int(contender))

    def handler(do: object) -> grpc.RpcMethodHandler:
        def answer(_request: bytes, _context: object) -> bytes:
            do()  # type: ignore[operator]
            return b"done"

        return grpc.unary_unary_rpc_method_handler(answer)

    def pool(_request: bytes, _context: object) -> bytes:
        if not isinstance(executor, AdaptiveThreadPoolExecutor):
            return b""
        return "\n".join([repr(executor.stats()), *map(repr, executor.decisions())]).encode()

    handlers = {"mixed": handler(work.mixed), "cpu": handler(work.cpu)}
    handlers["pool"] = grpc.unary_unary_rpc_method_handler(pool)
    server = grpc.server(executor)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port}), flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
