"""N-31: the device files that every program opens are there, and open to users."""

from __future__ import annotations

import os
import stat
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="N-31",
    title="/dev/null and its like are devices, open to users",
    tier="quick",
    step="host",
    cause="a device file that every program opens is closed, missing or a plain file",
    fix="ls -l /dev/null /dev/zero /dev/urandom; systemd-tmpfiles --create --prefix=/dev; else reboot",
    after=("N-33",),
)


# Name -> major and minor number, and the mode (Linux: Documentation/admin-guide/devices.txt).
DEVICES = {
    "null": (1, 3, 0o666), "zero": (1, 5, 0o666), "full": (1, 7, 0o666), "random": (1, 8, 0o444),
    "urandom": (1, 9, 0o444), "tty": (5, 0, 0o666), "ptmx": (5, 2, 0o666), "fuse": (10, 229, 0o666),
}  # fmt: skip
# Not every program needs these, and a kernel may be without them.
OPTIONAL = ("fuse", "full", "tty", "ptmx")


def observe(node: Node) -> Any:
    """Look at each: its kind, number and mode."""
    found: dict[str, Any] = {}
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


def judge(observed: Any, context: Context) -> Finding:
    """Each that is needed is there, each that is there is the device that it is called after, and open."""
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
