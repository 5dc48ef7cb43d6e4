"""The fault bench: what breaks, which check must catch it with which cause, and whether exactly that one did.

A live fault breaks nodes of the sandbox, a replayed one a stored result; docs/develop/testing.md describes their files.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox import snapshots
from tests.sandbox.harness import ROOT, Sandbox
from validate import results, stored
from validate.model import BLOCKED, FAIL, NO_RESULT, PASS, SKIP, Verdict

HERE = Path(__file__).parent
RECORDED = ROOT / "tests" / "fixtures" / "recorded"
QUIET = (PASS, SKIP)
# Of a run; many nodes take longer, because they share the cores of this machine.
# Where two nodes do not reach each other, many a step of the standard tier waits out its time.
RUN_SECONDS, NODE_SECONDS = 900, 40
# Each fault before all nodes, where comparisons see it as well; it takes twice as long.
WHOLE = bool(os.environ.get("FAULTS_WHOLE"))
# Lines of the table: fault, check, cause named, correct.
ROWS = pytest.StashKey[list[tuple[str, str, str, str]]]()

# What a fault may touch, and what it must leave as it was; a slash: the entry itself, not what is in it.
PICTURE = (
    "/etc/enroot", "/etc/slurm", "/etc/docker", "/etc/apptainer", "/etc/group", "/etc/systemd/system",
    "/run/systemd/system", "/usr/local", "/usr/bin/enroot/", "/usr/bin/enroot-aufs2ovlfs/", "/usr/bin/apptainer/",
    "/usr/bin/enroot-mksquashovlfs/", "/usr/bin/python3/", "/usr/lib/enroot", "/usr/share/enroot", "/run/docker.sock/",
    "/scratch/slipway/enroot/data", "/scratch/slipway/enroot/data/", "/scratch/slipway/pyxis/", "/run/reboot-required/",
    "/run/enroot/",
)  # fmt: skip
STATE = r"""
findmnt --noheadings --raw --output TARGET,FSTYPE,OPTIONS | grep -v '^/\(sys\|proc\|run/user\|run/credentials\)' |
  sed 's/,\(size\|nr_inodes\)=[^,]*//g'
