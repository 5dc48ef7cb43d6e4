"""The checks: every file of ``checks/`` is one."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from validate import arrived
from validate.model import STEPS, TIERS, Check, Context, Finding

DIRECTORY = Path(__file__).parent / "checks"
# What names the model of NVIDIA's GPUs, and so a node's profile: which checks apply, and which floors.
MODEL = "N-04"


@dataclass(frozen=True)
class Entry:
    """A check with its criterion and, for the probe, its source."""

    check: Check
    module: str
    source: str
    judge: Callable[[Any, Context], Finding]


@cache
def load() -> dict[str, Entry]:
    """Return all checks by id, in the order in which a report shows them; ValueError names every fault."""
    found: dict[str, Entry] = {}
    problems: list[str] = []
    for path in sorted(DIRECTORY.glob("[a-z]*.py")):
        module = importlib.import_module(f"validate.checks.{path.stem}")
        check = module.CHECK
        problems += faults(check, path.stem, found)
        found[check.id] = Entry(check, path.stem, path.read_text(encoding="utf-8"), module.judge)
    unknown = {name for entry in found.values() for name in entry.check.after} - set(found) - set(arrived.CHECKS)
    unknown |= {name for entry in found.values() for name in entry.check.beside} - set(found)
    problems += [f"no check has the id {name}, which `after` or `beside` names" for name in sorted(unknown)]
    if problems:
        raise ValueError("\n".join(problems))
    return dict(sorted(found.items(), key=lambda item: (STEPS.index(item[1].check.step), item[0])))


def faults(check: Check, stem: str, known: Iterable[str]) -> list[str]:
    """Return what is wrong with a check's description."""
    where = f"validate/checks/{stem}.py"
    found = []
    if not stem.startswith(check.id.lower().replace("-", "_") + "_"):
        found.append(f"{where}: name it {check.id.lower().replace('-', '_')}_<subject>.py, after its id {check.id}")
    if check.id in known:
        found.append(f"{where}: the id {check.id} is taken")
    if check.tier not in TIERS:
        found.append(f"{where}: tier {check.tier!r} is none of {', '.join(TIERS)}")
    if check.step not in STEPS:
        found.append(f"{where}: step {check.step!r} is none of {', '.join(STEPS)}")
    found += [f"{where}: {name} is empty" for name in ("title", "cause", "fix", "who") if not getattr(check, name)]
    return found


def chosen(tier: str, only: Iterable[str] = ()) -> dict[str, Entry]:
    """Return the checks of a tier and of those below it, or those named; ValueError for an unknown name.

    Those named bring what they cannot be judged without.
    """
    everything = load()
    wanted = list(only)
    unknown = [name for name in wanted if name not in everything]
    if unknown:
        raise ValueError(f"no such check: {', '.join(unknown)}; `python -m validate checks` lists them")
    tiers = TIERS[: TIERS.index(tier) + 1]
    names = wanted or [name for name, entry in everything.items() if entry.check.tier in tiers]
    complete = _with_companions(names, everything)
    return {name: entry for name, entry in everything.items() if name in complete}


def _with_companions(names: Iterable[str], everything: Mapping[str, Entry]) -> set[str]:
    """Return these checks and those without which they cannot be judged."""
    found, todo = set[str](), list(names)
    if any("nvidia" in everything[name].check.needs for name in todo):
        todo.append(MODEL)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += everything[name].check.beside
    return found
