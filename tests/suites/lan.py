"""A network of machines for the suites: network namespaces on one bridge. Run below `unshare --net --mount`."""

import subprocess


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


class Machine:
    """A network namespace with one interface on the bridge."""

    def __init__(self, name: str):
        self.name = name
        self.address: str | None = None
        ip("netns", "add", name)
        ip("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", f"to-{name}", "master", "bridge", "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "up")

    def move(self, address: str) -> None:
        """Gives the machine another address, as another network would."""
        if self.address:
            ip("-n", self.name, "address", "flush", "dev", "eth0", "scope", "global")
        self.address = address
        ip("-n", self.name, "address", "add", f"{address}/24", "dev", "eth0")
        # So that addresses of other networks are tried in vain, instead of failing at once.
        ip("-n", self.name, "route", "replace", "default", "dev", "eth0")

    def inside(self, *command: str) -> list[str]:
        """The command, run on this machine."""
        return ["ip", "netns", "exec", self.name, *command]


def network(*names: str) -> list[Machine]:
    """As many machines on a bridge."""
    # Where `ip` keeps the names; the mount is this process's own.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    ip("link", "set", "lo", "up")
    ip("link", "add", "bridge", "type", "bridge")
    ip("link", "set", "bridge", "up")
    return [Machine(name) for name in names]
