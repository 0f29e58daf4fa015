"""Shows how scenarios ended by place, and finds those that a node has lost."""

from dataclasses import dataclass

from harness import Outcome

EXPLANATION = "Passed/failed checks; ! failed, < judged less than directly, · not scored by the requirements."
Columns = dict[str, dict[str, Outcome]]


@dataclass(frozen=True)
class Lost:
    """A scored scenario that passes directly, and in `place` fails or is judged less."""

    scenario: str
    place: str
    fails: bool

    def __str__(self) -> str:
        return f"{self.scenario} ({self.place}) {'fails' if self.fails else 'is judged less'}"


def table(title: str, columns: Columns) -> list[Lost]:
    """Prints one line a scenario; gives what is lost of the scored ones that pass directly."""
    print(f"\n{title:54}" + "".join(f"{place:>9} " for place in columns))
    lost = []
    for scenario, reference in columns["direct"].items():
        cells = {place: outcomes.get(scenario) for place, outcomes in columns.items()}
        marks = {place: mark(cell, reference) for place, cell in cells.items()}
        shown = "".join(f"{str(cell or '—'):>9}{marks[place]}" for place, cell in cells.items())
        print(f"{' ' if reference.scored else '·'} {scenario:52}{shown}")
        if reference.scored and reference.good:
            lost += [Lost(scenario, place, sign == "!") for place, sign in marks.items() if sign in "!<"]
    return lost


def mark(outcome: Outcome | None, reference: Outcome) -> str:
    if outcome is None or not outcome.good:
        return "!"
    return "<" if outcome.passed < reference.passed else " "
