"""Nine real nodes vote: two are down, one has a copy of its home vote otherwise, and the mesh is cut in two meanwhile."""

import os
import sys
import tempfile
import time
from pathlib import Path

from parted import Parted, two_sides
from regions import one_mesh, wait_for

CUT_SECONDS = float(os.environ.get("CUT_SECONDS", "20"))
LEFT = ["n1", "n2", "n3", "n4", "n5"]
RIGHT = ["n6", "n7", "n8", "n9", "(copy)"]
PAIR = "left right"


def shown(member: Parted, proposal: str) -> dict:
    return member.ask("proposal", proposal) or {}


def weight(member: Parted, proposal: str, option: str) -> int:
    options = shown(member, proposal).get("options", [])
    return next((one["weight"] for one in options if one["name"] == option), 0)


def vote(member: Parted, proposal: str, option: str) -> None:
    wait_for("the proposal is there", lambda: shown(member, proposal))
    voted = member.run("vote", proposal, option)
    assert voted.returncode == 0, voted


def same_end(members: list[Parted], proposal: str, folder: Path) -> set[int]:
    """Waits until all have decided and name the liar; the sizes of their proofs, which anybody can check."""
    sizes = set()
    mesh = members[0].ask("status")["mesh"]
    for member in members:
        wait_for(f"{member.name} has decided", lambda: shown(member, proposal).get("state") == "decided")
        liars = lambda: {double["voter"] for double in shown(member, proposal).get("double_votes", [])}
        wait_for(f"{member.name} shows who voted twice", lambda: liars() == {"n4"})
        assert shown(member, proposal)["outcome"] == "accepted"
        file = folder / f"{member.name}.proof"
        member.ask("proposal", proposal, "--proof", str(file))
        verified = member.run("verify", str(file), "--mesh", mesh)
        assert verified.returncode == 0 and '"accepted"' in verified.stdout, verified
        sizes.add(file.stat().st_size)
    return sizes


def judge(folder: Path) -> None:
    members, (bare,), ways = two_sides(LEFT, RIGHT, folder)
    by_name = {member.name: member for member in members}
    copy = None
    try:
        one_mesh(members)
        proposal = members[0].ask("propose", "Release?")
        assert proposal["total"] == len(members), proposal
        proposal = proposal["id"]
        for member in members:
            wait_for("all have heard", lambda: shown(member, proposal))
        down = [by_name["n5"], by_name["n9"]]
        for member in down:
            member.kill()
        copy = by_name["n4"].copied_to(bare, folder)
        ways.tell(f"cut {PAIR}")
        cut = time.monotonic()
        for name in ("n1", "n2", "n3", "n4"):
            vote(by_name[name], proposal, "accepted")
        copy.start()
        vote(copy, proposal, "rejected")
        wait_for("the copy's vote is heard", lambda: weight(by_name["n6"], proposal, "rejected") == 1)
        copy.kill()
        for name in ("n6", "n7"):
            vote(by_name[name], proposal, "accepted")
        left = max(0.0, CUT_SECONDS - (time.monotonic() - cut))
        time.sleep(left)
        up = [member for member in members if member not in down]
        for member in up:
            assert shown(member, proposal)["state"] == "open", "neither side has a majority of nine"
        ways.tell(f"heal {PAIR}")
        healed = time.monotonic()
        sizes = same_end(up, proposal, folder)
        seconds = time.monotonic() - healed
        vote(by_name["n8"], proposal, "accepted")
        for member in down:
            member.start()
        sizes |= same_end(members, proposal, folder)
        print(
            f"passed: nine voters, two down, one with two votes, cut for {CUT_SECONDS:.0f} s: the same end on all, "
            f"{seconds:.1f} s after the cut on those that were up; proofs of {sorted(sizes)} bytes",
            flush=True,
        )
    finally:
        for member in [*members, *([copy] if copy else [])]:
            member.end()
        ways.end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as path:
        sys.exit(judge(Path(path)))