ls -l /dev | grep -o 'nvidia.*'
systemctl list-units --failed --plain --no-legend | grep -o '^[^ ]*'
for unit in slurmd slurmctld munge docker docker-registry; do echo $unit $(systemctl is-active $unit); done
for chain in INPUT OUTPUT; do iptables --list-rules $chain 2> /dev/null; done
ls -A /scratch/slipway/enroot/data /tmp | grep -v '^systemd-private'
"""


@dataclass(frozen=True)
class Fault:
    """One fault. ``hosts`` are those that the check must name, ``content`` the rest of its file."""

    name: str
    title: str
    check: str
    cause: str
    status: str
    hosts: tuple[str, ...]
    content: Mapping[str, Any]


def load(kind: str) -> list[Fault]:
    """Return the faults of a directory; ValueError for a key that nothing reads."""
    keys = {"live": {"break", "mend", "options", "fleet", "nodes"}, "replayed": {"base", "change", "said", "roster"}}
    found = []
    for path in sorted((HERE / kind).glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        unknown = set(content) - {"title", "check", "cause", "fix", "status", "at", "hosts", *keys[kind]}
        if unknown:
            raise ValueError(f"{path}: nothing reads {', '.join(sorted(unknown))}")
        at = tuple(content.get("at") or (["compute1"] if kind == "live" else ["gpu003"]))
        status = content.get("status", NO_RESULT if content["check"] == "N-01" else FAIL)
        hosts = tuple(content.get("hosts") or at)
        found.append(Fault(path.stem, content["title"], content["check"], content["cause"], status, hosts, content))
    return found


def complaints(fault: Fault | None, judged: results.Judged) -> list[str]:
    """Return what is wrong with the verdicts: an alarm too many, one missing, or another cause; none for no fault."""
    alarms = [cell for cell in judged.verdicts if cell.status not in (*QUIET, BLOCKED)]
    wanted = {(host, fault.check) for host in fault.hosts} if fault else set()
    seen = {(cell.node, cell.check) for cell in alarms}
    found = [f"{host} {check} gave no alarm" for host, check in sorted(wanted - seen)]
    for cell in alarms:
        if (cell.node, cell.check) not in wanted:
            found.append(f"false alarm: {line(cell)}")
        elif fault and cell.status != fault.status:
            found.append(f"not {fault.status}: {line(cell)}")
        elif fault and fault.cause not in cell.cause:
            found.append(f"its cause is not {fault.cause!r}: {line(cell)}")
        elif fault and fault.content.get("fix", "") not in cell.fix:
            found.append(f"its fix is not {fault.content['fix']!r}: {line(cell)} | {cell.fix}")
    for cell in judged.verdicts:
        if cell.status == BLOCKED and cell.by != (fault.check if fault else ""):
            found.append(f"blocked by {cell.by}: {line(cell)}")
    return found


def line(cell: Verdict) -> str:
    """Return a verdict as one line."""
    return f"{cell.node} {cell.check} {cell.status}: {cell.observed} | {cell.cause}"


def named(fault: Fault, judged: results.Judged) -> str:
    """Return the cause that the check itself named."""
    return next(
        (cell.cause for cell in judged.verdicts if (cell.node, cell.check) == (fault.hosts[0], fault.check)), ""
    )


# Replayed


def merged(target: Any, patch: Any) -> Any:
    """Return a value changed by a JSON merge patch (RFC 7396): null takes a key away."""
    if not isinstance(patch, Mapping):
        return patch
    changed = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            changed.pop(key, None)
        else:
            changed[key] = merged(changed.get(key), value)
    return changed


def replay(fault: Fault, document: Mapping[str, Any]) -> results.Judged:
    """Judge a good document with the fault in it.

    ``change`` is a merge patch of the host's entry, ``roster`` one of its line of the roster; ``said`` gives for a
    step that did not begin the file below tests/fixtures/recorded that holds what srun said, or that text itself.
    """
    changed = copy.deepcopy(dict(document))
    at = fault.content.get("at") or ["gpu003"]
    for name in at:
        host = changed["hosts"][name] = merged(changed["hosts"][name], fault.content.get("change") or {})
        for step, text in (fault.content.get("said") or {}).items():
            file = RECORDED / f"{text}.txt"
            host["steps"].pop(step, None)
            host["checks"] = {check: record for check, record in host["checks"].items() if record.get("step") != step}
            host["said"][step] = file.read_text(encoding="utf-8") if "\n" not in text and file.is_file() else text
        changed["roster"] = [
            merged(entry, fault.content.get("roster") or {}) if entry["name"] == name else entry
            for entry in changed["roster"]
        ]
    return results.judged(changed)


# Live


def validate(sandbox: Sandbox, options: Iterable[str], output: Path) -> results.Judged:
    """Run the suite as its command, and return what it stored."""
    words = [sys.executable, "-m", "validate", "run", "--inventory=inventories/sandbox", f"--output={output}", *options]
    (output / "results.json").unlink(missing_ok=True)
    bound = max(RUN_SECONDS, NODE_SECONDS * len(sandbox.computes))
    done = subprocess.run(
        words, cwd=ROOT, env=sandbox.environment(), capture_output=True, text=True, check=False, timeout=bound
    )
    assert (output / "results.json").exists(), f"{done.stdout}{done.stderr}"
    judged = results.judged(stored.read(output / "results.json"))
    assert done.returncode == judged.exit_code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return judged


def limit(fault: Fault, sandbox: Sandbox) -> list[str]:
    """Return what limits a run to the nodes of a fault; a comparison with others needs all of them."""
    nodes = [name for name in fault.content.get("at") or ["compute1"] if name in sandbox.computes]
    return [] if fault.content.get("fleet") or WHOLE else [f"--limit={','.join(nodes or ['compute1'])}"]


def broken(fault: Fault, sandbox: Sandbox, output: Path) -> results.Judged:
    """Break, run, mend, whatever happens in between."""
    at = fault.content.get("at") or ["compute1"]
    try:
        for node in at:
            sandbox.ask(node, f"set -e\n{fault.content['break']}")
        options = [str(option) for option in fault.content.get("options") or ()]
        return validate(sandbox, [*limit(fault, sandbox), *options], output)
    finally:
        for node in at:
            sandbox.ask(node, f"set -e\n{fault.content['mend']}")
        settle(sandbox)


FORGET = "scontrol update nodename={0} state=down reason=fault; scontrol update nodename={0} state=resume"


def settle(sandbox: Sandbox, seconds: float = 90) -> None:
    """Wait until every node is idle again, with no job or reservation left."""
    began, said = time.monotonic(), "nothing"
    while time.monotonic() < began + seconds:
        said = sandbox.ask(
            "head",
            "sinfo --Node --noheader --format='%N %T'; squeue --noheader; "
            "scontrol --oneliner show reservation | grep -v '^No reservations' || true",
        )
        if said.splitlines() == [f"{name} idle" for name in sandbox.computes]:
            return
        # slurmctld asks a slurmd that was away only after minutes whether a job has ended.
        if time.monotonic() > began + 15:
            for row in said.splitlines():
                if row.split()[1:2] == ["completing"]:
                    sandbox.ask("head", FORGET.format(row.split()[0]))
        time.sleep(1)
    raise AssertionError(f"not as before:\n{said}")


def picture(sandbox: Sandbox) -> dict[str, snapshots.Snapshot]:
    """Return what a fault must leave as it was, by node."""
    found = {}
    for node in sandbox.nodes:
        found[node] = snapshots.take(sandbox, node, PICTURE, ("/usr/local/share", "/usr/local/lib/python3.13"))
        lines = sandbox.execute(node, STATE).stdout.splitlines()
        found[node].update({f"state {text}": str(lines.count(text)) for text in lines})
    return found


def changes(before: Mapping[str, snapshots.Snapshot], after: Mapping[str, snapshots.Snapshot]) -> list[str]:
    """Return what is no longer as it was."""
    return [
        f"{node}: {what}: {was} -> {now}"
        for node in before
        for what, (was, now) in snapshots.difference(before[node], after[node]).items()
    ]
