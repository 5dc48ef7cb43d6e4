"""What the suite speaks of: checks, what was observed, findings and verdicts. Values only.

This file also travels to the nodes inside the probe: Python 3.9 and the standard library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Total = TypeVar("Total")

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
# How the paths begin of what a container is started with: a change of one may show in any container.
CONTAINER_FILES = (
    "/etc/enroot/", "/etc/slurm/plugstack", "/run/slurm/conf/plugstack", "/usr/local/lib/slipway/",
    "/etc/nvidia-container-runtime/", "/etc/cdi/", "/var/run/cdi/",
)  # fmt: skip
# What validate_workload_image may hold besides Python; the site says what it does (validate_workloads).
WORKLOADS = ("nccl_tests", "pytorch", "nvbandwidth", "nbody")


@dataclass(frozen=True)
class Check:
    """One claim about a host. ``docs/develop/add-a-check.md`` says how a file in ``checks/`` is made of it.

    ``seconds`` bounds the observation, ``usual`` is what it takes on a good node, for the forecast. ``after`` names the
    checks whose failure explains a failure of this one; where that is a file that differs (N-07), only one of
    ``files`` does, which are beginnings of paths. ``beside`` names those of the same node without whose observations
    it cannot be judged.
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
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    seconds: float = 10.0
    usual: float = 0.3


@dataclass(frozen=True)
class Finding:
    """What a check's criterion says of one observation; cause, fix and who replace the check's own.

    ``peers`` are the nodes of which one differs from the others and it cannot be told which: ``undecided``.
    ``about`` are the files that differ, or of a submit host's check the nodes on which it failed.
    """

    status: str
    observed: str = ""
    expected: str = ""
    cause: str = ""
    fix: str = ""
    who: str = ""
    peers: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


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
    peers: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


def passed(observed: str, expected: str = "") -> Finding:
    """Return that the claim holds."""
    return Finding(PASS, observed, expected)


def failed(
    observed: str, expected: str, cause: str = "", fix: str = "", who: str = "", about: tuple[str, ...] = ()
) -> Finding:
    """Return that the claim is refuted: evidence and expectation are required."""
    if not observed or not expected:
        raise ValueError("a FAIL needs what was observed and what was expected")
    return Finding(FAIL, observed, expected, cause, fix, who, about=about)


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
        self.answers: dict[Any, tuple[dict[str, Opinion], int]] = {}
        self.totals: dict[Any, Any] = {}
        # Those that have the form of an observation, where one of them has not.
        self.sound: Fleet | None = None


