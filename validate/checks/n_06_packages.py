"""N-06: one version of every package in the fleet, and none that is known to be broken."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils.packages import OPTIONAL_FILES

from validate import slurm
from validate.model import Check, Context, Finding, compare, failed, passed, undecided, warned
from validate.probing import Node

CHECK = Check(
    id="N-06",
    title="one version per package, none denied",
    tier="quick",
    step="host",
    cause="an unattended upgrade or an interrupted install on this node",
    fix="playbooks/site.yml; hold the packages: apt-mark hold",
    seconds=40,
    # The program makes its directories before it says anything.
    after=("N-05", "N-28", "N-10"),
)


PACKAGES = (
    "enroot", "enroot+caps", "nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools",
    "libnvidia-container1", "docker-ce", "docker.io", "docker", "containerd.io", "containerd", "apptainer",
    "apptainer-suid", "singularity-ce",
)  # fmt: skip
TOOLKIT = PACKAGES[2:6]
PATIENCE = 20
# Those whose files are read whole: small ones, on which every container depends.
VERIFIED = PACKAGES[:6]
# A line of dpkg --verify and of rpm --verify: what is another (5: the content), what kind of file, the path.
VERIFY = re.compile(r"^(?:missing|..5\S*) +(?:([a-z]) )? *(/\S+)$", re.MULTILINE)
DENIED = {
    ("enroot", "4.1.0"): "containers do not start (enroot#261)",
    ("libnvidia-container1", "1.17.7"): "device rules fail after an upgrade (nvidia-container-toolkit#1093)",
    ("nvidia-container-toolkit", "1.17.7"): "device rules fail after an upgrade (nvidia-container-toolkit#1093)",
}


# A role installs a package anew of which a file is missing. enroot's are in no repository of the distribution.
ANEW = "where it is the package's own, mv it to /root, and playbooks/site.yml --limit this node installs it anew"
PROGRAM, PROGRAM_FAILS, BROKEN, ALTERED = "enroot version", "enroot fails", "broken", "altered"
ABSENT, MISSING, PACKAGED = "absent", "missing", "as packaged"
WHOLE = "files as their packages brought them"
UNVERIFIED = (
    "the disk is slow, or hangs: whether enroot's files are as they should be is not known",
    "dpkg --verify enroot, or rpm -V enroot; dmesg -T | tail",
)
KEEP = "diff it with the package's; dpkg-divert --add {} keeps it over an upgrade; else mv it to /root, and site.yml"
# The second letter of dpkg's state: what an installation that was cut off leaves.
CUT_OFF = {"H": "half-installed", "U": "unpacked", "F": "half-configured"}


def observe(node: Node) -> Any:
    """Ask dpkg or rpm for those that are installed; pyxis is the plugin that the fixed path leads to."""
    if node.which("dpkg-query"):
        words = ["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Package} ${Version}\n", *PACKAGES]
    else:
        words = ["rpm", "-q", "--qf", "ii %{NAME} %{VERSION}-%{RELEASE}\n", *PACKAGES]
    lines = [line.split() for line in node.run(words, 8).stdout.splitlines()]
    # One that is held is hi.
    found: dict[str, Any] = {line[1]: line[2] for line in lines if len(line) == 3 and line[0][1] == "i"}
    broken = {line[1]: CUT_OFF[line[0][1]] for line in lines if len(line) == 3 and line[0][1] in "HUF"}
    # A program put there by hand is no package.
    program = node.run(["enroot", "version"], 5)
    if program.code == 0:
        found[PROGRAM] = program.stdout.strip()
    elif node.which("enroot"):
        ended = "no answer within 5 s" if program.code is None else f"exit code {program.code}"
        found[PROGRAM_FAILS] = f"{ended} {program.text[:200]}".strip()
    if broken:
        found[BROKEN] = broken
    others = altered(node, [name for name in VERIFIED if name in found])
    if others != {}:
        found[ALTERED] = others
    for line in slurm.plugstack(node)["pyxis"]:
        found["pyxis"] = str(node.path(line["plugin"]).resolve().parent.name)
    return found


def altered(node: Node, names: list[str]) -> dict[str, str] | None:
    """Return file -> its hash, or MISSING, of those that are not as the packages brought them; None where unknown.

    A file of the configuration may be edited, and some nodes are installed without documentation.
    """
    if not names:
        return {}
    words = ["dpkg", "--verify"] if node.which("dpkg-query") else ["rpm", "--verify", "--nodeps", "--noscripts"]
    output = node.run([*words, *names], PATIENCE)
    if output.code is None:
        return None
    paths = [path for kind, path in VERIFY.findall(output.stdout) if not kind and not path.startswith(OPTIONAL_FILES)]
    return {path: digest(node, path) for path in paths}


def digest(node: Node, path: str) -> str:
    """Return the hash of a file, MISSING where it cannot be read."""
    try:
        return hashlib.sha256(node.path(path).read_bytes()).hexdigest()[:16]
    except OSError:
        return MISSING


def judge(observed: Any, context: Context) -> Finding:
    """Nothing denied, the toolkit's four equal, and every version that of most nodes."""
    for (name, version), reason in DENIED.items():
        if str(observed.get(name, "")).startswith((f"{version}-", f"{version}~")) or observed.get(name) == version:
            return failed(f"{name} {observed[name]}", f"any other version: {reason}")
    toolkit = {observed[name] for name in TOOLKIT if name in observed}
    if len(toolkit) > 1:
        return failed(" ".join(sorted(toolkit)), "one version of the four toolkit packages")
    if observed.get(BROKEN):
        return failed(
            ", ".join(f"{name} is {state}" for name, state in observed[BROKEN].items()),
            "installed (dpkg -l: ii)",
            "the installation of a package was cut off on this node",
            "dpkg --configure -a; apt-get --fix-broken install; dpkg --audit says what is left",
        )
    own = packages(observed)
    beside = compare(context.fleet, own, packages, ABSENT)
    names = sorted(beside.other)
    if names:
        wanted = ", ".join(f"{name} {beside.other[name].usual}" for name in names)
        return failed(", ".join(f"{name} {beside.own[name]}" for name in names), f"{wanted}, {beside.on}")
    damaged = damage(observed) or files(observed, context)
    if damaged:
        return damaged
    if beside.split:
        return undecided(beside, "the version that the site pins: playbooks/site.yml installs it on both")
    return passed(", ".join(f"{name} {version}" for name, version in sorted(own.items())) or "none installed")


