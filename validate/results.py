"""The results of a run: one JSON document that can be judged again, and what follows from its verdicts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from validate import arrived, changes, kinds, reachability, stragglers
from validate.catalogue import Entry, load
from validate.judge import judge
from validate.model import ACCEPTED, FAIL, NO_RESULT, PASS, SKIP, WARN, Profile, Verdict, worst
from validate.settings import Settings
from validate.stored import SCHEMA

FLEET_SHARE = 0.3
ROSTER_CHECK = "H-02"


def document(
    run: str,
    started: float,
    settings: Settings,
    checks: Iterable[str],
    cluster: Mapping[str, Any],
    roster: Sequence[Mapping[str, Any]],
    hosts: Mapping[str, Any],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return the results of a run that ends now, with everything that a verdict needs; ``started`` in epoch seconds."""
    return {
        "schema": SCHEMA,
        "run": run,
        "started": round(started, 1),
        "finished": round(time.time(), 1),
        "tier": settings.tier,
        "checks": list(checks),
        "settings": settings.record(),
        "cluster": cluster,
        "roster": roster,
        "hosts": dict(hosts),
        "profiles": {kind: kinds.record(profile) for kind, profile in kinds.load(settings.profiles).items()},
        "notes": notes,
    }


@dataclass(frozen=True)
class FleetProblem:
    """One check that so many nodes fail that the cause is not theirs: an image, a configuration, a registry."""

    check: str
    nodes: tuple[str, ...]
    measured: int
    observed: str
    cause: str
    fix: str
    who: str


@dataclass(frozen=True)
class Judged:
    """A document with its verdicts, and what is not as it was when a host was last accepted (`changes.since`)."""

    document: Mapping[str, Any]
    verdicts: list[Verdict]
    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def by_host(self) -> dict[str, list[Verdict]]:
        """Return the verdicts of every expected host, in the roster's order."""
        found: dict[str, list[Verdict]] = {node["name"]: [] for node in self.document["roster"]}
        for verdict in self.verdicts:
            found[verdict.node].append(verdict)
        return found

    @cached_property
    def nodes(self) -> dict[str, str]:
        """Return each expected host's one verdict: its worst, in the roster's order."""
        return {node: worst([item.status for item in verdicts]) for node, verdicts in self.by_host.items()}

    @property
    def accepted(self) -> list[str]:
        """Return the hosts that may be given to users."""
        return [node for node, status in self.nodes.items() if status in ACCEPTED]

    @property
    def refused(self) -> list[str]:
        """Return the others."""
        return [node for node, status in self.nodes.items() if status not in ACCEPTED]

    @property
    def exit_code(self) -> int:
        """Return 0 for all accepted, 1 for a node that failed, 2 for anything not measured."""
        statuses = set(self.nodes.values())
        if FAIL in statuses:
            return 1
        return 0 if statuses and statuses <= ACCEPTED else 2

    def of(self, node: str) -> list[Verdict]:
        """Return a host's verdicts."""
        return self.by_host[node]

    @cached_property
    def fleet_problems(self) -> list[FleetProblem]:
        """Return the checks that more than 30 % fail of those that have them: of a role's hosts, or of one hardware."""
        entries = {node["name"]: node for node in self.document["roster"]}
        # Where the run was stopped, silence is nobody's problem.
        counted = (FAIL,) if self.document["cluster"].get("interrupted") else (FAIL, NO_RESULT)
        groups: dict[tuple[str, str], list[Verdict]] = {}
        for verdict in self.verdicts:
            if verdict.status != SKIP:
                groups.setdefault((verdict.check, entries[verdict.node]["role"]), []).append(verdict)
        found = []
        for (check, _role), verdicts in groups.items():
            parts: dict[str, list[Verdict]] = {}
            for verdict in verdicts:
                parts.setdefault(entries[verdict.node].get("hardware") or "", []).append(verdict)
            for part in (verdicts, *parts.values()):
                many = [bad for bad in _alike(check, part, counted) if len(bad) > max(1, FLEET_SHARE * len(part))]
                for bad in many:
                    nodes, first = tuple(verdict.node for verdict in bad), bad[0]
                    found.append(
                        FleetProblem(check, nodes, len(part), first.observed, first.cause, first.fix, first.who)
                    )
                if many and part is verdicts:
                    break
        return found


def _alike(check: str, verdicts: Sequence[Verdict], counted: tuple[str, ...]) -> list[list[Verdict]]:
    """Return the bad verdicts of a check; those that did not answer by their reasons, which are mostly their own."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.status in counted:
            groups.setdefault(verdict.cause if check == reachability.ANSWERED else "", []).append(verdict)
    return list(groups.values())


def judged(document: Mapping[str, Any], entries: Mapping[str, Entry] | None = None) -> Judged:
    """Return a document with verdicts, made anew from what was observed."""
    everything = entries if entries is not None else load()
    chosen = {check: everything[check] for check in document["checks"] if check in everything}
    profiles = {kind: kinds.from_record(content) for kind, content in document["profiles"].items()}
    cluster = {**document["cluster"], "container_seconds": typical_start(document["hosts"])}
    verdicts = judge(document["roster"], document["hosts"], chosen, profiles, document["settings"], cluster)
    changed = changes.since(document, document.get("accepted") or {}, chosen, profiles)
    more = roster_verdicts(document) + straggler_verdicts(document, profiles)
    return Judged(document, changes.named(verdicts, changed) + more, changed)


def straggler_verdicts(document: Mapping[str, Any], profiles: Mapping[str, Profile]) -> list[Verdict]:
    """Return P-08 and P-09 of the standard tier: each node beside those of its kind, and beside itself."""
    if document["tier"] == "quick":
        return []
    groups: dict[str, list[str]] = {}
    for node in document["roster"]:
        if node["role"] == "compute":
            kind = kinds.of(node, document["hosts"].get(node["name"]), profiles, document["settings"]).kind
            groups.setdefault(kind, []).append(node["name"])
    history = document.get("history") or {}
    return [item for nodes in groups.values() for item in stragglers.verdicts(nodes, document["hosts"], history)]


def typical_start(hosts: Mapping[str, Any]) -> float | None:
    """Return the median seconds in which a container started; None below three nodes, where it is nobody's."""
    seconds = []
    for host in hosts.values():
        step = host["steps"].get("container", {})
        try:
            seconds.append(float(step["received"]) - float(step["hello"]["began"]))
        except (LookupError, TypeError, ValueError):
            continue
    return statistics.median(seconds) if len(seconds) >= 3 else None


def roster_verdicts(document: Mapping[str, Any]) -> list[Verdict]:
    """Return H-02 of the first submit host: every node that Slurm has is in the inventory."""
    first = next((node["name"] for node in document["roster"] if node["role"] == "login"), None)
    if first is None:
        return []
    more, check = document["cluster"].get("only_in_slurm") or [], arrived.CHECKS[ROSTER_CHECK]
    expected = "Slurm's nodes are the inventory's"
    if not more:
        return [Verdict(first, ROSTER_CHECK, PASS, "the same nodes", expected)]
    return [
        Verdict(
            first, ROSTER_CHECK, WARN, f"only in Slurm: {', '.join(more)}", expected,
            check.cause, check.fix, check.who,
        )
    ]  # fmt: skip
