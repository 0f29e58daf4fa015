"""Machines in regions that are far apart: a switch of our own carries frames between them, late or not at all.

The kernel may have no module that delays packets, so each region's bridge ends at a port of this switch, which takes
frames from a raw socket and puts them out at another once their time has come. Run below `unshare --net --mount`.

As a program it is the switch itself: it reads `cut A B`, `heal A B` and `bytes` from standard input, and answers each
with a line: the bytes carried so far between each two regions.
"""

import fcntl
import heapq
import json
import select
import socket
import struct
import subprocess
import sys
import time
from itertools import count

from lan import ip

FRAME_BYTES_MAX = 65_536
OUTGOING = 4
ETH_P_ALL = 3
SIOCETHTOOL = 0x8946
SET_TX_CHECKSUMS = 0x17


class FarMachine:
    """A network namespace with one interface, on its region's bridge."""

    def __init__(self, name: str, region: str, address: str):
        self.name, self.region, self.address = name, region, address
        ip("netns", "add", name)
        ip("link", "add", f"to-{name}", "netns", region, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", region, "link", "set", f"to-{name}", "master", "bridge", "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "address", "add", f"{address}/16", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        # A frame that leaves a raw socket has the checksum that it came with, so it must have come with one.
        subprocess.run(self.inside(sys.executable, __file__, "--write-checksums", "eth0"), check=True)

    def inside(self, *command: str) -> list[str]:
        """The command, run on this machine."""
        return ["ip", "netns", "exec", self.name, *command]


class Ways:
    """The switch between the regions, as a process of its own."""

    def __init__(self, regions: list[str], delays_ms: dict[str, float]):
        command = ["ip", "netns", "exec", "ways", sys.executable, __file__, json.dumps([regions, delays_ms])]
        self.switch = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.tell("bytes")

    def tell(self, line: str) -> dict[str, int]:
        print(line, file=self.switch.stdin, flush=True)
        return json.loads(self.switch.stdout.readline())

    def end(self) -> None:
        self.switch.kill()
        self.switch.wait()


def far_apart(names: dict[str, list[str]], delays_ms: dict[str, float]) -> tuple[list[FarMachine], Ways]:
    """Machines by region; one-way delays in milliseconds by pair of regions, as `"eu us"` in the order of `names`."""
    # Where `ip` keeps the names; the mount is this process's own.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    ip("netns", "add", "ways")
    machines = []
    for number, (region, members) in enumerate(names.items(), 1):
        ip("netns", "add", region)
        ip("-n", region, "link", "add", "bridge", "type", "bridge")
        ip("-n", region, "link", "set", "bridge", "up")
        ip("link", "add", region, "netns", "ways", "type", "veth", "peer", "name", "far", "netns", region)
        ip("-n", region, "link", "set", "far", "master", "bridge", "up")
        ip("-n", "ways", "link", "set", region, "up")
        for place, name in enumerate(members, 1):
            machines.append(FarMachine(name, region, f"10.90.{number}.{place}"))
    return machines, Ways(list(names), delays_ms)


def write_checksums(interface: str) -> None:
    """Has the kernel write checksums before frames leave, as ethtool does with `tx off`."""
    import ctypes

    value = ctypes.create_string_buffer(struct.pack("II", SET_TX_CHECKSUMS, 0))
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)


class Switch:
    """Carries frames between ports; each pair of ports has its delay and may be cut."""

    def __init__(self, regions: list[str], delays_ms: dict[str, float]):
        self.ports = {}
        for region in regions:
            port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            port.bind((region, 0))
            port.setblocking(False)
            self.ports[region] = port
        self.delays = {frozenset(pair.split()): delay / 1000 for pair, delay in delays_ms.items()}
        self.cut: set[frozenset] = set()
        self.carried = {pair: 0 for pair in self.delays}
        self.homes: dict[bytes, str] = {}
        self.waiting: list = []
        self.order = count()

    def take(self, region: str) -> None:
        while True:
            try:
                frame, about = self.ports[region].recvfrom(FRAME_BYTES_MAX)
            except BlockingIOError:
                return
            if about[2] == OUTGOING:
                continue
            self.homes[frame[6:12]] = region
            home = self.homes.get(frame[:6])
            to = [home] if home else [other for other in self.ports if other != region]
            for other in to:
                self.schedule(region, other, frame)

    def schedule(self, region: str, other: str, frame: bytes) -> None:
        pair = frozenset((region, other))
        if other != region and pair not in self.cut:
            at = time.monotonic() + self.delays[pair]
            heapq.heappush(self.waiting, (at, next(self.order), pair, other, frame))

    def put_out(self) -> float | None:
        """Puts out what is due; when more is, in seconds."""
        while self.waiting:
            wait = self.waiting[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, pair, other, frame = heapq.heappop(self.waiting)
            if pair not in self.cut:
                self.carried[pair] += len(frame)
                try:
                    self.ports[other].send(frame)
                except OSError:
                    # Too large, or the queue is full: lost, as on any way.
                    pass
        return None

    def obey(self, line: str) -> None:
        word, *pair = line.split()
        if word == "cut":
            self.cut.add(frozenset(pair))
        elif word == "heal":
            self.cut.discard(frozenset(pair))
        carried = {" ".join(sorted(pair)): count for pair, count in self.carried.items()}
        print(json.dumps(carried), flush=True)

    def run(self) -> None:
        sockets = {port.fileno(): region for region, port in self.ports.items()}
        while True:
            wait = self.put_out()
            ready, _, _ = select.select([*sockets, sys.stdin], [], [], wait)
            for source in ready:
                if source is sys.stdin:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.obey(line)
                else:
                    self.take(sockets[source])


if __name__ == "__main__":
    if sys.argv[1] == "--write-checksums":
        write_checksums(sys.argv[2])
    else:
        Switch(*json.loads(sys.argv[1])).run()
