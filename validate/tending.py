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
LOST = (
    "the run was ended while nodes were drained and resumed; what was not confirmed is as before: "
    "sinfo -R; scontrol show reservation"
)


def run(prepared: suite.Prepared, draining: bool, resuming: bool, progress: suite.Progress) -> dict[str, Any]:
    """Run, then drain what failed (``draining``) and resume what passes again (``resuming``); returns the document.

    CannotStart where the account has not the rights. Whatever ends this early, no node, reason or reservation is
    other than before.
    """
    holding = drain.held(prepared.roster) if resuming else {}
    reservation = f"slipway-validate-{secrets.token_hex(4)}"
    user = prepared.settings.user
    order = {
        "resume": holding,
        "reservation": reservation,
        "minutes": int(prepared.plan.ceiling / 60) + MARGIN_MINUTES,
        "user": user or (account(prepared.target.submits[0]) if holding else ""),
    }
    program = bundle.program(bundle.sources(bundle.STEWARD, {}), "validate.steward:main")
    document: dict[str, Any] | None = None
    notes: list[str] = []
    try:
        with contextlib.closing(session.Conversation(prepared.target.operator, program, order)) as steward:
            events = steward.events()
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
            notes += decision.notes
            steward.tell(dataclasses.asdict(decision))
            notes += [event["text"] for event in events if event["event"] == "note"]
    except (CannotStart, OSError, KeyboardInterrupt) as error:
        if document is None:
            raise
        # What was measured is not lost with what was to follow from it.
        notes.append(f"{LOST}: {str(error).splitlines()[0] if str(error) else 'interrupted'}")
    return {**document, "notes": [*document["notes"], *notes]}


def account(submit: session.Submit) -> str:
    """Return the account that submits, for which held nodes are reserved; CannotStart where its host does not say."""
    order = {"action": "ask", "commands": {"user": {"words": ["id", "-un"], "seconds": 5}}}
    for event in list(session.converse(submit, order)):
        if event["event"] == "answer" and event["stdout"].strip():
            return str(event["stdout"].strip())
    raise CannotStart(f"{submit.name} does not say which account submits (id -un): name it with validate_user")


def include(prepared: suite.Prepared, held: dict[str, str], reservation: str) -> None:
    """Plan anew with the held nodes, which Slurm gives to this run alone."""
    for entry in prepared.roster:
        if entry["name"] in held:
            entry.update(unusable="", state="idle", reservation=reservation)
    nodes = [entry for entry in prepared.roster if entry["role"] == "compute"]
    prepared.plan = plan.make(nodes, prepared.entries, prepared.settings)
