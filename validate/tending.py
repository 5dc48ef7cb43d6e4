"""A run that drains and resumes: the steward holds the nodes meanwhile, and hears what is to be done."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from typing import Any

from validate import bundle, drain, plan, results, session, suite
from validate.errors import CannotStart

# What a run needs besides its steps: surveying, the submit hosts' own checks, judging.
MARGIN_MINUTES = 5


def run(prepared: suite.Prepared, draining: bool, resuming: bool, progress: suite.Progress) -> dict[str, Any]:
    """Run, then drain what failed (``draining``) and resume what passes again (``resuming``); returns the document.

    CannotStart where the account has not the rights. Whatever ends this early, no node, reason or reservation is
    other than before.
    """
    holding = drain.held(prepared.roster) if resuming else {}
    reservation = f"slipway-validate-{secrets.token_hex(4)}"
    order = {
        "resume": holding,
        "reservation": reservation,
        "minutes": int(prepared.plan.ceiling / 60) + MARGIN_MINUTES,
        "user": prepared.settings.user,
    }
    program = bundle.program(bundle.sources(bundle.STEWARD, {}), "validate.steward:main")
    with contextlib.closing(session.Conversation(prepared.target.operator, program, order)) as steward:
        events = steward.events()
        notes: list[str] = []
        held: dict[str, str] = {}
        for event in events:
            if event["event"] == "refused":
                raise CannotStart(event["text"])
            if event["event"] == "held":
                held = {node: holding[node] for node in event["nodes"]}
                break
            notes += [event["text"]] if event["event"] == "note" else []
        include(prepared, held, reservation)
        document = suite.run(prepared, progress)
        decision = drain.decide(results.judged(document), held, draining, prepared.settings.drain_percent)
        steward.tell(dataclasses.asdict(decision))
        notes += [*decision.notes, *(event["text"] for event in events if event["event"] == "note")]
    return {**document, "notes": [*document["notes"], *notes]}


def include(prepared: suite.Prepared, held: dict[str, str], reservation: str) -> None:
    """Plan anew with the held nodes, which Slurm gives to this run alone."""
    for entry in prepared.roster:
        if entry["name"] in held:
            entry.update(unusable="", state="idle", reservation=reservation)
    nodes = [entry for entry in prepared.roster if entry["role"] == "compute"]
    prepared.plan = plan.make(nodes, prepared.entries, prepared.settings)
