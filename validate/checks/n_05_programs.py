"""N-05: what the site installs is on the PATH of jobs."""

from __future__ import annotations

import errno
import os
from typing import Any

from validate.model import Check, Context, Finding, compare, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="N-05",
    title="container programs and srun on the job's PATH",
    tier="quick",
    step="host",
    cause="the install did not reach this node, or the program lies outside slurmd's PATH",
    fix="playbooks/site.yml --limit this node; systemctl show slurmd -p Environment",
    seconds=20,
)


PROGRAMS = {
    "enroot": ("enroot",),
    "docker": ("docker",),
    "apptainer": ("apptainer",),
    "nvidia_container_toolkit": ("nvidia-container-cli",),
}


# Jobs start steps of their own, and so does the suite.
SLURM = "srun"
# What enroot's scripts call: to start a container from a file, and to import an image (its package requires them).
START = ("unsquashfs",)
IMPORT = ("mksquashfs", "curl", "jq", "parallel", "zstd", "tar", "find", "awk")
# What each of them does where it works, with the code 0 unless it is one of LENIENT, and nothing of a job's is touched.
TRIALS = {
    "unsquashfs": ("-version",), "mksquashfs": ("-version",), "jq": ("-n", "1"), "awk": ("BEGIN { exit 0 }",),
}  # fmt: skip
# Not every release of squashfs-tools ends with 0 there; 126 and 127 are the loader's and the shell's.
LENIENT = (*START, "mksquashfs")
# Several read settings of the account, whose home may be on a server that does not answer.
ALONE = {"HOME": "/", "XDG_CONFIG_HOME": "/", "PARALLEL": ""}
# Nothing can be started: N-22 says which limit is too low.
STARVED = [os.strerror(number) for number in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)]
# The packages of Debian and of RHEL and its kin; a program that is not named has the name of its package.
PACKAGES = {
    "unsquashfs": "squashfs-tools", "mksquashfs": "squashfs-tools", "find": "findutils", "awk": "gawk",
}  # fmt: skip
ADMINS = ("/usr/sbin", "/sbin")
# Where a program may lie that PATH does not yield, because users may not execute it.
PLACES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/slurm/bin")
CLOSED, BROKEN, HANGS = "closed", "broken", "it hangs"
NO_IMPORT = "where nodes import nothing, this is no fault"


def observe(node: Node) -> Any:
    """Look for all of them; some distributions have enroot's tools where only admins look."""
    found = {name: node.which(name) for name in (SLURM, *(name for names in PROGRAMS.values() for name in names))}
    for name in (*START, *IMPORT):
        places = [f"{place}/{name}" for place in ADMINS if node.path(f"{place}/{name}").exists()]
        found[name] = node.which(name) or (places or [""])[0]
    closed = {name: shut(node, name) for name, path in found.items() if not path}
    broken: dict[str, str] = {}
    for name in (*START, *IMPORT):
        # Where one hangs, others may: they would take the check's time.
        if found[name] and HANGS not in broken.values():
            broken[name] = fate(node, name, found[name])
    return {
        **found,
        CLOSED: {name: path for name, path in closed.items() if path},
        BROKEN: {name: said for name, said in broken.items() if said},
    }


def fate(node: Node, name: str, program: str) -> str:
    """Return what keeps a program from working, '' where it does: it may be cut off, lack a library, be another one."""
    output = node.run([program, *TRIALS.get(name, ("--version",))], 5, ALONE)
    if output.code is not None and 0 <= output.code < (126 if name in LENIENT else 1):
        return ""
    if any(word in output.stderr for word in STARVED):
        return ""
    lines = (output.stderr.strip() or output.stdout.strip()).splitlines()
    return lines[0][:200] if lines else HANGS if output.code is None else f"it ended with {output.code}"


def shut(node: Node, name: str) -> str:
    """Return where a program lies that this account may not execute, '' where there is none."""
    for path in (f"{place}/{name}" for place in PLACES):
        # Path.is_file raises where a directory on the way is closed.
        if os.path.isfile(node.path(path)) and not os.access(node.path(path), os.X_OK):  # noqa: PTH113
            return path
    return ""


