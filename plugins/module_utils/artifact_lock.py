"""The site's lock file: which content every artifact must have."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils.artifacts import FILENAME, SHA256

try:
    import yaml
except ImportError:  # the control node has it, since Ansible needs it; the module says what to do if not
    yaml = None  # type: ignore[assignment]

LOCK_VERSION = 1
LOCK_HEADER = """\
# The SHA-256 and size of every file that Slipway downloads for this site.
# Written by playbooks/lock.yml; keep it under version control beside the inventory.
"""


class LockError(ValueError):
    """A lock file that cannot be used; the message names file and line."""


@dataclass(frozen=True)
class Entry:
    """What the lock file records of an artifact."""

    url: str
    sha256: str
    size: int


def parse(text: str, path: str) -> dict[str, Entry]:
    """Return the entries of a lock file; raises LockError with file and line when it is not one."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            raise LockError("%s, line %d: a merge conflict was left in the file" % (path, number))
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        cause = getattr(error, "problem", None) or str(error)
        raise LockError("%s, line %d: not valid YAML: %s" % (path, mark.line + 1 if mark else 1, cause)) from None
    if root is None:
        raise LockError("%s, line 1: the file is empty" % path)
    top = _mapping(root, path, "the file", ("artifacts_lock_version", "artifacts"))
    version = _scalar(top["artifacts_lock_version"], path, "artifacts_lock_version")
    if version != str(LOCK_VERSION):
        line = top["artifacts_lock_version"].start_mark.line + 1
        raise LockError("%s, line %d: lock version %s; this Slipway reads %d" % (path, line, version, LOCK_VERSION))
    entries = {}
    for filename, node in _mapping(top["artifacts"], path, "artifacts").items():
        if not FILENAME.match(filename):
            raise LockError("%s, line %d: %r is not a file name" % (path, node.start_mark.line + 1, filename))
        entries[filename] = _entry(node, path, filename)
    return entries


def _entry(node: Any, path: str, filename: str) -> Entry:
    fields = _mapping(node, path, filename, ("url", "sha256", "size"))
    values = {key: _scalar(child, path, "%s of %s" % (key, filename)) for key, child in fields.items()}
    for key, good, wanted in (
        ("sha256", SHA256.match(values["sha256"]), "64 lower-case hexadecimal digits"),
        ("size", re.match(r"[0-9]{1,15}\Z", values["size"]), "a number of bytes"),
        ("url", values["url"], "a URL"),
    ):
        if not good:
            line = fields[key].start_mark.line + 1
            raise LockError(
                "%s, line %d: %s of %s must be %s, not %r" % (path, line, key, filename, wanted, values[key])
            )
    return Entry(values["url"], values["sha256"], int(values["size"]))


def _mapping(node: Any, path: str, what: str, keys: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return a YAML mapping's children by key; a missing, unknown or repeated key is a LockError."""
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise LockError("%s, line %d: %s must be a mapping" % (path, line, what))
    children: dict[str, Any] = {}
    for key_node, child in node.value:
        key = _scalar(key_node, path, "a key of %s" % what)
        key_line = key_node.start_mark.line + 1
        if key in children:
            raise LockError("%s, line %d: %s is there twice" % (path, key_line, key))
        if keys is not None and key not in keys:
            raise LockError("%s, line %d: unknown key %r in %s" % (path, key_line, key, what))
        children[key] = child
    for key in keys or ():
        if key not in children:
            raise LockError("%s, line %d: %s lacks %s" % (path, line, what, key))
    return children


def _scalar(node: Any, path: str, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise LockError("%s, line %d: %s must be a single value" % (path, node.start_mark.line + 1, what))
    return str(node.value)


def render(entries: dict[str, Entry]) -> str:
    """Return a lock file, sorted by file name so that a diff shows only what changed."""
    lines = [LOCK_HEADER + "artifacts_lock_version: %d" % LOCK_VERSION]
    lines.append("artifacts:" if entries else "artifacts: {}")
    for filename in sorted(entries):
        entry = entries[filename]
        lines += [
            "  %s:" % filename,
            "    url: %s" % entry.url,
            "    sha256: %s" % entry.sha256,
            "    size: %d" % entry.size,
        ]
    return "\n".join(lines) + "\n"


def read(path: str) -> tuple[str, dict[str, Entry]]:
    """Return the text and the entries of the lock file; an absent one is empty. Raises LockError."""
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        raise LockError("%s cannot be read: %s" % (path, error)) from None
    return text, parse(text, path)


def write(path: str, text: str) -> None:
    """Replace the lock file by rename; raises OSError, and then the old one is untouched."""
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".artifacts.lock-", dir=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
