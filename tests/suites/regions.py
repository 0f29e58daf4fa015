"""Regions of real nodes that are far apart, under calls and messages; the way between two is cut and healed."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from far_apart import FarMachine, Ways, far_apart

PEERAGE = os.environ["PEERAGE_BIN"]
TOY_SERVER = os.environ["TOY_SERVER"]
READ = f"path={Path(__file__).resolve()}"
CUT_SECONDS = float(os.environ.get("CUT_SECONDS", "20"))
EQUAL_SECONDS = 10.0
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.4
MESSAGES_SHOWN = 200
CALLS_SECONDS = 6
PORT = 4001
LAYOUTS = [
    ({"eu": 3, "us": 3}, {"eu us": 45}),
    ({"eu": 3, "us": 2, "asia": 2}, {"eu us": 20, "eu asia": 60, "us asia": 75}),
]


class Member:
    """A node on a machine of its own, in a region."""

    def __init__(self, machine: FarMachine, folder: Path):
        self.machine = machine
        self.name = machine.name
        self.home = folder / machine.name
        self.home.mkdir(mode=0o700)
        (self.home / "peerage.toml").write_text(f'[node]\nregion = "{machine.region}"\n')
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        command = [PEERAGE, "--home", str(self.home), "up", "--name", self.name, "--http", "auto", "--no-mdns"]
        for transport in (f"udp/{PORT}/quic-v1", f"tcp/{PORT}"):
            command += ["--listen", f"/ip4/0.0.0.0/{transport}"]
        log = open(self.home.with_suffix(".log"), "a")
        self.process = subprocess.Popen(self.machine.inside(*command), stdout=log, stderr=log)
        wait_for(f"{self.name} answers", lambda: self.ask("nodes") is not None)

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE_SECONDS)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [PEERAGE, "--home", str(self.home), "--json", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    def ask(self, *arguments: str):
        ended = self.run(*arguments)
        return json.loads(ended.stdout or "null") if ended.returncode == 0 else None

    def serve(self, server: str) -> None:
        ended = self.run("serve", server, "--share", "--", TOY_SERVER)
        assert ended.returncode == 0, ended

    def connected(self) -> set[str]:
        return {node["name"] for node in self.ask("nodes") or [] if node["state"] == "connected"}

    def catalog(self) -> set[tuple[str, str, str]]:
        """Every tool of a server, by what is the same at all nodes."""
        tools = [tool for tool in self.ask("tools") or [] if tool["server"]]
        return {(tool["node"], tool["server"], tool["name"].rsplit("__", 1)[-1]) for tool in tools}

    def texts(self, sender: str) -> set[str]:
        """The latest of a member's messages, as many as are shown at once."""
        messages = self.ask("messages", "--from", f"owner@{sender}", "--limit", str(MESSAGES_SHOWN))
        return {message["text"] for message in messages or []}


def wait_for(what: str, condition) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_SECONDS, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


class Busy:
    """Calls and messages that go on in one region, from a member that is not the one with the tools."""

    def __init__(self, host: Member, guest: Member):
        self.host, self.guest = host, guest
        self.calls, self.failed = 0, []
        self.acknowledged: list[str] = []
        self.millis: list[float] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            called = self.guest.run("call", f"{self.host.name}__files__read_file", READ)
            self.millis.append((time.monotonic() - began) * 1000)
            self.calls += 1
            if called.returncode != 0:
                self.failed.append(called.stderr)
            text = f"from {self.guest.name}, {self.calls}"
            sent = self.guest.run("send", "--all", text)
            if sent.returncode == 0:
                self.acknowledged.append(text)
            else:
                self.failed.append(sent.stderr)
            self.stop.wait(PAUSE_SECONDS)

    def end(self) -> None:
        self.stop.set()
        self.thread.join()


def one_mesh(members: list[Member]) -> None:
    for member in members:
        member.start()
    ticket = members[0].ask("invite", "--uses", str(len(members)))["ticket"]
    for member in members[1:]:
        assert member.ask("join", ticket)
    everybody = {member.name for member in members}
    for member in members:
        wait_for(f"{member.name} has all links", lambda: member.connected() == everybody - {member.name})


def by_region(members: list[Member]) -> dict[str, list[Member]]:
    regions: dict[str, list[Member]] = {}
    for member in members:
        regions.setdefault(member.machine.region, []).append(member)
    return regions


def listed_by_region(members: list[Member], delays_ms: dict[str, float]) -> None:
    """Own region first; each with its path and a round trip that is at least the way there and back."""
    for member in members:
        measured = lambda: all(n["round_trip_micros"] for n in member.ask("nodes")[1:])
        wait_for("round trips are measured", measured)
        nodes = member.ask("nodes")
        regions = [node["region"] for node in nodes]
        own = member.machine.region
        assert regions == sorted(regions, key=lambda region: (region != own, region)), regions
        for node in nodes[1:]:
            pair = {node["region"], own}
            ways = [delay for ends, delay in delays_ms.items() if set(ends.split()) == pair]
            least = 2000 * ways[0] if ways else 0
            assert node["path"] and node["round_trip_micros"] >= least, node
    print(f"passed: {len(members)} members list each other by region, with path and round trip", flush=True)


