"""What a step's error output means: the inner cause, in words with a fix. Pyxis's outer lines are never one. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ansible_collections.slipway.containers.plugins.module_utils.container_proof import inner_cause

from validate.causes import CONTAINER, DRAINED, LAUNCH, Rule

RESUME = "; then: scontrol update nodename={name} state=resume"


@dataclass(frozen=True)
class Diagnosis:
    """The line that says why, and what is to be done."""

    line: str
    cause: str
    fix: str
    who: str


def of(said: str, rules: tuple[Rule, ...]) -> Diagnosis | None:
    """Return what the first matching rule says of a text, None where none matches."""
    for rule in rules:
        found = re.search(rule.pattern, said)
        if found:
            # A rule may look at the whole text: what the group holds is the evidence.
            named = next((number for number, text in enumerate(found.groups(), 1) if text), 0)
            start = said.rfind("\n", 0, found.start(named)) + 1
            line = said[start:].split("\n", 1)[0]
            cause = rule.cause.format(found.group(named) if named else "")
            return Diagnosis(line.strip(), cause, rule.fix, rule.who)
    return None


def of_container(said: str) -> Diagnosis:
    """Return why a container did not start; without a rule the inner line itself is the cause."""
    found = of(said, CONTAINER)
    if found:
        return found
    line = inner_cause(said) if said.strip() else "nothing was printed"
    return Diagnosis(
        line, line, "srun --container-image=… on this node as the same account shows the whole text", "admin"
    )


def of_launch(said: str) -> Diagnosis:
    """Return why a plain step did not begin on a node."""
    found = of(said, LAUNCH)
    if found:
        return found
    line = next((line.strip() for line in said.splitlines() if "error" in line), said.strip()[:200] or "silence")
    return Diagnosis(line, "the step was started and this node never answered", "srun -w NODE hostname", "admin")


def of_drained(reason: str, name: str) -> Diagnosis | None:
    """Return what Slurm's reason for a node that it does not give to jobs means, and what gives it back."""
    found = of(reason, DRAINED)
    if found is None:
        return None
    fix = found.fix if "resume" in found.fix else f"{found.fix}{RESUME}"
    return Diagnosis(found.line, found.cause, fix.format(name=name), found.who)
