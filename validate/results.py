"""The results of a run: one versioned JSON document that can be judged again, and what follows from its verdicts."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from validate import arrived, changes, kinds, reachability, stragglers
from validate.catalogue import Entry, load
from validate.errors import CannotStart
from validate.judge import judge
from validate.model import ACCEPTED, FAIL, NO_RESULT, PASS, SKIP, WARN, Profile, Verdict, worst
from validate.settings import Settings

SCHEMA = "slipway.validate/1"
# What a stored document must have to be judged again: key -> type.
SHAPE: dict[str, type] = {
    "schema": str, "run": str, "started": (float), "finished": float, "tier": str, "checks": list, "settings": dict,
    "cluster": dict, "roster": list, "hosts": dict, "profiles": dict, "notes": list,
}  # fmt: skip
# What every host in it must have.
HOST: dict[str, Any] = {"steps": dict, "checks": dict, "said": dict, "refused": (dict, type(None))}
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


def save(judged: Judged, path: Path) -> None:
    """Write a document with its verdicts beside what was observed."""
    verdicts = [{key: value for key, value in vars(item).items() if value} for item in judged.verdicts]
    content = {**judged.document, "verdicts": verdicts, "nodes": judged.nodes, "exit_code": judged.exit_code}
    write(path, text(content))


def text(content: Mapping[str, Any]) -> str:
    """Return a document as JSON with a host or a verdict a line, which can be searched and compared line by line.

    json.dumps with an indent takes four times as long: it then does without its part in C.
    """
    parts = ",\n".join(f"{json.dumps(key)}: {_spread(value)}" for key, value in content.items())
    return f"{{\n{parts}\n}}\n"


def _spread(value: Any) -> str:
    if isinstance(value, Mapping) and value:
        return "{\n" + ",\n".join(f" {json.dumps(key)}: {json.dumps(part)}" for key, part in value.items()) + "\n}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f" {json.dumps(part)}" for part in value) + "\n]"
    return json.dumps(value)


def write(path: Path, content: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        # A file's name on a node need not be text; what stands for its bytes is none either.
        temporary.write_text(content, encoding="utf-8", errors="backslashreplace")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Return stored results; CannotStart says what is wrong with the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CannotStart(f"{path}: no such file; a run writes results.json into its output directory") from None
    except (OSError, ValueError) as error:
        raise CannotStart(f"{path} cannot be read as results: {error}") from None
    problems = faults(content)
    if problems:
        raise CannotStart(f"{path} is no results file of this suite: {'; '.join(problems)}")
    return dict(content)


def faults(content: Any) -> list[str]:
    """Return what keeps a document from being judged."""
    if not isinstance(content, dict):
        return ["it is no JSON object"]
    if content.get("schema") != SCHEMA:
        return [f"schema {content.get('schema')!r}, and this suite reads {SCHEMA!r}"]
    found = [f"{key} is missing" for key in SHAPE if key not in content]
    found += [
        f"{key} is no {kind.__name__}"
        for key, kind in SHAPE.items()
        if key in content and not isinstance(content[key], (int, float) if kind is float else kind)
    ]
    if not found and not all(isinstance(check, str) for check in content["checks"]):
        found.append("checks is no list of texts")
    if found:
        return found
    for what, entries, needed in (
        ("roster entry", enumerate(content["roster"]), dict.fromkeys(("name", "role", "gpus", "unusable"), object)),
        ("host", content["hosts"].items(), HOST),
        ("profile", content["profiles"].items(), {"kind": str}),
    ):
        found += [f"{what} {name} {said}" for name, entry in entries if (said := _entry_fault(entry, needed))]
    kind = content["settings"].get("kind")
    if kind and kind not in content["profiles"]:
        found.append(f"settings name the kind {kind!r}, and no profile is called so")
    return found


def _entry_fault(entry: Any, needed: Mapping[str, Any]) -> str:
    """Return what is wrong with one entry of a document, '' where it can be judged."""
    if not isinstance(entry, dict):
        return "is no JSON object"
    lacking = [key for key in needed if key not in entry]
    wrong = [key for key, kind in needed.items() if key in entry and not isinstance(entry[key], kind)]
    parts = [f"lacks {', '.join(lacking)}"] if lacking else []
    # What came back of a step or a check is an object as well, whatever is in it.
    whole = [key for key in ("steps", "checks") if isinstance(entry.get(key), dict)]
    wrong += [f"{key} of {name}" for key in whole for name, value in entry[key].items() if not isinstance(value, dict)]
    return " and ".join([*parts, *([f"has another form in {', '.join(wrong)}"] if wrong else [])])