def judge(observed: Any, context: Context) -> Finding:
    """What validate_runtimes names is there, and srun."""
    wanted = [name for runtime in context.settings["runtimes"] for name in PROGRAMS.get(runtime, ())]
    called = START if "enroot" in context.settings["runtimes"] else ()
    closed = {name: path for name, path in (observed.get(CLOSED) or {}).items() if name in (SLURM, *wanted, *called)}
    if closed:
        return for_nobody(closed)
    if not observed.get(SLURM, SLURM):
        return failed(
            f"not found: {SLURM}",
            f"{SLURM} on PATH",
            "Slurm's own programs are not on the job's PATH: a job on this node cannot start steps",
            "command -v srun in a job and in a login shell; install Slurm's client commands, or mend PATH",
        )
    missing = [name for name in wanted if not observed[name]]
    if missing:
        return failed(f"not found: {', '.join(missing)}", f"on PATH: {', '.join(wanted)}")
    if "enroot" in context.settings["runtimes"]:
        finding = tools(observed, context)
        if finding:
            return finding
    return passed(", ".join(observed[name] for name in wanted) or "nothing is declared")


def tools(observed: Any, context: Context) -> Finding | None:
    """Return the finding of programs that enroot calls: what the others have is missed, what nobody has is said."""
    own = working(observed)
    beside = compare(context.fleet, own, working, merit=lambda _name, works: works)
    missed = [name for name in own if not own[name] and (name in START or name in beside.other)]
    broken = observed.get(BROKEN) or {}
    lame = {name: broken[name] for name in missed if name in broken}
    if lame:
        return failed(*of_broken(lame, observed))
    closed = {name: path for name, path in (observed.get(CLOSED) or {}).items() if name in missed}
    if closed:
        return for_nobody(closed)
    if missed:
        return failed(
            f"not found: {', '.join(missed)}",
            f"on PATH: {', '.join(own)}" + (f", {beside.on}" if beside.other else ""),
            f"a program that enroot calls is missing: {', '.join(missed)}",
            f"apt-get install --reinstall {packages(missed)} (dnf: reinstall, or install where it is not there); "
            "dpkg --verify, or rpm -V, says what else a package lacks",
        )
    nowhere = [name for name in own if not own[name]]
    lame = {name: broken[name] for name in nowhere if name in broken}
    if lame:
        said, wanted, cause, fix = of_broken(lame, observed)
        return warned(said, wanted, f"{cause}: images cannot be imported on these nodes", f"{fix}; {NO_IMPORT}")
    if nowhere:
        return warned(
            f"not found on any node of this kind: {', '.join(nowhere)}",
            f"on PATH: {', '.join(own)}",
            f"enroot import calls {', '.join(nowhere)}: images cannot be imported on these nodes",
            f"install {packages(nowhere)}; {NO_IMPORT}",
        )
    return None


def of_broken(broken: dict[str, str], observed: Any) -> tuple[str, str, str, str]:
    """Return observed, expected, cause and fix of programs that are there and do not work: name -> what it said."""
    first = next(iter(broken))
    said = "; ".join(f"{observed[name]}: {words}" for name, words in broken.items())
    cause = f"a program that enroot calls is there and does not work: {', '.join(broken)}"
    fix = (
        f"type -a {first}, where another one may come first; ldd {observed[first]}; apt-get install --reinstall "
        f"{packages(list(broken))}, or dnf reinstall; dpkg --verify, or rpm -V, says what else a package lacks"
    )
    return said, "programs that work", cause, fix


def packages(programs: list[str]) -> str:
    """Return the packages that hold the programs, each once."""
    return " ".join(dict.fromkeys(PACKAGES.get(name, name) for name in programs))


def for_nobody(closed: dict[str, str]) -> Finding:
    """Return the finding of programs that are there and that users may not execute: name -> path."""
    paths = " ".join(closed.values())
    return failed(
        f"{paths}: users may not execute {'it' if len(closed) == 1 else 'them'}",
        f"programs for everybody: {', '.join(closed)}",
        f"users may not execute {next(iter(closed.values()))}: its mode was changed",
        f"chmod 0755 {paths}",
    )


def working(seen: Any) -> dict[str, bool]:
    """Return which of enroot's programs are there and work; older results do not say."""
    broken = seen.get(BROKEN) or {}
    return {name: bool(seen[name]) and name not in broken for name in (*START, *IMPORT) if name in seen}
