"""Which node of a group is the bad one: blame only after a second observation. Part of the probe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Test = Callable[[Sequence[str]], Any]
Judgement = Callable[[Any, list[Any]], bool]


def pairs(nodes: Sequence[str], test: Test, good: Judgement) -> dict[str, dict[str, Any]]:
    """Return node -> {with, seen, again}: the node's own pair, and where that was bad, a pair with a good partner.

    ``test`` runs a pair and returns what was seen; ``good`` says whether that is well among all
    first pairs. The pairs of the first round are
    disjoint and run at once. ``again`` is absent where the first pair was good, and where no pair was good at all.
    """
    chosen = [tuple(nodes[at : at + 2]) for at in range(0, len(nodes) - 1, 2)]
    if len(nodes) % 2 and len(nodes) > 1:
        chosen.append((nodes[-1], nodes[0]))
    found: dict[str, dict[str, Any]] = {}
    # The odd one out shares a node with the first pair, and waits for it.
    rounds = (chosen[: len(nodes) // 2], chosen[len(nodes) // 2 :])
    with ThreadPoolExecutor(max(len(chosen), 1)) as pool:
        for part in rounds:
            for pair, seen in zip(part, pool.map(test, part)):
                for name, other in (pair, pair[::-1]):
                    found.setdefault(name, {"with": other, "seen": seen})
    first = [found[pair[0]]["seen"] for pair in chosen]
    trusted = [name for name in found if good(found[name]["seen"], first)]
    suspects = [name for name in found if name not in trusted]
    with ThreadPoolExecutor(max(len(trusted), 1)) as pool:
        for at in range(0, len(suspects), len(trusted) or 1):
            part = list(zip(suspects[at:], trusted))
            for (name, partner), seen in zip(part, pool.map(test, part)):
                found[name]["again"] = {"with": partner, "seen": seen}
    return found


def bisect(nodes: Sequence[str], test: Test, good: Callable[[Any], bool]) -> list[list[str]]:
    """Return the smallest parts of a bad group that are bad by themselves, each of at least two nodes."""
    if len(nodes) < 4:
        return [list(nodes)]
    halves = (nodes[: len(nodes) // 2], nodes[len(nodes) // 2 :])
    bad = [half for half in halves if not good(test(half))]
    # Both halves well, and bad together: the fault lies between them.
    return [part for half in bad for part in bisect(half, test, good)] if bad else [list(nodes)]
