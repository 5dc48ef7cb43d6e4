"""N-07: the stack's configuration is the same on all nodes of a kind."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from validate.model import Check, Context, Finding, compare, failed, passed, undecided, warned
from validate.probing import Node

CHECK = Check(
    id="N-07",
    title="no drift of configuration",
    tier="quick",
    step="host",
    cause="edited by hand on this node, or a run did not reach it",
    fix="diff the file with that of another node; playbooks/site.yml writes it anew",
    # Its effect says more than that a file differs.
    after=("N-05", "N-06", "N-10", "N-12", "N-22", "N-28", "N-32", "N-33", "A-06", "N-30", "D-01", "I-01"),
)


PATTERNS = (
    "/etc/enroot/enroot.conf", "/etc/enroot/enroot.conf.d/*", "/etc/enroot/environ.d/*", "/etc/enroot/mounts.d/*",
    "/etc/enroot/hooks.d/*", "/etc/nvidia-container-runtime/config.toml", "/etc/docker/daemon.json",
    "/etc/apptainer/apptainer.conf", "/etc/slurm/cgroup.conf", "/etc/slurm/plugstack.conf",
    "/etc/slurm/plugstack.conf.d/*", "/run/slurm/conf/cgroup.conf", "/run/slurm/conf/plugstack.conf",
    "/run/slurm/conf/plugstack.conf.d/*", "/usr/local/lib/slipway/pyxis/spank_pyxis.so",
    "/etc/slurm/slurm.conf", "/etc/slurm/gres.conf", "/run/slurm/conf/slurm.conf", "/run/slurm/conf/gres.conf",
    # What makes directories, limits and programs' environment at the next boot, and how the daemons start.
    "/etc/tmpfiles.d/*", "/etc/sysctl.d/*", "/etc/modules-load.d/*", "/etc/security/limits.d/*",
    "/usr/local/lib/slipway/tmpfiles.d/*", "/etc/systemd/system/slipway-storage.service",
    "/etc/profile.d/slipway*", "/etc/systemd/system/slurmd.service.d/*", "/etc/systemd/system/munge.service.d/*",
    "/etc/systemd/system/docker.service.d/*", "/etc/systemd/system/docker.socket.d/*",
    "/etc/systemd/system/containerd.service.d/*", "/etc/systemd/system/slurmd.service",
    # Until the next boot, and what systemctl set-property writes.
    "/run/systemd/system/slurmd.service.d/*", "/etc/systemd/system.control/slurmd.service.d/*",
    "/run/systemd/system.control/slurmd.service.d/*",
)  # fmt: skip
# These hold identifiers of the node's own GPUs: only whether they are there is compared.
PRESENCE = ("/etc/cdi/*", "/var/run/cdi/*")
DAEMON, DAMAGED = "/etc/docker/daemon.json", "cannot be parsed"
MISSING = "missing"
# A hash and a mode.
HASHED = re.compile(r"\w+ 0?[0-7]{4}")
# Package managers leave an edited file of the configuration alone unless they are told otherwise, or it is not there.
ANEW = {
    "dpkg": "apt-get install --reinstall -o Dpkg::Options::=--force-confask,confnew,confmiss {package}",
    "rpm": "dnf download {package} && mv {name} /root && dnf reinstall {package}",
}
# Of packages that the roles install, which do so again where one of their files is missing; not all are in a
# repository from which apt-get or dnf could take them.
OURS = re.compile(r"enroot|(lib)?nvidia-container|docker|containerd|apptainer|singularity")
# Of the system's own directories these are the stack's; other files there may belong to one node's hardware.
SYSTEM = ("/etc/tmpfiles.d/", "/etc/sysctl.d/", "/etc/modules-load.d/", "/etc/security/limits.d/")
STACK = re.compile(r"slipway|enroot|pyxis|slurm|munge|nvidia|docker|containerd|apptainer")


def observe(node: Node) -> Any:
    """Hash what can be read; a mode belongs to it, because a hook without its x bit does nothing."""
    found = {}
    for pattern in (*PATTERNS, *PRESENCE):
        for path in sorted(node.path("/").glob(pattern.lstrip("/"))):
            name = "/" + str(path.relative_to(node.root))
            if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a directory is closed
                continue
            try:
                data = path.read_bytes()
            except OSError as error:
                found[name] = str(error.strerror)
                continue
            mode = f"{path.stat().st_mode & 0o7777:04o}"
            # A drop-in may name its own node.
            own = re.sub(rb"\b" + re.escape(node.name.encode()) + rb"\b", b"NODE", data) if node.name else data
            text = "present" if pattern in PRESENCE else hashlib.sha256(own).hexdigest()[:16]
            found[name] = f"{text} {mode}" + (damage(data) if name == DAEMON else "")
    owned = packages(node, found)
    return {**found, **({"packages": owned} if owned else {})}


def packages(node: Node, names: Iterable[str]) -> dict[str, str]:
    """Return file -> dpkg or rpm, and the package of which it is, or of which that is to which it leads."""
    real = {name: os.path.realpath(node.path(name)) for name in names}
    paths, by = list(dict.fromkeys(real.values())), "dpkg" if node.which("dpkg") else "rpm"
    if by == "dpkg":
        text = node.run(["dpkg", "-S", *paths], 5).stdout
        owner = {path: name for name, path in re.findall(r"^([\w.+-]+)(?::\w+)?: (/.*)$", text, re.MULTILINE)}
    else:
        lines = node.run(["rpm", "-qf", "--qf", "%{NAME}\n", *paths], 5).stdout.splitlines()
        # A line for each, which is a sentence where no package has it.
        owner = {path: line for path, line in zip(paths, lines) if " " not in line and len(lines) == len(paths)}
    return {name: f"{by} {owner[path]}" for name, path in real.items() if path in owner}


def compared(observed: Any) -> dict[str, str]:
    """Return what is the same on all nodes: of every file what is known of it."""
    return {name: seen for name, seen in observed.items() if name.startswith("/")}


def damage(data: bytes) -> str:
    """Return why daemon.json is no JSON, '' where it is."""
    try:
        json.loads(data or b"{}")
    except ValueError as error:
        return f" {DAMAGED}: {error}"
    return ""


def judge(observed: Any, context: Context) -> Finding:
    """Every file is as on most nodes."""
    if DAMAGED in str(observed.get(DAEMON, "")):
        return failed(
            f"{DAEMON} {observed[DAEMON].partition(' ')[2]}",
            "JSON",
            f"{DAEMON} is damaged: Docker's daemon will not start again",
            f"python3 -m json.tool {DAEMON}; correct it, or playbooks/site.yml --tags docker",
            about=(DAEMON,),
        )
    beside = compare(context.fleet, compared(observed), compared, MISSING)
    other = sorted(beside.other)
    if other:
        said = "; ".join(f"{name} {beside.own[name]}" for name in other[:6])
        wanted = "; ".join(f"{name} {beside.other[name].usual}" for name in other[:6])
        like = beside.other[other[0]].like
        own_alone = beside.other[other[0]].usual == MISSING and other[0] not in (observed.get("packages") or {})
        strange = alone(other[0], context.node) if own_alone else None
        fix = strange[1] if strange else difference(other[0], context.node, like, observed, context.fleet[like])
        if all(name.startswith(SYSTEM) and not STACK.search(name) for name in other):
            cause = "the system's own settings are others here than on the other nodes of its kind"
            return warned(said, f"{wanted}, {beside.on}", cause, fix)
        cause, mend = strange or of_mode(other[0], beside.own[other[0]], beside.other[other[0]].usual)
        return failed(said, f"{wanted}, {beside.on}", cause, mend or fix, about=tuple(other))
    if beside.split:
        first = next(iter(beside.split.values())).holders
        return undecided(beside, difference(next(iter(beside.split)), first[0][1][0], first[1][1][0], observed))
    if beside.nodes < 2:
        return passed(f"{len(compared(observed))} files; no other node of its kind to compare with")
    return passed(f"{len(compared(observed))} files as on {beside.nodes} nodes")


def alone(name: str, node: str) -> tuple[str, str]:
    """Return cause and fix of a file that most nodes have not, and no package here."""
    unit = re.match(r".*/system(?:\.control)?/([\w@-]+\.\w+)\.d/", name)
    after = f" && ssh {node} 'systemctl daemon-reload && systemctl restart {unit.group(1)}'" if unit else ""
    cause = f"{name} lies on this node, and on most others it does not: put there by hand, or left from before"
    return cause, f"ssh {node} cat {name}; where it is not wanted: ssh {node} rm {name}{after}"


def of_mode(name: str, own: str, usual: str) -> tuple[str, str]:
    """Return cause and fix where a file has the same content and another mode, or cannot be read; else none."""
    (text, _space, mode), (like, _space, right) = own.partition(" "), usual.partition(" ")
    if not HASHED.fullmatch(usual) or own == MISSING:
        return "", ""
    if own == os.strerror(errno.EACCES):
        return f"users cannot read {name} on this node", f"ls -l {name}; chmod {right} {name}"
    if HASHED.fullmatch(own) and text == like:
        return f"{name} has the mode {mode} here, and the content that it has elsewhere", f"chmod {right} {name}"
    return "", ""


def difference(name: str, node: str, other: str, *seen: Mapping[str, Any]) -> str:
    """Return what shows how a file differs, and what writes it anew; what was ``seen`` of it names its package."""
    fix = f"diff <(ssh {other} cat {name}) <(ssh {node} cat {name}); "
    # Older results do not know it, and where the file is missing another node does.
    known = [one["packages"][name] for one in seen if name in (one.get("packages") or {})]
    by, _space, package = (known or [""])[0].partition(" ")
    if OURS.match(package):
        away = f"mv $(readlink -f {name}) /root on {node}; " if name in seen[0] else ""
        return f"{fix}it is of the package {package}: {away}playbooks/site.yml --limit {node}"
    if package:
        fix += f"it is of the package {package}: {ANEW[by].format(name=name, package=package)}; then "
    return f"{fix}playbooks/site.yml writes what is ours anew"
