"""Two members on a network that passes on no multicast: apart until one of them scans. And an endpoint that others may use is
found by whoever has no node."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from found_on_the_lan import PEERAGE, Member, list_each_other, mesh_of_two, wait_for
from lan import ip

APART_SECONDS = 3


def endpoint_is_found(desk: Member, laptop: Member) -> None:
    """The desk's endpoint is open to others; a home without a node on the laptop's machine looks for one."""
    url = f"http://{desk.machine.address}:8080/mcp"
    desk.stop()
    desk.start(http=f"{desk.machine.address}:8080")
    wait_for("a node answers", lambda: desk.ask("nodes") is not None)
    empty = laptop.home.with_suffix(".empty")
    command = [PEERAGE, "--home", str(empty), "--json", "endpoint", "--trace"]
    without = subprocess.run(laptop.machine.inside(*command), capture_output=True, text=True)
    assert without.returncode != 0, "it was found without a scan"
    said = subprocess.run(laptop.machine.inside(*command, "--scan"), capture_output=True, text=True)
    found = json.loads(said.stdout)
    assert (found["url"], found["source"]) == (url, "scan"), said
    assert [step["source"] for step in found["steps"]] == ["environment", "node", "scan"], found
    print(f"passed: an endpoint was found in {found['steps'][-1]['micros'] / 1e6:.1f} s")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        desk, laptop = members = mesh_of_two(Path(folder))
        for number, member in enumerate(members, 1):
            member.stop()
            member.machine.move(f"10.77.0.{number * 50}")
            ip("link", "set", f"to-{member.machine.name}", "type", "bridge_slave", "mcast_flood", "off")
        for member in members:
            member.start()
            wait_for("a node answers", lambda: member.ask("nodes") is not None)
        apart_until = time.monotonic() + APART_SECONDS
        while time.monotonic() < apart_until:
            assert not laptop.lists(desk), "they found each other without a scan"
        began = time.monotonic()
        scanned = laptop.ask("scan")
        assert scanned["found"] == ["desk"] and scanned["asked"] == scanned["hosts"] == 253, scanned
        list_each_other(desk, laptop)
        print(f"passed: apart without a scan, linked {time.monotonic() - began:.1f} s after one began")
        endpoint_is_found(desk, laptop)
        for member in members:
            member.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