def equal_again(members: list[Member], texts: dict[str, set[str]]) -> None:
    """Waits until all have the same catalog and every message."""
    for member in members:
        wait_for("catalogs are equal", lambda: member.catalog() == tools_of(members))
        for sender, all_of_it in texts.items():
            wait_for("no message is missing", lambda: all_of_it <= member.texts(sender))


def tools_of(members: list[Member]) -> set[tuple[str, str, str]]:
    """What members say of their own servers."""
    return {tool for member in members for tool in member.catalog() if tool[0] == member.name}


def cut_and_healed(members: list[Member], ways: Ways, pair: str) -> bool:
    regions = by_region(members)
    busy = [Busy(inside[0], inside[1]) for inside in regions.values()]
    for one in busy:
        wait_for("the tools are there", lambda: any(tool[0] == one.host.name for tool in one.guest.catalog()))
        one.thread.start()
    time.sleep(2)
    ways.tell(f"cut {pair}")
    time.sleep(CUT_SECONDS / 2)
    # Something new on one side that the other cannot hear of yet.
    regions[pair.split()[0]][-1].serve("news")
    time.sleep(CUT_SECONDS / 2)
    ways.tell(f"heal {pair}")
    healed = time.monotonic()
    equal_again(members, {one.guest.name: set(one.acknowledged) for one in busy})
    seconds = time.monotonic() - healed
    for one in busy:
        one.end()
    equal_again(members, {one.guest.name: set(one.acknowledged) for one in busy})
    calls = sum(one.calls for one in busy)
    failed = [why for one in busy for why in one.failed]
    acknowledged = sum(len(one.acknowledged) for one in busy)
    assert max(len(one.acknowledged) for one in busy) < MESSAGES_SHOWN
    slowest = max(millis for one in busy for millis in one.millis)
    passed = not failed and seconds <= EQUAL_SECONDS
    print(
        f"{'passed' if passed else 'FAILED'}: {pair} cut for {CUT_SECONDS:.0f} s: {calls} calls inside regions, "
        f"the slowest {slowest:.0f} ms, {len(failed)} failures; {acknowledged} messages acknowledged, all there; "
        f"equal {seconds:.1f} s after, at most {EQUAL_SECONDS:.0f} wanted",
        flush=True,
    )
    for why in failed[:3]:
        print(why, file=sys.stderr)
    return passed


def calls_stay_inside(members: list[Member], ways: Ways) -> None:
    """Calls within a region carry far more than what crosses between regions meanwhile."""
    inside = by_region(members)
    host, guest = next(iter(inside.values()))[:2]
    wait_for("the tools are there", lambda: any(tool[0] == host.name for tool in guest.catalog()))
    answered, crossed, began = 0, sum(ways.tell("bytes").values()), time.monotonic()
    while time.monotonic() - began < CALLS_SECONDS:
        called = guest.run("call", f"{host.name}__files__read_file", READ)
        assert called.returncode == 0, called
        answered += len(called.stdout)
    seconds = time.monotonic() - began
    crossed = sum(ways.tell("bytes").values()) - crossed
    assert crossed < answered / 4, (crossed, answered)
    print(
        f"passed: calls inside a region brought {answered / seconds / 1000:.0f} kB/s, "
        f"{crossed / seconds / 1000:.0f} kB/s crossed between regions meanwhile",
        flush=True,
    )


def judge(names: dict[str, int], delays_ms: dict[str, float], folder: Path) -> bool:
    machines, ways = far_apart(
        {region: [f"{region}-{number}" for number in range(1, size + 1)] for region, size in names.items()}, delays_ms
    )
    members = [Member(machine, folder) for machine in machines]
    try:
        one_mesh(members)
        for inside in by_region(members).values():
            inside[0].serve("files")
        listed_by_region(members, delays_ms)
        calls_stay_inside(members, ways)
        return cut_and_healed(members, ways, next(iter(delays_ms)))
    finally:
        for member in members:
            member.end()
        ways.end()


def main() -> int:
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as path:
            return 0 if judge(*LAYOUTS[int(sys.argv[1])], Path(path)) else 1
    # Each in networks of its own.
    again = ["unshare", "--net", "--mount", sys.executable, __file__]
    ended = [subprocess.run([*again, str(number)]).returncode for number in range(len(LAYOUTS))]
    return max(ended)


if __name__ == "__main__":
    sys.exit(main())
