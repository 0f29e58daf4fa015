"""Lies over mDNS while one member calls the other: every call reaches the member, and what is remembered stays bounded."""

import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from found_on_the_lan import STARTED, Member, list_each_other, wait_for
from lan import network

PEERAGE = os.environ["PEERAGE_BIN"]
NOTE = "known to the laptop alone"
GROUP, PORT = "224.0.0.251", 5353
PACKETS = 20_000
CALLS = 100
GROWTH_KIB_MAX = 32 * 1024
ATTACKER = "10.76.0.66"


def multicast() -> socket.socket:
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    heard.bind(("", PORT))
    membership = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(ATTACKER))
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    heard.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ATTACKER))
    return heard


def recorded(heard: socket.socket) -> list[bytes]:
    """Announcements of both members, as anybody on the network hears them."""
    packets: dict[str, bytes] = {}
    heard.settimeout(30)
    while len(packets) < 2:
        packet, (sender, _) = heard.recvfrom(9_000)
        # An answer, long enough for an announcement.
        if len(packet) > 600 and packet[2] & 0x80 and sender != ATTACKER:
            packets[sender] = packet
    return list(packets.values())


def lie() -> None:
    """Runs on the attacker's machine until it has said all."""
    heard = multicast()
    truths = recorded(heard)
    print("recorded", flush=True)
    sys.stdin.readline()
    dice = random.Random(7)
    for number in range(PACKETS):
        packet = bytearray(dice.choice(truths))
        kind = number % 4
        if kind == 1:
            packet[dice.randrange(len(packet))] ^= dice.randrange(1, 256)
        elif kind == 2:
            # The head of one announcement with the body of another.
            packet[len(packet) // 2 :] = dice.choice(truths)[len(packet) // 2 :]
        elif kind == 3:
            packet[-700:] = dice.randbytes(700)
        heard.sendto(packet, (GROUP, PORT))
        if number % 20 == 0:
            time.sleep(0.005)
    print("said", flush=True)


def memory(member: Member) -> int:
    pids = subprocess.run(["pgrep", "-f", f"{member.home} up"], capture_output=True, text=True).stdout.split()
    status = "".join(Path(f"/proc/{pid}/status").read_text() for pid in pids if "peerage" in Path(f"/proc/{pid}/comm").read_text())
    return sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def share_notes(desk: Member, laptop: Member) -> str:
    """A tool of the laptop's, listed at the desk, that answers what only the laptop knows."""
    notes = laptop.home.with_suffix(".notes")
    notes.mkdir()
    laptop.ask("serve", "own", "--share", "--", PEERAGE, "sample-server", str(notes))
    wait_for("the laptop lists its tools", lambda: len(laptop.ask("tools") or []) == 2)
    assert laptop.ask("call", "own__add_note", f"text={NOTE}")
    tool = "laptop__own__read_notes"
    wait_for("the desk lists them", lambda: any(one["name"] == tool for one in desk.ask("tools") or []))
    return tool


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        machines = network("desk", "laptop", "attacker")
        desk, laptop = (Member(machine, Path(folder) / machine.name) for machine in machines[:2])
        for number, member in enumerate((desk, laptop), 1):
            member.machine.move(f"10.76.0.{number}")
            member.start()
            wait_for("a node answers", lambda: member.ask("nodes") is not None)
        assert laptop.ask("join", desk.ask("invite")["ticket"])
        list_each_other(desk, laptop)
        tool = share_notes(desk, laptop)

        attacker = machines[2]
        attacker.move(ATTACKER)
        command = attacker.inside(sys.executable, os.path.abspath(__file__), "lie")
        liar = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        STARTED.append(liar)
        # Both answer when somebody asks: a new start of one makes both speak.
        laptop.stop()
        laptop.start()
        assert liar.stdout.readline() == "recorded\n"
        list_each_other(desk, laptop)
        wait_for("the tool is back", lambda: desk.ask("call", tool) is not None)
        before = memory(desk)
        liar.stdin.write("go\n")
        liar.stdin.flush()
        times = []
        for _ in range(CALLS):
            began = time.monotonic()
            assert NOTE in json.dumps(desk.ask("call", tool)), "a call failed under lies, or went astray"
            times.append(time.monotonic() - began)
        assert liar.stdout.readline() == "said\n"
        liar.wait(timeout=10)
        after = memory(desk)
        book = desk.ask("nodes", "--addresses")
        known = [one["address"] for node in book["nodes"] for one in node["addresses"]]
        times.sort()
        print(f"{PACKETS} lies; {CALLS} calls by new processes, median {times[CALLS // 2] * 1000:.0f} ms, slowest {times[-1] * 1000:.0f} ms")
        print(f"memory {before} KiB before, {after} KiB after; {len(known)} addresses known, {len(book['ignored'])} lies named")
        log = desk.home.with_suffix(".log")
        wait_for("the desk says what it passed over", lambda: "announcements on the local network were passed over" in log.read_text())
        assert before and after - before < GROWTH_KIB_MAX, (before, after)
        assert len(known) <= 16 and not any(ATTACKER in address for address in known), known
        assert {node["name"] for node in desk.ask("nodes")} == {"desk", "laptop"}
        for member in (desk, laptop):
            member.stop()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(lie() if sys.argv[1:] == ["lie"] else main())
