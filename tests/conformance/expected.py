"""What is less through a node than directly although nothing is wrong with the node, and why.

An exception is as narrow as it can be told: the run, the scenario, the places, and whether checks may fail or are only
judged less (warned of, or left out). All else that is lost fails the suite.
"""

from dataclasses import dataclass

from table import Lost


@dataclass(frozen=True)
class Expected:
    """Why a scenario is less in `places`; `may_fail` where its checks fail, not only are fewer."""

    why: str
    may_fail: bool = True
    places: tuple[str, ...] = ("http", "stdio", "peer")


ONLY_MODERN = Expected("the reference's own tool answers with what the legacy era has no words for")
ONLY_LEGACY = Expected("the reference's own tool asks its client directly, which the modern era does not have")
IN_JSON = Expected("a node answers in JSON where one answer is all there is; streams are optional", may_fail=False)
LISTENERS_ONLY = Expected(
    "the reference announces changes to modern listeners alone; pinned to legacy it has none, and nobody is told",
    may_fail=False,
    places=("http",),
)
ONE_GREETING = Expected(
    "a legacy child is greeted once for all callers, and cannot be told what one of them lacks",
    places=("stdio", "peer"),
)
LISTS_FOR_ITSELF = Expected(
    "the scenario's server has no tool, so no call of the client reaches it; the node lists for itself, and declares "
    "no capability of a client: the three checks of capabilities 'if present' are left out",
    may_fail=False,
)

# By run: who is judged (the client, or the reference server as it is pinned), and the requirements.
IN_EVERY_RUN = {"server-sse-multiple-streams": [IN_JSON]}
EXCEPTIONS: dict[str, dict[str, list[Expected]]] = {
    "legacy 2026-07-28": {
        "server-stateless": [LISTENERS_ONLY, ONE_GREETING],
        "input-required-result-basic-elicitation": [ONLY_MODERN],
        "input-required-result-basic-sampling": [ONLY_MODERN],
        "input-required-result-basic-list-roots": [ONLY_MODERN],
        "input-required-result-request-state": [ONLY_MODERN],
        "input-required-result-multiple-input-requests": [ONLY_MODERN],
        "input-required-result-multi-round": [ONLY_MODERN],
        "input-required-result-missing-input-response": [ONLY_MODERN],
        "input-required-result-non-tool-request": [ONLY_MODERN],
        "input-required-result-result-type": [ONLY_MODERN],
        "input-required-result-tampered-state": [ONLY_MODERN],
        "input-required-result-capability-check": [ONLY_MODERN],
    },
    "modern 2025-11-25": {
        "tools-call-sampling": [ONLY_LEGACY],
        "tools-call-elicitation": [ONLY_LEGACY],
        "elicitation-sep1034-defaults": [ONLY_LEGACY],
        "elicitation-sep1330-enums": [ONLY_LEGACY],
    },
    "client 2026-07-28": {"request-metadata": [LISTS_FOR_ITSELF]},
}


def unexpected(run: str, losses: list[Lost]) -> list[str]:
    """The losses that no exception names; the others are printed with their reason."""
    wrong = []
    for lost in losses:
        why = reason(run, lost)
        if why:
            print(f"expected: {lost}: {why}")
        else:
            wrong.append(f"{run}: {lost}")
    return wrong


def reason(run: str, lost: Lost) -> str | None:
    exceptions = {**IN_EVERY_RUN, **EXCEPTIONS.get(run, {})}.get(lost.scenario, [])
    fitting = [one for one in exceptions if lost.place in one.places and (one.may_fail or not lost.fails)]
    return fitting[0].why if fitting else None
