"""Which failure explains which: of what fails on a host for one reason, only that reason stays a failure. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from validate import reachability
from validate.catalogue import Entry
from validate.model import BLOCKED, ERROR, FAIL, NO_RESULT, PASS, WARN, Check, Verdict

# Without the device files that every program opens, anything may fail in any way.
FOUNDATION = "N-31"
# It says which files differ, and explains only what depends on one of them.
DRIFT = "N-07"
# What must hold on the submit host before a job can begin anywhere.
SUBMITTING = ("H-01", "H-04", "H-03", "H-07")
Cells = Mapping[str, Verdict]


def of_hosts(
    roster: Sequence[Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]],
    cells: Mapping[str, Cells],
    entries: Mapping[str, Entry],
    stopped: bool,
) -> list[Verdict]:
    """Return the verdicts of all hosts (host -> check -> verdict) with those that another explains as BLOCKED by it.

    ``stopped`` says that the run was: what it never came to is not the fault of what failed before.
    """
    logins = [node["name"] for node in roster if node["role"] == "login"]
    first = {name: cells[name] for name in logins[:1]}
    others = {name: found for name, found in cells.items() if name not in logins}
    statuses = (FAIL, ERROR, WARN) if stopped else (FAIL, ERROR, WARN, NO_RESULT)
    verdicts = [
        verdict
        for node in roster
        for verdict in _Host(
            cells[node["name"]],
            entries,
            others if node["role"] == "login" else first,
            _given(hosts.get(node["name"])),
        ).blocked(statuses)
    ]
    return _explained(verdicts, entries)


def cut_off(found: Cells, host: Mapping[str, Any], entries: Mapping[str, Entry]) -> dict[str, Verdict]:
    """Return the verdicts with those that a killed probe never came to as BLOCKED by the check that it was at."""
    result, first = dict(found), dict[str, str]()
    for check, verdict in found.items():
        step = entries[check].check.step if check in entries else ""
        seen = host["steps"].get(step, {})
        if "hello" not in seen or "bye" in seen or verdict.status != NO_RESULT or check in host["checks"]:
            continue
        if step in first:
            result[check] = _by(verdict, first[step])
        first.setdefault(step, check)
    return result


class _Host:
    """The verdicts of a host, and what may explain them.

    A check names in ``after`` what explains it, directly or further on; ``elsewhere`` are the hosts on which those of
    its checks are that this one does not have: the submit host of a node, the nodes of a submit host. Where a submit
    host cannot submit, no node is to blame for its silence: ``given`` says that it may be.
    """

    def __init__(self, found: Cells, entries: Mapping[str, Entry], elsewhere: Mapping[str, Cells], given: bool) -> None:
        self.found, self.entries, self.elsewhere, self.given = found, entries, elsewhere, given
        # What was found out once: the same checks lie behind most others.
        self._known: dict[tuple[Any, ...], str] = {}

    def blocked(self, statuses: tuple[str, ...]) -> list[Verdict]:
        """Return the verdicts with those of these statuses that another failure explains as BLOCKED by it.

        What passed has its own evidence and stays. What several checks fail of with one cause and one fix is mended
        once: of those that nothing else explains all but the first are BLOCKED by that one.
        """
        by = {check: self._reason(verdict, statuses) for check, verdict in self.found.items()}
        first: dict[tuple[str, str], str] = {}
        same = {
            check: first.setdefault((verdict.cause, verdict.fix), check)
            for check, verdict in self.found.items()
            if verdict.status == FAIL and not by[check]
        }
        result = []
        for check, verdict in self.found.items():
            # Of a killed probe the check that it was at may be explained itself.
            why = by[check] or (verdict.by and (by[verdict.by] or verdict.by))
            reason = same.get(why or check, why)
            result.append(_by(verdict, reason) if reason not in ("", check) else verdict)
        return result

    def _reason(self, verdict: Verdict, statuses: tuple[str, ...]) -> str:
        """Return the check that explains a verdict, '' where none does.

        A warning stands in for no other host's failure, which would refuse a node that is accepted.
        """
        if verdict.status not in statuses:
            return ""
        check = verdict.check
        if check == reachability.ANSWERED and not self.given:
            after: tuple[str, ...] = SUBMITTING
        else:
            after = _after(check, self.entries, self.found)
        # What could not be observed explains only what could not be observed either.
        roots = (FAIL, NO_RESULT, ERROR) if verdict.status == ERROR else (FAIL, NO_RESULT)
        if verdict.status == WARN:
            return self._root(after, self.found, (), roots)
        # What failed on some nodes is explained on each of them, and by no other.
        at = [name for name in verdict.about if name in self.elsewhere]
        scopes: list[tuple[Cells, ...]] = [(self.elsewhere[name],) for name in at] or [tuple(self.elsewhere.values())]
        found = [self._root(after, self.found, scope, roots) for scope in scopes]
        return found[0] if all(found) else ""

    def _root(self, after: Sequence[str], found: Cells, elsewhere: tuple[Cells, ...], roots: tuple[str, ...]) -> str:
        """Return the first check along ``after`` that has one of the statuses ``roots`` by itself, '' for none."""
        for earlier in after:
            for where in (found, *elsewhere):
                if earlier not in where:
                    continue
                others = elsewhere if where is found else (found,)
                key = (earlier, id(where), roots, *map(id, others))
                if key not in self._known:
                    # Of a circle nothing is the first.
                    self._known[key] = ""
                    deeper = self._root(_after(earlier, self.entries, where), where, others, roots)
                    self._known[key] = deeper or (earlier if where[earlier].status in roots else "")
                if self._known[key]:
                    return self._known[key]
        return ""


def _explained(verdicts: Sequence[Verdict], entries: Mapping[str, Entry]) -> list[Verdict]:
    """Return the verdicts without the warnings that nodes differ where a failure on one of them says why."""
    failures: dict[str, set[str]] = {}
    for verdict in verdicts:
        if verdict.status in (FAIL, NO_RESULT):
            failures.setdefault(verdict.node, set()).add(verdict.check)
    result = []
    for verdict in verdicts:
        reasons = {verdict.check, *_earlier(verdict.check, entries)} if verdict.peers else set()
        why = [(node, check) for node in verdict.peers for check in sorted(failures.get(node, set()) & reasons)]
        if why:
            said = f"{verdict.observed}: see {why[0][1]} on {why[0][0]}"
            result.append(Verdict(verdict.node, verdict.check, PASS, said, verdict.expected, seconds=verdict.seconds))
        else:
            result.append(verdict)
    return result


def _earlier(check: str, entries: Mapping[str, Entry]) -> set[str]:
    """Return the checks whose failure explains one of this check, directly or further on."""
    found: set[str] = set()
    todo = [check]
    while todo:
        entry = entries.get(todo.pop())
        new = set(entry.check.after) - found if entry else set()
        found |= new
        todo += new
    return found


def _after(check: str, entries: Mapping[str, Entry], found: Mapping[str, Verdict]) -> tuple[str, ...]:
    """Return what explains a failure of a check on a host: what it names, and on a node what everything stands on."""
    entry = entries.get(check)
    if entry is None:
        return ()
    founded = entry.check.step != "submit" and check != FOUNDATION and check not in _earlier(FOUNDATION, entries)
    after = tuple(name for name in entry.check.after if name != DRIFT or _depends(entry.check, found.get(DRIFT)))
    return (FOUNDATION, *after) if founded else after


def _depends(check: Check, drift: Verdict | None) -> bool:
    """Return whether a check depends on one of the files that differ; what was not measured may be of any."""
    if drift is None or not check.files or drift.status in (NO_RESULT, ERROR):
        return True
    return any(name.startswith(check.files) for name in drift.about)


def _by(verdict: Verdict, cause: str) -> Verdict:
    """Return a verdict that another check explains."""
    said = f"{verdict.status}: {verdict.observed}"
    return Verdict(verdict.node, verdict.check, BLOCKED, said, verdict.expected, by=cause, seconds=verdict.seconds)


def _given(host: Mapping[str, Any] | None) -> bool:
    """Return whether Slurm's refusal of a host may be the submit host's doing: no job of anybody is on it."""
    return host is None or not host["refused"] or bool(host["refused"].get("jobs"))
