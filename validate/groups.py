"""Which node of a group, or which link between two, is the bad one: blame only after a second observation.

Part of the probe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Test = Callable[[Sequence[str]], Any]
Judgement = Callable[[Any, list[Any]], bool]
# Further pairings of a group that is bad although each of its nodes is well with one other: every one of eight nodes.
ROUNDS = 7


def within(nodes: Sequence[str], leaves: Mapping[str, str]) -> list[str]:
    """Return the nodes in pairs of one leaf switch, one after the other; those that are left over come last."""
    rest: dict[str, list[str]] = {}
    for name in nodes:
        rest.setdefault(leaves.get(name, ""), []).append(name)
    paired = [name for members in rest.values() for name in members[: len(members) // 2 * 2]]
    return paired + [name for name in nodes if name not in set(paired)]


def pairs(
    nodes: Sequence[str],
    test: Test,
    good: Judgement,
    leaves: Mapping[str, str] | None = None,
    further: bool = False,
) -> dict[str, dict[str, Any]]:
    """Return node -> {with, seen, again, link}: its own pair, and where that was bad, a pair with a good partner.

    ``test`` runs a pair, started by the last of it where it can be, and returns what was seen; ``good`` says whether
    that is well among all first pairs. The pairs of the first round are disjoint and run at once. ``again`` is absent
    where the first pair was good, and where no pair was good at all. ``link`` is the node with which it is bad twice,
    started from either end, while both are well with others. ``further`` looks for such a link among other pairs,
    where the first ones accuse nobody.
    """
    nodes = within(nodes, leaves or {})
    chosen: list[Sequence[str]] = [nodes[at : at + 2] for at in range(0, len(nodes) - 1, 2)]
    tried = _at_once(chosen, test)
    found = {
        name: {"with": other, "seen": seen} for (one, two), seen in tried for name, other in ((one, two), (two, one))
    }
    first = [seen for _pair, seen in tried]

    def well(seen: Any) -> bool:
        return good(seen, first)

    if len(nodes) % 2 and len(nodes) > 1:
        tried += _odd(nodes[-1], found, test, well)
        first = [*first, found[nodes[-1]]["seen"]]
    _second_opinions(found, test, well)
    suspects = [name for name, entry in found.items() if not well(entry["seen"])]
    cleared = [name for name in suspects if "again" in found[name] and well(found[name]["again"]["seen"])]
    for name in cleared:
        found[name]["link"] = ""
    # Whose partner is bad with everybody has nothing to do with it.
    lost = {*suspects} - {*cleared}
    _links(found, [pair for pair, seen in tried if not well(seen) and not lost & {*pair}], test, well)
    if further and not suspects:
        for part in _pairings(nodes, {frozenset(pair) for pair, _seen in tried}):
            if _links(found, [pair for pair, seen in _at_once(part, test) if not well(seen)], test, well):
                break
    return found


def _odd(
    name: str, found: dict[str, dict[str, Any]], test: Test, well: Callable[[Any], bool]
) -> list[tuple[Sequence[str], Any]]:
    """Try the node that is left over with a node of a good pair; without one, with both of the first pair."""
    trusted = [node for node, entry in found.items() if well(entry["seen"])][:1]
    tried: list[tuple[Sequence[str], Any]] = []
    for partner in trusted or list(found)[:2]:
        seen = test((name, partner))
        tried.append(((name, partner), seen))
        found[name] = {"with": partner, "seen": seen}
        if well(seen):
            if not trusted:
                found[partner]["again"] = {"with": name, "seen": seen}
            break
    return tried


def _at_once(part: Sequence[Sequence[str]], test: Test) -> list[tuple[Sequence[str], Any]]:
    """Return each of these pairs, which are disjoint, with what was seen."""
    with ThreadPoolExecutor(max(len(part), 1)) as pool:
        return list(zip(part, pool.map(test, part)))


def _second_opinions(found: dict[str, dict[str, Any]], test: Test, well: Callable[[Any], bool]) -> None:
    """Try each node of a bad pair with another node, of a pair that was good; one partner is tried with one at once."""
    trusted = [name for name in found if well(found[name]["seen"])]
    left = [name for name in found if name not in trusted and "again" not in found[name]]
    while left:
        part: list[tuple[str, str]] = []
        for name in left:
            taken = {found[name]["with"], *(partner for _name, partner in part)}
            partner = next((node for node in trusted if node not in taken), None)
            part += [(name, partner)] if partner else []
        if not part:
            return
        for (name, partner), seen in _at_once(part, test):
            found[name]["again"] = {"with": partner, "seen": seen}
            left.remove(name)


def _links(
    found: dict[str, dict[str, Any]], doubtful: Sequence[Sequence[str]], test: Test, well: Callable[[Any], bool]
) -> bool:
    """Try bad pairs once more, started from the other end, and note those that stay bad; returns whether one did."""
    bad = [pair for pair, seen in _at_once([pair[::-1] for pair in doubtful], test) if not well(seen)]
    for one, other in bad:
        found[one]["link"], found[other]["link"] = other, one
    return bool(bad)


def _pairings(nodes: Sequence[str], tried: set[frozenset[str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield rounds of disjoint pairs that were not tried: a tournament, of which large groups play a part."""
    seats: list[str | None] = [*nodes, *([None] if len(nodes) % 2 else [])]
    for _ in range(min(ROUNDS, len(seats) - 1)):
        seats = [seats[0], seats[-1], *seats[1:-1]]
        both = zip(seats[: len(seats) // 2], reversed(seats))
        yield [(one, other) for one, other in both if one and other and frozenset((one, other)) not in tried]


def middle(nodes: Sequence[str], leaves: Mapping[str, str]) -> int:
    """Return where a group is cut in two: between two leaf switches where it has several, next to its middle."""
    half = len(nodes) // 2
    between = [at for at in range(2, len(nodes) - 1) if leaves.get(nodes[at]) != leaves.get(nodes[at - 1])]
    return min(between, key=lambda at: abs(at - half), default=half)


def bisect(
    nodes: Sequence[str], test: Test, good: Callable[[Any], bool], leaves: Mapping[str, str] | None = None
) -> list[list[str]]:
    """Return the smallest parts of a bad group that are bad by themselves, each of at least two nodes."""
    if len(nodes) < 4:
        return [list(nodes)]
    cut = middle(nodes, leaves or {})
    halves = (nodes[:cut], nodes[cut:])
    bad = [half for half in halves if not good(test(half))]
    # Both halves well, and bad together: the fault lies between them.
    return [part for half in bad for part in bisect(half, test, good, leaves)] if bad else [list(nodes)]
