"""What is no longer as it was when a host was last accepted: its own values then and now. Pure.

After maintenance this is the first question, and where two nodes differ it tells which of them was changed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from validate import kinds
from validate.catalogue import Entry
from validate.model import ACCEPTED, FAIL, PASS, SKIP, Context, Fleet, Profile, Verdict

# Checks that compare a host with those of its kind, of what stays as it is while nobody changes it.
COMPARED = ("N-03", "N-05", "N-06", "N-07", "N-10", "N-13", "N-22", "N-29", "N-30", "N-33")
BEFORE = "before"


def baseline(
    document: Mapping[str, Any], nodes: Mapping[str, str], verdicts: Sequence[Verdict]
) -> dict[str, dict[str, Any]]:
    """Return host -> what is kept of it: the accepted ones, but those of which one is not as its neighbour."""
    doubtful = {node for verdict in verdicts for node in verdict.peers}
    kept = {}
    for node, status in nodes.items():
        host = document["hosts"].get(node)
        if status not in ACCEPTED or node in doubtful or not host:
            continue
        observed = {check: host["checks"].get(check, {}).get("observed") for check in COMPARED}
        seen = {check: value for check, value in observed.items() if value is not None}
        if seen:
            kept[node] = {"at": document["finished"], "observed": seen}
    return kept


def differing(document: Mapping[str, Any], accepted: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return of what is kept of a document's hosts the part that is another now: it goes into the results."""
    found = {}
    for node, host in document["hosts"].items():
        past = accepted.get(node)
        if not isinstance(past, dict) or not isinstance(past.get("observed"), dict):
            continue
        if not isinstance(past.get("at"), (int, float)):
            continue
        other = {
            check: before
            for check, before in past["observed"].items()
            if check in COMPARED and host["checks"].get(check, {}).get("observed") not in (None, before)
        }
        if other:
            found[node] = {"at": past["at"], "observed": other}
    return found


def since(
    document: Mapping[str, Any],
    accepted: Mapping[str, Any],
    entries: Mapping[str, Entry],
    profiles: Mapping[str, Profile],
) -> dict[str, dict[str, Any]]:
    """Return host -> {at, checks: id -> what was and what is}, of those that are not as they were (epoch s)."""
    found = {}
    for node in document["roster"]:
        past, host = accepted.get(node["name"]), document["hosts"].get(node["name"])
        if not past or not host:
            continue
        profile = kinds.of(node, host, profiles, document["settings"])
        context = Context(
            node=node["name"], profile=profile, slurm=node, steps=host["steps"], settings=document["settings"],
            cluster=document["cluster"],
        )  # fmt: skip
        checks = {}
        for check in COMPARED:
            now, before = host["checks"].get(check, {}).get("observed"), past["observed"].get(check)
            if check in entries and now is not None and before is not None:
                said = _difference(entries[check], now, before, context)
                checks.update({check: said} if said else {})
        if checks:
            found[node["name"]] = {"at": past["at"], "checks": checks}
    return found


def _difference(entry: Entry, now: Any, before: Any, context: Context) -> str:
    """Return what a check says of a host beside itself; '' where it says the same of it alone, or cannot say it."""
    try:
        alone, beside = (
            entry.judge(now, dataclasses.replace(context, fleet=Fleet({**fleet, context.node: now})))
            for fleet in ({}, {BEFORE: before})
        )
    except Exception:  # noqa: BLE001 - an old observation may have any form, and this only adds to what is known
        return ""
    return beside.observed if alone.status in (PASS, SKIP) and beside.status not in (PASS, SKIP) else ""


def named(verdicts: Sequence[Verdict], changed: Mapping[str, Mapping[str, Any]]) -> list[Verdict]:
    """Return the verdicts with what tells which of the nodes that differ were changed since they were accepted."""
    passing: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.check in COMPARED and verdict.status == PASS:
            passing.setdefault(verdict.check, []).append(verdict.node)
    result = []
    for verdict in verdicts:
        nodes = [node for node in verdict.peers if verdict.check in changed.get(node, {}).get("checks", {})]
        said = ""
        if nodes and len(nodes) < len(verdict.peers):
            said = f"{', '.join(nodes)} changed since it was last accepted"
        elif verdict.status == FAIL and verdict.check not in changed.get(verdict.node, {}).get("checks", {}):
            said = _others(verdict, passing.get(verdict.check, []), changed)
        # The same verdict with more in it.
        result.append(dataclasses.replace(verdict, cause=f"{verdict.cause}; {said}") if said else verdict)
    return result


def _others(verdict: Verdict, passing: Sequence[str], changed: Mapping[str, Mapping[str, Any]]) -> str:
    """Return that most nodes changed in what one has otherwise, which had it before: '' where they did not."""
    # What a verdict of a comparison begins with: a sentence before a colon, or a word. A path or the name of a package
    # may be the beginning of another one.
    sentence = re.match(r"[^:;,]+(?=: )", verdict.observed)
    name = sentence.group() if sentence else verdict.observed.partition(" ")[0].rstrip(":,;")
    alone = re.compile(rf"(?<![\w.+/-]){re.escape(name)}(?![\w.+/-])")
    others = [
        node
        for node in passing
        if name and alone.search(changed.get(node, {}).get("checks", {}).get(verdict.check, ""))
    ]
    if not others or len(others) * 2 <= len(passing):
        return ""
    more = f" and {len(others) - 3} more" * (len(others) > 3)
    return f"or the others are wrong: {', '.join(others[:3])}{more} changed in this since last accepted"