@dataclass(frozen=True)
class Opinion:
    """What the nodes of a kind have of one thing: ``usual`` is what ``count`` of them have, among these ``like``.

    Where as many nodes have another value as have the most common one, ``count`` is 0: nobody can be blamed, and
    ``holders`` are the values with the nodes that have them.
    """

    usual: Any
    count: int
    like: str
    holders: tuple[tuple[Any, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Beside:
    """A node beside those of its kind: in what it has another value than most, and in what the nodes are divided."""

    own: Mapping[str, Any]
    other: Mapping[str, Opinion]
    split: Mapping[str, Opinion]
    nodes: int

    @property
    def on(self) -> str:
        """Return on which nodes it is otherwise, for a reader."""
        count, like = min((opinion.count, opinion.like) for opinion in self.other.values())
        return f"as on {like}" if count == 1 else f"as on {count} nodes"

    @property
    def lost(self) -> list[str]:
        """Return what the others have and this node has not, where each value says whether something is there."""
        return [name for name in self.other if not self.own[name]]

    @property
    def like(self) -> str:
        """Return a node with which this one can be compared."""
        return next(iter(self.other.values())).like


def compare(
    fleet: Mapping[str, Any],
    own: Mapping[str, Any],
    part: Callable[[Any], Mapping[str, Any]],
    absent: Any = None,
    merit: Callable[[str, Any], float] | None = None,
) -> Beside:
    """Return how a node's values stand beside those of its kind, each by its name.

    ``part`` takes out of an observation what is compared; one that it cannot read does not count. What a node lacks
    counts as ``absent``, or, where that is None, not at all. ``merit`` decides between equally common values where
    one of them works and the other does not: the better one is what is usual.
    """
    key = (getattr(part, "__code__", part), repr(absent), getattr(merit, "__code__", merit))
    answers = fleet.answers if isinstance(fleet, Fleet) else {}
    if key not in answers:
        answers[key] = _opinions(fleet, part, absent, merit)
    opinions, nodes = answers[key]
    mine = {name: own.get(name, absent) for name in opinions}
    known = {name for name, value in mine.items() if value is not None}
    other = {
        name: seen
        for name, seen in opinions.items()
        if name in known and seen.count and repr(mine[name]) != repr(seen.usual)
        # A node that is better than most is none to blame.
        and not (merit and merit(name, mine[name]) > merit(name, seen.usual))
    }  # fmt: skip
    split = {name: seen for name, seen in opinions.items() if name in known and not seen.count}
    return Beside(mine, other, split, nodes)


def over(fleet: Mapping[str, Any], summary: Callable[[list[Any]], Total]) -> Total:
    """Return a summary of what the nodes of a kind observed, made once for all of them; garbage is left out."""
    totals = fleet.totals if isinstance(fleet, Fleet) else {}
    key = getattr(summary, "__code__", summary)
    if key not in totals:
        totals[key] = summary([seen for seen in fleet.values() if isinstance(seen, dict)])
    found: Total = totals[key]
    return found


def undecided(beside: Beside, fix: str, show: Callable[[Any], str] = str) -> Finding:
    """Return a warning of what the nodes of a kind are divided in: each value with the nodes that have it."""
    parts = []
    for name, seen in list(beside.split.items())[:6]:
        parts.append(f"{name}: " + ", ".join(f"{_some(nodes)} {show(value)}" for value, nodes in seen.holders))
    parts += [f"and {len(beside.split) - 6} more"] * (len(beside.split) > 6)
    everybody = sorted({node for seen in beside.split.values() for _value, nodes in seen.holders for node in nodes})
    return Finding(
        WARN,
        "; ".join(parts),
        "the same on all nodes of a kind",
        f"{_some(everybody)} differ: no value is the most common one, so that it cannot be told which is right",
        fix,
        peers=tuple(everybody),
    )


def _some(nodes: Sequence[str]) -> str:
    """Return a few of the nodes' names."""
    more = f" and {len(nodes) - 2} more" if len(nodes) > 2 else ""
    return (", " if more else " and ").join(nodes[:2]) + more


def _opinions(
    fleet: Mapping[str, Any],
    part: Callable[[Any], Mapping[str, Any]],
    absent: Any,
    merit: Callable[[str, Any], float] | None,
) -> tuple[dict[str, Opinion], int]:
    """Return name -> what the nodes have, and how many nodes could be compared."""
    read: dict[str, Mapping[str, Any]] = {}
    for node, seen in fleet.items():
        try:
            read[node] = dict(part(seen))
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
    found = {}
    for name in dict.fromkeys(name for values in read.values() for name in values):
        holders: dict[str, tuple[Any, list[str]]] = {}
        for node, values in read.items():
            value = values.get(name, absent)
            if value is not None:
                holders.setdefault(repr(value), (value, []))[1].append(node)
        if sum(len(nodes) for _value, nodes in holders.values()) < 2:
            continue
        ranked = sorted(holders.items(), key=lambda item: (-len(item[1][1]), item[0]))
        most = [pair for _text, pair in ranked if len(pair[1]) == len(ranked[0][1][1])]
        if len(most) > 1 and merit:
            best = max(merit(name, value) for value, _nodes in most)
            most = [pair for pair in most if merit(name, pair[0]) == best]
        if len(most) > 3 and len(most) == len(read):
            # Every node has its own, which is what it is meant to be.
            continue
        if len(most) == 1:
            found[name] = Opinion(most[0][0], len(most[0][1]), most[0][1][0])
        else:
            everyone = tuple((value, tuple(nodes)) for _text, (value, nodes) in ranked)
            found[name] = Opinion(None, 0, "", everyone)
    return found, len(read)
