"""Judges a node as a client: the suite's server ← a node, or two ← the reference client; prints scenario by place.

Fails when a scored scenario without sign-in passes with the reference client alone but not through a node, and
no exception names why.
"""

import os
import shlex
import sys
from pathlib import Path

from expected import unexpected
from harness import PYTHON, REQUIREMENTS, Outcome, judge
from table import EXPLANATION, table

RESULTS = Path(os.environ["RESULTS"])
CLIENT = str(Path(__file__).with_name("client_through.py"))


def outcomes_of(requirements: str, place: str) -> dict[str, Outcome]:
    command = shlex.join([PYTHON, CLIENT, place])
    results = RESULTS / f"client-{requirements}-{place}"
    outcomes = judge("client", requirements, "--command", command, results=results)
    return {name: outcome for name, outcome in outcomes.items() if not name.startswith("auth/")}


def main() -> int:
    places = sys.argv[1].split(",") if len(sys.argv) > 1 else ["http", "peer"]
    regressions = []
    for requirements in REQUIREMENTS:
        columns = {place: outcomes_of(requirements, place) for place in ["direct", *places]}
        title = f"{requirements}, as a client"
        regressions += unexpected(f"client {requirements}", table(title, columns))
    print(f"\n{EXPLANATION}")
    for regression in regressions:
        print(f"FAILED only through a node: {regression}")
    return 1 if regressions else 0


if __name__ == "__main__":
    sys.exit(main())
