"""Whole nodes for the suites: the real binary, on loopback, in homes of their own."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

PEERAGE = os.environ["PEERAGE_BIN"]
FILESYSTEM_SERVER = os.environ.get("FILESYSTEM_SERVER", "")
PATIENCE_SECONDS = 60


class Node:
    """A running node, stopped when left."""

    def __init__(self, home: Path, name: str, settings: str = ""):
        self.home = home
        if settings:
            home.mkdir(mode=0o700)
            (home / "peerage.toml").write_text(settings)
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


def let_in(host: Node, guest: Node) -> None:
    """Takes `guest` into the mesh of `host`."""
    ticket = json.loads(host.done("invite", "--json"))["ticket"]
    guest.done("join", ticket)
