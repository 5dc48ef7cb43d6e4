"""N-31: the directories that every program enters and the device files that it opens are open to users."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="N-31",
    title="the system's directories, /dev/null and its like are open to users",
    tier="quick",
    step="host",
    cause="a device file that every program opens is closed, missing or a plain file",
    fix="ls -l /dev/null /dev/zero /dev/urandom, beside another node; rm -f and mknod it anew, or reboot",
    after=("N-33",),
)


# Name -> major and minor number, and the mode (Linux: Documentation/admin-guide/devices.txt).
DEVICES = {
    "null": (1, 3, 0o666), "zero": (1, 5, 0o666), "full": (1, 7, 0o666), "random": (1, 8, 0o444),
    "urandom": (1, 9, 0o444), "tty": (5, 0, 0o666), "ptmx": (5, 2, 0o666), "fuse": (10, 229, 0o666),
}  # fmt: skip
# Not every program needs these, and a kernel may be without them.
OPTIONAL = ("fuse", "full", "tty", "ptmx")
# A copy of a disk with the mode of its target, or a chmod of a directory too many, closes them.
DIRECTORIES = (
    "/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/share", "/bin", "/lib", "/dev", "/var", "/run",
)  # fmt: skip


UNMOUNTED = (
    "/dev/pts is not mounted, or closed: srun --pty and every interactive job fail",
    "findmnt /dev/pts; mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts; ls -l /dev/ptmx",
)
USED_UP = (
    "all pseudo-terminals are in use: srun --pty and every interactive job fail",
    "sysctl kernel.pty.nr kernel.pty.max; ls /dev/pts | wc -l; lsof /dev/ptmx names who has them",
)


def observe(node: Node) -> Any:
    """Look at each: its kind, number and mode, and which directories this account may not enter."""
    found: dict[str, Any] = {
        # Path.exists raises below a directory that is closed.
        "closed": [
            path
            for path, real in ((path, node.path(path)) for path in DIRECTORIES)
            if os.path.exists(real) and not os.access(real, os.X_OK)  # noqa: PTH110
        ],
        "terminal": terminal(),
    }
    for name in DEVICES:
        try:
            status = os.stat(node.path(f"/dev/{name}"))  # noqa: PTH116 - one call for all of it
        except OSError as error:
            found[name] = {"problem": str(error.strerror)}
            continue
        character = stat.S_ISCHR(status.st_mode)
        number = [os.major(status.st_rdev), os.minor(status.st_rdev)] if character else None
        found[name] = {"number": number, "mode": status.st_mode & 0o777}
    return found


def terminal() -> str:
    """Return why there is no terminal for a program, '' where there is."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as error:
        return str(error.strerror)
    return ""


def judge(observed: Any, context: Context) -> Finding:
    """Each that is needed is there, each that is there is the device that it is called after, and open."""
    if observed.get("closed"):
        closed = " ".join(observed["closed"])
        return failed(
            f"{closed}: Permission denied",
            "directories that users may enter",
            f"users cannot enter {observed['closed'][0]} on this node: nearly every program looks into it",
            f"chmod 0755 {closed}",
        )
    problems: list[str] = []
    fixes: list[str] = []
    needed = False
    for name, (major, minor, mode) in DEVICES.items():
        seen = observed.get(name) or {}
        path, before = f"/dev/{name}", len(problems)
        again = f"rm -f {path}; mknod -m {mode:04o} {path} c {major} {minor}"
        if "problem" in seen:
            if name not in OPTIONAL:
                problems.append(f"{path}: {seen['problem']}")
                fixes.append(again)
        elif seen.get("number") is None:
            problems.append(f"{path} is a plain file")
            fixes.append(again)
        # ptmx may lead to devpts, whose number is the same and whose mode is its mount's.
        elif seen["number"] != [major, minor]:
            problems.append(f"{path} is the device {seen['number'][0]}:{seen['number'][1]}, not {major}:{minor}")
            fixes.append(again)
        elif seen["mode"] & mode & 0o006 != mode & 0o006 and name != "ptmx":
            problems.append(f"{path} has the mode {seen['mode']:04o}")
            fixes.append(f"chmod 0666 {path}")
        wanted = name not in OPTIONAL or (name == "fuse" and mounts_by_fuse(context))
        needed = needed or (len(problems) > before and wanted)
    if not problems and observed.get("terminal"):
        said, used_up = observed["terminal"], observed["terminal"] == os.strerror(errno.ENOSPC)
        # No batch job needs one.
        return warned(f"openpty: {said}", "a pseudo-terminal", *(USED_UP if used_up else UNMOUNTED))
    if not problems:
        return passed("as they should be")
    said, expected = "; ".join(problems), "character devices, open to users"
    if not needed:
        return warned(said, expected, f"{problems[0]}: programs that open it fail", "; ".join(fixes))
    if said.startswith("/dev/fuse"):
        return failed(said, expected, f"{problems[0]}: apptainer mounts images by it", "; ".join(fixes))
    return failed(said, expected, f"{problems[0]}: nearly every program of a job opens it", "; ".join(fixes))


def mounts_by_fuse(context: Context) -> bool:
    """Return whether apptainer does not start here: where the kernel mounts its images, it does without."""
    seen = context.others.get("A-06")
    return "apptainer" in context.settings["runtimes"] and isinstance(seen, dict) and bool(seen.get("problem"))
