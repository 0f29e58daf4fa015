"""Types what the README's first minute says, each line on its machine, and makes the first call as Claude Code would."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lan import Machine, network

COMMANDS_MAX = 4
SECONDS_MAX = 60
PATIENCE_SECONDS = 60
HEADING = "## The first minute"
NOTE = "buy milk"


def first_minute() -> list[tuple[str, str]]:
    """The lines of the README's block: on which machine, and what is typed."""
    section = Path("README.md").read_text().split(HEADING, 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1]
    return [tuple(part.strip() for part in line.split("$", 1)) for line in block.splitlines()]


class User:
    """Somebody with a machine and a home folder with nothing in it but a note."""

    def __init__(self, machine: Machine, home: Path):
        self.machine = machine
        self.home = home
        (home / "notes").mkdir(parents=True)
        (home / "notes" / "todo.md").write_text(f"{NOTE} on {machine.name}")
        self.environment = {name: os.environ[name] for name in os.environ if name.startswith("npm_config_")}
        self.environment |= {"PATH": os.environ["PATH"], "HOME": str(home)}

    def types(self, line: str) -> str:
        # Every machine has a name of its own; namespaces share that of the one that they are on.
        named = self.machine.inside("unshare", "--uts", "sh", "-c", f"hostname {self.machine.name}; {line}")
        ended = subprocess.run(
            named, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        print(f"{self.machine.name}$ {line}\n{ended.stdout}{ended.stderr}")
        assert ended.returncode == 0, ended
        return ended.stdout

    def starts_client(self, entry: dict) -> subprocess.Popen:
        """What Claude Code runs, by its configuration."""
        command = self.machine.inside(entry["command"], *entry["args"])
        environment = self.environment | entry.get("env", {})
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )


class Client:
    """As much of an MCP client as a first call needs."""

    def __init__(self, process: subprocess.Popen):
        self.process = process
        self.last_id = 0
        about = {"protocolVersion": "2025-06-18", "capabilities": {}}
        self.ask("initialize", about | {"clientInfo": {"name": "claude-code", "version": "1"}})
        self.send({"method": "notifications/initialized"})

    def send(self, message: dict) -> None:
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message) + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict) -> dict:
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params})
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self.last_id:
                assert "result" in answer, answer
                return answer["result"]
        raise AssertionError(f"no answer to {method}")

    def tool(self, ending: str) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            names = [tool["name"] for tool in self.ask("tools/list", {})["tools"]]
            if found := [name for name in names if name.endswith(ending)]:
                return found[0]
            time.sleep(0.1)
        raise AssertionError(f"no tool …{ending} among {names}")


def first_call(desk: User, laptop: User) -> str:
    """Reads a note of desk by what was written into Claude Code's configuration on laptop."""
    configured = json.loads((laptop.home / ".claude.json").read_text())
    process = laptop.starts_client(configured["mcpServers"]["peerage"])
    client = Client(process)
    name = client.tool("__files__read_text_file")
    result = client.ask("tools/call", {"name": name, "arguments": {"path": str(desk.home / "notes/todo.md")}})
    process.stdin.close()
    process.wait(timeout=PATIENCE_SECONDS)
    assert f"{NOTE} on desk" in json.dumps(result), result
    return name


def walk(desk: User, laptop: User) -> tuple[int, float]:
    """The number of commands, and the seconds until the first call is answered."""
    lines, ticket, seconds = first_minute(), "", []
    for machine, line in lines:
        user = laptop if machine == "laptop" else desk
        typed = re.sub(r"\s+#.*", "", line).replace("peerage1...", ticket)
        began = time.monotonic()
        said = user.types(typed)
        seconds.append(time.monotonic() - began)
        ticket = said.strip() if typed == "peerage invite" else ticket
    began = time.monotonic()
    called = first_call(desk, laptop)
    seconds.append(time.monotonic() - began)
    told = " + ".join(f"{took:.1f}" for took in seconds)
    print(f"{len(lines)} commands and the first call, {called}: {told} = {sum(seconds):.1f} s")
    return len(lines), sum(seconds)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        machines = network("desk", "laptop")
        users = [User(machine, Path(folder).resolve() / machine.name) for machine in machines]
        for number, machine in enumerate(machines, 1):
            machine.move(f"10.79.0.{number}")
        try:
            commands, seconds = walk(*users)
        finally:
            for user in users:
                user.types("peerage down")
    assert commands <= COMMANDS_MAX, f"{commands} commands, at most {COMMANDS_MAX} wanted"
    assert seconds <= SECONDS_MAX, f"{seconds:.1f} s, at most {SECONDS_MAX} wanted"
    return 0


if __name__ == "__main__":
    sys.exit(main())
