"""Agents on two nodes race for tasks, while nodes are killed, the way between them is cut, and leases run out."""

import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from parted import Parted, Refused, Unanswered, two_sides
from regions import one_mesh, wait_for

RACES = int(os.environ.get("RACES", "120"))
AT_ONCE = int(os.environ.get("AT_ONCE", "8"))
LEASE_SECONDS = 1
PAIR = "left right"


class Trouble:
    """Kills nodes and cuts them apart, one after the other, until it is told to end."""

    def __init__(self, members: list[Parted], ways):
        self.members, self.ways = members, ways
        self.told = Counter()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.failed: BaseException | None = None

    def work(self) -> None:
        dice = random.Random(7)
        try:
            while not self.over.wait(dice.uniform(0, 3)):
                if dice.random() < 0.5:
                    self.told["kills"] += 1
                    member = dice.choice(self.members)
                    member.kill()
                    self.over.wait(dice.uniform(0, 2))
                    member.start()
                else:
                    self.told["cuts"] += 1
                    self.ways.tell(f"cut {PAIR}")
                    self.over.wait(dice.uniform(1, 6))
                    self.ways.tell(f"heal {PAIR}")
        except BaseException as error:
            self.failed = error

    def end(self) -> None:
        self.over.set()
        self.thread.join()
        self.ways.tell(f"heal {PAIR}")
        if self.failed:
            raise self.failed


class Race:
    """One task, and what its two agents were told of it."""

    def __init__(self, number: int, members: list[Parted]):
        self.number, self.members = number, members
        self.granted: dict[str, set[str]] = {}
        self.accepted: set[str] = set()
        self.id = ""

    def create(self) -> None:
        new = {"title": f"race {self.number}", "lease_seconds": LEASE_SECONDS}
        while not self.id:
            try:
                self.id = self.members[self.number % 2].call("task_create", new, "worker")["id"]
            except (Refused, Unanswered):
                time.sleep(0.2)

    def claim(self, member: Parted) -> bool:
        try:
            task = member.call("task_claim", {"id": self.id}, "worker")
        except (Refused, Unanswered):
            return False
        self.granted.setdefault(task["fence"], set()).add(task["holder"])
        return True

    def complete(self, member: Parted, fence: str) -> None:
        try:
            result = {"id": self.id, "fence": fence, "result": fence}
            self.accepted.add(member.call("task_complete", result, "worker")["fence"])
        except (Refused, Unanswered):
            pass

    def run(self) -> None:
        self.create()
        for _ in range(3):
            with ThreadPoolExecutor() as both:
                claimed = list(both.map(self.claim, self.members))
            if any(claimed):
                break
            time.sleep(0.5)
        if self.number % 4 == 1:
            # Whoever has it falls silent, and somebody may take it over.
            time.sleep(LEASE_SECONDS * 1.2)
            self.claim(self.members[self.number // 4 % 2])
        for fence in sorted(self.granted):
            with ThreadPoolExecutor() as both:
                list(both.map(lambda member: self.complete(member, fence), self.members))
        assert all(len(holders) == 1 for holders in self.granted.values()), (self.id, self.granted)
        assert len(self.accepted) <= 1, (self.id, self.accepted)

    def ended(self) -> str:
        """How the task stands, once both nodes show the same; what was accepted stands."""
        told: list[dict] = []

        def same() -> bool:
            try:
                told[:] = [member.call("task_list", {"id": self.id})["tasks"][0] for member in self.members]
            except (Refused, Unanswered):
                return False
            return all(told[0].get(name) == told[1].get(name) for name in ("state", "holder", "fence"))

        wait_for(f"race {self.number} ends alike on both: {told}", same)
        task = told[0]
        assert task["state"] in ("open", "held", "completed"), task
        if self.accepted:
            assert task["state"] == "completed" and {task["fence"]} == self.accepted, (task, self.accepted)
        return task["state"]


def judge(folder: Path) -> None:
    members, _, ways = two_sides(["n1"], ["n2"], folder)
    trouble = Trouble(members, ways)
    try:
        one_mesh(members)
        began = time.monotonic()
        trouble.thread.start()
        races = [Race(number, members) for number in range(RACES)]
        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(Race.run, races))
        finally:
            trouble.end()
        seconds = time.monotonic() - began
        states = Counter(race.ended() for race in races)
        grants = sum(len(race.granted) for race in races)
        accepted = sum(len(race.accepted) for race in races)
        assert accepted * 4 >= RACES, f"only {accepted} were completed"
        print(
            f"passed: {RACES} races in {seconds:.0f} s over {trouble.told['kills']} kills and {trouble.told['cuts']} cuts: "
            f"{grants} grants, no fence of two holders; {accepted} completions acknowledged, all of which stand; "
            f"in the end {dict(states)} on both nodes",
            flush=True,
        )
    finally:
        for member in members:
            member.end()
        ways.end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as path:
        sys.exit(judge(Path(path)))
