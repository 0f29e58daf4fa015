"""Two members on a network that passes on no multicast: apart until one of them scans."""

import sys
import tempfile
import time
from pathlib import Path

from found_on_the_lan import list_each_other, mesh_of_two, wait_for
from lan import ip

APART_SECONDS = 3


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
        for member in members:
            member.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
