"""Which nodes are drained and resumed, with which reason: every decision about it, and nothing that carries it out.

Also part of the steward on the submit host: Python 3.9 and the standard library.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from validate.results import Judged

# What makes a drain ours. Other programs read reasons too: it stays as it is.
PREFIX = "slipway-validate:"
REASON = re.compile(rf"{PREFIX}([A-Z]-\d\d)\b")
LIMIT = 160
FAIL, PASSING, ACCEPTED = "FAIL", ("PASS", "WARN"), ("PASS", "WARN", "SKIP")
# A node in such a state, or with a reason, is somebody's already.
TAKEN = ("DRAIN", "DOWN", "FAIL", "POWER", "REBOOT")
UNSAID = "Slurm did not say its state"


@dataclass(frozen=True)
class Decision:
    """What is to be done: node -> reason for ``drain``, for ``again`` (nodes that were held), and the rest in words."""

    drain: Mapping[str, str] = field(default_factory=dict)
    again: Mapping[str, str] = field(default_factory=dict)
    release: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check_of(reason: str) -> str:
    """Return the check that drained a node, '' where the reason is not ours."""
    found = REASON.match(reason)
    return found.group(1) if found else ""


def reason_of(check: str, observed: str) -> str:
    """Return a reason in Slurm's one line: what its files and its --oneliner output use as marks is left out."""
    said = re.sub(r"[^ -~]|[\[\]\"'\\]", " ", observed)
    return f"{PREFIX}{check} {' '.join(said.split())}"[:LIMIT].strip()


def may(state: str, reason: str) -> str:
    """Return why a node must not be drained, '' where it may: never over another's reason, nor over an unknown one."""
    if not state:
        return UNSAID
    if reason and reason != "none":
        return f"it has a reason already: {reason}"
    found = [word for word in TAKEN if word in state.upper()]
    return f"Slurm says {state}" if found else ""


def held(roster: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return node -> reason of those that this suite drained, and that are nothing worse than drained."""
    return {
        node["name"]: node["reason"]
        for node in roster
        if node["role"] == "compute" and node["unusable"] == "drained" and check_of(str(node.get("reason") or ""))
    }


def decide(judged: Judged, holding: Mapping[str, str], drain: bool, percent: int) -> Decision:
    """Return the decision after a run.

    Only what was measured and is wrong drains a node, never a silence, and never what the fleet has in common; at
    most ``percent`` of the expected nodes, but one. A held node stays resumed where the check that drained it passes
    and nothing else speaks against it.
    """
    again, release, notes = {}, [], []
    for node, reason in holding.items():
        against = _against(judged, node, check_of(reason))
        if against:
            again[node] = _failure(judged, node) or reason
            notes.append(f"{node} stays drained: {against}")
        else:
            release.append(node)
    chosen: dict[str, str] = {}
    if drain and not judged.document["cluster"].get("interrupted"):
        nodes = [node["name"] for node in judged.document["roster"] if node["role"] == "compute"]
        ceiling = max(1, len(nodes) * percent // 100)
        shared = {(problem.check, node) for problem in judged.fleet_problems for node in problem.nodes}
        for node in nodes:
            reason = "" if node in holding else _failure(judged, node, shared)
            if node not in holding and not reason and _failure(judged, node):
                notes.append(f"{node} not drained: what it fails is a problem of the fleet")
            elif reason and len(chosen) >= ceiling:
                notes.append(f"{node} not drained: a run drains at most {ceiling} ({percent} % of {len(nodes)} nodes)")
            elif reason:
                chosen[node] = reason
    return Decision(chosen, again, tuple(release), tuple(notes))


def _failure(judged: Judged, node: str, shared: Iterable[tuple[str, str]] = ()) -> str:
    """Return the reason that a node's first failure makes, '' where it has none of its own."""
    skipped = set(shared)
    for verdict in judged.of(node):
        if verdict.status == FAIL and (verdict.check, node) not in skipped:
            return reason_of(verdict.check, verdict.observed)
    return ""


def _against(judged: Judged, node: str, check: str) -> str:
    """Return what speaks against giving a node back, '' where nothing does."""
    cells = {verdict.check: verdict for verdict in judged.of(node)}
    if check not in cells:
        return f"{check}, which drained it, was not run"
    bad = [cells[check]] if cells[check].status not in PASSING else []
    bad += [verdict for verdict in cells.values() if verdict.status not in ACCEPTED]
    return f"{bad[0].check} {bad[0].status}: {bad[0].observed}" if bad else ""


def refusal(user: str, slurm_user: str, level: str) -> str:
    """Return why an account may not drain, '' where it may.

    ``level`` is its AdminLevel, '' where Slurm keeps no accounts; ``slurm_user`` is Slurm's own account.
    """
    if user in ("root", slurm_user) or level.lower() in ("operator", "administrator"):
        return ""
    what = f"AdminLevel {level}" if level else "no AdminLevel, because Slurm keeps no accounts here"
    return (
        f"draining and resuming need an operator of Slurm, and {user} is none ({what}): name an account that is one, "
        "root for example, with validate_operator; nothing was run"
    )
