"""A mixed graph on a cluster of two worker processes, several times over, in a process of its own.

``python -m bench.adoption.dask_graph '{...}'`` answers with the makespans and a digest of the results.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from distributed import Client, LocalCluster

from bench import child
from bench.adoption.dask_tasks import graph, reduce


def main() -> dict[str, Any]:
    """Run it as often as asked."""
    asked = child.arguments()
    threads, port, spins = asked["threads"], asked["port"], asked["spins"]
    makespans, results = [], []
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=threads or 1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        Client(cluster) as client,
    ):
        if not threads:
            from surefoot.adapters.dask import AdaptiveThreadsPlugin

            client.register_plugin(AdaptiveThreadsPlugin())
        # Imports and first connections, which every contender pays alike.
        client.run(reduce, [1])
        for _ in range(asked["repeats"]):
            begin = time.perf_counter()
            results.append(client.compute(graph(port, spins)).result(timeout=120))
            makespans.append(time.perf_counter() - begin)
        nthreads = sorted(client.nthreads().values())
    return {
        "makespans_s": makespans,
        "digest": hashlib.sha256(repr(results).encode()).hexdigest(),
        "nthreads": nthreads,
    }


if __name__ == "__main__":
    child.answer(main())
