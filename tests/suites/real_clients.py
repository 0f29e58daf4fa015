"""Two nodes: desk serves the npm filesystem server, the PyPI client at laptop reads a file that lies only on desk."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mcp.client import Client

PEERAGE = os.environ["PEERAGE_BIN"]
FILESYSTEM_SERVER = os.environ["FILESYSTEM_SERVER"]
TEXT = "the very text\n"
PATIENCE_SECONDS = 60


class Node:
    """A running node, stopped when left."""

    def __init__(self, home: Path, name: str):
        self.home = home
        command = [PEERAGE, "--home", str(home), "--json", "up", "--name", name, "--http", "auto", "--no-mdns"]
        for address in ("/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"):
            command += ["--listen", address]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def __enter__(self):
        line = self.process.stdout.readline()
        assert line, "the node ended before it was ready"
        self.ready = json.loads(line)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [PEERAGE, "--home", str(self.home), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    def done(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended
        return ended.stdout

    def tools(self) -> list[str]:
        return [tool["name"] for tool in json.loads(self.done("tools", "--json"))]


def wait_for_tool(node: Node, ending: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for name in node.tools():
            if name.endswith(ending):
                return name
        time.sleep(0.1)
    raise AssertionError(f"no tool …{ending} among {node.tools()}")


async def reads_in_mode(mode: str, url: str, tool: str, path: str) -> None:
    async with Client(url, mode=mode) as client:
        listed = [entry.name for entry in (await client.list_tools()).tools]
        assert tool in listed, listed
        assert not any("closed" in name for name in listed), listed
        result = await client.call_tool(tool, {"path": path})
        assert not result.is_error, result
        assert result.content[0].text == TEXT, result
        await asserts_unknown(client, tool.replace("__open__", "__closed__"), path)


async def asserts_unknown(client: Client, name: str, path: str) -> None:
    try:
        result = await client.call_tool(name, {"path": path})
    except Exception as error:
        assert "Unknown tool" in str(error), error
        return
    assert result.is_error and "Unknown tool" in result.content[0].text, result


def main() -> int:
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        shelf = root / "shelf"
        shelf.mkdir()
        path = shelf / "note.txt"
        path.write_text(TEXT)
        with Node(root / "b", "desk") as desk, Node(root / "a", "laptop") as laptop:
            serve = ["--", "node", FILESYSTEM_SERVER, str(shelf)]
            desk.done("serve", "open", "--share", *serve)
            desk.done("serve", "closed", *serve)
            ticket = json.loads(desk.done("invite", "--json"))["ticket"]
            laptop.done("join", ticket)
            tool = wait_for_tool(laptop, "__open__read_text_file")

            assert laptop.done("call", tool, f"path={path}") == TEXT
            print("passed: peerage call reads a file that lies only on the other node")
            passed += 1

            private = laptop.run("call", tool.replace("__open__", "__closed__"), f"path={path}")
            assert private.returncode == 1 and "nknown tool" in private.stderr, private
            print("passed: a private server is unknown by name")
            passed += 1

            for mode in ("legacy", "2026-07-28"):
                asyncio.run(reads_in_mode(mode, laptop.ready["http"], tool, str(path)))
                print(f"passed: the PyPI client in mode {mode} lists, reads and is told nothing of private tools")
                passed += 1
    print(f"{passed} passed, 0 failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
