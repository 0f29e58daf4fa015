"""Two nodes: desk serves the npm filesystem server; the Inspector at laptop reaches it through the stdio proxy."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nodes import FILESYSTEM_SERVER, PATIENCE_SECONDS, PEERAGE, Node, let_in, wait_for_tool

INSPECTOR = os.environ["INSPECTOR"]
TEXT = "the very text\n"


def connect(node: Node, user: Path) -> dict:
    """Writes Claude Code's configuration twice, and gives the server that stands there."""
    environment = {**os.environ, "HOME": str(user)}
    command = [PEERAGE, "--home", str(node.home), "--json", "connect", "claude", "--write"]
    said = [
        json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
        for _ in range(2)
    ]
    assert [once["written"] for once in said] == [True, False], said
    return json.loads((user / ".claude.json").read_text())["mcpServers"]["peerage"]


def inspect(configuration: Path, *arguments: str) -> dict:
    command = [INSPECTOR, "--cli", "--config", str(configuration), "--server", "peerage", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert ended.returncode == 0, ended
    return json.loads(ended.stdout)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        shelf, user = root / "shelf", root / "user"
        shelf.mkdir()
        user.mkdir()
        path = shelf / "note.txt"
        path.write_text(TEXT)
        with Node(root / "b", "desk") as desk, Node(root / "a", "laptop") as laptop:
            desk.done("serve", "open", "--share", "--", "node", FILESYSTEM_SERVER, str(shelf))
            let_in(desk, laptop)
            tool = wait_for_tool(laptop, "__open__read_text_file")

            server = connect(laptop, user)
            assert server["command"] == str(Path(PEERAGE).resolve()), server
            print("passed: connect writes the configuration once")

            configuration = user / ".claude.json"
            listed = [entry["name"] for entry in inspect(configuration, "--method", "tools/list")["tools"]]
            assert tool in listed, listed
            print("passed: the Inspector lists the other node's tool through the proxy")

            call = ["--method", "tools/call", "--tool-name", tool, "--tool-arg", f"path={path}"]
            result = inspect(configuration, *call)
            assert result["content"][0]["text"] == TEXT, result
            print("passed: the Inspector reads a file that lies only on the other node")

            agents = [token["name"] for token in json.loads(laptop.done("token", "list", "--json"))]
            assert agents == ["claude"], agents
            print("passed: the call was made under the agent's own token")
    print("4 passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
