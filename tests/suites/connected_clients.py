"""One node; each client is connected, lists it and reaches it, and no longer knows it once disconnected."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nodes import PATIENCE_SECONDS, PEERAGE, Node

CLIENTS = Path(os.environ["CLIENTS"])
# What each client says of a server that it reached; Codex lists without reaching out.
REACHED = {"claude": "Connected", "codex": "enabled", "gemini": "Connected"}


class User:
    """A user whose folder holds nothing yet."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "DISABLE_AUTOUPDATER": "1",
        }

    def run(self, *command: str) -> str:
        ended = subprocess.run(
            command,
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert ended.returncode == 0, ended
        # Gemini lists on its standard error.
        return ended.stdout + ended.stderr

    def peerage(self, node: Node, *arguments: str) -> dict:
        return json.loads(self.run(PEERAGE, "--home", str(node.home), "--json", *arguments))

    def servers_of(self, client: str) -> str:
        return self.run(str(CLIENTS / client), "mcp", "list")


def main() -> int:
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        user = User(root / "user")
        with Node(root / "node", "desk") as node:
            for client, reached in REACHED.items():
                assert user.peerage(node, "connect", client, "--write")["written"]
                lines = [line for line in user.servers_of(client).splitlines() if "peerage" in line]
                assert any(reached in line for line in lines), lines
                # The client may have written its file meanwhile.
                assert not user.peerage(node, "connect", client, "--write")["changed"]
                assert user.peerage(node, "disconnect", client, "--write")["written"]
                assert PEERAGE not in user.servers_of(client)
                print(f"passed: {client} reads what was written, and its end")
                passed += 1
    print(f"{passed} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
