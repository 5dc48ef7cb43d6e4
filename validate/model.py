"""What the suite speaks of: checks, what was observed, findings and verdicts. Values only.

This file also travels to the nodes inside the probe: Python 3.9 and the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PASS, WARN, FAIL, SKIP = "PASS", "WARN", "FAIL", "SKIP"
# Not measured: another check failed first; the probe broke; nothing came back.
BLOCKED, ERROR, NO_RESULT = "BLOCKED", "ERROR", "NO_RESULT"
# The worst first: a node is what its worst check is.
SEVERITY = (FAIL, NO_RESULT, ERROR, BLOCKED, WARN, PASS, SKIP)
ACCEPTED = frozenset((PASS, WARN, SKIP))

TIERS = ("quick", "standard", "deep")
# After which Slurm ends a job of a tier, whatever became of the run.
MINUTES = {"quick": 30, "standard": 60, "deep": 180}
# Where a check observes; all but `submit` are Slurm steps of one job on each node, in this order. `nested`, `sample`
# and `group` run on the node itself and start steps of their own: on every node, on one node of those that are alike,
# and on the first of a chunk for all of its nodes.
STEPS = ("submit", "host", "container", "one_gpu", "nested", "sample", "group", "after")
# What a run may be allowed besides an ordinary account's rights.
PERMISSIONS = ("root", "operator", "network")
# What validate_workload_image may hold besides Python; the site says what it does (validate_workloads).
WORKLOADS = ("nccl_tests", "pytorch", "nvbandwidth", "nbody")


@dataclass(frozen=True)
class Check:
    """One claim about a host. ``docs/develop/add-a-check.md`` says how a file in ``checks/`` is made of it.

    ``seconds`` bounds the observation. ``after`` names the checks whose failure explains a failure of this one.
    ``needs`` names what the node's kind must have (nvidia, gpus, fabric …), the run must be allowed (root, network),
    or the workload image must hold (nccl_tests …).
    """

    id: str
    title: str
    tier: str
    step: str
    cause: str
    fix: str
    who: str = "admin"
    after: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    seconds: float = 10.0


@dataclass(frozen=True)
class Finding:
    """What a check's criterion says of one observation; cause, fix and who replace the check's own."""

    status: str
    observed: str = ""
    expected: str = ""
    cause: str = ""
    fix: str = ""
    who: str = ""


@dataclass(frozen=True)
class Profile:
    """What nodes of one kind have and must reach: a file of ``profiles/``."""

    kind: str
    has: frozenset[str] = frozenset()
    gpus: int | None = None
    match: str = ""
    skip: Mapping[str, str] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """All that a criterion may look at besides its own observation.

    ``slurm`` is the node's entry of the roster, ``steps`` what each step's probe said of itself, ``others`` the
    observations of other checks on this node, ``fleet`` this check's observations on all nodes of the same kind,
    ``sample`` the node that makes some checks for all of its kind ('' where none answered), ``received`` the submit
    host's clock when the record came (epoch, s).
    """

    node: str
    profile: Profile
    slurm: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    fleet: Mapping[str, Any] = field(default_factory=dict)
    sample: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)
    received: float | None = None


@dataclass(frozen=True)
class Verdict:
    """One cell of nodes and checks."""

    node: str
    check: str
    status: str
    observed: str = ""
    expected: str = ""
    cause: str = ""
    fix: str = ""
    who: str = ""
    by: str = ""
    seconds: float | None = None


def passed(observed: str, expected: str = "") -> Finding:
    """Return that the claim holds."""
    return Finding(PASS, observed, expected)


def failed(observed: str, expected: str, cause: str = "", fix: str = "", who: str = "") -> Finding:
    """Return that the claim is refuted: evidence and expectation are required."""
    if not observed or not expected:
        raise ValueError("a FAIL needs what was observed and what was expected")
    return Finding(FAIL, observed, expected, cause, fix, who)


def warned(observed: str, expected: str, cause: str = "", fix: str = "", who: str = "") -> Finding:
    """Return that the node may work, and somebody should look."""
    return Finding(WARN, observed, expected, cause, fix, who)


def skipped(reason: str) -> Finding:
    """Return that the claim does not apply to this node, and who declared that."""
    return Finding(SKIP, reason)


def errored(observed: str) -> Finding:
    """Return that the observation itself broke: nothing was measured."""
    return Finding(ERROR, observed, "an observation")


def worst(statuses: list[str]) -> str:
    """Return the worst of several; NO_RESULT for none at all: silence is never success."""
    return min(statuses, key=SEVERITY.index) if statuses else NO_RESULT


class Fleet(dict[str, Any]):
    """One check's observations by node, which remembers what most of them are: it is asked once for every node."""

    def __init__(self, *values: Any) -> None:
        """Begin without any answer."""
        super().__init__(*values)
        self.answers: dict[Any, tuple[Any, int]] = {}


def majority(values: Mapping[str, Any], part: Callable[[Any], Any] | None = None) -> tuple[Any, int]:
    """Return the most common of the nodes' values and how many have it; (None, 0) for no values.

    ``part`` takes out of an observation what is compared; one that it cannot read does not count. Between equally
    common values it is the one whose text sorts first, so that a replay says the same.
    """
    if not isinstance(values, Fleet):
        return _majority(values, part)
    key = part.__code__ if part else None
    if key not in values.answers:
        values.answers[key] = _majority(values, part)
    return values.answers[key]


def _majority(values: Mapping[str, Any], part: Callable[[Any], Any] | None) -> tuple[Any, int]:
    counts: dict[str, tuple[int, Any]] = {}
    for seen in values.values():
        try:
            value = part(seen) if part else seen
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
        counts[repr(value)] = (counts.get(repr(value), (0, None))[0] + 1, value)
    if not counts:
        return None, 0
    key = min(counts, key=lambda text: (-counts[text][0], text))
    return counts[key][1], counts[key][0]
