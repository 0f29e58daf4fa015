"""Networks that a router joins: each machine has a network of its own, so that no multicast passes between them.

Run below `unshare --net --mount`.
"""

import subprocess

from lan import ip


class RoutedMachine:
    """A network namespace with one interface; the other end of its cable is a port of the router."""

    def __init__(self, number: int, name: str):
        self.number = number
        self.name = name
        self.address: str | None = None
        ip("netns", "add", name)
        ip("link", "add", f"port-{number}", "netns", "router", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", "router", "link", "set", f"port-{number}", "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "up")

    def move(self, round_: int) -> None:
        """Comes to another network, where nothing of its earlier one is true any more."""
        ip("-n", self.name, "address", "flush", "dev", "eth0", "scope", "global")
        ip("-n", "router", "address", "flush", "dev", f"port-{self.number}", "scope", "global")
        network = f"10.{80 + round_}.{self.number}"
        self.address = f"{network}.2"
        ip("-n", "router", "address", "add", f"{network}.1/24", "dev", f"port-{self.number}")
        ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.name, "route", "replace", "default", "via", f"{network}.1")

    def inside(self, *command: str) -> list[str]:
        """The command, run on this machine."""
        return ["ip", "netns", "exec", self.name, *command]


def routed_networks(*names: str) -> list[RoutedMachine]:
    """As many machines around one router."""
    # Where `ip` keeps the names; the mount is this process's own.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    ip("netns", "add", "router")
    ip("-n", "router", "link", "set", "lo", "up")
    forward = "/proc/sys/net/ipv4/ip_forward"
    subprocess.run(["ip", "netns", "exec", "router", "sh", "-c", f"echo 1 > {forward}"], check=True)
    return [RoutedMachine(number, name) for number, name in enumerate(names, 1)]
