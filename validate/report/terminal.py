"""What a person reads first: the fleet's problems, then every bad node with cause and fix, then the counts."""

from __future__ import annotations

import time
from collections import Counter

from validate.model import ACCEPTED, BLOCKED, SEVERITY, SKIP, WARN, Verdict
from validate.results import Judged

# Bad nodes are many when the fleet has a problem; the page has all of them.
SHOWN = 40


def render(judged: Judged) -> str:
    """Return the report as text."""
    lines = [f"note: {note}" for note in judged.document["notes"]]
    common = {(problem.check, node) for problem in judged.fleet_problems for node in problem.nodes}
    for problem in judged.fleet_problems:
        lines += [
            f"FLEET {problem.check}: {len(problem.nodes)} of {problem.measured} hosts, so the cause is hardly theirs",
            f"  observed: {problem.observed}",
            f"  likely:   {problem.cause}",
            f"  fix:      {problem.fix}    who: {problem.who}",
            f"  hosts:    {', '.join(problem.nodes[:20])}{', …' if len(problem.nodes) > 20 else ''}",
            "",
        ]
    bad = sorted(
        ((node, status) for node, status in judged.nodes.items() if status not in ACCEPTED),
        key=lambda item: SEVERITY.index(item[1]),
    )
    own = [(node, status) for node, status in bad if shown(judged, node, common)]
    for node, status in own[:SHOWN]:
        lines.append(f"{node} {status}")
        for verdict in shown(judged, node, common):
            lines += explain(verdict)
        blocked = [verdict for verdict in judged.of(node) if verdict.status == BLOCKED]
        if blocked:
            by = ", ".join(f"{verdict.check} by {verdict.by}" for verdict in blocked)
            lines.append(f"  blocked: {by}")
        lines += [f"  {text}" for text in since(judged, node)]
        lines.append("")
    if len(own) > SHOWN:
        lines += [f"… and {len(own) - SHOWN} more hosts: the page has all of them", ""]
    return "\n".join([*lines, *warnings(judged), *table(judged)])


def warnings(judged: Judged) -> list[str]:
    """Return what somebody should look at; cause and fix once for all nodes that have the same."""
    alike: dict[tuple[str, str, str, str], list[Verdict]] = {}
    for verdict in judged.verdicts:
        if verdict.status == WARN:
            alike.setdefault((verdict.check, verdict.cause, verdict.fix, verdict.who), []).append(verdict)
    lines = []
    for (_check, cause, fix, who), verdicts in alike.items():
        lines += [
            f"{verdict.node} {verdict.check} WARN {verdict.observed} (expected {verdict.expected})"
            for verdict in verdicts[:SHOWN]
        ]
        lines += [f"… and {len(verdicts) - SHOWN} more hosts"] if len(verdicts) > SHOWN else []
        lines += [f"    likely: {cause}", f"    fix:    {fix}    who: {who}"] if cause else []
    return lines


def shown(judged: Judged, node: str, common: set[tuple[str, str]]) -> list[Verdict]:
    """Return a bad node's verdicts that are its own and not the fleet's."""
    return [
        verdict
        for verdict in judged.of(node)
        if verdict.status not in ACCEPTED and verdict.status != BLOCKED and (verdict.check, node) not in common
    ]


def since(judged: Judged, node: str) -> list[str]:
    """Return what is not as it was when a host was last accepted, a line a check."""
    changed = judged.changed.get(node)
    if not changed:
        return []
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(changed["at"]))
    return [f"changed since {day}, when it was accepted: {check} {said}" for check, said in changed["checks"].items()]


def explain(verdict: Verdict) -> list[str]:
    """Return node, check, observed, expected, likely cause, fix and who."""
    return [
        f"  {verdict.check} {verdict.status}: {verdict.observed} (expected: {verdict.expected})",
        f"    likely: {verdict.cause}",
        f"    fix:    {verdict.fix}    who: {verdict.who}",
    ]


def table(judged: Judged) -> list[str]:
    """Return one line a group of hosts alike, and the sum."""
    document, nodes = judged.document, judged.nodes
    roles = {node["name"]: node["role"] for node in document["roster"]}
    lines = ["host             verdict    checks"]
    for node, status in list(nodes.items())[:SHOWN]:
        counts = Counter(verdict.status for verdict in judged.of(node))
        said = " ".join(f"{counts[name]} {name}" for name in SEVERITY if counts[name])
        lines.append(f"{node:16} {status:10} {said}")
    if len(nodes) > SHOWN:
        lines.append(f"… {len(nodes) - SHOWN} more")
    total = Counter(nodes.values())
    sums = ", ".join(f"{total[name]} {name}" for name in SEVERITY if total[name])
    skips = Counter(verdict.observed for verdict in judged.verdicts if verdict.status == SKIP)
    if skips:
        lines.append("skipped: " + "; ".join(f"{reason} ({count})" for reason, count in skips.most_common(6)))
    computes = sum(role == "compute" for role in roles.values())
    seconds = document["finished"] - document["started"]
    lines.append(
        f"{len(nodes)} hosts ({computes} nodes), {len(document['checks'])} checks, tier {document['tier']}, "
        f"in {seconds:.1f} s: {sums}"
    )
    lines.append(OUTCOME[judged.exit_code])
    return lines


OUTCOME = {
    0: "accepted: every expected host",
    1: "not accepted: a host failed",
    2: "not accepted: not everything was measured",
}
