"""Members of a mesh that know no address of each other any more find each other by the registry, and by nothing else."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nodes import Node, let_in

PATIENCE_SECONDS = 60
HERE = Path(__file__).parent
SECRETS = {"desk": "desk-secret-token-1", "laptop": "laptop-secret-token-2"}


def wait_for(what: str, condition) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_SECONDS, f"not within {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def connected(node: Node, name: str) -> bool:
    nodes = json.loads(node.done("nodes", "--json"))
    return any(one["name"] == name and one["state"] == "connected" for one in nodes)


def registry(node: Node) -> dict:
    return json.loads(node.done("status", "--json"))["registry"]


def make_mesh(folder: Path) -> dict[str, str]:
    """Two members, stopped again; the ids of their records."""
    with Node(folder / "desk", "desk") as desk, Node(folder / "laptop", "laptop") as laptop:
        let_in(desk, laptop)
        wait_for("the members are connected", lambda: connected(desk, "laptop"))
        return {node.home.name: node.done("firebase", "id").strip() for node in (desk, laptop)}


def settle(folder: Path, name: str) -> None:
    """Has the node on this home use the registry."""
    home = folder / name
    token = home / "firebase.token"
    token.write_text(SECRETS[name] + "\n")
    token.chmod(0o600)
    settings = home / "peerage.toml"
    before = settings.read_text() if settings.exists() else ""
    url = os.environ["FIREBASE_URL"]
    settings.write_text(f'{before}\n[firebase]\nurl = "{url}"\ntoken_file = "firebase.token"\n')


def records() -> dict:
    url = f"{os.environ['FIREBASE_URL']}/mcp_servers.json?auth=admin-token"
    command = ["curl", "-s", "-m", "5", "--cacert", os.environ["SSL_CERT_FILE"], url]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) or {}


def found_by_the_registry(folder: Path, ids: dict[str, str]) -> None:
    for name in ids:
        settle(folder, name)
    with Node(folder / "desk", "desk") as desk:
        wait_for("desk has a record", lambda: ids["desk"] in records())
        with Node(folder / "laptop", "laptop") as laptop:
            took = wait_for("laptop finds desk", lambda: connected(laptop, "desk") and connected(desk, "laptop"))
            print(f"found by the registry alone in {took:.1f} s")
            book = json.loads(laptop.done("nodes", "--addresses", "--json"))
            told = {one["source"] for node in book["nodes"] if node["name"] == "desk" for one in node["addresses"]}
            print(f"told by: {sorted(told)}")
            wait_for("the registry did well", lambda: registry(laptop)["succeeded"] and not registry(laptop)["fault"])
            written = records()
            assert set(written) == set(ids.values()), written
            shown = json.dumps(written)
            for secret in (desk.ready["node"], laptop.ready["node"], desk.ready["mesh"], "127.0.0.1", "desk", "laptop"):
                assert secret not in shown, f"{secret} is in the registry: {shown}"
            refused_to_write_anothers(ids)
        wait_for("laptop's record is gone after its stop", lambda: ids["laptop"] not in records())
    assert records() == {}


def refused_to_write_anothers(ids: dict[str, str]) -> None:
    url = f"{os.environ['FIREBASE_URL']}/mcp_servers/{ids['desk']}.json?auth={SECRETS['laptop']}"
    command = ["curl", "-s", "-m", "5", "--cacert", os.environ["SSL_CERT_FILE"], "-X", "DELETE", "-w", "%{http_code}", url]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert answer.endswith("401"), answer


def no_secret_was_asked_with() -> None:
    """The token is in the query, as the database wants it, and nowhere else."""
    log = Path(os.environ["REQUEST_LOG"]).read_text()
    assert log.count('"method":"PUT"') >= 2, log
    for secret in SECRETS.values():
        assert secret not in log, "a token is in the log of requests"


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(temporary)
        if len(sys.argv) > 1:
            ids = json.loads((folder / "ids.json").read_text())
            found_by_the_registry(folder, ids)
            no_secret_was_asked_with()
            print("passed")
            return 0
        ids = make_mesh(folder)
        (folder / "ids.json").write_text(json.dumps(ids))
        tokens = {SECRETS[name]: {"uid": uid, "token": {"role": "mesh"}} for name, uid in ids.items()}
        environment = {**os.environ, "TOKENS": json.dumps({**tokens, "admin-token": "admin"})}
        run = [HERE.parent / "firebase" / "run.sh", sys.executable, __file__, str(folder)]
        return subprocess.run(["bash", *map(str, run)], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
