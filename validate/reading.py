"""What several checks read from a node: mounts, enroot's paths, units. Part of the probe."""

from __future__ import annotations

import os
import pwd
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from validate.model import Finding, errored, failed
from validate.probing import Node

SHARED = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "cifs", "ceph", "wekafs", "9p", "afs", "panfs", "pvfs2"}
ENROOT_KEYS = ("ENROOT_RUNTIME_PATH", "ENROOT_CACHE_PATH", "ENROOT_DATA_PATH", "ENROOT_TEMP_PATH")
PLATFORMS = ("/opt/parallelcluster", "/opt/ml/config")
STATE = "LoadState,ActiveState,UnitFileState"
# The home of an account that is to have none; '' where the account itself is not known.
NO_HOME = ("", "/", "/nonexistent", "/var/empty", "/dev/null")
# Seconds within which a file system says what it is.
ANSWER = 4
# Names and links on the way to a path, after which it is a circle.
LINKS = 200
# enroot 4.1's own defaults (conf/enroot.conf.in).
ENROOT_DEFAULTS = {
    "ENROOT_RUNTIME_PATH": "${XDG_RUNTIME_DIR:-/run}/enroot",
    "ENROOT_CACHE_PATH": "${XDG_CACHE_HOME:-${HOME}/.cache}/enroot",
    "ENROOT_DATA_PATH": "${XDG_DATA_HOME:-${HOME}/.local/share}/enroot",
    "ENROOT_TEMP_PATH": "${TMPDIR:-/tmp}",
}


# Prints mountinfo's lines of / in a shell: an image may hold neither grep nor findmnt.
SHOW_ROOT = 'while read -r line; do case "$line" in *" / r"[ow]*) echo "$line";; esac; done < /proc/self/mountinfo'


def mounts(node: Node) -> list[dict[str, str]]:
    """Return the mounts of this namespace: point, type, options, source, and the part of the source that is mounted.

    ``security`` is how the server wants users to prove who they are (sec= of NFS and CIFS), '' where none is named.
    """
    return mounts_of(node.read("/proc/self/mountinfo") or "")


def mounts_of(text: str) -> list[dict[str, str]]:
    """Return the mounts in a text of mountinfo's form; other lines are passed over."""
    found = []
    for line in text.splitlines():
        left, _dash, right = line.partition(" - ")
        fields, tail = left.split(), right.split()
        if len(fields) >= 6 and len(tail) >= 2:
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
            whole = ",".join(tail[2:]).split(",")
            # A file system that the kernel made read-only after an error stays mounted rw.
            options = fields[5] + ",ro" * ("ro" in whole)
            security = next((word[4:] for word in whole if word.startswith("sec=")), "")
            found.append({
                "point": point, "type": tail[0], "options": options, "source": tail[1], "part": fields[3],
                "security": security,
            })  # fmt: skip
    return found


def mount_of(path: str, table: list[dict[str, str]]) -> dict[str, str]:
    """Return the mount that holds a path: the last one mounted on its longest parent."""
    best: dict[str, str] = {"point": "", "type": "", "options": "", "source": "", "part": "", "security": ""}
    for mount in table:
        inside = path == mount["point"] or path.startswith(mount["point"].rstrip("/") + "/")
        if inside and len(mount["point"]) >= len(best["point"]):
            best = mount
    return best


def restrictions(options: str) -> list[str]:
    """Return what a mount's options keep from users: writing, executing."""
    return [word for word in ("ro", "noexec") if word in options.split(",")]


def root_mount(node: Node) -> str:
    """Return what is mounted on /, which tells inside from outside of a container."""
    return root_of(node.read("/proc/self/mountinfo") or "")


def root_of(text: str) -> str:
    """Return what is mounted on / by a text of mountinfo's form; ':' where it does not say."""
    mount = mount_of("/", mounts_of(text))
    return f"{mount['source']}:{mount['part']}"


