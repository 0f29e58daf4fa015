"""Shows how scenarios ended by place, and finds those that a node has lost."""

from harness import Outcome

EXPLANATION = "Passed/failed checks; ! failed, < judged less than directly, · not scored by the requirements."
Columns = dict[str, dict[str, Outcome]]


def table(title: str, columns: Columns) -> list[str]:
    """Prints one line a scenario; gives `scenario (place)` where a scored one fails that passes directly."""
    print(f"\n{title:54}" + "".join(f"{place:>9} " for place in columns))
    lost = []
    for scenario, reference in columns["direct"].items():
        cells = {place: outcomes.get(scenario) for place, outcomes in columns.items()}
        shown = "".join(f"{str(cell or '—'):>9}{mark(cell, reference)}" for cell in cells.values())
        print(f"{' ' if reference.scored else '·'} {scenario:52}{shown}")
        if reference.scored and reference.good:
            lost += [f"{scenario} ({place})" for place, cell in cells.items() if mark(cell, reference) != " "]
    return lost


def mark(outcome: Outcome | None, reference: Outcome) -> str:
    if outcome is None or not outcome.good:
        return "!"
    return "<" if outcome.passed < reference.passed else " "
