"""Judges a node as a server, with the reference server behind it in every place; prints scenario by place.

Fails when a scored scenario passes at the reference server itself but not through a node.
"""

import os
import sys
import tempfile
from pathlib import Path

from harness import REQUIREMENTS, Outcome, judge
from placements import PLACEMENTS
from table import EXPLANATION, table

RESULTS = Path(os.environ["RESULTS"])
PINS = {"both": None, "legacy": "legacy", "modern": "modern"}

# What cannot pass through a node although it passes directly, by pin and requirements, and why.
ONLY_MODERN = "the reference's own tool answers with what the legacy era has no words for"
ONLY_LEGACY = "the reference's own tool asks its client directly, which the modern era does not have"
ONE_GREETING = "a legacy server is greeted once for all callers, and cannot be told what one of them lacks"
EXCEPTIONS: dict[str, dict[str, str]] = {
    "legacy 2026-07-28": {
        "server-stateless": ONE_GREETING,
        "input-required-result-basic-elicitation": ONLY_MODERN,
        "input-required-result-basic-sampling": ONLY_MODERN,
        "input-required-result-basic-list-roots": ONLY_MODERN,
        "input-required-result-request-state": ONLY_MODERN,
        "input-required-result-multiple-input-requests": ONLY_MODERN,
        "input-required-result-multi-round": ONLY_MODERN,
        "input-required-result-missing-input-response": ONLY_MODERN,
        "input-required-result-non-tool-request": ONLY_MODERN,
        "input-required-result-result-type": ONLY_MODERN,
        "input-required-result-tampered-state": ONLY_MODERN,
        "input-required-result-capability-check": ONLY_MODERN,
    },
    "modern 2025-11-25": {
        "tools-call-sampling": ONLY_LEGACY,
        "tools-call-elicitation": ONLY_LEGACY,
        "elicitation-sep1034-defaults": ONLY_LEGACY,
        "elicitation-sep1330-enums": ONLY_LEGACY,
    },
}


def outcomes_of(pin: str, requirements: str, place: str) -> dict[str, Outcome]:
    results = RESULTS / f"{pin}-{requirements}-{place}"
    # Pinned, the reference server itself is the measure in both eras: translated, all must pass that passes there.
    pinned = None if place == "direct" else PINS[pin]
    with tempfile.TemporaryDirectory() as folder, PLACEMENTS[place](Path(folder), pinned) as url:
        return judge("server", requirements, "--url", url, results=results)


def main() -> int:
    pins = sys.argv[1].split(",") if len(sys.argv) > 1 else list(PINS)
    places = sys.argv[2].split(",") if len(sys.argv) > 2 else ["http", "stdio", "peer"]
    unexpected = []
    for pin in pins:
        for requirements in REQUIREMENTS:
            columns = {place: outcomes_of(pin, requirements, place) for place in ["direct", *places]}
            title = f"{requirements}, reference server speaks {pin}"
            for regression in table(title, columns):
                why = EXCEPTIONS.get(f"{pin} {requirements}", {}).get(regression.split(" ")[0])
                if why:
                    print(f"expected: {regression}: {why}")
                else:
                    unexpected.append(f"{title}: {regression}")
    print(f"\n{EXPLANATION}")
    for regression in unexpected:
        print(f"FAILED only through a node: {regression}")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
