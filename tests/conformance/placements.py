"""Where the reference server can stand, seen from the endpoint that is judged."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness import KIT, PYTHON
from nodes import Node, let_in, wait_for_tool

REFERENCE = str(Path(__file__).with_name("reference.py"))
SETTINGS = '[tools]\nnames = "plain"\nlist = "full"\n[log]\nlevel = "warn"\n'
A_TOOL = "test_simple_text"


def reference_command(transport: str, pinned: str | None) -> list[str]:
    return [PYTHON, REFERENCE, transport, *([pinned] if pinned else [])]


@contextlib.contextmanager
def direct(root: Path, pinned: str | None) -> Iterator[str]:
    """The reference server itself, over HTTP."""
    command = reference_command("http", pinned)
    environment = {**os.environ, "KIT": str(KIT)}
    log = (root / "reference.log").open("w")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(timeout=10)


@contextlib.contextmanager
def http(root: Path, pinned: str | None) -> Iterator[str]:
    """A node, with the reference server as upstream over HTTP."""
    with direct(root, pinned) as upstream, Node(root / "a", "desk", SETTINGS) as desk:
        desk.done("serve", "everything", upstream)
        wait_for_tool(desk, A_TOOL)
        yield desk.ready["http"]


@contextlib.contextmanager
def stdio(root: Path, pinned: str | None) -> Iterator[str]:
    """A node, with the reference server as its child."""
    with Node(root / "a", "desk", SETTINGS) as desk:
        serve_child(desk, pinned)
        wait_for_tool(desk, A_TOOL)
        yield desk.ready["http"]


@contextlib.contextmanager
def peer(root: Path, pinned: str | None) -> Iterator[str]:
    """A node, linked to another whose child the reference server is."""
    with Node(root / "a", "desk", SETTINGS) as desk, Node(root / "b", "laptop", SETTINGS) as laptop:
        serve_child(desk, pinned)
        let_in(desk, laptop)
        wait_for_tool(laptop, A_TOOL)
        yield laptop.ready["http"]


def serve_child(node: Node, pinned: str | None) -> None:
    command = reference_command("stdio", pinned)
    node.done("serve", "everything", "--share", "--env", f"KIT={KIT}", "--", *command)


PLACEMENTS = {"direct": direct, "http": http, "stdio": stdio, "peer": peer}
