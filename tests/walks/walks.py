"""Starts the reference server behind a node, as a child and on a peer, and sends every client through it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from placements import PLACEMENTS

HERE = Path(__file__).parent
FIRST = os.environ["SDK_1_PYTHON"]
SECOND = sys.executable
WALK_SECONDS_MAX = 300


def walks(url: str) -> list[list[str]]:
    socket, events = url.replace("http://", "ws://"), url.replace("/mcp", "/sse")
    return [
        [FIRST, "sdk_1.py", "websocket", socket],
        [FIRST, "sdk_1.py", "sse", events],
        [FIRST, "sdk_1.py", "http", url],
        [SECOND, "sdk_2.py", "legacy", url],
        [SECOND, "sdk_2.py", "2026-07-28", url],
        [SECOND, "inspector.py", url],
    ]


def main() -> int:
    places = sys.argv[1].split(",") if len(sys.argv) > 1 else ["stdio", "peer"]
    failed = 0
    for place in places:
        print(f"\n{place}:", flush=True)
        with tempfile.TemporaryDirectory() as folder, PLACEMENTS[place](Path(folder), None) as url:
            for walk in walks(url):
                failed += subprocess.run(walk, cwd=HERE, timeout=WALK_SECONDS_MAX).returncode != 0
    print(f"\n{failed} walks failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