def damage(observed: Any) -> Finding | None:
    """Return what was done to enroot's program, or to a file of a package; None where nothing was."""
    if observed.get(PROGRAM_FAILS):
        return failed(
            f"enroot version: {observed[PROGRAM_FAILS]}",
            "a version",
            "the program enroot on this node is broken, or was replaced by hand",
            f"type -a enroot; dpkg --verify enroot, or rpm -V enroot; {ANEW}",
        )
    program = observed.get(PROGRAM, "")
    if not observed.get("enroot", program).startswith(program):
        return failed(
            f"the package enroot is {observed['enroot']}, and the program says {program}",
            "the package's own program",
            "the program was replaced by hand, or another one is earlier on PATH",
            f"type -a enroot; {ANEW}",
        )
    return None


def files(observed: Any, context: Context) -> Finding | None:
    """Return what is not as its package brought it, None where nothing is; a site may have edited it on all nodes."""
    if ALTERED in observed and observed[ALTERED] is None:
        return warned(f"no answer within {PATIENCE} s", "dpkg --verify, or rpm -V, answers", *UNVERIFIED)
    own = differing(observed)
    beside = compare(context.fleet, own, differing, PACKAGED, merit=lambda _path, seen: seen == PACKAGED)
    bad = [path for path in own if own[path] == MISSING or path in beside.other]
    paths = bad or list(own)
    if not paths:
        return None
    named = " ".join(paths[:3])
    said = f"not as in the package: {named}" + f" and {len(paths) - 3} more" * (len(paths) > 3)
    if not bad:
        where = f"on {beside.nodes} nodes of this kind" if beside.nodes > 1 else "here, with no other to compare with"
        return warned(said, WHOLE, f"edited {where}: on purpose?", KEEP.format(paths[0]))
    return failed(
        said,
        f"{WHOLE}, {beside.on}" if beside.other else WHOLE,
        "a file of a package was changed or removed by hand, or damaged on the disk",
        f"ls -l {named}; mv {named} /root; playbooks/site.yml --limit this node installs its package anew; "
        "dmesg -T | grep -i 'i/o error'",
    )


def differing(seen: Any) -> dict[str, str]:
    """Return which files are not as their packages brought them; older results do not say."""
    return dict(seen.get(ALTERED) or {})


def packages(seen: Any) -> dict[str, str]:
    """Return the packages of an observation."""
    return {name: version for name, version in seen.items() if name not in (PROGRAM, PROGRAM_FAILS, BROKEN, ALTERED)}
