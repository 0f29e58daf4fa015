"""The client that the official suite judges: the reference client, with nodes between it and the suite's own server.

    client_through.py direct|http|peer URL

The suite gives the URL last. Nobody here plays the part of the user who would sign in: those scenarios end at once.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import KIT, PYTHON
from nodes import Node, let_in
from placements import SETTINGS

UPSTREAM_SECONDS_MAX = 10


def wait_for_upstream(node: Node) -> None:
    """Until it is up; a server that the scenario makes unusable is no reason to wait for ever."""
    deadline = time.monotonic() + UPSTREAM_SECONDS_MAX
    while time.monotonic() < deadline:
        if all(server["state"] == "up" for server in json.loads(node.done("status", "--json"))["servers"]):
            return
        time.sleep(0.05)


@contextlib.contextmanager
def served(root: Path, place: str, url: str) -> Iterator[str]:
    """Where the client finds the server at `url`."""
    if place == "direct":
        yield url
        return
    with Node(root / "a", "desk", SETTINGS) as desk:
        desk.done("serve", "judge", url, "--share")
        wait_for_upstream(desk)
        if place == "http":
            yield desk.ready["http"]
            return
        with Node(root / "b", "laptop", SETTINGS) as laptop:
            let_in(desk, laptop)
            wait_for_the_same_tools(desk, laptop)
            yield laptop.ready["http"]


def wait_for_the_same_tools(owner: Node, other: Node) -> None:
    deadline = time.monotonic() + UPSTREAM_SECONDS_MAX
    while len(other.tools()) < len(owner.tools()) and time.monotonic() < deadline:
        time.sleep(0.05)


def main() -> int:
    place, url = sys.argv[1], sys.argv[-1]
    if os.environ["MCP_CONFORMANCE_SCENARIO"].startswith("auth/"):
        return 1
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), place, url) as endpoint:
        client = [PYTHON, str(KIT / "reference_client.py"), endpoint]
        return subprocess.run(client, stdout=sys.stderr).returncode


if __name__ == "__main__":
    sys.exit(main())
