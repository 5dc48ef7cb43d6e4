"""Kernel settings of this machine that a sandbox changes, and gives back.

They belong to the machine, not to a sandbox: a second sandbox may still need what a first one
raised. So there is one record for the machine, in /run like the settings' own lifetime: what the
value was, and which sandboxes hold it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .settings import RUNTIME
from .state import write_atomically

INSTANCES = "fs.inotify.max_user_instances"
FORWARDING = "net.ipv4.ip_forward"
# Measured: five inotify instances for a bare node; the runtimes installed on it add to that.
INSTANCES_PER_NODE = 16
INSTANCES_OF_HOST = 64
INSTANCES_RAISED = 8192

Record = dict[str, dict[str, Any]]


def needed(nodes: int, current: Mapping[str, str]) -> dict[str, str]:
    """Settings to change for so many nodes. Netavark sets forwarding itself, and never back."""
    wanted = {FORWARDING: "1"}
    if int(current[INSTANCES]) < INSTANCES_OF_HOST + INSTANCES_PER_NODE * nodes:
        wanted[INSTANCES] = str(INSTANCES_RAISED)
    return {key: value for key, value in wanted.items() if current[key] != value}


def hold(record: Record, identity: str, wanted: Mapping[str, str], current: Mapping[str, str]) -> Record:
    """The record once this sandbox depends on every setting that any sandbox changed."""
    merged = {key: {**entry, "holders": [*entry["holders"]]} for key, entry in record.items()}
    for key, value in wanted.items():
        merged.setdefault(key, {"was": current[key], "holders": []})["set"] = value
    for entry in merged.values():
        if identity not in entry["holders"]:
            entry["holders"].append(identity)
    return merged


def release(record: Record, identity: str) -> tuple[Record, dict[str, dict[str, Any]]]:
    """The record without this sandbox, and the entries that nobody holds any more."""
    kept: Record = {}
    free: Record = {}
    for key, entry in record.items():
        holders = [holder for holder in entry["holders"] if holder != identity]
        (kept if holders else free)[key] = {**entry, "holders": holders}
    return kept, free


def sysctl_path(key: str) -> Path:
    return Path("/proc/sys") / key.replace(".", "/")


def read(key: str) -> str:
    return sysctl_path(key).read_text(encoding="utf-8").strip()


@contextmanager
def locked_record(directory: Path = RUNTIME) -> Iterator[Path]:
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    with (directory / "lock").open("w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield directory / "sysctls.json"


def load(path: Path) -> Record:
    record: Record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return record


def apply(identity: str, nodes: int) -> dict[str, str]:
    """Change what is needed; the record is written before the change, so a crash loses nothing."""
    current = {key: read(key) for key in (INSTANCES, FORWARDING)}
    wanted = needed(nodes, current)
    with locked_record() as path:
        write_atomically(path, json.dumps(hold(load(path), identity, wanted, current)))
    for key, value in wanted.items():
        sysctl_path(key).write_text(value, encoding="utf-8")
    return wanted


def restore(identity: str, keep_forwarding: bool) -> dict[str, str]:
    """Give back what no other sandbox holds, unless somebody else has set it since.

    Forwarding stays where containers of others run: their network may depend on it by now.
    """
    restored: dict[str, str] = {}
    with locked_record() as path:
        kept, free = release(load(path), identity)
        for key, entry in free.items():
            if key == FORWARDING and keep_forwarding:
                # A later sandbox takes the debt over.
                kept[key] = entry
                continue
            if read(key) == entry["set"]:
                sysctl_path(key).write_text(entry["was"], encoding="utf-8")
                restored[key] = entry["was"]
        if kept:
            write_atomically(path, json.dumps(kept))
        else:
            path.unlink(missing_ok=True)
    return restored


def forget(directory: Path = RUNTIME) -> None:
    """Remove the machine's record once no sandbox is left."""
    if directory.is_dir() and {path.name for path in directory.iterdir()} <= {"lock"}:
        (directory / "lock").unlink(missing_ok=True)
        directory.rmdir()