def closed(node: Node, directory: str) -> str:
    """Return the first directory on the way to one, or that itself, that keeps this account out, '' for none."""
    for name in (*(str(parent) for parent in reversed(Path(directory).parents)), directory):
        path = node.path(name)
        wanted = os.R_OK | os.X_OK if name == directory else os.X_OK
        if os.path.isdir(path) and not os.access(path, wanted):  # noqa: PTH112 - Path.is_dir raises
            return name
    return ""


def enroot_settings(node: Node) -> dict[str, str]:
    """Return enroot's keys with their text as configured: the first value of the main file and its drop-ins wins."""
    found: dict[str, str] = {}
    names = ["/etc/enroot/enroot.conf"]
    # From above: Path.glob of a directory that is closed raises.
    drop_ins = node.path("/").glob("etc/enroot/enroot.conf.d/*.conf")
    names += sorted("/" + str(path.relative_to(node.root)) for path in drop_ins)
    for name in names:
        for line in (node.read(name) or "").splitlines():
            words = line.split("#")[0].split(None, 1)
            if len(words) == 2 and words[0] not in found:
                found[words[0]] = words[1].strip()
    return found


def enroot_paths(node: Node) -> dict[str, str]:
    """Return enroot's four directories for this account, as enroot's own shell expands them."""
    configured = enroot_settings(node)
    found = {}
    for key in ENROOT_KEYS:
        text = os.environ.get(key) or configured.get(key) or ENROOT_DEFAULTS[key]
        # The values are shell text by definition (enroot.conf(5)): enroot evaluates them in the same way.
        found[key] = node.run(["bash", "-c", f'printf %s "{text}"'], 5).stdout
    return found


def existing(path: str) -> str:
    """Return a path, or the nearest of its parents that is there, as far as this account can see."""
    place = Path(path)
    # Path.exists raises where a directory on the way is closed.
    while not os.path.exists(place) and place != place.parent:  # noqa: PTH110 - see above
        place = place.parent
    return str(place.resolve())


def place_of(path: str, table: list[dict[str, str]]) -> dict[str, Any]:
    """Return a path with the mount that holds it, and where links lead it, be that there or not."""
    real = os.path.realpath(path)
    mount = mount_of(existing(real), table)
    return {
        "path": path, "mount": mount["point"], "type": mount["type"], "options": mount["options"], "real": real,
        "there": os.path.exists(real),  # noqa: PTH110
    }  # fmt: skip


def silent(node: Node, paths: Iterable[str]) -> set[str]:
    """Return the paths whose file system does not answer: a process of its own can be given up.

    What is known of a file may be remembered, and what a whole file system says of itself is not.
    """
    asked = sorted({path for path in paths if path})
    try:
        with ThreadPoolExecutor(max(1, len(asked))) as pool:
            outputs = list(pool.map(lambda path: node.run(["stat", "-f", "-c", "%T", path], ANSWER), asked))
    except RuntimeError:
        # No thread can be started: N-22 says which limit is too low.
        return set()
    return {path for path, output in zip(asked, outputs) if output.code is None}


def given_up(node: Node, path: str, table: list[dict[str, str]], dead: set[str]) -> dict[str, Any]:
    """Return what ``place_of`` does, of a path that nobody may touch because a file system on its way is silent.

    ``dead`` are the mount points that are known for it, so that nobody waits twice for one.
    """
    mount = silent_mount(node, path, table, dead)
    dead.add(mount["point"])
    return {
        "path": path, "mount": mount["point"], "type": mount["type"], "options": mount["options"], "real": path,
        "there": True,
    }  # fmt: skip


def silent_mount(node: Node, path: str, table: list[dict[str, str]], dead: set[str]) -> dict[str, str]:
    """Return the first mount on the way to a path, and on that of its links, that does not answer."""
    points = {mount["point"] for mount in table}
    place, rest = "/", path.split("/")
    for _ in range(LINKS):
        if not rest:
            break
        step = os.path.normpath(os.path.join(place, rest.pop(0)))  # noqa: PTH118 - a text, of which nothing is touched
        if step in points and step != place:
            # Not a link, and to look would be to wait.
            if step in dead or silent(node, [step]):
                return mount_of(step, table)
            place = step
            continue
        try:
            target = str(Path(step).readlink())
        except OSError:
            place = step
        else:
            rest = [*target.split("/"), *rest]
            place = "/" if target.startswith("/") else place
    return mount_of(place, table)


