"""Change the files of a plugstack.conf tree so that no command ever meets half a change.

A new text is written to a file outside every directory that an include names and renamed into place.
"""

from __future__ import annotations

import base64
import errno
import glob
import os
import shutil
import stat
import tempfile
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import plugstack
from ansible_collections.slipway.containers.plugins.module_utils.files import (
    link_atomically,
    original_of,
    sync_directory,
)
from ansible_collections.slipway.containers.plugins.module_utils.plugstack_tree import Tree

MODE = 0o644
PREFIX = ".slipway-plugstack-"


def snapshot(path: str) -> dict[str, Any]:
    """Return what stands at a path: {type: absent | link | file, target, text or base64, mode, owner}."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return {"type": "absent"}
    if stat.S_ISLNK(status.st_mode):
        return {"type": "link", "target": os.readlink(path)}
    with open(path, "rb") as stream:
        content = stream.read()
    found = {"type": "file", "mode": f"{stat.S_IMODE(status.st_mode):04o}", "owner": status.st_uid}
    try:
        return {**found, "text": content.decode()}
    except UnicodeDecodeError:
        return {**found, "base64": base64.b64encode(content).decode()}


def wanted_snapshot(text: str | None) -> dict[str, Any]:
    """Return the snapshot of a planned text; None means that the entry goes."""
    if text is None:
        return {"type": "absent"}
    # Whoever runs this, which is root on a node.
    wanted = {"type": "file", "mode": f"{MODE:04o}", "owner": os.geteuid()}
    try:
        return {**wanted, "text": text.encode().decode()}
    except UnicodeEncodeError:
        content = text.encode("utf-8", "surrogateescape")
        return {**wanted, "base64": base64.b64encode(content).decode()}


def content_of(state: dict[str, Any]) -> bytes:
    """Return the bytes of a file's snapshot, empty for anything else."""
    if state.get("base64") is not None:
        return base64.b64decode(state["base64"])
    return str(state.get("text") or "").encode()


def apply(path: str, state: dict[str, Any], tree: Tree) -> None:
    """Make what stands at ``path`` equal to a snapshot; raises OSError, and then the old state stands."""
    if state["type"] == "absent":
        if os.path.lexists(path):
            os.unlink(path)
            sync_directory(os.path.dirname(path))
    elif state["type"] == "link":
        link_atomically(path, state["target"])
    else:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        _replace(path, state, included_directories(tree))


def included_directories(tree: Tree) -> set[str]:
    """Return every directory in which an include of the tree looks for files."""
    found: set[str] = set()
    for _path, line, pattern, _matches in tree.includes:
        if plugstack.is_glob(line.target):
            found.update(os.path.realpath(directory) for directory in glob.glob(os.path.dirname(pattern)))
    return found


def temporary_directories(path: str, included: set[str]) -> list[str]:
    """Return where a new file for ``path`` may be written, best first.

    A directory above on the same filesystem, else its own: a name that begins with a dot escapes a `*`.
    """
    own = os.path.realpath(os.path.dirname(path))
    device = os.stat(own).st_dev
    found = []
    directory = own
    while os.stat(directory).st_dev == device:
        if directory not in included and os.access(directory, os.W_OK):
            found.append(directory)
        if directory == os.path.dirname(directory):
            break
        directory = os.path.dirname(directory)
    return list(dict.fromkeys([*found[:1], own]))


def _replace(path: str, state: dict[str, Any], included: set[str]) -> None:
    directories = temporary_directories(path, included)
    for directory in directories:
        temporary = _write(directory, state)
        try:
            os.rename(temporary, path)
        except OSError as error:
            os.unlink(temporary)
            # A bind mount of one filesystem has its device number, and yet no rename crosses it.
            if error.errno != errno.EXDEV or directory == directories[-1]:
                raise
            continue
        sync_directory(os.path.dirname(path))
        return


def _write(directory: str, state: dict[str, Any]) -> str:
    # What a run that was killed between writing and renaming left here.
    for leftover in glob.glob(os.path.join(glob.escape(directory), PREFIX + "*")):
        os.unlink(leftover)
    descriptor, temporary = tempfile.mkstemp(prefix=PREFIX, dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content_of(state))
            stream.flush()
            if os.geteuid() == 0:
                os.fchown(stream.fileno(), int(state.get("owner", 0)), 0)
            os.fchmod(stream.fileno(), int(state.get("mode", "0644"), 8))
            os.fsync(stream.fileno())
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def keep(path: str, directory: str) -> str | None:
    """Keep a file or link once, before its first change; returns where, None when there was nothing to do."""
    kept = original_of(path, directory)
    if os.path.lexists(kept) or not os.path.lexists(path):
        return None
    os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
    temporary = kept + ".new"
    if os.path.lexists(temporary):
        os.unlink(temporary)
    shutil.copy2(path, temporary, follow_symlinks=False)
    os.rename(temporary, kept)
    sync_directory(os.path.dirname(kept))
    return kept


def diff_of(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return Ansible's diff of the snapshots in ``after``."""
    return [
        {
            "before_header": path,
            "after_header": path,
            "before": _shown(before[path]),
            "after": _shown(state),
        }
        for path, state in after.items()
    ]


def _shown(state: dict[str, Any]) -> str:
    if state["type"] == "link":
        return f"symbolic link to {state['target']}\n"
    return content_of(state).decode("utf-8", "replace")
