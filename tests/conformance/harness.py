"""Runs the official suite, and reads what it says."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

KIT = Path(os.environ["KIT"])
PYTHON = str(KIT / "venv/bin/python")
SUITE = [str(KIT / "node_modules/.bin/node"), str(KIT / "node_modules/@modelcontextprotocol/conformance/dist/index.js")]
REQUIREMENTS = ("2025-11-25", "2026-07-28")
RUN_SECONDS_MAX = 600

LINE = re.compile(r"^(?:✓|✗) (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)
UNSCORED = re.compile(r"^  (?:✓|✗) (\S+) \(", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How the checks of one scenario ended, and whether the requirements count them."""

    passed: int
    failed: int
    scored: bool

    @property
    def good(self) -> bool:
        return self.failed == 0 and self.passed > 0

    def __str__(self) -> str:
        return f"{self.passed}/{self.failed}"


def judge(role: str, requirements: str, *arguments: str, results: Path) -> dict[str, Outcome]:
    """The outcome of every scenario of `requirements`, by name; `role` is `server` or `client`."""
    command = [*SUITE, role, "--requirements", requirements, "-o", str(results), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    results.mkdir(parents=True, exist_ok=True)
    (results / "output.txt").write_text(ended.stdout + ended.stderr)
    unscored = set(UNSCORED.findall(ended.stdout))
    outcomes = {
        name: Outcome(int(passed), int(failed), name not in unscored)
        for name, passed, failed in LINE.findall(ended.stdout)
    }
    assert outcomes, f"the suite judged nothing; see {results / 'output.txt'}"
    return outcomes
