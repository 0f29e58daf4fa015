"""Judges a node as a server, with the reference server behind it in every place; prints scenario by place.

Fails when a scored scenario passes at the reference server itself but not through a node, and no exception names why.
"""

import os
import sys
import tempfile
from pathlib import Path

from expected import unexpected
from harness import REQUIREMENTS, Outcome, judge
from placements import PLACEMENTS
from table import EXPLANATION, table

RESULTS = Path(os.environ["RESULTS"])
PINS = {"both": None, "legacy": "legacy", "modern": "modern"}


def outcomes_of(pin: str, requirements: str, place: str) -> dict[str, Outcome]:
    results = RESULTS / f"{pin}-{requirements}-{place}"
    # Pinned, the reference server itself is the measure in both eras: translated, all must pass that passes there.
    pinned = None if place == "direct" else PINS[pin]
    with tempfile.TemporaryDirectory() as folder, PLACEMENTS[place](Path(folder), pinned) as url:
        return judge("server", requirements, "--url", url, results=results)


def main() -> int:
    pins = sys.argv[1].split(",") if len(sys.argv) > 1 else list(PINS)
    places = sys.argv[2].split(",") if len(sys.argv) > 2 else ["http", "stdio", "peer"]
    regressions = []
    for pin in pins:
        for requirements in REQUIREMENTS:
            columns = {place: outcomes_of(pin, requirements, place) for place in ["direct", *places]}
            title = f"{requirements}, reference server speaks {pin}"
            regressions += unexpected(f"{pin} {requirements}", table(title, columns))
    print(f"\n{EXPLANATION}")
    for regression in regressions:
        print(f"FAILED only through a node: {regression}")
    return 1 if regressions else 0


if __name__ == "__main__":
    sys.exit(main())
