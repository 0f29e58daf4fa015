"""Members on both sides of a way that can be cut: killed, started again, and asked through their sockets."""

import http.client
import json
import shutil
import signal
import socket
from pathlib import Path

from far_apart import FarMachine, Ways, far_apart
from regions import Member

CALL_SECONDS = 30


class Unanswered(Exception):
    """The node was not there, or went away before it answered."""


class Refused(Exception):
    """The tool said no."""


class OverSocket(http.client.HTTPConnection):
    """HTTP over the socket in a node's home."""

    def __init__(self, path: Path):
        super().__init__("node", timeout=CALL_SECONDS)
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(CALL_SECONDS)
        self.sock.connect(self.path)


class Parted(Member):
    """A member of one side."""

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, tool: str, arguments: dict, agent: str = "owner") -> dict:
        """What a tool of the node itself says to one of its agents."""
        request = {"name": tool, "arguments": arguments, "timeout_ms": CALL_SECONDS * 1000, "agent": agent}
        connection = OverSocket(self.home / "peerage.sock")
        try:
            connection.request("POST", "/v1/call", json.dumps(request), {"content-type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(str(error)) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise Unanswered(said["error"]["message"])
        if said["is_error"]:
            raise Refused(said["result"]["content"][0]["text"])
        return said["result"]["structuredContent"]

    def copied_to(self, machine: FarMachine, folder: Path) -> "Parted":
        """The same home on another machine, as if a disk had been copied. It stands still meanwhile."""
        copy = Parted(machine, folder)
        shutil.rmtree(copy.home)
        self.process.send_signal(signal.SIGSTOP)
        shutil.copytree(self.home, copy.home, ignore=shutil.ignore_patterns("*.sock", "*.lock", "*.pid"))
        self.process.send_signal(signal.SIGCONT)
        copy.name = self.name
        return copy


def two_sides(left: list[str], right: list[str], folder: Path) -> tuple[list[Parted], list[FarMachine], Ways]:
    """Members of these names on both sides, the machines, and the way between; a name in brackets is a bare machine."""
    bare = lambda name: name.startswith("(")
    plain = lambda names: [name.strip("()") for name in names]
    machines, ways = far_apart({"left": plain(left), "right": plain(right)}, {"left right": 1})
    named = dict(zip(left + right, machines))
    members = [Parted(machine, folder) for name, machine in named.items() if not bare(name)]
    return members, [machine for name, machine in named.items() if bare(name)], ways
