"""What `surefoot run` costs: whole programs, unmodified, with python and with surefoot in alternation.

    python -m bench.run_overhead [--quick] [--rounds N] [--only CASE,...] [--check] [--out FILE.jsonl]

The bar: with `--observe` a program of seconds takes at most 3 % longer, start and end included. Plain
`surefoot run` has none: its pools are others, a program may take less time or more. Nor have the cases
`start`, in which the program does nothing, and `fine`, whose tasks are the pool's own work: they show what
the fixed price is, and the price of a call.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from statistics import median
from typing import IO

from bench import environment, records
from bench.alternate import Turn, turns
from bench.estimate import bootstrap

EXPERIMENT = "run-overhead"
BAR = 1.03
HANG_LIMIT_S = 300.0

PLAIN, OBSERVED, ADAPTIVE = "python", "surefoot run --observe", "surefoot run"
WAYS = {
    PLAIN: [],
    OBSERVED: ["-m", "surefoot", "run", "--observe", "--report", "report.json"],
    ADAPTIVE: ["-m", "surefoot", "run"],
}

# Fixed amounts of work: a program that looked at the clock to know when to stop would hide its own delay.
_PROGRAM = """
    import sys, time
    from concurrent.futures import ThreadPoolExecutor

    def python(additions):
        x = 0
        for _ in range(additions):
            x += 1
        return x

    def task(additions, wait_s):
        python(additions)
        if wait_s:
            time.sleep(wait_s)
        return 1

    def main(workers, tasks, additions, wait_s):
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(task, additions, wait_s) for _ in range(tasks)]
            assert sum(future.result() for future in futures) == tasks

    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
"""

# Case: its words (workers, tasks, additions, wait), and what it is like.
CASES = {
    "start": (("1", "0", "0", "0"), "a program that does nothing"),
    "waits": (("16", "8000", "1000", "0.005"), "16 workers, tasks that mostly wait for 5 ms"),
    "mixed": (
        ("8", "3000", "30000", "0.002"),
        "8 workers, tasks of a millisecond of Python and 2 ms of waiting",
    ),
    "fine": (("8", "150000", "50", "0"), "8 workers, tasks of a few microseconds"),
}
BOUND = ("waits", "mixed")


def once(way: str, case: str, folder: Path) -> dict[str, float]:
    """Run the program once; return its wall and CPU time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began_s = time.perf_counter()
    subprocess.run(
        [sys.executable, *WAYS[way], "program.py", *CASES[case][0]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        timeout=HANG_LIMIT_S,
        check=True,
    )
    wall_s = time.perf_counter() - began_s
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall_s, "cpu_s": cpu_s}


def measure(case: str, rounds: int, folder: Path, out: IO[str] | None) -> list[dict[str, dict[str, float]]]:
    """Run every way in alternation; return the measures of each round by way."""
    for way in WAYS:  # Byte code and files in the page cache are nobody's overhead.
        once(way, case, folder)
    rounds_measured: list[dict[str, dict[str, float]]] = [{} for _ in range(rounds)]
    for turn in turns(list(WAYS), rounds):
        rounds_measured[turn.round][turn.pool] = measures = once(turn.pool, case, folder)
        if out is not None:
            records.write(_sample(case, turn, measures), out)
    return rounds_measured


def _sample(case: str, turn: Turn, measures: dict[str, float]) -> records.Sample:
    workers, tasks, additions, _ = CASES[case][0]
    conditions = {"workers": int(workers), "tasks": int(tasks), "additions": int(additions)}
    interpreter = environment.interpreter_name()
    return records.Sample(
        EXPERIMENT, case, turn.pool, turn.round, turn.position, conditions, measures, interpreter
    )


def report(case: str, measured: list[dict[str, dict[str, float]]]) -> bool:
    """Print a table of one case; say whether its bar is held."""
    held = True
    print(f"\n{case}: {CASES[case][1]}")
    print("| way | wall s | CPU s | wall / python | 95 % | bar | verdict |")
    print("|---|---|---|---|---|---|---|")
    for way in WAYS:

        def ratio(numbers: object, way: str = way) -> float:
            drawn = [measured[number] for number in numbers]  # type: ignore[attr-defined]
            return median(m[way]["wall_s"] for m in drawn) / median(m[PLAIN]["wall_s"] for m in drawn)

        wall_s, cpu_s = (median(each[way][name] for each in measured) for name in ("wall_s", "cpu_s"))
        cells = [way, f"{wall_s:.3f}", f"{cpu_s:.3f}"]
        if way == PLAIN:
            cells += ["", "", "", ""]
        else:
            found, interval = ratio(range(len(measured))), bootstrap(len(measured), ratio)
            shown = "" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
            bar, verdict = "", ""
            if way == OBSERVED and case in BOUND:
                bar, is_held = f"<= {BAR}", found <= BAR
                verdict = "held" if is_held else "missed"
                if interval is not None and interval.contains(BAR):
                    verdict += " ~"
                held &= is_held
            cells += [f"{found:.3f}", shown, bar, verdict]
        print(f"| {' | '.join(cells)} |", flush=True)
    return held


def main() -> int:
    """Measure, print, and with ``--check`` exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="5 rounds instead of 9, without `fine`")
    parser.add_argument("--rounds", type=int, help="rounds of each case")
    parser.add_argument("--only", help=f"of {', '.join(CASES)}")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bar is missed")
    parser.add_argument("--out", type=Path, help="append the raw samples to this file")
    options = parser.parse_args()
    rounds = options.rounds or (5 if options.quick else 9)
    cases = [case for case in CASES if case != "fine" or not options.quick]
    cases = options.only.split(",") if options.only else cases
    held = True
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "program.py").write_text(textwrap.dedent(_PROGRAM), "utf-8")
        out = options.out.open("a", encoding="utf-8") if options.out else None
        facts = environment.describe(EXPERIMENT, self_check=False, quick=options.quick)
        if out is not None:
            records.write(facts, out)
        for case in cases:
            held &= report(case, measure(case, rounds, Path(folder), out))
        if out is not None:
            out.close()
        print("\n" + ", ".join(f"{name} {value}" for name, value in facts.facts.items()))
    return 1 if options.check and not held else 0


if __name__ == "__main__":
    sys.exit(main())
