"""Nothing is changed that need not be: odd messages through every door, from children, HTTP servers and a peer."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import odd
from doors import DOORS
from nodes import Node, let_in, wait_for_tool

UPSTREAM = str(Path(__file__).with_name("upstream.py"))
SETTINGS = '[tools]\nlist = "full"\n[log]\nlevel = "warn"\n'
META = b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}%s}'
ERAS = ("legacy", "modern")


class Checks:
    """Counts what holds, and tells what does not."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def same(self, what: str, seen: bytes, wanted: bytes) -> None:
        if seen == wanted:
            self.passed += 1
            return
        self.failed += 1
        at = next((at for at, (a, b) in enumerate(zip(seen, wanted)) if a != b), min(len(seen), len(wanted)))
        near = slice(max(0, at - 40), at + 60)
        print(f"FAILED: {what}: differs at byte {at}\n   seen {seen[near]!r}\n wanted {wanted[near]!r}", flush=True)


def request(era: str, method: str, members: list[bytes], id: bytes = b'"q-1"') -> bytes:
    meta = [b'"_meta":' + META % b""] if era == "modern" else []
    params = b",".join([*meta, *members])
    return b'{"jsonrpc":"2.0","id":' + id + b',"method":"' + method.encode() + b'","params":{' + params + b"}}"


def result_of(answer: bytes) -> bytes:
    """The raw result of an answer of ours, which begins with `jsonrpc` and `id`."""
    head = b'{"jsonrpc":"2.0","id":"q-1","result":'
    assert answer.startswith(head) and answer.endswith(b"}"), answer[:300]
    return answer[len(head) : -1]


def check_results(checks: Checks, where: str, door, era: str, prefix: str, server: str, over_http: bool) -> None:
    """The result of the odd tool, and a large one."""
    for tool, raw in (("odd", odd.result(server)), ("large", odd.large(server))):
        name = f"{prefix}{tool}"
        if over_http and tool == "odd":
            raw = odd.pretty(raw)
        message = request(era, "tools/call", [b'"name":"%s","arguments":{}' % name.encode()])
        seen = result_of(door.ask("tools/call", name, message))
        checks.same(f"{where}: result of {tool}", seen, odd.expected(raw, server, era, door.on_lines))


def check_arguments(checks: Checks, where: str, door, era: str, prefix: str) -> None:
    """What a server hears of a call's arguments and of members that nobody knows."""
    name = f"{prefix}heard"
    odd_members = [b'"arguments":' + odd.ARGUMENTS, b'"x-unknown":{"\\u0061":1E2}', b'"name":"%s"' % name.encode()]
    answer = door.ask("tools/call", name, request(era, "tools/call", odd_members))
    heard = json.loads(answer)["result"]["content"][0]["text"].encode()
    wanted = b",".join([odd_members[0], odd_members[1], b'"name":"heard"'])
    at = heard.find(b'"arguments"')
    checks.same(f"{where}: arguments", heard[at : at + len(wanted)], wanted)


def listed(door, era: str) -> bytes:
    """Every page of the list of tools, one after the other."""
    pages, cursor = [], []
    while True:
        answer = door.ask("tools/list", None, request(era, "tools/list", cursor))
        pages.append(answer)
        following = json.loads(answer)["result"].get("nextCursor")
        if following is None:
            return b"\n".join(pages)
        cursor = [b'"cursor":' + json.dumps(following).encode()]


def check_list(checks: Checks, where: str, door, era: str, prefix: str, many: str) -> None:
    """Every definition as its server wrote it, but for its name; none missing, none twice."""
    pages = listed(door, era)
    for tool in odd.ODD_TOOLS:
        wanted = odd.definition(f"{prefix}{tool}")
        at = pages.find(wanted)
        checks.same(f"{where}: definition of {tool}", pages[at : at + len(wanted)] if at >= 0 else b"not listed", wanted)
    for number in range(0, odd.MANY_TOOLS, 97):
        count = pages.count(odd.definition(f"{many}tool_{number}"))
        checks.same(f"{where}: times tool {number} is listed", b"%d" % count, b"1")
    total = pages.count(f'"name":"{many}tool_'.encode())
    checks.same(f"{where}: tools of many pages", b"%d" % total, b"%d" % odd.MANY_TOOLS)


@contextlib.contextmanager
def over_http(server: str) -> Iterator[str]:
    upstream = subprocess.Popen([sys.executable, UPSTREAM, "http", server, "odd"], stdout=subprocess.PIPE, text=True)
    try:
        yield upstream.stdout.readline().strip()
    finally:
        upstream.kill()
        upstream.wait()


def check_node(checks: Checks, place: str, node: Node, prefix: str) -> None:
    for door_name, open_door in DOORS.items():
        for era in ERAS:
            door = open_door(node, era)
            where = f"{place}, {door_name}, {era} caller"
            try:
                check_list(checks, where, door, era, f"{prefix}legacy-stdio__", f"{prefix}many__")
                for server in ERAS:
                    for transport in ("stdio", "http"):
                        tools = f"{prefix}{server}-{transport}__"
                        here = f"{where}, {server} server over {transport}"
                        check_results(checks, here, door, era, tools, server, transport == "http")
                        check_arguments(checks, here, door, era, tools)
            except Exception as error:
                checks.failed += 1
                print(f"FAILED: {where}: {error!r:.1000}", flush=True)
            finally:
                door.close()
        print(f"done: {place}, {door_name}: {checks.passed} passed, {checks.failed} failed", flush=True)


def main() -> int:
    checks = Checks()
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        desk = stack.enter_context(Node(root / "a", "desk", SETTINGS))
        laptop = stack.enter_context(Node(root / "b", "laptop", SETTINGS))
        desk.done("serve", "many", "--share", "--", sys.executable, UPSTREAM, "stdio", "legacy", "many")
        for server in ERAS:
            desk.done("serve", f"{server}-stdio", "--share", "--", sys.executable, UPSTREAM, "stdio", server, "odd")
            desk.done("serve", f"{server}-http", stack.enter_context(over_http(server)), "--share")
        let_in(desk, laptop)
        for node in (desk, laptop):
            for server in ("legacy-stdio", "legacy-http", "modern-stdio", "modern-http"):
                wait_for_tool(node, f"{server}__odd")
            wait_for_tool(node, f"many__tool_{odd.MANY_TOOLS - 1}")
        check_node(checks, "here", desk, "")
        check_node(checks, "on a peer", laptop, "desk__")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