def write(path: str) -> dict[str, Any]:
    """Return why a file cannot be written there, '' where it can, and which directory is in the way."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".slipway-validate-") as stream:
            stream.write(b"x" * 4096)
            stream.flush()
    except OSError as error:
        return {"write": str(error.strerror), "obstacle": obstacle(path)}
    return {"write": ""}


def obstacle(path: str) -> dict[str, Any]:
    """Return what stops this account on its way: the first that it cannot enter, else the last that is there."""
    place = Path("/")
    for step in [*reversed(Path(path).parents), Path(path)]:
        if not os.path.exists(step):  # noqa: PTH110 - Path.exists raises where a directory on the way is closed
            break
        place = step
        if not os.access(step, os.X_OK):
            break
    status, me = place.stat(), os.getuid()
    try:
        empty = not any(entry.name != "lost+found" for entry in os.scandir(place))
    except OSError:
        empty = False
    return {
        "path": str(place), "owner": account(status.st_uid), "mode": f"{status.st_mode & 0o7777:04o}",
        "enters": os.access(place, os.X_OK), "empty": empty, "me": account(me), "uid": me,
    }  # fmt: skip


def account(number: int) -> str:
    """Return an account's name, or its number where it has none here."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def unasked(said: str, otherwise: str) -> Finding:
    """Return the finding of a systemctl that told nothing and ``said`` why: a bus that does not run, else no verdict.

    Recorded from systemd 257 ("to system scope bus via local transport") and 252 ("to bus").
    """
    if not re.search(r"Failed to connect to (system scope )?bus[^\n]*: (No such file|Connection refused)", said):
        return errored(otherwise)
    return failed(
        said.strip()[:200],
        "systemd answers",
        "the message bus (dbus) does not run on this host, and without it nobody but root reaches systemd",
        "systemctl status dbus.socket dbus; systemctl start dbus.socket dbus",
    )


def failed_units(node: Node) -> dict[str, Any]:
    """Ask systemd what failed."""
    return node.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"], 8).record()


def unit_names(observed: Mapping[str, Any]) -> list[str]:
    """Return the names in what ``failed_units`` saw."""
    return [line.split()[0] for line in observed["stdout"].splitlines() if line.split()]


def properties(node: Node, names: Sequence[str], wanted: str) -> dict[str, dict[str, str]]:
    """Return unit -> the wanted properties of systemd's, which are separated by commas."""
    output = node.run(["systemctl", "show", *names, f"--property=Id,Names,{wanted}"], 5)
    found = {}
    for block in output.stdout.split("\n\n"):
        state = dict(re.findall(r"^(\w+)=(.*)$", block, re.MULTILINE))
        # Of an alias it says the unit that it stands for.
        called = {state.get("Id"), *state.pop("Names", "").split()}
        found.update({name: state for name in names if name in called})
    return found


def units(node: Node, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return of each unit that systemd has loaded whether it is enabled and what it does now; .service is left out."""
    return loaded(properties(node, names, STATE))


def loaded(found: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return what ``units`` does, of what systemd said of them (``properties`` of STATE)."""
    return {
        name.replace(".service", ""): {
            "enabled": state.get("UnitFileState", ""), "state": state.get("ActiveState", "")
        }
        for name, state in found.items()
        if state.get("LoadState") == "loaded"
    }  # fmt: skip


def starting(found: Mapping[str, Mapping[str, str]]) -> dict[str, bool]:
    """Return of each unit that runs whether it starts by itself; a static or generated one needs no enabling."""
    return {
        unit: seen["enabled"] not in ("disabled", "masked") for unit, seen in found.items() if seen["state"] == "active"
    }


def platform(node: Node) -> bool:
    """Return whether a platform starts Slurm's daemons itself, as ParallelCluster and HyperPod do."""
    return any(node.path(place).exists() for place in PLATFORMS)
