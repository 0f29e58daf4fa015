"""A walk through one server: named steps, each with its own time, all taken whatever the others do."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

STEP_SECONDS_MAX = 20


class Walk:
    """Takes steps, prints how each ended, and counts those that failed."""

    def __init__(self, walker: str):
        self.walker = walker
        self.failed = 0

    async def step(self, name: str, take: Callable[[], Awaitable[object]]) -> None:
        try:
            await asyncio.wait_for(take(), STEP_SECONDS_MAX)
            print(f"passed: {self.walker}: {name}", flush=True)
        except Exception as error:
            self.failed += 1
            print(f"FAILED: {self.walker}: {name}: {error!r}", flush=True)

    def end(self) -> None:
        sys.exit(1 if self.failed else 0)


def same(seen: object, expected: object) -> None:
    assert seen == expected, f"{seen!r} is not {expected!r}"


def holds(seen: object, expected: object) -> None:
    assert expected in seen, f"{expected!r} is not in {seen!r}"
