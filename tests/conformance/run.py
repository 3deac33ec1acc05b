"""Runs CPython's own tests by hand, with an interpreter that has surefoot installed.

python tests/conformance/run.py                      # every suite, our executor
python tests/conformance/run.py --swap standard      # the proof that the harness adds no failure
python tests/conformance/run.py pool shutdown
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))


def main() -> int:
    """Runs suites and prints their counts."""
    import harness
    from suites import SUITES

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"any of: {', '.join(SUITES)} (all)")
    parser.add_argument("--swap", default="surefoot", choices=("surefoot", "fixed", "standard", "forgetful"))
    options = parser.parse_args()
    wrong = 0
    totals = dict.fromkeys(("passed", "skipped", "differences", "failures"), 0)
    with harness.environment() as env:
        for name in options.suites or SUITES:
            try:
                report = env.run(name, options.swap)
            except harness.SuiteMissingError as error:
                print(f"{name}: not run: {error}", flush=True)
                continue
            print(report if report.ok else report.explain(), flush=True)
            for test, reason in report.skipped.items():
                print(f"    skipped by CPython: {harness.short_id(test)}: {reason}")
            wrong += not report.ok
            for kind in totals:
                totals[kind] += len(getattr(report, kind))
    print("in all:", ", ".join(f"{count} {kind}" for kind, count in totals.items()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
