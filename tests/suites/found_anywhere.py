"""Five members on five routed networks find each other from one bootstrap address, and again after they moved."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from routed import RoutedMachine, routed_networks

PEERAGE = os.environ["PEERAGE_BIN"]
NAMES = ("hub", "attic", "barn", "cellar", "dairy")
PORT = 4001
FOUND_SECONDS = 5.0
FOUND_AGAIN_SECONDS = 15.0
PATIENCE_SECONDS = 60


class Member:
    """A node on a machine of its own; a new process with each start."""

    def __init__(self, machine: RoutedMachine, folder: Path):
        self.machine = machine
        self.home = folder / machine.name
        self.process: subprocess.Popen | None = None

    def start(self, *arguments: str) -> None:
        command = [PEERAGE, "--home", str(self.home), "up", "--name", self.machine.name, "--http", "auto"]
        for transport in (f"udp/{PORT}/quic-v1", f"tcp/{PORT}"):
            command += ["--listen", f"/ip4/0.0.0.0/{transport}"]
        log = open(self.home.with_suffix(".log"), "a")
        command = self.machine.inside(*command, *arguments)
        self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=PATIENCE_SECONDS)

    def end(self) -> None:
        """Leaves nothing behind, whatever went wrong before."""
        if self.process and self.process.poll() is None:
            self.process.kill()

    def ask(self, *arguments: str):
        command = [PEERAGE, "--home", str(self.home), "--json", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
        return json.loads(ended.stdout) if ended.returncode == 0 else None

    def connected(self) -> set[str]:
        return {node["name"] for node in self.ask("nodes") or [] if node["state"] == "connected"}


def wait_for(what: str, condition) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.02)


def all_know_all(members: list[Member]) -> None:
    for member in members:
        others = {other.machine.name for other in members} - {member.machine.name}
        wait_for(f"{member.machine.name} is connected to {others}", lambda: member.connected() >= others)


def judge(what: str, seconds: float, goal: float) -> bool:
    passed = seconds <= goal
    print(f"{'passed' if passed else 'FAILED'}: {what}: {seconds:.2f} s, at most {goal:.0f} wanted", flush=True)
    return passed


def found_from_one_address(members: list[Member], folder: Path) -> float:
    """Nobody is where anybody knew it; one address of one node is told to all."""
    hub = members[0]
    identity = hub.ask("status")["node"]
    for member in members:
        member.stop()
        member.machine.move(1)
    bootstrap = folder / "bootstrap.toml"
    line = f"/ip4/{hub.machine.address}/udp/{PORT}/quic-v1/p2p/{identity}"
    bootstrap.write_text(f'[regions]\nhome = ["{line}"]\n')
    began = time.monotonic()
    for member in members:
        member.start("--bootstrap", str(bootstrap))
    all_know_all(members)
    return time.monotonic() - began


def found_again(members: list[Member], stays: Member, round_: int) -> float:
    """Every node but one comes to another network and starts anew, without a bootstrap file."""
    movers = [member for member in members if member is not stays]
    for member in movers:
        member.stop()
        member.machine.move(round_)
    began = time.monotonic()
    for member in movers:
        member.start()
    all_know_all(members)
    return time.monotonic() - began


def one_mesh(members: list[Member]) -> None:
    for member in members:
        member.machine.move(0)
        member.start()
        wait_for("a node answers", lambda: member.ask("nodes") is not None)
    ticket = members[0].ask("invite", "--uses", str(len(members)))["ticket"]
    for member in members[1:]:
        assert member.ask("join", ticket)
    all_know_all(members)


def judge_all(members: list[Member], folder: Path):
    one_mesh(members)
    yield judge("found from one bootstrap address", found_from_one_address(members, folder), FOUND_SECONDS)
    yield judge("found again, the hub stayed", found_again(members, members[0], 2), FOUND_AGAIN_SECONDS)
    yield judge("found again, another stayed", found_again(members, members[3], 3), FOUND_AGAIN_SECONDS)
    for member in members:
        member.stop()


def main() -> int:
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        members = [Member(machine, folder) for machine in routed_networks(*NAMES)]
        try:
            judged = list(judge_all(members, folder))
        finally:
            for member in members:
                member.end()
    return 0 if all(judged) else 1


if __name__ == "__main__":
    sys.exit(main())
